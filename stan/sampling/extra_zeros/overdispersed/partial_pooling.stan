// How partial_pooling.stan is sampled where outcomes may be extra zeros and
// the others vary more than their size makes them: no part of the model. As in
// sampling/extra_zeros/ and sampling/overdispersed/.
data {
  vector<lower=0>[J] precision_most; // of the estimates if phi had no end
  vector<lower=0>[J] noise_added; // and what 1 / phi adds to their variance
  vector<lower=0>[M] mu_noise_least; // the same of what there is to say of mu
  vector<lower=0>[M] mu_noise_added;
}
parameters {
  // population mean
  real<offset=dot_product(
                          weight_given(tau, phi, mu_noise_least,
                                       mu_noise_added, mu_share),
                          fell(mu_estimate, mu_estimate_falls, zero_odds,
                               guessed_odds))
              / sum(
                    weight_given(tau, phi, mu_noise_least, mu_noise_added,
                                 mu_share)),
       multiplier=inv_sqrt(
                           sum(
                               weight_given(tau, phi, mu_noise_least,
                                            mu_noise_added, mu_share)))> mu;
  // group means
  vector<offset=expected(mu, tau,
                         fell(estimate, estimate_falls, zero_odds,
                              guessed_odds),
                         given(precision_most, noise_added, phi)),
         multiplier=uncertainty(tau, given(precision_most, noise_added, phi),
                                tiny)>[J] theta;
}
