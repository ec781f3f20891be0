// Complete pooling: the groups do not differ.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] = mu
//
// The family is negative binomial: counts more variable than Poisson's; the
// group means are logarithms of the expected count, per exposure.
//
//   row ~ neg_binomial_2_log(eta + log(exposure), phi)
//
// An observation stands for `weight` rows of a group that share the count y and
// the exposure.
functions {
  // neg_binomial_2_log, of all counts at once
  real family_lpmf(array[] int y, vector eta, real phi, vector weight,
                   vector exposure) {
    vector[size(y)] count = to_vector(y);
    vector[size(y)] log_odds = eta + log(exposure) - log(phi);
    vector[size(y)] lp = count .* log_odds
                         - (count + phi) .* log1p_exp(log_odds)
                         - lbeta(phi, count + 1) - log(phi + count);
    return dot_product(weight, lp);
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  array[N] int<lower=0> y; // counts
  vector<lower=0>[N] weight; // rows that share the count
  vector<lower=0>[N] exposure;
  real mu_location;
  real<lower=0> mu_scale;
  real phi_location;
  real<lower=0> phi_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  real mu; // mean of every group
  real<lower=0> phi; // variance = mean + mean^2 / phi
}
transformed parameters {
  vector[J] theta = rep_vector(mu, J); // group means
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
  phi ~ lognormal(phi_location, phi_scale);
  y ~ family(eta, phi, weight, exposure);
}
generated quantities {
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep; // counts, some too large for integers
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], phi, weight[n : n],
                             exposure[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real log_mean = eta[n] + log(exposure[n]);
    real mean_n = exp(fmax(-300, fmin(300, log_mean)));
    real rate = fmin(1e300, fmax(1e-300, gamma_rng(phi, phi / mean_n)));
    y_rep[n] = rate < 4e8 ? poisson_rng(rate)
               : round(normal_rng(rate, sqrt(rate)));
  }
}
