// No pooling: the groups have nothing to do with each other.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] ~ a fixed prior, the same for every group
//
// The family is normal with rows of known weights; identity link.
//
//   row ~ normal(eta, sigma / sqrt(weight))
//
// An observation stands for `count` rows of a group: y is their weighted mean,
// `squares` their weighted sum of squared deviations from it and `weight` the
// sum of their weights, which is all that their likelihood depends on. A single
// row has count 1, squares 0 and sum_log_weight 0.
functions {
  real family_lpdf(vector y, vector eta, real sigma, vector count,
                   vector squares, vector weight, vector sum_log_weight) {
    return normal_lupdf(y | eta, sigma ./ sqrt(weight))
           - sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma))
           + 0.5 * (sum(sum_log_weight) - sum(count - 1) * log(2 * pi()));
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector[N] y; // weighted means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // weighted sums of squared deviations
  vector<lower=0>[N] weight; // sums of weights
  vector[N] sum_log_weight; // sums of their logarithms less that of `weight`
  real theta_location;
  real<lower=0> theta_scale;
  real<lower=0> sigma_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  vector[J] theta; // group means
  real<lower=0> sigma; // standard deviation of a row of weight 1
}
model {
  vector[N] eta = theta[group];
  theta ~ normal(theta_location, theta_scale);
  sigma ~ normal(0, sigma_scale);
  y ~ family(eta, sigma, count, squares, weight, sum_log_weight);
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(theta_location, theta_scale);
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpdf(y[n : n] | eta[n : n], sigma, count[n : n],
                             squares[n : n], weight[n : n],
                             sum_log_weight[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    y_rep[n] = normal_rng(eta[n], sigma / sqrt(weight[n]));
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | theta_location, theta_scale);
  }
}
