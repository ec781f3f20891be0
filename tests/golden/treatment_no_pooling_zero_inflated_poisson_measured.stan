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
// The family is zero-inflated Poisson: counts, some of them extra zeros; the
// group means are logarithms of the expected count, per exposure.
//
//   row = 0 with odds zero_odds, else
//   row ~ poisson_log(eta + log(exposure) + log1p(zero_odds))
//
// An observation stands for `weight` rows of a group that share the count y and
// the exposure.
functions {
  // exp(eta) is the mean of all rows, extra zeros among them
  real family_lpmf(array[] int y, vector eta, real zero_odds, vector weight,
                   vector exposure) {
    vector[size(y)] count = to_vector(y);
    vector[size(y)] log_mean = eta + log(exposure) + log1p(zero_odds);
    vector[size(y)] log_p = count .* log_mean - exp(log_mean)
                            - lgamma(count + 1);
    for (n in 1 : size(y)) {
      if (y[n] == 0) {
        log_p[n] = log(zero_odds + exp(log_p[n]));
      }
    }
    return dot_product(weight, log_p) - sum(weight) * log1p(zero_odds);
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
  // estimates with more extra zeros than they are made with
  vector fell(vector estimate, vector falls, real zero_odds, real guess) {
    return estimate - falls * (log1p(zero_odds) - log1p(guess));
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
  real theta_location;
  real<lower=0> theta_scale;
  real intercept_location;
  real<lower=0> intercept_scale;
  real<lower=0> spread_shape;
  real<lower=0> spread_scale;
  real zero_odds_location;
  real<lower=0> zero_odds_scale;
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
  real<lower=0> guessed_odds; // that these are made with, and how far they
  vector[B] baseline_estimate_falls; // fall for one more of log1p(zero_odds)
  vector[J] control_falls;
  vector[J] treatment_falls;
}
parameters {
  real<lower=0> spread; // their standard deviation
  real<lower=0> zero_odds; // that a row is an extra zero
  // effects
  vector<offset=theta_guess, multiplier=theta_unit>[J] theta;
  // mean of the baselines
  real<offset=dot_product(
                          precision_of(spread, baseline_noise,
                                       baseline_share),
                          fell(baseline_estimate, baseline_estimate_falls,
                               zero_odds, guessed_odds))
              / sum(precision_of(spread, baseline_noise, baseline_share)),
       multiplier=inv_sqrt(
                           sum(
                               precision_of(spread, baseline_noise,
                                            baseline_share)))> intercept;
  // means without the treatment
  vector<offset=expected_baseline(rep_vector(intercept, J), theta, spread,
                  fell(control, control_falls, zero_odds, guessed_odds),
                  control_precision,
                  fell(treatment, treatment_falls, zero_odds, guessed_odds),
                  treatment_precision),
         multiplier=baseline_unit(spread, control_precision,
                                  treatment_precision, tiny)>[J] baseline;
}
model {
  vector[N] eta = baseline[group] + treated .* theta[group];
  theta ~ normal(theta_location, theta_scale);
  intercept ~ normal(intercept_location, intercept_scale);
  spread ~ inv_gamma(spread_shape, spread_scale);
  baseline ~ normal(intercept, spread);
  zero_odds ~ lognormal(zero_odds_location, zero_odds_scale);
  y ~ family(eta, zero_odds, weight, exposure);
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
  vector[replicate ? N : 0] y_rep; // counts, some too large for integers
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], zero_odds, weight[n : n],
                             exposure[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real log_mean = eta[n] + log(exposure[n]) + log1p(zero_odds);
    real mean_n = exp(fmin(300, log_mean));
    real other = log_mean < 20 ? poisson_log_rng(log_mean)
                 : round(normal_rng(mean_n, sqrt(mean_n)));
    y_rep[n] = other * bernoulli_logit_rng(-log(zero_odds)); // or an extra zero
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | theta_location, theta_scale)
                        + normal_lpdf(baseline[j] | intercept, spread);
  }
}
