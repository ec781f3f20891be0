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
// Adjusted for what is known of single rows, which z_row holds, relative to its
// mean over all rows: eta[n] + z_row[n] * gamma takes the place of eta[n].
//
// The family is Poisson: events in an exposure; the group means are log-rates.
//
//   y[n] ~ poisson_log(eta[n] + log(exposure[n]))
functions {
  real family_lpmf(array[] int y, vector eta, vector exposure) {
    return poisson_log_lupmf(y | eta + log(exposure));
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
  int<lower=1> D; // covariates of the rows
  matrix[N, D] z_row; // covariates of each observation, around their means
  vector<lower=0>[N] exposure;
  array[N] int<lower=0> y; // events
  real theta_location;
  real<lower=0> theta_scale;
  real intercept_location;
  real<lower=0> intercept_scale;
  real<lower=0> spread_shape;
  real<lower=0> spread_scale;
  real gamma_location;
  real<lower=0> gamma_scale;
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
  vector[D] gamma_guess; // about where they are, and how unsure that is
  vector<lower=0>[D] gamma_unit;
}
parameters {
  real<lower=0> spread; // their standard deviation
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
  // change for one unit of a covariate
  vector<offset=gamma_guess, multiplier=gamma_unit>[D] gamma;
}
model {
  vector[N] eta = baseline[group] + treated .* theta[group];
  theta ~ normal(theta_location, theta_scale);
  intercept ~ normal(intercept_location, intercept_scale);
  spread ~ inv_gamma(spread_shape, spread_scale);
  baseline ~ normal(intercept, spread);
  gamma ~ normal(gamma_location, gamma_scale);
  eta += z_row * gamma;
  if (N > 0) {
    // there are none when the prior is sampled
    y ~ family(eta, exposure);
  }
}
generated quantities {
  real theta_new = normal_rng(theta_location, theta_scale); // a new group
  real baseline_new = normal_rng(intercept, spread); // and its baseline
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = head(
                                       baseline[group]
                                       + treated .* theta[group],
                                       pointwise ? N : 0);
  if (pointwise) {
    eta += z_row * gamma;
  }
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep; // events, some too large for integers
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], exposure[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real log_mean = eta[n] + log(exposure[n]);
    real mean_n = exp(fmin(300, log_mean));
    y_rep[n] = log_mean < 20 ? poisson_log_rng(log_mean)
               : round(normal_rng(mean_n, sqrt(mean_n)));
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | theta_location, theta_scale)
                        + normal_lpdf(baseline[j] | intercept, spread);
  }
}
