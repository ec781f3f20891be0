// No pooling: the groups have nothing to do with each other.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] ~ a fixed prior, the same for every group
//
// The family is binomial: successes in trials; the group means are log-odds.
//
//   y[n] ~ binomial_logit(trials[n], eta[n])
functions {
  real family_lpmf(array[] int y, vector eta, array[] int trials) {
    // binomial_logit, only quicker: its value at even odds, which sampling
    // drops as a constant, and what it changes from there to eta
    return binomial_lupmf(y | trials, 0.5) + dot_product(to_vector(y), eta)
           - dot_product(to_vector(trials), log1p_exp(eta) - log2());
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  array[N] int<lower=0> trials;
  array[N] int<lower=0, upper=trials> y; // successes
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
  if (N > 0) {
    // there are none when the prior is sampled
    y ~ family(eta, trials);
  }
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(theta_location, theta_scale);
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  array[replicate ? N : 0] int y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], trials[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    y_rep[n] = binomial_rng(trials[n], inv_logit(eta[n]));
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | theta_location, theta_scale);
  }
}
