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
// The family is normal with known standard errors, whose errors go together
// within a study; identity link.
//
//   y ~ multi_normal(eta, V), with a block of V for each study
//
// or, what is the same, each estimate given those above it in its study:
//
//   y[n] ~ normal(eta[n] + weight[n] * (y - eta)[above[n]], own_se[n])
functions {
  // what the errors above an estimate, in its study, tell of its own
  vector expected_error(vector error, matrix weight, array[,] int above) {
    vector[rows(weight)] total = rep_vector(0, rows(weight));
    for (k in 1 : cols(weight)) {
      total += weight[ : , k] .* error[above[ : , k]];
    }
    return total;
  }
  real family_lpdf(vector y, vector eta, matrix weight, array[,] int above,
                   vector own_se) {
    return normal_lupdf(y | eta + expected_error(y - eta, weight, above),
                        own_se);
  }
  vector center_of(real mu, vector beta, vector u, matrix x,
                   array[,] int level) {
    vector[rows(x)] center = mu + x * beta;
    for (f in 1 : size(level)) {
      center += u[level[f]];
    }
    return center;
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector[N] y; // estimates
  int<lower=1> W; // of the largest study
  matrix[N, W] weight; // of the errors above in its study
  array[N, W] int<lower=1> above; // which are these; itself where weight is 0
  vector<lower=0>[N] own_se; // of what they do not tell
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
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  real mu; // mean of a group that is average in all of this
  vector[K] beta; // change for one unit of a predictor
  vector<lower=0>[F] tau_level; // sd between levels of a factor
  vector[L] u; // what a level adds to the groups that have it
}
transformed parameters {
  vector[J] theta = center_of(mu, beta, u, x, level); // group means
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
  beta ~ normal(beta_location, beta_scale);
  tau_level ~ normal(0, tau_level_scale);
  u ~ normal(0, tau_level[factor]);
  y ~ family(eta, weight, above, own_se);
}
generated quantities {
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik; // given those above it in its study
  vector[replicate ? N : 0] y_rep;
  if (pointwise) {
    vector[N] mean_y = eta + expected_error(y - eta, weight, above);
    for (n in 1 : N) {
      log_lik[n] = normal_lpdf(y[n] | mean_y[n], own_se[n]);
    }
  }
  for (n in 1 : size(y_rep)) {
    real error = 0;
    for (k in 1 : W) {
      if (above[n, k] < n) {
        error += weight[n, k] * (y_rep[above[n, k]] - eta[above[n, k]]);
      }
    }
    y_rep[n] = normal_rng(eta[n] + error, own_se[n]);
  }
}
