// How treatment_complete_pooling.stan is sampled where outcomes may be extra
// zeros: no part of the model. As in sampling/treatment_complete_pooling.stan,
// and see sampling/extra_zeros/partial_pooling.stan.
functions {
  // estimates with more extra zeros than they are made with
  vector fell(vector estimate, vector falls, real zero_odds, real guess) {
    return estimate - falls * (log1p(zero_odds) - log1p(guess));
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
}
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
  real<lower=0> guessed_odds; // that these are made with, and how far they
  real intercept_guess_falls; // fall for one unit more of log1p(zero_odds)
  vector[J] control_falls;
  vector[J] treatment_falls;
}
parameters {
  // mean effect
  real<offset=mu_guess, multiplier=mu_unit> mu;
  // change for one unit of a predictor
  vector<offset=beta_guess, multiplier=beta_unit>[K] beta;
  // what a level adds to the effects of its groups
  vector<multiplier=tau_level[factor]>[L] u;
  // mean of the baselines
  real<offset=intercept_guess
              - intercept_guess_falls
                * (log1p(zero_odds) - log1p(guessed_odds)),
       multiplier=intercept_unit> intercept;
  // means without the treatment
  vector<offset=expected_baseline(rep_vector(intercept, J),
                  center_of(mu, beta, u, x, level), spread,
                  fell(control, control_falls, zero_odds, guessed_odds),
                  control_precision,
                  fell(treatment, treatment_falls, zero_odds, guessed_odds),
                  treatment_precision),
         multiplier=baseline_unit(spread, control_precision,
                                  treatment_precision, tiny)>[J] baseline;
}
