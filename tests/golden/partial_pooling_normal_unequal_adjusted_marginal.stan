// partial_pooling.stan with the group means integrated out, for families that
// are normal in them:
//
//   estimate[j] ~ normal(theta[j], error[j])
//   theta[j]    ~ normal(mu, tau)
//
// so that estimate[j] ~ normal(mu, sqrt(tau^2 + error[j]^2)), and each theta[j]
// given all else is normal too, around an average of estimate[j] and mu.
//
// Adjusted for what is known of single rows, which z_row holds, relative to its
// mean over all rows: eta[n] + z_row[n] * gamma takes the place of eta[n].
//
// families/normal_unequal_adjusted.stan with the group means integrated out;
// what it says of data and parameters holds here too.
//
//   y[j] - z_row[j] * gamma
//     ~ normal(center[j], sqrt(tau^2 + sigma[j]^2 / count[j]))
//   left(squares, ...)[j] / sigma[j]^2 ~ chi_square(count[j] - 1)
//   log(sigma[j]) ~ normal(log(sigma_typical), sigma_sd)
functions {
  // sums of squared deviations from what the covariates say
  vector left(vector squares, matrix zy, matrix zz, vector gamma) {
    return squares - 2 * zy * gamma + zz * to_vector(gamma * gamma');
  }
}
data {
  int<lower=1> J; // groups
  int<lower=J, upper=J> N; // observations: one summary for each group, in order
  int<lower=1> D; // covariates of the rows
  matrix[N, D] z_row; // covariates of each observation, around their means
  array[N] int<lower=1, upper=J> group; // group of each observation
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
  int<lower=0, upper=1> describe_theta; // write its mean and sd given all else?
}
parameters {
  real mu; // population mean
  real<lower=0> tau; // population standard deviation
  vector[D] gamma; // change for one unit of a covariate
  real<lower=0> sigma_typical; // sd within a typical group
  real<lower=0> sigma_sd; // sd of log(sigma) between groups
  vector[J] log_sigma; // sigma: sd within each group
}
model {
  real center = mu;
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  gamma ~ normal(gamma_location, gamma_scale);
  sigma_typical ~ normal(0, sigma_typical_scale);
  sigma_sd ~ normal(0, sigma_sd_scale);
  log_sigma ~ normal(log(sigma_typical), sigma_sd);
  y - z_row * gamma ~ normal(center,
                             sqrt(square(tau) + exp(2 * log_sigma) ./ count));
  target += -dot_product(count - 1, log_sigma)
            - 0.5
              * dot_product(left(squares, zy, zz, gamma),
                            exp(-2 * log_sigma));
}
generated quantities {
  real theta_new = normal_rng(mu, tau); // mean of a group not yet seen
  vector[describe_theta ? J : 0] theta_mean;
  vector[describe_theta ? J : 0] theta_sd;
  if (describe_theta) {
    real center = mu;
    vector[N] estimate = y - z_row * gamma;
    vector[N] error = exp(log_sigma[group]) ./ sqrt(count);
    vector[J] total = sqrt(square(tau) + square(error));
    theta_mean = center + square(tau ./ total) .* (estimate - center);
    theta_sd = tau * error ./ total;
  }
}
