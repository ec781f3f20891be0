// Complete pooling: the groups differ by their predictors alone.
//
//   y[n]     ~ family(theta[group[n]])
//   theta[j] = mu + x[j] * beta
//
// The family is Student's t, for rows with outliers; identity link.
//
//   y[n] ~ student_t(nu, theta[group[n]], sigma)
functions {
  real family_lpdf(vector y, vector theta, real sigma, real nu) {
    return student_t_lupdf(y | nu, theta, sigma);
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector[N] y; // rows
  int<lower=1> K; // predictors of the groups
  matrix[J, K] x; // predictors of each group, standardized
  row_vector[K] x_new; // predictors of a group not yet seen
  real mu_location;
  real<lower=0> mu_scale;
  real beta_location;
  real<lower=0> beta_scale;
  real<lower=0> sigma_scale;
  real<lower=0> nu_shape;
  real<lower=0> nu_rate;
  int<lower=0, upper=1> pointwise; // write log_lik and y_rep?
}
parameters {
  real mu; // mean of a group with average predictors
  vector[K] beta; // change for one unit of a predictor
  real<lower=0> sigma; // scale within groups
  real<lower=1> nu; // degrees of freedom
}
transformed parameters {
  vector[J] theta = mu + x * beta; // group means
}
model {
  mu ~ normal(mu_location, mu_scale);
  beta ~ normal(beta_location, beta_scale);
  sigma ~ normal(0, sigma_scale);
  nu ~ gamma(nu_shape, nu_rate);
  y ~ family(theta[group], sigma, nu);
}
generated quantities {
  vector[pointwise ? N : 0] log_lik;
  vector[pointwise ? N : 0] y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpdf(y[n : n] | theta[group[n : n]], sigma, nu);
    y_rep[n] = student_t_rng(nu, theta[group[n]], sigma);
  }
}
