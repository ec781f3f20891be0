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
  // where its own data and the population together expect each group's mean
  vector expected(vector center, real tau, vector estimate, vector precision) {
    return estimate + (center - estimate) ./ (1 + square(tau) * precision);
  }
  // and how far from there it may well be
  vector uncertainty(real tau, vector precision, real tiny) {
    return 1 ./ sqrt(inv_square(tau + tiny) + precision);
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
  row_vector[K] x_new; // predictors and levels of a group not yet seen
  array[F] int<lower=0, upper=L> level_new; // 0 for a level not yet seen
  real beta_location;
  real<lower=0> beta_scale;
  vector<lower=0>[F] tau_level_scale;
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> tau_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  real mu_guess; // about where mu and beta are, and how unsure that is
  real<lower=0> mu_unit;
  vector[K] beta_guess;
  vector<lower=0>[K] beta_unit;
  vector[J] estimate; // about what each group's own data say
  vector<lower=0>[J] precision;
  real<lower=0> tiny; // so that no tau is lost in rounding
}
parameters {
  vector<lower=0>[F] tau_level; // sd between levels of a factor
  vector[L] u; // what a level adds to the groups that have it
  real<lower=0> tau; // sd between groups that are alike in all of this
  // mean of a group that is average in all of this
  real<offset=mu_guess, multiplier=mu_unit> mu;
  // change for one unit of a predictor
  vector<offset=beta_guess, multiplier=beta_unit>[K] beta;
  // group means
  vector<offset=expected(center_of(mu, beta, u, x, level), tau, estimate,
                         precision),
         multiplier=uncertainty(tau, precision, tiny)>[J] theta;
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
  y ~ family(eta, weight, above, own_se);
}
generated quantities {
  real theta_new; // mean of a group not yet seen
  vector[pointwise ? J : 0] log_population;
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
