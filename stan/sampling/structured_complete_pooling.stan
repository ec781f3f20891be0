// How structured_complete_pooling.stan is sampled: no part of the model. As in
// sampling/structured_pooling.stan, with no differences between alike groups.
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
}
parameters {
  vector[1 + K + L] z; // mu, beta and u, measured together
}
transformed parameters {
  vector[2 + K + L] measured = measured_from(z, 0,
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
}
model {
  target += measured[2 + K + L];
}
