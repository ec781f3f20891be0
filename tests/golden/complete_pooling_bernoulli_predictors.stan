// Complete pooling: the groups differ by their predictors alone.
//
//   y[n]     ~ family(theta[group[n]])
//   theta[j] = mu + x[j] * beta
//
// The family is Bernoulli: rows of 0 and 1; the group means are log-odds.
//
//   row ~ bernoulli_logit(theta[group])
//
// An observation stands for `trials` rows of a group, of which y are 1, which
// is all that their likelihood depends on. A single row has trials 1.
functions {
  real family_lpmf(array[] int y, vector theta, array[] int trials) {
    return dot_product(to_vector(y), theta)
           - dot_product(to_vector(trials), log1p_exp(theta));
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  array[N] int<lower=1> trials; // rows
  array[N] int<lower=0, upper=trials> y; // rows that are 1
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
  y ~ family(theta[group], trials);
}
generated quantities {
  vector[pointwise ? N : 0] log_lik;
  array[pointwise ? N : 0] int y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | theta[group[n : n]], trials[n : n]);
    y_rep[n] = binomial_rng(trials[n], inv_logit(theta[group[n]]));
  }
}
