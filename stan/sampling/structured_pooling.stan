// How structured_pooling.stan is sampled. No part of the model: with or without
// this file the posterior is the same.
//
// Given the sds, what the groups' data say of mu, beta and u together is about
// normal, with the group means integrated out. z measures mu, beta and u from
// there, in units of how far off they may well be together: the near ones by a
// Cholesky factor, the far ones, levels of factors with many, given the near
// ones: one by one, or those of several factors by a matrix that says how they
// go together. Then z_theta measures each group's mean from where its own
// data and its center expect it.
functions {
  // where its own data and the population together expect each group's mean
  vector expected(vector center, real tau, vector estimate, vector precision) {
    return estimate + (center - estimate) ./ (1 + square(tau) * precision);
  }
}
data {
  // what the groups say of the near ones of mu, beta and u together, in parts:
  // each has information, pulls them somewhere, and counts the less the larger
  // its variance is, which has a part for noise and one that grows with tau^2
  int<lower=1> P; // near ones
  int<lower=0> E; // far ones
  int<lower=1> M; // parts
  matrix[P * P, M] near_information;
  matrix[P, M] near_pull;
  vector<lower=0>[M] near_noise;
  vector<lower=0>[M] near_share;
  // and of each far one, given the near ones
  matrix[E, P] far;
  vector[E] far_mean;
  vector<lower=0>[E] far_weight;
  vector<lower=0>[E] far_noise;
  vector<lower=0>[E] far_share;
  int<lower=0> X; // far ones of several factors, which go together; or 0
  matrix[X, X] together;
  vector[1 + K + L] prior_middle; // of them all, near ones first
  vector<lower=0>[1 + K] prior_width; // of mu and beta
  array[L] int<lower=1, upper=F> factor_of; // of each level, in this order
  array[1 + K + L] int<lower=1, upper=1 + K + L> place; // where each is in it
  vector[J] estimate; // about what each group's own data say
  vector<lower=0>[J] precision;
  real<lower=0> tiny; // so that no tau is lost in rounding
}
parameters {
  vector[1 + K + L] z; // mu, beta and u, measured together
  vector[J] z_theta; // group means, measured from their own data and centers
}
transformed parameters {
  vector[2 + K + L] measured = measured_from(z, tau,
                                             append_row(prior_width,
                                                        tau_level[factor_of]),
                                             prior_middle, near_information,
                                             near_pull, near_noise,
                                             near_share, far, far_mean,
                                             far_weight, far_noise,
                                             far_share, together, place);
  real mu = measured[1]; // mean of a group that is average in all of this
  // change for one unit of a predictor
  vector[K] beta = segment(measured, 2, K);
  // what a level adds to the groups that have it
  vector[L] u = segment(measured, 2 + K, L);
  // group means
  vector[J] theta = expected(center_of(mu, beta, u, x, level), tau, estimate,
                             precision)
                    + uncertainty(tau, precision, tiny) .* z_theta;
}
model {
  target += measured[2 + K + L];
  target += sum(log(uncertainty(tau, precision, tiny)));
}
