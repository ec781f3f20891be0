// Complete pooling: the groups do not differ.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] = mu
//
// The family is beta-binomial: successes in trials that vary more than
// binomial; the group means are log-odds.
//
//   y[n]    ~ binomial(trials[n], rate[n])
//   rate[n] ~ beta(phi * p, phi * (1 - p)),  p = inv_logit(eta[n])
functions {
  real family_lpmf(array[] int y, vector eta, real phi, array[] int trials) {
    // Beta functions that do not cancel where phi is large
    vector[size(y)] successes = to_vector(y);
    vector[size(y)] failures = to_vector(trials) - successes;
    vector[size(y)] total = to_vector(trials);
    vector[size(y)] a = phi * inv_logit(eta);
    vector[size(y)] b = phi * inv_logit(-eta);
    return sum(
               lbeta(phi, total + 1) + log(phi + total)
               - lbeta(a, successes + 1) - log(a + successes)
               - lbeta(b, failures + 1) - log(b + failures));
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  array[N] int<lower=0> trials;
  array[N] int<lower=0, upper=trials> y; // successes
  real mu_location;
  real<lower=0> mu_scale;
  real phi_location;
  real<lower=0> phi_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  real mu; // mean of every group
  real<lower=0> phi; // variance of rates in a group = p q / (phi + 1)
}
transformed parameters {
  vector[J] theta = rep_vector(mu, J); // group means
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
  phi ~ lognormal(phi_location, phi_scale);
  y ~ family(eta, phi, trials);
}
generated quantities {
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  array[replicate ? N : 0] int y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], phi, trials[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real a = fmax(1e-9, phi * inv_logit(eta[n]));
    real b = fmax(1e-9, phi * inv_logit(-eta[n]));
    y_rep[n] = binomial_rng(trials[n], beta_rng(a, b));
  }
}
