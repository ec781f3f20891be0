// Partial pooling: the groups differ, but belong to one population.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] ~ normal(mu, tau)
//
// The family is Poisson: events in an exposure; the group means are log-rates.
//
//   y[n] ~ poisson_log(eta[n] + log(exposure[n]))
functions {
  real family_lpmf(array[] int y, vector eta, vector exposure) {
    return poisson_log_lupmf(y | eta + log(exposure));
  }
  // how far a group's mean may well be from where its data and the others
  // expect it
  vector uncertainty(real tau, vector precision, real tiny) {
    return 1 ./ sqrt(inv_square(tau + tiny) + precision);
  }
  // where its own data and the population together expect each group's mean
  vector expected(real center, real tau, vector estimate, vector precision) {
    return estimate + (center - estimate) ./ (1 + square(tau) * precision);
  }
  // how much each of what there is to say of mu weighs
  vector mu_weight(real tau, vector noise, vector share) {
    return 1 ./ (noise + square(tau) * share);
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector<lower=0>[N] exposure;
  array[N] int<lower=0> y; // events
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> tau_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  int<lower=1> M; // what there is to say of mu: its prior, and a few groups or
  vector[M] mu_estimate; // means of groups that are alike, with the variance
  vector<lower=0>[M] mu_noise; // they would have for no tau, and what each
  vector<lower=0>[M] mu_share; // unit of tau^2 adds to it
  vector[J] estimate; // about what each group's own data say
  vector<lower=0>[J] precision;
  real<lower=0> tiny; // so that no tau is lost in rounding
}
parameters {
  real<lower=0> tau; // population standard deviation
  // population mean
  real<offset=dot_product(mu_weight(tau, mu_noise, mu_share), mu_estimate)
              / sum(mu_weight(tau, mu_noise, mu_share)),
       multiplier=inv_sqrt(sum(mu_weight(tau, mu_noise, mu_share)))> mu;
  // group means
  vector<offset=expected(mu, tau, estimate, precision),
         multiplier=uncertainty(tau, precision, tiny)>[J] theta;
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  theta ~ normal(mu, tau);
  if (N > 0) {
    // there are none when the prior is sampled
    y ~ family(eta, exposure);
  }
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(mu, tau);
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
    log_population[j] = normal_lpdf(theta[j] | mu, tau);
  }
}
