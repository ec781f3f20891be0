// Partial pooling: the groups differ, but belong to one population.
//
//   y[n]     ~ family(theta[group[n]])
//   theta[j] ~ normal(mu + x[j] * beta, tau)
//
// The family is lognormal; theta is the mean of the logarithm.
//
//   row ~ lognormal(theta[group], sigma)
//
// An observation stands for `count` rows of a group: y is their geometric mean
// and `squares` the sum of squared deviations of their logarithms, which is all
// that their likelihood depends on. A single row has count 1 and squares 0.
functions {
  real family_lpdf(vector y, vector theta, real sigma, vector count,
                   vector squares) {
    return normal_lupdf(log(y) | theta, sigma ./ sqrt(count))
           - sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma))
           - 0.5 * (sum(count - 1) * log(2 * pi()) + sum(log(count)))
           - dot_product(count, log(y));
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
  vector<lower=0>[N] y; // geometric means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations of the logarithms
  int<lower=1> K; // predictors of the groups
  matrix[J, K] x; // predictors of each group, standardized
  row_vector[K] x_new; // predictors of a group not yet seen
  real mu_location;
  real<lower=0> mu_scale;
  real beta_location;
  real<lower=0> beta_scale;
  real<lower=0> tau_scale;
  real<lower=0> sigma_scale;
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
  real<lower=0> sigma; // standard deviation of the logarithm
}
model {
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  beta ~ normal(beta_location, beta_scale);
  theta ~ normal(mu + x * beta, tau);
  sigma ~ normal(0, sigma_scale);
  y ~ family(theta[group], sigma, count, squares);
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(mu + x_new * beta, tau);
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] log_lik;
  vector[pointwise ? N : 0] y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpdf(y[n : n] | theta[group[n : n]], sigma,
                             count[n : n], squares[n : n]);
    y_rep[n] = exp(normal_rng(theta[group[n]], sigma / sqrt(count[n])));
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | mu + x[j] * beta, tau);
  }
}
