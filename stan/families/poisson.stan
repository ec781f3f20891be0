// The family is Poisson: events in an exposure; the group means are log-rates.
//
//   y[n] ~ poisson_log(theta[group[n]] + log(exposure[n]))
functions {
  real family_lpmf(array[] int y, vector theta, vector exposure) {
    return poisson_log_lupmf(y | theta + log(exposure));
  }
}
data {
  vector<lower=0>[N] exposure;
  array[N] int<lower=0> y; // events
}
model {
  if (N > 0) {
    // there are none when the prior is sampled
    y ~ family(theta[group], exposure);
  }
}
generated quantities {
  vector[pointwise ? N : 0] log_lik;
  array[pointwise ? N : 0] int y_rep; // of at most about a billion events
  for (n in 1 : size(log_lik)) {
    real log_mean = theta[group[n]] + log(exposure[n]);
    log_lik[n] = family_lpmf(y[n : n] | theta[group[n : n]], exposure[n : n]);
    y_rep[n] = poisson_log_rng(fmin(20.7, log_mean));
  }
}
