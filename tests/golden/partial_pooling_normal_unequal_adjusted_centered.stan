// Partial pooling: the groups differ, but belong to one population.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] ~ normal(mu, tau)
//
// Adjusted for what is known of single rows, which z_row holds, relative to its
// mean over all rows: eta[n] + z_row[n] * gamma takes the place of eta[n].
//
// The family is normal with a standard deviation of each group; identity link.
// Rows differ by their covariates.
//
//   row           ~ normal(eta, sigma[group])
//   log(sigma[j]) ~ normal(log(sigma_typical), sigma_sd)
//
// An observation stands for `count` rows of a group: y and z_row are their
// means, `squares`, `zy` and `zz` their sums of squared deviations and of
// products of deviations, which is all that their likelihood depends on. A
// single row has count 1 and sums of 0.
functions {
  // sums of squared deviations from what the covariates say
  vector left(vector squares, matrix zy, matrix zz, vector gamma) {
    return squares - 2 * zy * gamma + zz * to_vector(gamma * gamma');
  }
  real family_lpdf(vector y, vector eta, vector log_sigma, vector count,
                   vector squares) {
    return normal_lupdf(y | eta, exp(log_sigma) ./ sqrt(count))
           - dot_product(count - 1, log_sigma)
           - 0.5 * dot_product(squares, exp(-2 * log_sigma))
           - 0.5 * (sum(count - 1) * log(2 * pi()) + sum(log(count)));
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
  int<lower=1> D; // covariates of the rows
  matrix[N, D] z_row; // covariates of each observation, around their means
  vector[N] y; // means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations
  matrix[N, D] zy; // of products of those of y and of each covariate
  matrix[N, D * D] zz; // and of those of any two covariates
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> tau_scale;
  real<lower=0> sigma_typical_scale;
  real<lower=0> sigma_sd_scale;
  real gamma_location;
  real<lower=0> gamma_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  real mu_guess; // about where mu is, and how unsure that is
  real<lower=0> mu_unit;
  vector[J] theta_guess; // and each theta
  vector<lower=0>[J] theta_unit;
  vector[J] log_estimate; // about what each group's rows say of log(sigma)
  vector<lower=0>[J] log_precision;
  vector[D] gamma_guess; // about where they are, and how unsure that is
  vector<lower=0>[D] gamma_unit;
}
parameters {
  real<lower=0> tau; // population standard deviation
  real<lower=0> sigma_typical; // sd within a typical group
  real<lower=0> sigma_sd; // sd of log(sigma) between groups
  real<offset=mu_guess, multiplier=mu_unit> mu; // population mean
  vector<offset=theta_guess, multiplier=theta_unit>[J] theta; // group means
  // sigma: sd within each group
  vector<offset=expected_log_sigma(sigma_typical, sigma_sd, log_estimate,
                  log_precision),
         multiplier=log_sigma_unit(sigma_sd, log_precision)>[J] log_sigma;
  // change for one unit of a covariate
  vector<offset=gamma_guess, multiplier=gamma_unit>[D] gamma;
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  theta ~ normal(mu, tau);
  gamma ~ normal(gamma_location, gamma_scale);
  eta += z_row * gamma;
  sigma_typical ~ normal(0, sigma_typical_scale);
  sigma_sd ~ normal(0, sigma_sd_scale);
  log_sigma ~ normal(log(sigma_typical), sigma_sd);
  y ~ family(eta, log_sigma[group], count, left(squares, zy, zz, gamma));
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(mu, tau);
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  if (pointwise) {
    eta += z_row * gamma;
  }
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep;
  if (pointwise) {
    vector[N] rest = left(squares, zy, zz, gamma);
    for (n in 1 : N) {
      log_lik[n] = family_lpdf(y[n : n] | eta[n : n],
                               log_sigma[group[n : n]], count[n : n],
                               rest[n : n]);
    }
  }
  for (n in 1 : size(y_rep)) {
    y_rep[n] = normal_rng(eta[n], exp(log_sigma[group[n]]) / sqrt(count[n]));
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | mu, tau);
  }
}
