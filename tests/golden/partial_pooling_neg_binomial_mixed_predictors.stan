// Partial pooling: the groups differ, but belong to one population.
//
//   y[n]     ~ family(theta[group[n]])
//   theta[j] ~ normal(mu + x[j] * beta, tau)
//
// The family is negative binomial: counts more variable than Poisson's; the
// group means are logarithms of the expected count.
//
//   row ~ neg_binomial_2_log(theta[group], phi)
//
// An observation stands for `weight` rows of a group that share the count y.
functions {
  // neg_binomial_2_log, of all counts at once
  real family_lpmf(array[] int y, vector theta, real phi, vector weight) {
    vector[size(y)] count = to_vector(y);
    vector[size(y)] log_odds = theta - log(phi);
    vector[size(y)] lp = count .* log_odds
                         - (count + phi) .* log1p_exp(log_odds)
                         - lbeta(phi, count + 1) - log(phi + count);
    return dot_product(weight, lp);
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
  array[N] int<lower=0> y; // counts
  vector<lower=0>[N] weight; // rows that share the count
  int<lower=1> K; // predictors of the groups
  matrix[J, K] x; // predictors of each group, standardized
  row_vector[K] x_new; // predictors of a group not yet seen
  real mu_location;
  real<lower=0> mu_scale;
  real beta_location;
  real<lower=0> beta_scale;
  real<lower=0> tau_scale;
  real phi_location;
  real<lower=0> phi_scale;
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
  real<lower=0> phi; // variance = mean + mean^2 / phi
}
model {
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  beta ~ normal(beta_location, beta_scale);
  theta ~ normal(mu + x * beta, tau);
  phi ~ lognormal(phi_location, phi_scale);
  y ~ family(theta[group], phi, weight);
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(mu + x_new * beta, tau);
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] log_lik;
  vector[pointwise ? N : 0] y_rep; // counts, some too large for integers
  for (n in 1 : size(log_lik)) {
    real mean_n = exp(fmax(-300, fmin(300, theta[group[n]])));
    real rate = fmin(1e300, fmax(1e-300, gamma_rng(phi, phi / mean_n)));
    log_lik[n] = family_lpmf(y[n : n] | theta[group[n : n]], phi,
                             weight[n : n]);
    if (rate < 4e8) {
      y_rep[n] = poisson_rng(rate);
    } else {
      y_rep[n] = round(normal_rng(rate, sqrt(rate)));
    }
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | mu + x[j] * beta, tau);
  }
}
