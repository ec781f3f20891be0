// How treatment_no_pooling.stan is sampled where outcomes may be extra
// zeros: no part of the model. As in sampling/treatment_no_pooling.stan,
// and see sampling/extra_zeros/partial_pooling.stan.
data {
  real<lower=0> guessed_odds; // that these are made with, and how far they
  vector[B] baseline_estimate_falls; // fall for one more of log1p(zero_odds)
  vector[J] control_falls;
  vector[J] treatment_falls;
}
parameters {
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
