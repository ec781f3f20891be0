// How structured_complete_pooling.stan is sampled where outcomes may be extra
// zeros: no part of the model. As in sampling/structured_complete_pooling.stan,
// and see sampling/extra_zeros/partial_pooling.stan.
functions {
  // estimates with more extra zeros than they are made with
  vector fell(vector estimate, vector falls, real zero_odds, real guess) {
    return estimate - falls * (log1p(zero_odds) - log1p(guess));
  }
  // mu, beta and u, and how much z shrinks or stretches, in logarithms
  vector measured_from(vector z,
                       real tau,
                       vector scale,
                       vector middle,
                       matrix near_information,
                       matrix near_pull,
                       vector near_noise,
                       vector near_share,
                       matrix far,
                       vector far_mean,
                       vector far_weight,
                       vector far_noise,
                       vector far_share,
                       matrix together,
                       array[] int place) {
    int M = cols(near_pull);
    int P = rows(near_pull);
    int E = rows(far);
    vector[P] unit = head(scale, P);
    vector[M] weight = 1 ./ (near_noise + square(tau) * near_share);
    vector[P] pull = unit .* (near_pull * weight);
    matrix[P, P] seen = to_matrix(near_information * weight, P, P)
                        .* (unit * unit');
    matrix[P, P] root = cholesky_decompose(add_diag(0.5 * (seen + seen'), 1));
    vector[P] ahead = mdivide_left_tri_low(root, pull) + head(z, P);
    vector[P] moved = unit .* mdivide_right_tri_low(ahead', root)';
    vector[E] far_unit = tail(scale, E);
    vector[E] noise = far_noise + square(tau) * far_share;
    vector[E] says = far_unit .* far_weight ./ noise;
    vector[E] total = 1 + far_unit .* says;
    vector[E] one = 1 ./ sqrt(total);
    vector[E] off = one .* says .* (far_mean - far * moved);
    vector[E] out = off + tail(z, E);
    if (rows(together) > 0) {
      out = together * (together' * off + tail(z, E));
    }
    vector[E] beyond = far_unit .* one .* out;
    real stretch = sum(log(scale)) - sum(log(diagonal(root)))
                   - 0.5 * sum(log(total));
    return append_row((middle + append_row(moved, beyond))[place], stretch);
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
  real<lower=0> guessed_odds; // that these are made with, and how far they
  matrix[P, M] near_pull_falls; // fall for one unit more of log1p(zero_odds)
  vector[E] far_mean_falls;
}
parameters {
  vector[1 + K + L] z; // mu, beta and u, measured together
}
transformed parameters {
  vector[2 + K + L] measured = measured_from(z, 0,
                                             append_row(prior_width,
                                                        tau_level[factor_of]),
                                             prior_middle, near_information,
                                             near_pull
                                             - near_pull_falls
                                               * (log1p(zero_odds)
                                                  - log1p(guessed_odds)),
                                             near_noise, near_share, far,
                                             fell(far_mean, far_mean_falls,
                                                  zero_odds, guessed_odds),
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
