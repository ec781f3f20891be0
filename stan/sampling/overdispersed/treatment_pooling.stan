// How treatment_pooling.stan is sampled where rows vary more than their
// size makes them: no part of the model. As in sampling/treatment_pooling.stan,
// and see sampling/overdispersed/partial_pooling.stan.
data {
  vector<lower=0>[J] control_precision_most; // of each arm if phi had no end
  vector<lower=0>[J] control_noise_added; // what 1 / phi adds to the variance
  vector<lower=0>[J] treatment_precision_most;
  vector<lower=0>[J] treatment_noise_added;
  vector<lower=0>[B] baseline_noise_least; // the same of the baselines' mean
  vector<lower=0>[B] baseline_noise_added;
  vector<lower=0>[M] mu_noise_least; // and of mu
  vector<lower=0>[M] mu_noise_added;
}
parameters {
  // mean effect
  real<offset=average(mu_estimate,
                      weight_given(tau, phi, mu_noise_least, mu_noise_added,
                                   mu_share)),
       multiplier=sqrt(
                       inv(
                           sum(
                               weight_given(tau, phi, mu_noise_least,
                                            mu_noise_added, mu_share)))
                       + of_levels(tau_level, factor))> mu;
  // change of the baseline with the effect
  real<offset=expected_slope(baseline_estimate, baseline_effect,
                             weight_given(spread, phi, baseline_noise_least,
                                          baseline_noise_added,
                                          baseline_share),
                             slope_guess, slope_unit),
       multiplier=inv_sqrt(
                           information(baseline_effect,
                                       weight_given(spread, phi,
                                                    baseline_noise_least,
                                                    baseline_noise_added,
                                                    baseline_share),
                                       slope_unit))> slope;
  // baseline where the effect is 0
  real<offset=average(baseline_estimate - slope * baseline_effect,
                      weight_given(spread, phi, baseline_noise_least,
                                   baseline_noise_added, baseline_share)),
       multiplier=inv_sqrt(
                           sum(
                               weight_given(spread, phi,
                                            baseline_noise_least,
                                            baseline_noise_added,
                                            baseline_share)))> intercept;
  // effects
  vector<offset=expected_effect(center_of(mu, beta, u, x, level), tau,
                                intercept, slope, spread, control,
                                given(control_precision_most,
                                      control_noise_added, phi),
                                treatment,
                                given(treatment_precision_most,
                                      treatment_noise_added, phi)),
         multiplier=effect_unit(tau, slope, spread,
                                given(control_precision_most,
                                      control_noise_added, phi),
                                given(treatment_precision_most,
                                      treatment_noise_added, phi),
                                tiny)>[J] theta;
  // means without the treatment
  vector<offset=expected_baseline(intercept + slope * theta, theta, spread,
                  control,
                  given(control_precision_most, control_noise_added, phi),
                  treatment,
                  given(treatment_precision_most, treatment_noise_added, phi)),
         multiplier=baseline_unit(spread,
                                  given(control_precision_most,
                                        control_noise_added, phi),
                                  given(treatment_precision_most,
                                        treatment_noise_added, phi),
                                  tiny)>[J] baseline;
}
