// How treatment_pooling.stan is sampled where outcomes may be extra
// zeros: no part of the model. As in sampling/treatment_pooling.stan,
// and see sampling/extra_zeros/partial_pooling.stan.
data {
  real<lower=0> guessed_odds; // that these are made with, and how far they
  vector[B] baseline_estimate_falls; // fall for one more of log1p(zero_odds)
  vector[J] control_falls;
  vector[J] treatment_falls;
}
parameters {
  // change of the baseline with the effect
  real<offset=expected_slope(
                             fell(baseline_estimate, baseline_estimate_falls,
                                  zero_odds, guessed_odds),
                             baseline_effect,
                             precision_of(spread, baseline_noise,
                                          baseline_share),
                             slope_guess, slope_unit),
       multiplier=inv_sqrt(
                           information(baseline_effect,
                                       precision_of(spread, baseline_noise,
                                                    baseline_share),
                                       slope_unit))> slope;
  // baseline where the effect is 0
  real<offset=average(
                      fell(baseline_estimate, baseline_estimate_falls,
                           zero_odds, guessed_odds)
                      - slope * baseline_effect,
                      precision_of(spread, baseline_noise, baseline_share)),
       multiplier=inv_sqrt(
                           sum(
                               precision_of(spread, baseline_noise,
                                            baseline_share)))> intercept;
  // effects
  vector<offset=expected_effect(center_of(mu, beta, u, x, level), tau,
                                intercept, slope, spread,
                                fell(control, control_falls, zero_odds,
                                     guessed_odds),
                                control_precision,
                                fell(treatment, treatment_falls, zero_odds,
                                     guessed_odds),
                                treatment_precision),
         multiplier=effect_unit(tau, slope, spread, control_precision,
                                treatment_precision, tiny)>[J] theta;
  // means without the treatment
  vector<offset=expected_baseline(intercept + slope * theta, theta, spread,
                  fell(control, control_falls, zero_odds, guessed_odds),
                  control_precision,
                  fell(treatment, treatment_falls, zero_odds, guessed_odds),
                  treatment_precision),
         multiplier=baseline_unit(spread, control_precision,
                                  treatment_precision, tiny)>[J] baseline;
}
