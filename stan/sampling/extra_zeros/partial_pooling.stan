// How partial_pooling.stan is sampled where outcomes may be extra zeros: no part
// of the model. As in sampling/partial_pooling.stan, but that what a group's
// rows say of its mean falls as extra zeros get more: where it is plain which
// zeros these are, the mean of the other rows is what is known.
data {
  real<lower=0> guessed_odds; // that these are made with, and how far they
  vector[M] mu_estimate_falls; // fall for one unit more of log1p(zero_odds)
  vector[J] estimate_falls;
}
parameters {
  // population mean
  real<offset=dot_product(mu_weight(tau, mu_noise, mu_share),
                          fell(mu_estimate, mu_estimate_falls, zero_odds,
                               guessed_odds))
              / sum(mu_weight(tau, mu_noise, mu_share)),
       multiplier=inv_sqrt(sum(mu_weight(tau, mu_noise, mu_share)))> mu;
  // group means
  vector<offset=expected(mu, tau,
                         fell(estimate, estimate_falls, zero_odds,
                              guessed_odds),
                         precision),
         multiplier=uncertainty(tau, precision, tiny)>[J] theta;
}
