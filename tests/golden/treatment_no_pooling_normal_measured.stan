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
  real<lower=0> sigma_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  vector[J] theta_guess; // about where these are, and how unsure that is
  vector<lower=0>[J] theta_unit;
  int<lower=1> B; // what there is to say of the mean of the baselines
  vector[B] baseline_estimate;
  vector<lower=0>[B] baseline_noise;
  vector<lower=0>[B] baseline_share;
  vector[J] control; // about what the control arm of each group says
  vector<lower=0>[J] control_precision;
  vector[J] treatment; // and its treatment arm
  vector<lower=0>[J] treatment_precision;
  real<lower=0> tiny; // so that no sd is lost in rounding
}
parameters {
  real<lower=0> spread; // their standard deviation
  real<lower=0> sigma; // standard deviation within groups
  // effects
  vector<offset=theta_guess, multiplier=theta_unit>[J] theta;
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
  // means without the treatment
  vector<offset=expected_baseline(rep_vector(intercept, J), theta, spread,
                  control, control_precision, treatment, treatment_precision),
         multiplier=baseline_unit(spread, control_precision,
                                  treatment_precision, tiny)>[J] baseline;
}
model {
  vector[N] eta = baseline[group] + treated .* theta[group];
  theta ~ normal(theta_location, theta_scale);
  intercept ~ normal(intercept_location, intercept_scale);
  spread ~ inv_gamma(spread_shape, spread_scale);
  baseline ~ normal(intercept, spread);
  sigma ~ normal(0, sigma_scale);
  y ~ family(eta, sigma, count, squares);
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
    log_lik[n] = family_lpdf(y[n : n] | eta[n : n], sigma, count[n : n],
                             squares[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    y_rep[n] = normal_rng(eta[n], sigma / sqrt(count[n]));
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | theta_location, theta_scale)
                        + normal_lpdf(baseline[j] | intercept, spread);
  }
}
