// How treatment_pooling.stan is sampled where outcomes may be extra
// zeros: no part of the model. As in sampling/treatment_pooling.stan,
// and see sampling/extra_zeros/partial_pooling.stan.
functions {
  // how much each of what there is to say of a mean weighs
  vector precision_of(real sd, vector noise, vector share) {
    return 1 ./ (noise + square(sd) * share);
  }
  // mean of some values
  real average(vector values, vector weight) {
    return dot_product(values, weight) / sum(weight);
  }
  // what there is to say of a slope, its prior included
  real information(vector along, vector weight, real unit) {
    return dot_product(weight, square(along - average(along, weight)))
           + inv_square(unit);
  }
  real expected_slope(vector estimate, vector along, vector weight,
                      real guess, real unit) {
    vector[size(along)] apart = along - average(along, weight);
    return (dot_product(weight .* apart, estimate) + guess / square(unit))
           / information(along, weight, unit);
  }
  // what the levels add to the variance of the mean effect
  real of_levels(vector tau_level, array[] int factor) {
    vector[size(tau_level)] count = rep_vector(0, size(tau_level));
    for (l in 1 : size(factor)) {
      count[factor[l]] += 1;
    }
    return sum(square(tau_level) ./ count);
  }
  // estimates with more extra zeros than they are made with
  vector fell(vector estimate, vector falls, real zero_odds, real guess) {
    return estimate - falls * (log1p(zero_odds) - log1p(guess));
  }
  // where both arms and the population together expect each group's effect,
  // its baseline integrated out
  vector expected_effect(vector center,
                         real tau,
                         real intercept,
                         real slope,
                         real spread,
                         vector control,
                         vector c_precision,
                         vector treatment,
                         vector t_precision) {
    vector[size(center)] both = square(spread) * c_precision .* t_precision;
    vector[size(center)] baseline = 1
                                    + square(spread)
                                      * (c_precision + t_precision);
    vector[size(center)] own = square(slope) * c_precision
                               + square(1 + slope) * t_precision + both;
    vector[size(center)] ahead = slope * c_precision
                                 .* (control - intercept - slope * center)
                                 + (1 + slope) * t_precision
                                   .* (treatment - intercept
                                       - (1 + slope) * center)
                                 + both .* (treatment - control - center);
    return center + square(tau) * ahead ./ (baseline + square(tau) * own);
  }
  // and how far from there it may well be
  vector effect_unit(real tau, real slope, real spread, vector c_precision,
                     vector t_precision, real tiny) {
    vector[size(c_precision)] own = square(slope) * c_precision
                                    + square(1 + slope) * t_precision
                                    + square(spread) * c_precision
                                      .* t_precision;
    return 1
           ./ sqrt(
                   own ./ (1 + square(spread) * (c_precision + t_precision))
                   + inv_square(tau + tiny));
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
  int<lower=1> M; // what there is to say of mu, as in partial_pooling.stan
  vector[M] mu_estimate;
  vector<lower=0>[M] mu_noise;
  vector<lower=0>[M] mu_share;
  int<lower=1> B; // and of the mean of the baselines
  vector[B] baseline_estimate;
  vector<lower=0>[B] baseline_noise;
  vector<lower=0>[B] baseline_share;
  vector[B] baseline_effect; // with about these effects
  real slope_guess; // about what its prior says
  real<lower=0> slope_unit;
  vector[K] beta_guess; // about where they are, and how unsure that is
  vector<lower=0>[K] beta_unit;
  vector[J] control; // about what the control arm of each group says
  vector<lower=0>[J] control_precision;
  vector[J] treatment; // and its treatment arm
  vector<lower=0>[J] treatment_precision;
  real<lower=0> tiny; // so that no sd is lost in rounding
  real<lower=0> guessed_odds; // that these are made with, and how far they
  vector[B] baseline_estimate_falls; // fall for one more of log1p(zero_odds)
  vector[J] control_falls;
  vector[J] treatment_falls;
}
parameters {
  // mean effect
  real<offset=average(mu_estimate, precision_of(tau, mu_noise, mu_share)),
       multiplier=sqrt(
                       inv(sum(precision_of(tau, mu_noise, mu_share)))
                       + of_levels(tau_level, factor))> mu;
  // change for one unit of a predictor
  vector<offset=beta_guess, multiplier=beta_unit>[K] beta;
  // what a level adds to the effects of its groups
  vector<multiplier=tau_level[factor]>[L] u;
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
