// No pooling: the groups have nothing to do with each other.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] ~ a fixed prior, the same for every group
//
// The family is lognormal; theta is the mean of the logarithm.
//
//   row ~ lognormal(eta, sigma)
//
// An observation stands for `count` rows of a group: y is their geometric mean
// and `squares` the sum of squared deviations of their logarithms, which is all
// that their likelihood depends on. A single row has count 1 and squares 0.
functions {
  real family_lpdf(vector y, vector eta, real sigma, vector count,
                   vector squares) {
    return normal_lupdf(log(y) | eta, sigma ./ sqrt(count))
           - sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma))
           - 0.5 * (sum(count - 1) * log(2 * pi()) + sum(log(count)))
           - dot_product(count, log(y));
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector<lower=0>[N] y; // geometric means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations of the logarithms
  real theta_location;
  real<lower=0> theta_scale;
  real<lower=0> sigma_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  vector[J] theta_guess; // about where each theta is, and how unsure that is
  vector<lower=0>[J] theta_unit;
}
parameters {
  real<lower=0> sigma; // standard deviation of the logarithm
  vector<offset=theta_guess, multiplier=theta_unit>[J] theta; // group means
}
model {
  vector[N] eta = theta[group];
  theta ~ normal(theta_location, theta_scale);
  sigma ~ normal(0, sigma_scale);
  y ~ family(eta, sigma, count, squares);
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
                             squares[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    y_rep[n] = exp(normal_rng(eta[n], sigma / sqrt(count[n])));
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | theta_location, theta_scale);
  }
}
