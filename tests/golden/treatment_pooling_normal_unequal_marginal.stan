// treatment_pooling.stan with baselines and effects integrated out, for
// families that are normal in the mean of an arm:
//
//   estimate[n] ~ normal(eta[n], error[n])
//   eta[n]      = baseline[group[n]] + treated[n] * theta[group[n]]
//   theta[j]    ~ normal(center[j], tau)
//   baseline[j] ~ normal(intercept + slope * theta[j], spread)
//
// Each theta[j] given all else is normal, and so is each baseline[j] given
// theta[j]. The likelihood without them is the joint density at their means,
// over that of the two there: 1 / (2 pi sd_theta sd_baseline).
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
  // mean and sd of each effect given all else but the baselines
  array[] vector effect(vector center, real tau, real intercept, real slope,
                        real spread, array[] vector arm,
                        array[] vector precision) {
    vector[size(center)] both = square(spread) * precision[1] .* precision[2];
    vector[size(center)] total = 1
                                 + square(spread)
                                   * (precision[1] + precision[2]);
    vector[size(center)] own = square(slope) * precision[1]
                               + square(1 + slope) * precision[2] + both;
    vector[size(center)] ahead = slope * precision[1]
                                 .* (arm[1] - intercept - slope * center)
                                 + (1 + slope) * precision[2]
                                   .* (arm[2] - intercept
                                       - (1 + slope) * center)
                                 + both .* (arm[2] - arm[1] - center);
    vector[size(center)] share = total + square(tau) * own;
    return {center + square(tau) * ahead ./ share,
            tau * sqrt(total ./ share)};
  }
  // mean and sd of each baseline given all else
  array[] vector control_mean(vector theta, real intercept, real slope,
                              real spread, array[] vector arm,
                              array[] vector precision) {
    vector[size(theta)] total = 1
                                + square(spread)
                                  * (precision[1] + precision[2]);
    vector[size(theta)] ahead = precision[1] .* arm[1]
                                + precision[2] .* (arm[2] - theta);
    return {(intercept + slope * theta + square(spread) * ahead) ./ total,
            spread ./ sqrt(total)};
  }
}
data {
  int<lower=1> J; // groups
  int<lower=1> N; // observations: one summary for each arm of a group
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
}
transformed data {
  array[2, J] int place = rep_array(N + 1, 2, J); // of each arm, or N + 1
  for (n in 1 : N) {
    place[treated[n] > 0 ? 2 : 1, group[n]] = n;
  }
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
  real<lower=0> sigma_typical; // sd within a typical group
  real<lower=0> sigma_sd; // sd of log(sigma) between groups
  vector[J] log_sigma; // sigma: sd within each group
}
model {
  vector[J] center = center_of(mu, beta, u, x, level);
  vector[N] estimate = y;
  vector[N] error = exp(log_sigma[group]) ./ sqrt(count);
  vector[N + 1] arm = append_row(estimate, 0);
  vector[N + 1] precision = append_row(inv_square(error), 0);
  array[2] vector[J] theta = effect(center, tau, intercept, slope, spread,
                                    {arm[place[1]], arm[place[2]]},
                                    {precision[place[1]],
                                     precision[place[2]]});
  array[2] vector[J] baseline = control_mean(theta[1], intercept, slope,
                                             spread,
                                             {arm[place[1]], arm[place[2]]},
                                             {precision[place[1]],
                                              precision[place[2]]});
  vector[N] eta = baseline[1][group] + treated .* theta[1][group];
  mu ~ normal(mu_location, mu_scale);
  beta ~ normal(beta_location, beta_scale);
  tau_level ~ normal(0, tau_level_scale);
  u ~ normal(0, tau_level[factor]);
  tau ~ normal(0, tau_scale);
  intercept ~ normal(intercept_location, intercept_scale);
  slope ~ normal(slope_location, slope_scale);
  spread ~ normal(0, spread_scale);
  theta[1] ~ normal(center, tau);
  baseline[1] ~ normal(intercept + slope * theta[1], spread);
  target += sum(log(theta[2])) + sum(log(baseline[2]));
  sigma_typical ~ normal(0, sigma_typical_scale);
  sigma_sd ~ normal(0, sigma_sd_scale);
  log_sigma ~ normal(log(sigma_typical), sigma_sd);
  y ~ family(eta, log_sigma[group], count, squares);
}
generated quantities {
  real theta_new; // effect in a group not yet seen
  real baseline_new; // and its baseline
  vector[J] theta; // effects
  vector[J] baseline; // means without the treatment
  {
    real center_new = mu + x_new * beta;
    for (f in 1 : F) {
      center_new += level_new[f] > 0 ? u[level_new[f]]
                    : normal_rng(0, tau_level[f]);
    }
    theta_new = normal_rng(center_new, tau);
    baseline_new = normal_rng(intercept + slope * theta_new, spread);
  }
  {
    vector[J] center = center_of(mu, beta, u, x, level);
    vector[N] estimate = y;
    vector[N] error = exp(log_sigma[group]) ./ sqrt(count);
    vector[N + 1] arm = append_row(estimate, 0);
    vector[N + 1] precision = append_row(inv_square(error), 0);
    array[2] vector[J] given = effect(center, tau, intercept, slope, spread,
                                      {arm[place[1]], arm[place[2]]},
                                      {precision[place[1]],
                                       precision[place[2]]});
    theta = to_vector(normal_rng(given[1], given[2]));
    given = control_mean(theta, intercept, slope, spread,
                         {arm[place[1]], arm[place[2]]},
                         {precision[place[1]], precision[place[2]]});
    baseline = to_vector(normal_rng(given[1], given[2]));
  }
}
