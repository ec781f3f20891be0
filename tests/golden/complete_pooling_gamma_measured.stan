// Complete pooling: the groups do not differ.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] = mu
//
// The family is gamma; the group means are logarithms of the expected value.
//
//   row ~ gamma(shape, shape / exp(eta))
//
// An observation stands for `count` rows of a group: y is their mean and
// mean_log the mean of their logarithms, which is all that their likelihood
// depends on. A single row has count 1 and mean_log = log(y).
functions {
  real family_lpdf(vector y, vector eta, real shape, vector count,
                   vector mean_log) {
    return shape
           * dot_product(count, log(shape) - eta + mean_log - y .* exp(-eta))
           - dot_product(count, mean_log) - sum(count) * lgamma(shape);
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector<lower=0>[N] y; // means
  vector<lower=1>[N] count; // rows
  vector[N] mean_log; // means of the logarithms
  real mu_location;
  real<lower=0> mu_scale;
  real shape_location;
  real<lower=0> shape_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  real mu_guess; // about where mu is, and how unsure that is
  real<lower=0> mu_unit;
}
parameters {
  real<lower=0> shape; // coefficient of variation = 1 / sqrt(shape)
  real<offset=mu_guess, multiplier=mu_unit> mu; // mean of every group
}
transformed parameters {
  vector[J] theta = rep_vector(mu, J); // group means
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
  shape ~ lognormal(shape_location, shape_scale);
  y ~ family(eta, shape, count, mean_log);
}
generated quantities {
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpdf(y[n : n] | eta[n : n], shape, count[n : n],
                             mean_log[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real mean_n = exp(fmax(-300, fmin(300, eta[n])));
    y_rep[n] = gamma_rng(count[n] * shape, count[n] * shape / mean_n);
  }
}
