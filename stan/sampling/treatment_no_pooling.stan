// How treatment_no_pooling.stan is sampled: no part of the model. As in
// sampling/treatment_pooling.stan, and the effects as in
// sampling/no_pooling.stan.
data {
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
