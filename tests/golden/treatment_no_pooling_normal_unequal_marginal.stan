// treatment_no_pooling.stan with baselines and effects integrated out, for
// families that are normal in the mean of an arm, and a prior that is:
//
//   estimate[n] ~ normal(eta[n], error[n])
//   eta[n]      = baseline[group[n]] + treated[n] * theta[group[n]]
//   theta[j]    ~ normal(theta_location, theta_scale)
//   baseline[j] ~ normal(intercept, spread)
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
  // mean and sd of each effect given all else but the baselines
  array[] vector effect(real center, real tau, real intercept, real spread,
                        array[] vector arm, array[] vector precision) {
    vector[size(arm[1])] both = square(spread) * precision[1] .* precision[2];
    vector[size(arm[1])] total = 1
                                 + square(spread)
                                   * (precision[1] + precision[2]);
    vector[size(arm[1])] ahead = precision[2]
                                 .* (arm[2] - intercept - center)
                                 + both .* (arm[2] - arm[1] - center);
    vector[size(arm[1])] share = total + square(tau) * (precision[2] + both);
    return {center + square(tau) * ahead ./ share,
            tau * sqrt(total ./ share)};
  }
  // mean and sd of each baseline given all else
  array[] vector control_mean(vector theta, real intercept, real spread,
                              array[] vector arm, array[] vector precision) {
    vector[size(theta)] total = 1
                                + square(spread)
                                  * (precision[1] + precision[2]);
    vector[size(theta)] ahead = precision[1] .* arm[1]
                                + precision[2] .* (arm[2] - theta);
    return {(intercept + square(spread) * ahead) ./ total,
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
  real theta_location;
  real<lower=0> theta_scale;
  real intercept_location;
  real<lower=0> intercept_scale;
  real<lower=0> spread_shape;
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
  // effect in a group not yet seen
  real<offset=theta_location, multiplier=theta_scale> theta_new;
  real intercept; // mean of the baselines
  real<lower=0> spread; // their standard deviation
  real<lower=0> sigma_typical; // sd within a typical group
  real<lower=0> sigma_sd; // sd of log(sigma) between groups
  vector[J] log_sigma; // sigma: sd within each group
}
model {
  vector[N] estimate = y;
  vector[N] error = exp(log_sigma[group]) ./ sqrt(count);
  vector[N + 1] arm = append_row(estimate, 0);
  vector[N + 1] precision = append_row(inv_square(error), 0);
  array[2] vector[J] theta = effect(theta_location, theta_scale, intercept,
                                    spread, {arm[place[1]], arm[place[2]]},
                                    {precision[place[1]],
                                     precision[place[2]]});
  array[2] vector[J] baseline = control_mean(theta[1], intercept, spread,
                                             {arm[place[1]], arm[place[2]]},
                                             {precision[place[1]],
                                              precision[place[2]]});
  vector[N] eta = baseline[1][group] + treated .* theta[1][group];
  theta_new ~ normal(theta_location, theta_scale);
  theta[1] ~ normal(theta_location, theta_scale);
  intercept ~ normal(intercept_location, intercept_scale);
  spread ~ inv_gamma(spread_shape, spread_scale);
  baseline[1] ~ normal(intercept, spread);
  target += sum(log(theta[2])) + sum(log(baseline[2]));
  sigma_typical ~ normal(0, sigma_typical_scale);
  sigma_sd ~ normal(0, sigma_sd_scale);
  log_sigma ~ normal(log(sigma_typical), sigma_sd);
  y ~ family(eta, log_sigma[group], count, squares);
}
generated quantities {
  real baseline_new = normal_rng(intercept, spread); // of a new group
  vector[J] theta; // effects
  vector[J] baseline; // means without the treatment
  {
    vector[N] estimate = y;
    vector[N] error = exp(log_sigma[group]) ./ sqrt(count);
    vector[N + 1] arm = append_row(estimate, 0);
    vector[N + 1] precision = append_row(inv_square(error), 0);
    array[2] vector[J] given = effect(theta_location, theta_scale, intercept,
                                      spread, {arm[place[1]], arm[place[2]]},
                                      {precision[place[1]],
                                       precision[place[2]]});
    theta = to_vector(normal_rng(given[1], given[2]));
    given = control_mean(theta, intercept, spread,
                         {arm[place[1]], arm[place[2]]},
                         {precision[place[1]], precision[place[2]]});
    baseline = to_vector(normal_rng(given[1], given[2]));
  }
}
