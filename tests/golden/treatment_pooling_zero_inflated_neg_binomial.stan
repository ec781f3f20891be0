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
// The family is zero-inflated negative binomial: counts, some of them extra
// zeros; the group means are logarithms of the expected count, per exposure.
//
//   row = 0 with odds zero_odds, else
//   row ~ neg_binomial_2_log(eta + log(exposure) + log1p(zero_odds), phi)
//
// An observation stands for `weight` rows of a group that share the count y and
// the exposure.
functions {
  // exp(eta) is the mean of all rows, extra zeros among them
  real family_lpmf(array[] int y, vector eta, real phi, real zero_odds,
                   vector weight, vector exposure) {
    vector[size(y)] count = to_vector(y);
    vector[size(y)] log_odds = eta + log(exposure) + log1p(zero_odds)
                               - log(phi);
    vector[size(y)] lp = count .* log_odds
                         - (count + phi) .* log1p_exp(log_odds)
                         - lbeta(phi, count + 1) - log(phi + count);
    for (n in 1 : size(y)) {
      if (y[n] == 0) {
        lp[n] = log(zero_odds + exp(lp[n]));
      }
    }
    return dot_product(weight, lp) - sum(weight) * log1p(zero_odds);
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
  real intercept_location;
  real<lower=0> intercept_scale;
  real slope_location;
  real<lower=0> slope_scale;
  real<lower=0> spread_scale;
  real phi_location;
  real<lower=0> phi_scale;
  real zero_odds_location;
  real<lower=0> zero_odds_scale;
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
  real<lower=0> phi; // variance of others = mean + mean^2 / phi
  real<lower=0> zero_odds; // that a row is an extra zero
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
  phi ~ lognormal(phi_location, phi_scale);
  zero_odds ~ lognormal(zero_odds_location, zero_odds_scale);
  y ~ family(eta, phi, zero_odds, weight, exposure);
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
  vector[replicate ? N : 0] y_rep; // counts, some too large for integers
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], phi, zero_odds,
                             weight[n : n], exposure[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real log_mean = eta[n] + log(exposure[n]) + log1p(zero_odds);
    real mean_n = exp(fmax(-300, fmin(300, log_mean)));
    real rate = fmin(1e300, fmax(1e-300, gamma_rng(phi, phi / mean_n)));
    real other = rate < 4e8 ? poisson_rng(rate)
                 : round(normal_rng(rate, sqrt(rate)));
    y_rep[n] = other * bernoulli_logit_rng(-log(zero_odds)); // or an extra zero
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
