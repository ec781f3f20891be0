// How treatment_no_pooling.stan is sampled: no part of the model. As in
// sampling/treatment_pooling.stan, and the effects as in
// sampling/no_pooling.stan.
data {
  vector[J] theta_guess; // about where these are, and how unsure that is
  vector<lower=0>[J] theta_unit;
  real intercept_guess;
  real<lower=0> intercept_unit;
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
  real<offset=intercept_guess, multiplier=intercept_unit> intercept;
  // means without the treatment
  vector<offset=(intercept
                 + square(spread)
                   * (control_precision .* control
                      + treatment_precision .* (treatment - theta)))
                ./ (1
                    + square(spread)
                      * (control_precision + treatment_precision)),
         multiplier=1
                    ./ sqrt(
                            inv_square(spread + tiny) + control_precision
                            + treatment_precision)>[J] baseline;
}
