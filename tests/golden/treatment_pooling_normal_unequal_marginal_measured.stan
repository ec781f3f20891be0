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
  // how much each of what there is to say of a mean weighs
  vector precision_of(real sd, vector noise, vector share) {
    return 1 ./ (noise + square(sd) * share);
  }
  // mean of some values
  real average(vector values, vector weight) {
    return dot_product(values, weight) / sum(weight);
  }
  // what there is to say of a slope, its prior included
  real information(vector along, vector weight, real unit) {
    return dot_product(weight, square(along - average(along, weight)))
           + inv_square(unit);
  }
  real expected_slope(vector estimate, vector along, vector weight,
                      real guess, real unit) {
    vector[size(along)] apart = along - average(along, weight);
    return (dot_product(weight .* apart, estimate) + guess / square(unit))
           / information(along, weight, unit);
  }
  // what the levels add to the variance of the mean effect
  real of_levels(vector tau_level, array[] int factor) {
    vector[size(tau_level)] count = rep_vector(0, size(tau_level));
    for (l in 1 : size(factor)) {
      count[factor[l]] += 1;
    }
    return sum(square(tau_level) ./ count);
  }
  // where its own rows and the other groups together expect log(sigma)
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
  int<lower=1> M; // what there is to say of mu, as in partial_pooling.stan
  vector[M] mu_estimate;
  vector<lower=0>[M] mu_noise;
  vector<lower=0>[M] mu_share;
  int<lower=1> B; // and of the mean of the baselines
  vector[B] baseline_estimate;
  vector<lower=0>[B] baseline_noise;
  vector<lower=0>[B] baseline_share;
  vector[B] baseline_effect; // with about these effects
  real slope_guess; // about what its prior says
  real<lower=0> slope_unit;
  vector[J] log_estimate; // about what each group's rows say of log(sigma)
  vector<lower=0>[J] log_precision;
}
transformed data {
  array[2, J] int place = rep_array(N + 1, 2, J); // of each arm, or N + 1
  for (n in 1 : N) {
    place[treated[n] > 0 ? 2 : 1, group[n]] = n;
  }
}
parameters {
  vector[K] beta; // change for one unit of a predictor
  vector<lower=0>[F] tau_level; // sd between levels of a factor
  vector[L] u; // what a level adds to the effects of its groups
  real<lower=0> tau; // sd between effects
  real<lower=0> spread; // sd of the baselines given the effects
  real<lower=0> sigma_typical; // sd within a typical group
  real<lower=0> sigma_sd; // sd of log(sigma) between groups
  // mean effect
  real<offset=average(mu_estimate, precision_of(tau, mu_noise, mu_share)),
       multiplier=sqrt(
                       inv(sum(precision_of(tau, mu_noise, mu_share)))
                       + of_levels(tau_level, factor))> mu;
  // change of the baseline with the effect
  real<offset=expected_slope(baseline_estimate, baseline_effect,
                             precision_of(spread, baseline_noise,
                                          baseline_share),
                             slope_guess, slope_unit),
       multiplier=inv_sqrt(
                           information(baseline_effect,
                                       precision_of(spread, baseline_noise,
                                                    baseline_share),
                                       slope_unit))> slope;
  // baseline where the effect is 0
  real<offset=average(baseline_estimate - slope * baseline_effect,
                      precision_of(spread, baseline_noise, baseline_share)),
       multiplier=inv_sqrt(
                           sum(
                               precision_of(spread, baseline_noise,
                                            baseline_share)))> intercept;
  // sigma: sd within each group
  vector<offset=expected_log_sigma(sigma_typical, sigma_sd, log_estimate,
                  log_precision),
         multiplier=log_sigma_unit(sigma_sd, log_precision)>[J] log_sigma;
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
