// Complete pooling: the groups differ by their predictors alone.
//
//   y[n]     ~ family(theta[group[n]])
//   theta[j] = mu + x[j] * beta
//
// The family is Poisson: events in an exposure; the group means are log-rates.
//
//   y[n] ~ poisson_log(theta[group[n]] + log(exposure[n]))
functions {
  real family_lpmf(array[] int y, vector theta, vector exposure) {
    return poisson_log_lupmf(y | theta + log(exposure));
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector<lower=0>[N] exposure;
  array[N] int<lower=0> y; // events
  int<lower=1> K; // predictors of the groups
  matrix[J, K] x; // predictors of each group, standardized
  row_vector[K] x_new; // predictors of a group not yet seen
  real mu_location;
  real<lower=0> mu_scale;
  real beta_location;
  real<lower=0> beta_scale;
  int<lower=0, upper=1> pointwise; // write log_lik and y_rep?
}
parameters {
  real mu; // mean of a group with average predictors
  vector[K] beta; // change for one unit of a predictor
}
transformed parameters {
  vector[J] theta = mu + x * beta; // group means
}
model {
  mu ~ normal(mu_location, mu_scale);
  beta ~ normal(beta_location, beta_scale);
  if (N > 0) {
    // there are none when the prior is sampled
    y ~ family(theta[group], exposure);
  }
}
generated quantities {
  vector[pointwise ? N : 0] log_lik;
  vector[pointwise ? N : 0] y_rep; // events, some too large for integers
  for (n in 1 : size(log_lik)) {
    real log_mean = theta[group[n]] + log(exposure[n]);
    log_lik[n] = family_lpmf(y[n : n] | theta[group[n : n]], exposure[n : n]);
    if (log_mean < 20) {
      y_rep[n] = poisson_log_rng(log_mean);
    } else {
      real mean_n = exp(fmin(300, log_mean));
      y_rep[n] = round(normal_rng(mean_n, sqrt(mean_n)));
    }
  }
}
