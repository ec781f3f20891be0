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
  // precision of estimates whose variance 1 / phi adds to
  vector given(vector precision, vector added, real phi) {
    return precision ./ (1 + precision .* added / phi);
  }
  // and how much each of what there is to say of a mean weighs then
  vector weight_given(real sd, real phi, vector least, vector added,
                      vector share) {
    return 1 ./ (least + added / phi + square(sd) * share);
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
  real phi_location;
  real<lower=0> phi_scale;
  real zero_odds_location;
  real<lower=0> zero_odds_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  vector[J] theta_guess; // about where these are, and how unsure that is
  vector<lower=0>[J] theta_unit;
  int<lower=1> B; // what there is to say of the mean of the baselines
  vector[B] baseline_estimate;
  vector<lower=0>[B] baseline_share;
  vector[J] control; // about what the control arm of each group says
  vector[J] treatment; // and its treatment arm
  real<lower=0> tiny; // so that no sd is lost in rounding
  real<lower=0> guessed_odds; // that these are made with, and how far they
  vector[B] baseline_estimate_falls; // fall for one more of log1p(zero_odds)
  vector[J] control_falls;
  vector[J] treatment_falls;
  vector<lower=0>[J] control_precision_most; // of each arm if phi had no end
  vector<lower=0>[J] control_noise_added; // what 1 / phi adds to the variance
  vector<lower=0>[J] treatment_precision_most;
  vector<lower=0>[J] treatment_noise_added;
  vector<lower=0>[B] baseline_noise_least; // the same of the baselines' mean
  vector<lower=0>[B] baseline_noise_added;
}
parameters {
  real<lower=0> spread; // their standard deviation
  real<lower=0> phi; // variance of others = mean + mean^2 / phi
  real<lower=0> zero_odds; // that a row is an extra zero
  // effects
  vector<offset=theta_guess, multiplier=theta_unit>[J] theta;
  // mean of the baselines
  real<offset=dot_product(
                          weight_given(spread, phi, baseline_noise_least,
                                       baseline_noise_added, baseline_share),
                          fell(baseline_estimate, baseline_estimate_falls,
                               zero_odds, guessed_odds))
              / sum(
                    weight_given(spread, phi, baseline_noise_least,
                                 baseline_noise_added, baseline_share)),
       multiplier=inv_sqrt(
                           sum(
                               weight_given(spread, phi,
                                            baseline_noise_least,
                                            baseline_noise_added,
                                            baseline_share)))> intercept;
  // means without the treatment
  vector<offset=expected_baseline(rep_vector(intercept, J), theta, spread,
                  fell(control, control_falls, zero_odds, guessed_odds),
                  given(control_precision_most, control_noise_added, phi),
                  fell(treatment, treatment_falls, zero_odds, guessed_odds),
                  given(treatment_precision_most, treatment_noise_added, phi)),
         multiplier=baseline_unit(spread,
                                  given(control_precision_most,
                                        control_noise_added, phi),
                                  given(treatment_precision_most,
                                        treatment_noise_added, phi),
                                  tiny)>[J] baseline;
}
model {
  vector[N] eta = baseline[group] + treated .* theta[group];
  theta ~ normal(theta_location, theta_scale);
  intercept ~ normal(intercept_location, intercept_scale);
  spread ~ inv_gamma(spread_shape, spread_scale);
  baseline ~ normal(intercept, spread);
  phi ~ lognormal(phi_location, phi_scale);
  zero_odds ~ lognormal(zero_odds_location, zero_odds_scale);
  y ~ family(eta, phi, zero_odds, weight, exposure);
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
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | theta_location, theta_scale)
                        + normal_lpdf(baseline[j] | intercept, spread);
  }
}
