// Structured pooling: what is known of a group moves the population it is from.
//
//   y[n]      ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j]  ~ normal(center[j], tau)
//   center[j] = mu + x[j] * beta + u[level[1, j]] + u[level[2, j]] + ...
//   u[l]      ~ normal(0, tau_level[factor[l]])
//
// x holds numbers that describe a group; level, for each factor, which of its
// levels the group has: its district, or its region and its device.
//
// The family is zero-inflated negative binomial: counts, some of them extra
// zeros; the group means are logarithms of the expected count, per exposure.
//
//   row = 0 with odds zero_odds, else
//   row ~ neg_binomial_2_log(eta + log(exposure) + log1p(zero_odds), phi)
//
// An observation stands for `weight` rows of a group that share the count y and
// the exposure.
functions {
  // exp(eta) is the mean of all rows, extra zeros among them
  real family_lpmf(array[] int y, vector eta, real phi, real zero_odds,
                   vector weight, vector exposure) {
    vector[size(y)] count = to_vector(y);
    vector[size(y)] log_odds = eta + log(exposure) + log1p(zero_odds)
                               - log(phi);
    vector[size(y)] lp = count .* log_odds
                         - (count + phi) .* log1p_exp(log_odds)
                         - lbeta(phi, count + 1) - log(phi + count);
    for (n in 1 : size(y)) {
      if (y[n] == 0) {
        lp[n] = log(zero_odds + exp(lp[n]));
      }
    }
    return dot_product(weight, lp) - sum(weight) * log1p(zero_odds);
  }
  vector center_of(real mu, vector beta, vector u, matrix x,
                   array[,] int level) {
    vector[rows(x)] center = mu + x * beta;
    for (f in 1 : size(level)) {
      center += u[level[f]];
    }
    return center;
  }
  // how far a group's mean may well be from where its data and the others
  // expect it
  vector uncertainty(real tau, vector precision, real tiny) {
    return 1 ./ sqrt(inv_square(tau + tiny) + precision);
  }
  // estimates with more extra zeros than they are made with
  vector fell(vector estimate, vector falls, real zero_odds, real guess) {
    return estimate - falls * (log1p(zero_odds) - log1p(guess));
  }
  // precision of estimates whose variance 1 / phi adds to
  vector given(vector precision, vector added, real phi) {
    return precision ./ (1 + precision .* added / phi);
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
  // where its own data and the population together expect each group's mean
  vector expected(vector center, real tau, vector estimate, vector precision) {
    return estimate + (center - estimate) ./ (1 + square(tau) * precision);
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  array[N] int<lower=0> y; // counts
  vector<lower=0>[N] weight; // rows that share the count
  vector<lower=0>[N] exposure;
  int<lower=0> K; // predictors of the groups
  matrix[J, K] x; // predictors of each group, standardized
  int<lower=0> F; // factors that describe the groups
  int<lower=0> L; // levels of all of them together
  array[L] int<lower=1, upper=F> factor; // factor of each level
  array[F, J] int<lower=1, upper=L> level; // level of each group
  row_vector[K] x_new; // predictors and levels of a group not yet seen
  array[F] int<lower=0, upper=L> level_new; // 0 for a level not yet seen
  real beta_location;
  real<lower=0> beta_scale;
  vector<lower=0>[F] tau_level_scale;
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> tau_scale;
  real phi_location;
  real<lower=0> phi_scale;
  real zero_odds_location;
  real<lower=0> zero_odds_scale;
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
  vector[J] estimate; // about what each group's own data say
  real<lower=0> tiny; // so that no tau is lost in rounding
  real<lower=0> guessed_odds; // that these are made with, and how far they
  matrix[P, M] near_pull_falls; // fall for one unit more of log1p(zero_odds)
  vector[E] far_mean_falls;
  vector[J] estimate_falls;
  vector<lower=0>[J] precision_most; // of the estimates if phi had no end
  vector<lower=0>[J] noise_added; // and what 1 / phi adds to their variance
  vector<lower=0>[M] near_noise_least; // the same of what they say together
  vector<lower=0>[M] near_noise_added; // and of each far one
  vector<lower=0>[E] far_noise_least;
  vector<lower=0>[E] far_noise_added;
}
parameters {
  vector<lower=0>[F] tau_level; // sd between levels of a factor
  real<lower=0> tau; // sd between groups that are alike in all of this
  real<lower=0> phi; // variance of others = mean + mean^2 / phi
  real<lower=0> zero_odds; // that a row is an extra zero
  vector[1 + K + L] z; // mu, beta and u, measured together
  vector[J] z_theta; // group means, measured from their own data and centers
}
transformed parameters {
  vector[2 + K + L] measured = measured_from(z, tau,
                                             append_row(prior_width,
                                                        tau_level[factor_of]),
                                             prior_middle, near_information,
                                             near_pull
                                             - near_pull_falls
                                               * (log1p(zero_odds)
                                                  - log1p(guessed_odds)),
                                             near_noise_least
                                             + near_noise_added / phi,
                                             near_share, far,
                                             fell(far_mean, far_mean_falls,
                                                  zero_odds, guessed_odds),
                                             far_weight,
                                             far_noise_least
                                             + far_noise_added / phi,
                                             far_share, together, place);
  real mu = measured[1]; // mean of a group that is average in all of this
  // change for one unit of a predictor
  vector[K] beta = segment(measured, 2, K);
  // what a level adds to the groups that have it
  vector[L] u = segment(measured, 2 + K, L);
  // group means
  vector[J] theta = expected(center_of(mu, beta, u, x, level), tau,
                             fell(estimate, estimate_falls, zero_odds,
                                  guessed_odds),
                             given(precision_most, noise_added, phi))
                    + uncertainty(tau,
                                  given(precision_most, noise_added, phi),
                                  tiny)
                      .* z_theta;
}
model {
  vector[N] eta = theta[group];
  vector[J] center = center_of(mu, beta, u, x, level);
  mu ~ normal(mu_location, mu_scale);
  beta ~ normal(beta_location, beta_scale);
  tau_level ~ normal(0, tau_level_scale);
  u ~ normal(0, tau_level[factor]);
  tau ~ normal(0, tau_scale);
  theta ~ normal(center, tau);
  phi ~ lognormal(phi_location, phi_scale);
  zero_odds ~ lognormal(zero_odds_location, zero_odds_scale);
  y ~ family(eta, phi, zero_odds, weight, exposure);
  target += measured[2 + K + L];
  target += sum(
                log(
                    uncertainty(tau, given(precision_most, noise_added, phi),
                                tiny)));
}
generated quantities {
  real theta_new; // mean of a group not yet seen
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep; // counts, some too large for integers
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], phi, zero_odds,
                             weight[n : n], exposure[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real log_mean = eta[n] + log(exposure[n]) + log1p(zero_odds);
    real mean_n = exp(fmax(-300, fmin(300, log_mean)));
    real rate = fmin(1e300, fmax(1e-300, gamma_rng(phi, phi / mean_n)));
    real other = rate < 4e8 ? poisson_rng(rate)
                 : round(normal_rng(rate, sqrt(rate)));
    y_rep[n] = other * bernoulli_logit_rng(-log(zero_odds)); // or an extra zero
  }
  {
    real center_new = mu + x_new * beta;
    for (f in 1 : F) {
      center_new += level_new[f] > 0 ? u[level_new[f]]
                    : normal_rng(0, tau_level[f]);
    }
    theta_new = normal_rng(center_new, tau);
  }
  if (pointwise) {
    vector[J] center = center_of(mu, beta, u, x, level);
    for (j in 1 : J) {
      log_population[j] = normal_lpdf(theta[j] | center[j], tau);
    }
  }
}
