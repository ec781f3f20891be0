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
  // how much each of what there is to say of a mean weighs
  vector precision_of(real sd, vector noise, vector share) {
    return 1 ./ (noise + square(sd) * share);
  }
  // where both arms and the population together expect each group's baseline,
  // given its effect
  vector expected_baseline(vector alone, vector effect, real spread,
                           vector control, vector c_precision,
                           vector treatment, vector t_precision) {
    return (alone
            + square(spread)
              * (c_precision .* control + t_precision .* (treatment - effect)))
           ./ (1 + square(spread) * (c_precision + t_precision));
  }
  // and how far from there it may well be
  vector baseline_unit(real spread, vector c_precision, vector t_precision,
                       real tiny) {
    return 1 ./ sqrt(inv_square(spread + tiny) + c_precision + t_precision);
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
  // where both arms and the population together expect each group's effect,
  // its baseline integrated out
  vector expected_effect(vector center,
                         real tau,
                         real intercept,
                         real slope,
                         real spread,
                         vector control,
                         vector c_precision,
                         vector treatment,
                         vector t_precision) {
    vector[size(center)] both = square(spread) * c_precision .* t_precision;
    vector[size(center)] baseline = 1
                                    + square(spread)
                                      * (c_precision + t_precision);
    vector[size(center)] own = square(slope) * c_precision
                               + square(1 + slope) * t_precision + both;
    vector[size(center)] ahead = slope * c_precision
                                 .* (control - intercept - slope * center)
                                 + (1 + slope) * t_precision
                                   .* (treatment - intercept
                                       - (1 + slope) * center)
                                 + both .* (treatment - control - center);
    return center + square(tau) * ahead ./ (baseline + square(tau) * own);
  }
  // and how far from there it may well be
  vector effect_unit(real tau, real slope, real spread, vector c_precision,
                     vector t_precision, real tiny) {
    vector[size(c_precision)] own = square(slope) * c_precision
                                    + square(1 + slope) * t_precision
                                    + square(spread) * c_precision
                                      .* t_precision;
    return 1
           ./ sqrt(
                   own ./ (1 + square(spread) * (c_precision + t_precision))
                   + inv_square(tau + tiny));
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
  vector[J] control; // about what the control arm of each group says
  vector<lower=0>[J] control_precision;
  vector[J] treatment; // and its treatment arm
  vector<lower=0>[J] treatment_precision;
  real<lower=0> tiny; // so that no sd is lost in rounding
  vector[J] log_estimate; // about what each group's rows say of log(sigma)
  vector<lower=0>[J] log_precision;
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
  // effects
  vector<offset=expected_effect(center_of(mu, beta, u, x, level), tau,
                                intercept, slope, spread, control,
                                control_precision, treatment,
                                treatment_precision),
         multiplier=effect_unit(tau, slope, spread, control_precision,
                                treatment_precision, tiny)>[J] theta;
  // means without the treatment
  vector<offset=expected_baseline(intercept + slope * theta, theta, spread,
                  control, control_precision, treatment, treatment_precision),
         multiplier=baseline_unit(spread, control_precision,
                                  treatment_precision, tiny)>[J] baseline;
  // sigma: sd within each group
  vector<offset=expected_log_sigma(sigma_typical, sigma_sd, log_estimate,
                  log_precision),
         multiplier=log_sigma_unit(sigma_sd, log_precision)>[J] log_sigma;
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
