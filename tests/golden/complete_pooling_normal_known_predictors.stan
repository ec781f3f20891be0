// Complete pooling: the groups differ by their predictors alone.
//
//   y[n]     ~ family(theta[group[n]])
//   theta[j] = mu + x[j] * beta
//
// The family is normal with known standard errors; identity link.
//
//   y[n] ~ normal(theta[group[n]], se[n])
functions {
  real family_lpdf(vector y, vector theta, vector se) {
    return normal_lupdf(y | theta, se);
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector[N] y; // estimates
  vector<lower=0>[N] se; // their standard errors
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
  y ~ family(theta[group], se);
}
generated quantities {
  vector[pointwise ? N : 0] log_lik;
  vector[pointwise ? N : 0] y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpdf(y[n : n] | theta[group[n : n]], se[n : n]);
    y_rep[n] = normal_rng(theta[group[n]], se[n]);
  }
}
