// Partial pooling: the groups differ, but belong to one population.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] ~ normal(mu, tau)
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
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> tau_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  real mu; // population mean
  real<lower=0> tau; // population standard deviation
  vector[J] theta; // group means
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  theta ~ normal(mu, tau);
  y ~ family(eta, se);
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(mu, tau);
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
    log_population[j] = normal_lpdf(theta[j] | mu, tau);
  }
}
