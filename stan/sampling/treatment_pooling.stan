// How treatment_pooling.stan is sampled: no part of the model.
//
// Given the parameters of the population, a group's arms and the population
// together expect its effect, the baseline integrated out, and then its
// baseline given the effect, at averages weighted by their precisions. Both are
// measured from there, in units of how far off they may well be.
data {
  real mu_guess; // about where these are, and how unsure that is
  real<lower=0> mu_unit;
  vector[K] beta_guess;
  vector<lower=0>[K] beta_unit;
  real intercept_guess;
  real<lower=0> intercept_unit;
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
  // baseline where the effect is 0
  real<offset=intercept_guess, multiplier=intercept_unit> intercept;
  // effects
  vector<offset=center_of(mu, beta, u, x, level)
                + square(tau)
                  * (slope * control_precision
                     .* (control - intercept
                         - slope * center_of(mu, beta, u, x, level))
                     + (1 + slope) * treatment_precision
                       .* (treatment - intercept
                           - (1 + slope) * center_of(mu, beta, u, x, level))
                     + square(spread) * control_precision
                       .* treatment_precision
                       .* (treatment - control
                           - center_of(mu, beta, u, x, level)))
                  ./ (1
                      + square(spread)
                        * (control_precision + treatment_precision)
                      + square(tau)
                        * (square(slope) * control_precision
                           + square(1 + slope) * treatment_precision
                           + square(spread) * control_precision
                             .* treatment_precision)),
         multiplier=1
                    ./ sqrt(
                            (square(slope) * control_precision
                             + square(1 + slope) * treatment_precision
                             + square(spread) * control_precision
                               .* treatment_precision)
                            ./ (1 + square(spread) * control_precision
                                + square(spread) * treatment_precision)
                            + inv_square(tau + tiny))>[J] theta;
  // means without the treatment
  vector<offset=(intercept + slope * theta
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
