// structured_pooling.stan with the group means integrated out, for families
// that are normal in them:
//
//   estimate[j] ~ normal(theta[j], error[j])
//   theta[j]    ~ normal(center[j], tau)
//
// so that estimate[j] ~ normal(center[j], sqrt(tau^2 + error[j]^2)), and each
// theta[j] given all else is normal too, around an average of the two.
//
// families/normal.stan with the group means integrated out; what it says of
// data and parameters holds here too.
//
//   y[j] ~ normal(center[j], sqrt(tau^2 + sigma^2 / count[j]))
//   squares[j] / sigma^2 ~ chi_square(count[j] - 1)
functions {
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
  int<lower=J, upper=J> N; // observations: one summary for each group, in order
  vector[N] y; // means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations
  int<lower=0> S; // different counts
  vector<lower=1>[S] different; // they: means of as many rows are as precise
  array[N] int<lower=1, upper=S> which; // of them is each
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
  real<lower=0> sigma_scale;
  int<lower=0, upper=1> describe_theta; // write its mean and sd given all else?
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
  vector<lower=0>[F] tau_level; // sd between levels of a factor
  real<lower=0> tau; // sd between groups that are alike in all of this
  real<lower=0> sigma; // standard deviation within groups
  vector[1 + K + L] z; // mu, beta and u, measured together
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
}
model {
  vector[J] center = center_of(mu, beta, u, x, level);
  mu ~ normal(mu_location, mu_scale);
  beta ~ normal(beta_location, beta_scale);
  tau_level ~ normal(0, tau_level_scale);
  u ~ normal(0, tau_level[factor]);
  tau ~ normal(0, tau_scale);
  sigma ~ normal(0, sigma_scale);
  y ~ normal(center, sqrt(square(tau) + square(sigma) ./ different)[which]);
  target += -sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma));
  target += measured[2 + K + L];
}
generated quantities {
  real theta_new; // mean of a group not yet seen
  vector[describe_theta ? J : 0] theta_mean;
  vector[describe_theta ? J : 0] theta_sd;
  {
    real center_new = mu + x_new * beta;
    for (f in 1 : F) {
      center_new += level_new[f] > 0 ? u[level_new[f]]
                    : normal_rng(0, tau_level[f]);
    }
    theta_new = normal_rng(center_new, tau);
  }
  if (describe_theta) {
    vector[J] center = center_of(mu, beta, u, x, level);
    vector[N] estimate = y;
    vector[N] error = sigma ./ sqrt(count);
    vector[J] total = sqrt(square(tau) + square(error));
    theta_mean = center + square(tau ./ total) .* (estimate - center);
    theta_sd = tau * error ./ total;
  }
}
