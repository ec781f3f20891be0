// Partial pooling: the groups differ, but belong to one population.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] ~ normal(mu, tau)
//
// The family is normal with a standard deviation of each group; identity link.
//
//   row           ~ normal(eta, sigma[group])
//   log(sigma[j]) ~ normal(log(sigma_typical), sigma_sd)
//
// An observation stands for `count` rows of a group: y is their mean and
// `squares` their sum of squared deviations from it, which is all that their
// likelihood depends on. A single row has count 1 and squares 0.
functions {
  real family_lpdf(vector y, vector eta, vector log_sigma, vector count,
                   vector squares) {
    return normal_lupdf(y | eta, exp(log_sigma) ./ sqrt(count))
           - dot_product(count - 1, log_sigma)
           - 0.5 * dot_product(squares, exp(-2 * log_sigma))
           - 0.5 * (sum(count - 1) * log(2 * pi()) + sum(log(count)));
  }
  // how far a group's mean may well be from where its data and the others
  // expect it
  vector uncertainty(real tau, vector precision, real tiny) {
    return 1 ./ sqrt(inv_square(tau + tiny) + precision);
  }
  // where its own data and the population together expect each group's mean
  vector expected(real center, real tau, vector estimate, vector precision) {
    return estimate + (center - estimate) ./ (1 + square(tau) * precision);
  }
  // how much each of what there is to say of mu weighs
  vector mu_weight(real tau, vector noise, vector share) {
    return 1 ./ (noise + square(tau) * share);
  }
  // where its own rows and the other groups together expect log(sigma)
  vector expected_log_sigma(real sigma_typical, real sigma_sd,
                            vector log_estimate, vector log_precision) {
    return log_estimate
           + (log(sigma_typical) - log_estimate)
             ./ (1 + square(sigma_sd) * log_precision);
  }
  // and how far from there it may well be
  vector log_sigma_unit(real sigma_sd, vector log_precision) {
    return 1 ./ sqrt(inv_square(sigma_sd + 1e-8) + log_precision);
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector[N] y; // means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> tau_scale;
  real<lower=0> sigma_typical_scale;
  real<lower=0> sigma_sd_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  int<lower=1> M; // what there is to say of mu: its prior, and a few groups or
  vector[M] mu_estimate; // means of groups that are alike, with the variance
  vector<lower=0>[M] mu_noise; // they would have for no tau, and what each
  vector<lower=0>[M] mu_share; // unit of tau^2 adds to it
  vector[J] estimate; // about what each group's own data say
  vector<lower=0>[J] precision;
  real<lower=0> tiny; // so that no tau is lost in rounding
  vector[J] log_estimate; // about what each group's rows say of log(sigma)
  vector<lower=0>[J] log_precision;
}
parameters {
  real<lower=0> tau; // population standard deviation
  real<lower=0> sigma_typical; // sd within a typical group
  real<lower=0> sigma_sd; // sd of log(sigma) between groups
  // population mean
  real<offset=dot_product(mu_weight(tau, mu_noise, mu_share), mu_estimate)
              / sum(mu_weight(tau, mu_noise, mu_share)),
       multiplier=inv_sqrt(sum(mu_weight(tau, mu_noise, mu_share)))> mu;
  // group means
  vector<offset=expected(mu, tau, estimate, precision),
         multiplier=uncertainty(tau, precision, tiny)>[J] theta;
  // sigma: sd within each group
  vector<offset=expected_log_sigma(sigma_typical, sigma_sd, log_estimate,
                  log_precision),
         multiplier=log_sigma_unit(sigma_sd, log_precision)>[J] log_sigma;
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  theta ~ normal(mu, tau);
  sigma_typical ~ normal(0, sigma_typical_scale);
  sigma_sd ~ normal(0, sigma_sd_scale);
  log_sigma ~ normal(log(sigma_typical), sigma_sd);
  y ~ family(eta, log_sigma[group], count, squares);
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(mu, tau);
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpdf(y[n : n] | eta[n : n], log_sigma[group[n : n]],
                             count[n : n], squares[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    y_rep[n] = normal_rng(eta[n], exp(log_sigma[group[n]]) / sqrt(count[n]));
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | mu, tau);
  }
}
