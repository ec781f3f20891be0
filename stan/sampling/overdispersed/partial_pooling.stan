// How partial_pooling.stan is sampled where rows vary more than their size
// makes them: no part of the model. As in sampling/partial_pooling.stan, but
// that the data say the less of a mean, the smaller phi is.
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
                          mu_estimate)
              / sum(
                    weight_given(tau, phi, mu_noise_least, mu_noise_added,
                                 mu_share)),
       multiplier=inv_sqrt(
                           sum(
                               weight_given(tau, phi, mu_noise_least,
                                            mu_noise_added, mu_share)))> mu;
  // group means
  vector<offset=expected(mu, tau, estimate,
                         given(precision_most, noise_added, phi)),
         multiplier=uncertainty(tau, given(precision_most, noise_added, phi),
                                tiny)>[J] theta;
}
