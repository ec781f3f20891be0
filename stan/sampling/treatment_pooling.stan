// How treatment_pooling.stan is sampled: no part of the model.
//
// The means of the population are measured from where the groups and their
// priors expect them, in units of how far off they may well be, which both
// depend on its sds: a group with very much data ties them to its own effect
// and baseline the more, the smaller these are.
//
// Given the parameters of the population, a group's arms and the population
// together expect its effect, the baseline integrated out, and then its
// baseline given the effect, at averages weighted by their precisions. Both are
// measured from there, in units of how far off they may well be.
functions {
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
  real<offset=expected_slope(baseline_estimate, baseline_effect,
                             precision_of(spread, baseline_noise,
                                          baseline_share),
                             slope_guess, slope_unit),
       multiplier=inv_sqrt(
                           information(baseline_effect,
                                       precision_of(spread, baseline_noise,
                                                    baseline_share),
                                       slope_unit))> slope;
  // baseline where the effect is 0
  real<offset=average(baseline_estimate - slope * baseline_effect,
                      precision_of(spread, baseline_noise, baseline_share)),
       multiplier=inv_sqrt(
                           sum(
                               precision_of(spread, baseline_noise,
                                            baseline_share)))> intercept;
  // effects
  vector<offset=expected_effect(center_of(mu, beta, u, x, level), tau,
                                intercept, slope, spread, control,
                                control_precision, treatment,
                                treatment_precision),
         multiplier=effect_unit(tau, slope, spread, control_precision,
                                treatment_precision, tiny)>[J] theta;
  // means without the treatment
  vector<offset=expected_baseline(intercept + slope * theta, theta, spread,
                  control, control_precision, treatment, treatment_precision),
         multiplier=baseline_unit(spread, control_precision,
                                  treatment_precision, tiny)>[J] baseline;
}
