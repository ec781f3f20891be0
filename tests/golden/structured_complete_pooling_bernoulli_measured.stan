// Complete pooling of groups of which something is known: they differ by that
// alone.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] = mu + x[j] * beta + u[level[1, j]] + u[level[2, j]] + ...
//   u[l]     ~ normal(0, tau_level[factor[l]])
//
// x holds numbers that describe a group; level, for each factor, which of its
// levels the group has.
//
// The family is Bernoulli: rows of 0 and 1; the group means are log-odds.
//
//   row ~ bernoulli_logit(eta)
//
// An observation stands for `trials` rows of a group, of which y are 1, which
// is all that their likelihood depends on. A single row has trials 1.
functions {
  real family_lpmf(array[] int y, vector eta, array[] int trials) {
    return dot_product(to_vector(y), eta)
           - dot_product(to_vector(trials), log1p_exp(eta));
  }
  vector center_of(real mu, vector beta, vector u, matrix x,
                   array[,] int level) {
    vector[rows(x)] center = mu + x * beta;
    for (f in 1 : size(level)) {
      center += u[level[f]];
    }
    return center;
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  array[N] int<lower=1> trials; // rows
  array[N] int<lower=0, upper=trials> y; // rows that are 1
  int<lower=0> K; // predictors of the groups
  matrix[J, K] x; // predictors of each group, standardized
  int<lower=0> F; // factors that describe the groups
  int<lower=0> L; // levels of all of them together
  array[L] int<lower=1, upper=F> factor; // factor of each level
  array[F, J] int<lower=1, upper=L> level; // level of each group
  real beta_location;
  real<lower=0> beta_scale;
  vector<lower=0>[F] tau_level_scale;
  real mu_location;
  real<lower=0> mu_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  real mu_guess; // about where mu and beta are, and how unsure that is
  real<lower=0> mu_unit;
  vector[K] beta_guess;
  vector<lower=0>[K] beta_unit;
}
parameters {
  vector<lower=0>[F] tau_level; // sd between levels of a factor
  vector[L] u; // what a level adds to the groups that have it
  // mean of a group that is average in all of this
  real<offset=mu_guess, multiplier=mu_unit> mu;
  // change for one unit of a predictor
  vector<offset=beta_guess, multiplier=beta_unit>[K] beta;
}
transformed parameters {
  vector[J] theta = center_of(mu, beta, u, x, level); // group means
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
  beta ~ normal(beta_location, beta_scale);
  tau_level ~ normal(0, tau_level_scale);
  u ~ normal(0, tau_level[factor]);
  y ~ family(eta, trials);
}
generated quantities {
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  array[replicate ? N : 0] int y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], trials[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    y_rep[n] = binomial_rng(trials[n], inv_logit(eta[n]));
  }
}
