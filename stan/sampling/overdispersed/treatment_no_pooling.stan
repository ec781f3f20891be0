// How treatment_no_pooling.stan is sampled where rows vary more than their
// size makes them: no part of the model. As in sampling/treatment_no_pooling.stan,
// and see sampling/overdispersed/partial_pooling.stan.
data {
  vector<lower=0>[J] control_precision_most; // of each arm if phi had no end
  vector<lower=0>[J] control_noise_added; // what 1 / phi adds to the variance
  vector<lower=0>[J] treatment_precision_most;
  vector<lower=0>[J] treatment_noise_added;
  vector<lower=0>[B] baseline_noise_least; // the same of the baselines' mean
  vector<lower=0>[B] baseline_noise_added;
}
parameters {
  // mean of the baselines
  real<offset=dot_product(
                          weight_given(spread, phi, baseline_noise_least,
                                       baseline_noise_added, baseline_share),
                          baseline_estimate)
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
