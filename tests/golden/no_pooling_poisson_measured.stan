// No pooling: the groups have nothing to do with each other.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] ~ a fixed prior, the same for every group
//
// The family is Poisson: events in an exposure; the group means are log-rates.
//
//   y[n] ~ poisson_log(eta[n] + log(exposure[n]))
functions {
  real family_lpmf(array[] int y, vector eta, vector exposure) {
    return poisson_log_lupmf(y | eta + log(exposure));
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector<lower=0>[N] exposure;
  array[N] int<lower=0> y; // events
  real theta_location;
  real<lower=0> theta_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  vector[J] theta_guess; // about where each theta is, and how unsure that is
  vector<lower=0>[J] theta_unit;
}
parameters {
  vector<offset=theta_guess, multiplier=theta_unit>[J] theta; // group means
}
model {
  vector[N] eta = theta[group];
  theta ~ normal(theta_location, theta_scale);
  if (N > 0) {
    // there are none when the prior is sampled
    y ~ family(eta, exposure);
  }
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(theta_location, theta_scale);
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep; // events, some too large for integers
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], exposure[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real log_mean = eta[n] + log(exposure[n]);
    real mean_n = exp(fmin(300, log_mean));
    y_rep[n] = log_mean < 20 ? poisson_log_rng(log_mean)
               : round(normal_rng(mean_n, sqrt(mean_n)));
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | theta_location, theta_scale);
  }
}
