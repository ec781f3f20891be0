// No pooling: the groups have nothing to do with each other.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] ~ a fixed prior, the same for every group
//
// The family is normal with known standard errors; identity link.
//
//   y[n] ~ normal(eta[n], se[n])
functions {
  real family_lpdf(vector y, vector eta, vector se) {
    return normal_lupdf(y | eta, se);
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector[N] y; // estimates
  vector<lower=0>[N] se; // their standard errors
  real theta_location;
  real<lower=0> theta_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  vector[J] theta; // group means
}
model {
  vector[N] eta = theta[group];
  theta ~ normal(theta_location, theta_scale);
  y ~ family(eta, se);
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(theta_location, theta_scale);
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpdf(y[n : n] | eta[n : n], se[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    y_rep[n] = normal_rng(eta[n], se[n]);
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | theta_location, theta_scale);
  }
}
