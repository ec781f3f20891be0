// Partial pooling: the groups differ, but belong to one population.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] ~ normal(mu, tau)
//
// Adjusted for what is known of single rows, which z_row holds, relative to its
// mean over all rows: eta[n] + z_row[n] * gamma takes the place of eta[n].
//
// The family is normal with one standard deviation; identity link. Rows differ
// by their covariates.
//
//   row ~ normal(eta, sigma)
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
  real family_lpdf(vector y, vector eta, real sigma, vector count,
                   vector squares) {
    return normal_lupdf(y | eta, sigma ./ sqrt(count))
           - sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma))
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
  real<lower=0> sigma_scale;
  real gamma_location;
  real<lower=0> gamma_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  int<lower=1> M; // what there is to say of mu: its prior, and a few groups or
  vector[M] mu_estimate; // means of groups that are alike, with the variance
  vector<lower=0>[M] mu_noise; // they would have for no tau, and what each
  vector<lower=0>[M] mu_share; // unit of tau^2 adds to it
  vector[J] estimate; // about what each group's own data say
  vector<lower=0>[J] precision;
  real<lower=0> tiny; // so that no tau is lost in rounding
  vector[D] gamma_guess; // about where they are, and how unsure that is
  vector<lower=0>[D] gamma_unit;
}
parameters {
  real<lower=0> tau; // population standard deviation
  real<lower=0> sigma; // standard deviation within groups
  // population mean
  real<offset=dot_product(mu_weight(tau, mu_noise, mu_share), mu_estimate)
              / sum(mu_weight(tau, mu_noise, mu_share)),
       multiplier=inv_sqrt(sum(mu_weight(tau, mu_noise, mu_share)))> mu;
  // group means
  vector<offset=expected(mu, tau, estimate, precision),
         multiplier=uncertainty(tau, precision, tiny)>[J] theta;
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
  sigma ~ normal(0, sigma_scale);
  y ~ family(eta, sigma, count, left(squares, zy, zz, gamma));
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
      log_lik[n] = family_lpdf(y[n : n] | eta[n : n], sigma, count[n : n],
                               rest[n : n]);
    }
  }
  for (n in 1 : size(y_rep)) {
    y_rep[n] = normal_rng(eta[n], sigma / sqrt(count[n]));
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | mu, tau);
  }
}
