// Structured pooling: what is known of a group moves the population it is from.
//
//   y[n]      ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j]  ~ normal(center[j], tau)
//   center[j] = mu + x[j] * beta + u[level[1, j]] + u[level[2, j]] + ...
//   u[l]      ~ normal(0, tau_level[factor[l]])
//
// x holds numbers that describe a group; level, for each factor, which of its
// levels the group has: its district, or its region and its device.
//
// The family is negative binomial: counts more variable than Poisson's; the
// group means are logarithms of the expected count, per exposure.
//
//   row ~ neg_binomial_2_log(eta + log(exposure), phi)
//
// An observation stands for `weight` rows of a group that share the count y and
// the exposure.
functions {
  // neg_binomial_2_log, of all counts at once
  real family_lpmf(array[] int y, vector eta, real phi, vector weight,
                   vector exposure) {
    vector[size(y)] count = to_vector(y);
    vector[size(y)] log_odds = eta + log(exposure) - log(phi);
    vector[size(y)] lp = count .* log_odds
                         - (count + phi) .* log1p_exp(log_odds)
                         - lbeta(phi, count + 1) - log(phi + count);
    return dot_product(weight, lp);
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
  array[N] int<lower=0> y; // counts
  vector<lower=0>[N] weight; // rows that share the count
  vector<lower=0>[N] exposure;
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
  real phi_location;
  real<lower=0> phi_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  real mu; // mean of a group that is average in all of this
  vector[K] beta; // change for one unit of a predictor
  vector<lower=0>[F] tau_level; // sd between levels of a factor
  vector[L] u; // what a level adds to the groups that have it
  real<lower=0> tau; // sd between groups that are alike in all of this
  vector[J] theta; // group means
  real<lower=0> phi; // variance = mean + mean^2 / phi
}
model {
  vector[N] eta = theta[group];
  vector[J] center = center_of(mu, beta, u, x, level);
  mu ~ normal(mu_location, mu_scale);
  beta ~ normal(beta_location, beta_scale);
  tau_level ~ normal(0, tau_level_scale);
  u ~ normal(0, tau_level[factor]);
  tau ~ normal(0, tau_scale);
  theta ~ normal(center, tau);
  phi ~ lognormal(phi_location, phi_scale);
  y ~ family(eta, phi, weight, exposure);
}
generated quantities {
  real theta_new; // mean of a group not yet seen
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep; // counts, some too large for integers
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], phi, weight[n : n],
                             exposure[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real log_mean = eta[n] + log(exposure[n]);
    real mean_n = exp(fmax(-300, fmin(300, log_mean)));
    real rate = fmin(1e300, fmax(1e-300, gamma_rng(phi, phi / mean_n)));
    y_rep[n] = rate < 4e8 ? poisson_rng(rate)
               : round(normal_rng(rate, sqrt(rate)));
  }
  {
    real center_new = mu + x_new * beta;
    for (f in 1 : F) {
      center_new += level_new[f] > 0 ? u[level_new[f]]
                    : normal_rng(0, tau_level[f]);
    }
    theta_new = normal_rng(center_new, tau);
  }
  if (pointwise) {
    vector[J] center = center_of(mu, beta, u, x, level);
    for (j in 1 : J) {
      log_population[j] = normal_lpdf(theta[j] | center[j], tau);
    }
  }
}
