// Partial pooling of effects: every group has a baseline and an effect of the
// treatment, and the two may go together.
//
//   y[n]        ~ family(eta[n])
//   eta[n]      = baseline[group[n]] + treated[n] * theta[group[n]]
//   theta[j]    ~ normal(center[j], tau)
//   center[j]   = mu + x[j] * beta + u[level[1, j]] + u[level[2, j]] + ...
//   u[l]        ~ normal(0, tau_level[factor[l]])
//   baseline[j] ~ normal(intercept + slope * theta[j], spread)
//
// Where nothing is known of the groups, center is mu, and baseline and effect
// are bivariate normal over the groups.
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
  vector center_of(real mu, vector beta, vector u, matrix x,
                   array[,] int level) {
    vector[rows(x)] center = mu + x * beta;
    for (f in 1 : size(level)) {
      center += u[level[f]];
    }
    return center;
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
  int<lower=0> K; // predictors of the groups
  matrix[J, K] x; // predictors of each group, standardized
  int<lower=0> F; // factors that describe the groups
  int<lower=0> L; // levels of all of them together
  array[L] int<lower=1, upper=F> factor; // factor of each level
  array[F, J] int<lower=1, upper=L> level; // level of each group
  row_vector[K] x_new; // predictors and levels of a group not yet seen
  array[F] int<lower=0, upper=L> level_new; // 0 for a level not yet seen
  real beta_location;
  real<lower=0> beta_scale;
  vector<lower=0>[F] tau_level_scale;
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> tau_scale;
  real intercept_location;
  real<lower=0> intercept_scale;
  real slope_location;
  real<lower=0> slope_scale;
  real<lower=0> spread_scale;
  real<lower=0> sigma_typical_scale;
  real<lower=0> sigma_sd_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  real mu; // mean effect
  vector[K] beta; // change for one unit of a predictor
  vector<lower=0>[F] tau_level; // sd between levels of a factor
  vector[L] u; // what a level adds to the effects of its groups
  real<lower=0> tau; // sd between effects
  real intercept; // baseline where the effect is 0
  real slope; // change of the baseline with the effect
  real<lower=0> spread; // sd of the baselines given the effects
  vector[J] theta; // effects
  vector[J] baseline; // means without the treatment
  real<lower=0> sigma_typical; // sd within a typical group
  real<lower=0> sigma_sd; // sd of log(sigma) between groups
  vector[J] log_sigma; // sigma: sd within each group
}
model {
  vector[N] eta = baseline[group] + treated .* theta[group];
  vector[J] center = center_of(mu, beta, u, x, level);
  mu ~ normal(mu_location, mu_scale);
  beta ~ normal(beta_location, beta_scale);
  tau_level ~ normal(0, tau_level_scale);
  u ~ normal(0, tau_level[factor]);
  tau ~ normal(0, tau_scale);
  intercept ~ normal(intercept_location, intercept_scale);
  slope ~ normal(slope_location, slope_scale);
  spread ~ normal(0, spread_scale);
  theta ~ normal(center, tau);
  baseline ~ normal(intercept + slope * theta, spread);
  sigma_typical ~ normal(0, sigma_typical_scale);
  sigma_sd ~ normal(0, sigma_sd_scale);
  log_sigma ~ normal(log(sigma_typical), sigma_sd);
  y ~ family(eta, log_sigma[group], count, squares);
}
generated quantities {
  real theta_new; // effect in a group not yet seen
  real baseline_new; // and its baseline
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
  {
    real center_new = mu + x_new * beta;
    for (f in 1 : F) {
      center_new += level_new[f] > 0 ? u[level_new[f]]
                    : normal_rng(0, tau_level[f]);
    }
    theta_new = normal_rng(center_new, tau);
    baseline_new = normal_rng(intercept + slope * theta_new, spread);
  }
  if (pointwise) {
    vector[J] center = center_of(mu, beta, u, x, level);
    for (j in 1 : J) {
      log_population[j] = normal_lpdf(theta[j] | center[j], tau)
                          + normal_lpdf(baseline[j] |
                                        intercept + slope * theta[j], spread);
    }
  }
}
