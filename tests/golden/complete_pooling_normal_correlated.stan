// Complete pooling: the groups do not differ.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] = mu
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
  real mu_location;
  real<lower=0> mu_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  real mu; // mean of every group
}
transformed parameters {
  vector[J] theta = rep_vector(mu, J); // group means
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
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
