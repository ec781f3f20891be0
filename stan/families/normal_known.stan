// The family is normal with known standard errors; identity link.
//
//   y[n] ~ normal(eta[n], se[n])
functions {
  real family_lpdf(vector y, vector eta, vector se) {
    return normal_lupdf(y | eta, se);
  }
}
data {
  vector[N] y; // estimates
  vector<lower=0>[N] se; // their standard errors
}
model {
  y ~ family(eta, se);
}
generated quantities {
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpdf(y[n : n] | eta[n : n], se[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    y_rep[n] = normal_rng(eta[n], se[n]);
  }
}
