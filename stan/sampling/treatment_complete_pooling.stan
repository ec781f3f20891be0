// How treatment_complete_pooling.stan is sampled: no part of the model. As in
// sampling/treatment_pooling.stan.
data {
  real mu_guess; // about where these are, and how unsure that is
  real<lower=0> mu_unit;
  vector[K] beta_guess;
  vector<lower=0>[K] beta_unit;
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
  // mean effect
  real<offset=mu_guess, multiplier=mu_unit> mu;
  // change for one unit of a predictor
  vector<offset=beta_guess, multiplier=beta_unit>[K] beta;
  // what a level adds to the effects of its groups
  vector<multiplier=tau_level[factor]>[L] u;
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
  vector<offset=expected_baseline(rep_vector(intercept, J),
                  center_of(mu, beta, u, x, level), spread, control,
                  control_precision, treatment, treatment_precision),
         multiplier=baseline_unit(spread, control_precision,
                                  treatment_precision, tiny)>[J] baseline;
}
