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
// The family is normal with one standard deviation; identity link.
//
//   row ~ normal(eta, sigma)
//
// An observation stands for `count` rows of a group: y is their mean and
// `squares` their sum of squared deviations from it, which is all that their
// likelihood depends on. A single row has count 1 and squares 0.
functions {
  real family_lpdf(vector y, vector eta, real sigma, vector count,
                   vector squares) {
    return normal_lupdf(y | eta, sigma ./ sqrt(count))
           - sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma))
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
  // how much each of what there is to say of a mean weighs
  vector precision_of(real sd, vector noise, vector share) {
    return 1 ./ (noise + square(sd) * share);
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
  real<lower=0> sigma_scale;
  int<lower=1> B; // what there is to say of the mean of the baselines
  vector[B] baseline_estimate;
  vector<lower=0>[B] baseline_noise;
  vector<lower=0>[B] baseline_share;
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
  real<lower=0> spread; // their standard deviation
  real<lower=0> sigma; // standard deviation within groups
  // mean of the baselines
  real<offset=dot_product(
                          precision_of(spread, baseline_noise,
                                       baseline_share),
                          baseline_estimate)
              / sum(precision_of(spread, baseline_noise, baseline_share)),
       multiplier=inv_sqrt(
                           sum(
                               precision_of(spread, baseline_noise,
                                            baseline_share)))> intercept;
}
model {
  vector[N] estimate = y;
  vector[N] error = sigma ./ sqrt(count);
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
  sigma ~ normal(0, sigma_scale);
  y ~ family(eta, sigma, count, squares);
}
generated quantities {
  real baseline_new = normal_rng(intercept, spread); // of a new group
  vector[J] theta; // effects
  vector[J] baseline; // means without the treatment
  {
    vector[N] estimate = y;
    vector[N] error = sigma ./ sqrt(count);
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
