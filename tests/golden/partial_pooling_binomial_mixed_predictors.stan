// Partial pooling: the groups differ, but belong to one population.
//
//   y[n]     ~ family(theta[group[n]])
//   theta[j] ~ normal(mu + x[j] * beta, tau)
//
// The family is binomial: successes in trials; the group means are log-odds.
//
//   y[n] ~ binomial_logit(trials[n], theta[group[n]])
functions {
  real family_lpmf(array[] int y, vector theta, array[] int trials) {
    // binomial_logit, only quicker: its value at even odds, which sampling
    // drops as a constant, and what it changes from there to theta
    return binomial_lupmf(y | trials, 0.5) + dot_product(to_vector(y), theta)
           - dot_product(to_vector(trials), log1p_exp(theta) - log2());
  }
  // where its own data and the population together expect each group's mean
  vector expected(vector mean, real tau, vector estimate, vector precision) {
    return estimate + (mean - estimate) ./ (1 + square(tau) * precision);
  }
  // and how far from there it may well be
  vector uncertainty(real tau, vector precision, real tiny) {
    return 1 ./ sqrt(inv_square(tau + tiny) + precision);
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  array[N] int<lower=0> trials;
  array[N] int<lower=0, upper=trials> y; // successes
  int<lower=1> K; // predictors of the groups
  matrix[J, K] x; // predictors of each group, standardized
  row_vector[K] x_new; // predictors of a group not yet seen
  real mu_location;
  real<lower=0> mu_scale;
  real beta_location;
  real<lower=0> beta_scale;
  real<lower=0> tau_scale;
  int<lower=0, upper=1> pointwise; // write log_lik and y_rep?
  // about what each group's own data say: theta is measured from there, which
  // changes how well it is sampled, not its posterior
  vector[J] estimate;
  vector<lower=0>[J] precision;
  real<lower=0> tiny; // so that no tau is lost in rounding
}
parameters {
  real mu; // population mean
  vector[K] beta; // change for one unit of a predictor
  real<lower=0> tau; // population standard deviation
  // group means
  vector<offset=expected(mu + x * beta, tau, estimate, precision),
         multiplier=uncertainty(tau, precision, tiny)>[J] theta;
}
model {
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  beta ~ normal(beta_location, beta_scale);
  theta ~ normal(mu + x * beta, tau);
  if (N > 0) {
    // there are none when the prior is sampled
    y ~ family(theta[group], trials);
  }
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(mu + x_new * beta, tau);
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] log_lik;
  array[pointwise ? N : 0] int y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | theta[group[n : n]], trials[n : n]);
    y_rep[n] = binomial_rng(trials[n], inv_logit(theta[group[n]]));
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | mu + x[j] * beta, tau);
  }
}
