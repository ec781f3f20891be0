// Complete pooling of groups of which something is known: they differ by that
// alone.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] = mu + x[j] * beta + u[level[1, j]] + u[level[2, j]] + ...
//   u[l]     ~ normal(0, tau_level[factor[l]])
//
// x holds numbers that describe a group; level, for each factor, which of its
// levels the group has.
//
// The family is beta-binomial: successes in trials that vary more than
// binomial; the group means are log-odds.
//
//   y[n]    ~ binomial(trials[n], rate[n])
//   rate[n] ~ beta(phi * p, phi * (1 - p)),  p = inv_logit(eta[n])
functions {
  real family_lpmf(array[] int y, vector eta, real phi, array[] int trials) {
    // Beta functions that do not cancel where phi is large
    vector[size(y)] successes = to_vector(y);
    vector[size(y)] failures = to_vector(trials) - successes;
    vector[size(y)] total = to_vector(trials);
    vector[size(y)] a = phi * inv_logit(eta);
    vector[size(y)] b = phi * inv_logit(-eta);
    return sum(
               lbeta(phi, total + 1) + log(phi + total)
               - lbeta(a, successes + 1) - log(a + successes)
               - lbeta(b, failures + 1) - log(b + failures));
  }
  vector center_of(real mu, vector beta, vector u, matrix x,
                   array[,] int level) {
    vector[rows(x)] center = mu + x * beta;
    for (f in 1 : size(level)) {
      center += u[level[f]];
    }
    return center;
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
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  array[N] int<lower=0> trials;
  array[N] int<lower=0, upper=trials> y; // successes
  int<lower=0> K; // predictors of the groups
  matrix[J, K] x; // predictors of each group, standardized
  int<lower=0> F; // factors that describe the groups
  int<lower=0> L; // levels of all of them together
  array[L] int<lower=1, upper=F> factor; // factor of each level
  array[F, J] int<lower=1, upper=L> level; // level of each group
  real beta_location;
  real<lower=0> beta_scale;
  vector<lower=0>[F] tau_level_scale;
  real mu_location;
  real<lower=0> mu_scale;
  real phi_location;
  real<lower=0> phi_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  // what the groups say of the near ones of mu, beta and u together, in parts:
  // each has information, pulls them somewhere, and counts the less the larger
  // its variance is, which has a part for noise and one that grows with tau^2
  int<lower=1> P; // near ones
  int<lower=0> E; // far ones
  int<lower=1> M; // parts
  matrix[P * P, M] near_information;
  matrix[P, M] near_pull;
  vector<lower=0>[M] near_share;
  // and of each far one, given the near ones
  matrix[E, P] far;
  vector[E] far_mean;
  vector<lower=0>[E] far_weight;
  vector<lower=0>[E] far_share;
  int<lower=0> X; // far ones of several factors, which go together; or 0
  matrix[X, X] together;
  vector[1 + K + L] prior_middle; // of them all, near ones first
  vector<lower=0>[1 + K] prior_width; // of mu and beta
  array[L] int<lower=1, upper=F> factor_of; // of each level, in this order
  array[1 + K + L] int<lower=1, upper=1 + K + L> place; // where each is in it
  vector<lower=0>[M] near_noise_least; // if phi had no end, and what 1 / phi
  vector<lower=0>[M] near_noise_added; // adds; and the same of each far one
  vector<lower=0>[E] far_noise_least;
  vector<lower=0>[E] far_noise_added;
}
parameters {
  vector<lower=0>[F] tau_level; // sd between levels of a factor
  real<lower=0> phi; // variance of rates in a group = p q / (phi + 1)
  vector[1 + K + L] z; // mu, beta and u, measured together
}
transformed parameters {
  vector[2 + K + L] measured = measured_from(z, 0,
                                             append_row(prior_width,
                                                        tau_level[factor_of]),
                                             prior_middle, near_information,
                                             near_pull,
                                             near_noise_least
                                             + near_noise_added / phi,
                                             near_share, far, far_mean,
                                             far_weight,
                                             far_noise_least
                                             + far_noise_added / phi,
                                             far_share, together, place);
  real mu = measured[1]; // mean of a group that is average in all of this
  // change for one unit of a predictor
  vector[K] beta = segment(measured, 2, K);
  // what a level adds to the groups that have it
  vector[L] u = segment(measured, 2 + K, L);
  vector[J] theta = center_of(mu, beta, u, x, level); // group means
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
  beta ~ normal(beta_location, beta_scale);
  tau_level ~ normal(0, tau_level_scale);
  u ~ normal(0, tau_level[factor]);
  phi ~ lognormal(phi_location, phi_scale);
  y ~ family(eta, phi, trials);
  target += measured[2 + K + L];
}
generated quantities {
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  array[replicate ? N : 0] int y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], phi, trials[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real a = fmax(1e-9, phi * inv_logit(eta[n]));
    real b = fmax(1e-9, phi * inv_logit(-eta[n]));
    y_rep[n] = binomial_rng(trials[n], beta_rng(a, b));
  }
}
