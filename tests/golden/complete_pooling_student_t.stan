// Complete pooling: the groups do not differ.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] = mu
//
// The family is Student's t, for rows with outliers; identity link.
//
//   y[n] ~ student_t(nu, eta[n], sigma)
functions {
  real family_lpdf(vector y, vector eta, real sigma, real nu) {
    return student_t_lupdf(y | nu, eta, sigma);
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector[N] y; // rows
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> sigma_scale;
  real<lower=0> nu_shape;
  real<lower=0> nu_rate;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  real mu; // mean of every group
  real<lower=0> sigma; // scale within groups
  real<lower=1> nu; // degrees of freedom
}
transformed parameters {
  vector[J] theta = rep_vector(mu, J); // group means
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
  sigma ~ normal(0, sigma_scale);
  nu ~ gamma(nu_shape, nu_rate);
  y ~ family(eta, sigma, nu);
}
generated quantities {
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpdf(y[n : n] | eta[n : n], sigma, nu);
  }
  for (n in 1 : size(y_rep)) {
    y_rep[n] = student_t_rng(nu, eta[n], sigma);
  }
}
