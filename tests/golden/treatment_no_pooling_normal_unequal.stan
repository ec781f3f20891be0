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
// The family is normal with a standard deviation of each group; identity link.
//
//   row           ~ normal(eta, sigma[group])
//   log(sigma[j]) ~ normal(log(sigma_typical), sigma_sd)
//
// An observation stands for `count` rows of a group: y is their mean and
// `squares` their sum of squared deviations from it, which is all that their
// likelihood depends on. A single row has count 1 and squares 0.
functions {
  real family_lpdf(vector y, vector eta, vector log_sigma, vector count,
                   vector squares) {
    return normal_lupdf(y | eta, exp(log_sigma) ./ sqrt(count))
           - dot_product(count - 1, log_sigma)
           - 0.5 * dot_product(squares, exp(-2 * log_sigma))
           - 0.5 * (sum(count - 1) * log(2 * pi()) + sum(log(count)));
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector<lower=0, upper=1>[N] treated; // 1 under treatment, else 0
  vector[N] y; // means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations
  real theta_location;
  real<lower=0> theta_scale;
  real intercept_location;
  real<lower=0> intercept_scale;
  real<lower=0> spread_shape;
  real<lower=0> spread_scale;
  real<lower=0> sigma_typical_scale;
  real<lower=0> sigma_sd_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  vector[J] theta; // effects
  real intercept; // mean of the baselines
  real<lower=0> spread; // their standard deviation
  vector[J] baseline; // means without the treatment
  real<lower=0> sigma_typical; // sd within a typical group
  real<lower=0> sigma_sd; // sd of log(sigma) between groups
  vector[J] log_sigma; // sigma: sd within each group
}
model {
  vector[N] eta = baseline[group] + treated .* theta[group];
  theta ~ normal(theta_location, theta_scale);
  intercept ~ normal(intercept_location, intercept_scale);
  spread ~ inv_gamma(spread_shape, spread_scale);
  baseline ~ normal(intercept, spread);
  sigma_typical ~ normal(0, sigma_typical_scale);
  sigma_sd ~ normal(0, sigma_sd_scale);
  log_sigma ~ normal(log(sigma_typical), sigma_sd);
  y ~ family(eta, log_sigma[group], count, squares);
}
generated quantities {
  real theta_new = normal_rng(theta_location, theta_scale); // a new group
  real baseline_new = normal_rng(intercept, spread); // and its baseline
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = head(
                                       baseline[group]
                                       + treated .* theta[group],
                                       pointwise ? N : 0);
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpdf(y[n : n] | eta[n : n], log_sigma[group[n : n]],
                             count[n : n], squares[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    y_rep[n] = normal_rng(eta[n], exp(log_sigma[group[n]]) / sqrt(count[n]));
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | theta_location, theta_scale)
                        + normal_lpdf(baseline[j] | intercept, spread);
  }
}
