// How families/normal_unequal.stan is sampled, on every page: no part of the
// model. As in sampling/partial_pooling.stan, log(sigma) for theta.
data {
  vector[J] log_estimate; // about what each group's rows say of log(sigma)
  vector<lower=0>[J] log_precision;
}
parameters {
  // sigma: sd within each group
  vector<offset=expected_log_sigma(sigma_typical, sigma_sd, log_estimate,
                  log_precision),
         multiplier=log_sigma_unit(sigma_sd, log_precision)>[J] log_sigma;
}
