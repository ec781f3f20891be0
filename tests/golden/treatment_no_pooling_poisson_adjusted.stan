// No pooling of effects: the effects have nothing to do with each other.
//
//   y[n]        ~ family(eta[n])
//   eta[n]      = baseline[group[n]] + treated[n] * theta[group[n]]
//   theta[j]    ~ a fixed prior, the same for every group
//   baseline[j] ~ normal(intercept, spread)
//
// The baselines are partially pooled if the prior of their spread lets them be;
// the default holds it so wide that they are not.
//
// Adjusted for what is known of single rows, which z_row holds, relative to its
// mean over all rows: eta[n] + z_row[n] * gamma takes the place of eta[n].
//
// The family is Poisson: events in an exposure; the group means are log-rates.
//
//   y[n] ~ poisson_log(eta[n] + log(exposure[n]))
functions {
  real family_lpmf(array[] int y, vector eta, vector exposure) {
    return poisson_log_lupmf(y | eta + log(exposure));
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector<lower=0, upper=1>[N] treated; // 1 under treatment, else 0
  int<lower=1> D; // covariates of the rows
  matrix[N, D] z_row; // covariates of each observation, around their means
  vector<lower=0>[N] exposure;
  array[N] int<lower=0> y; // events
  real theta_location;
  real<lower=0> theta_scale;
  real intercept_location;
  real<lower=0> intercept_scale;
  real<lower=0> spread_shape;
  real<lower=0> spread_scale;
  real gamma_location;
  real<lower=0> gamma_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  vector[J] theta; // effects
  real intercept; // mean of the baselines
  real<lower=0> spread; // their standard deviation
  vector[J] baseline; // means without the treatment
  vector[D] gamma; // change for one unit of a covariate
}
model {
  vector[N] eta = baseline[group] + treated .* theta[group];
  theta ~ normal(theta_location, theta_scale);
  intercept ~ normal(intercept_location, intercept_scale);
  spread ~ inv_gamma(spread_shape, spread_scale);
  baseline ~ normal(intercept, spread);
  gamma ~ normal(gamma_location, gamma_scale);
  eta += z_row * gamma;
  if (N > 0) {
    // there are none when the prior is sampled
    y ~ family(eta, exposure);
  }
}
generated quantities {
  real theta_new = normal_rng(theta_location, theta_scale); // a new group
  real baseline_new = normal_rng(intercept, spread); // and its baseline
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = head(
                                       baseline[group]
                                       + treated .* theta[group],
                                       pointwise ? N : 0);
  if (pointwise) {
    eta += z_row * gamma;
  }
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep; // events, some too large for integers
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], exposure[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real log_mean = eta[n] + log(exposure[n]);
    real mean_n = exp(fmin(300, log_mean));
    y_rep[n] = log_mean < 20 ? poisson_log_rng(log_mean)
               : round(normal_rng(mean_n, sqrt(mean_n)));
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | theta_location, theta_scale)
                        + normal_lpdf(baseline[j] | intercept, spread);
  }
}
