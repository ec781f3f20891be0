// How families/normal_unequal_adjusted.stan is sampled, on every page: no part
// of the model. As in sampling/partial_pooling.stan, log(sigma) for theta.
functions {
  // where its own rows and the other groups together expect it
  vector expected_log_sigma(real sigma_typical, real sigma_sd,
                            vector log_estimate, vector log_precision) {
    return log_estimate
           + (log(sigma_typical) - log_estimate)
             ./ (1 + square(sigma_sd) * log_precision);
  }
  // and how far from there it may well be
  vector log_sigma_unit(real sigma_sd, vector log_precision) {
    return 1 ./ sqrt(inv_square(sigma_sd + 1e-8) + log_precision);
  }
}
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
