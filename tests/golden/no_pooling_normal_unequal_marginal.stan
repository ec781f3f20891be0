// no_pooling.stan with the group means integrated out, for families that are
// normal in them and a prior that is:
//
//   estimate[j] ~ normal(theta[j], error[j])
//   theta[j]    ~ normal(theta_location, theta_scale)
//
// What partial pooling learns about the population is given here.
//
// families/normal_unequal.stan with the group means integrated out; what it
// says of data and parameters holds here too.
//
//   y[j] ~ normal(center[j], sqrt(tau^2 + sigma[j]^2 / count[j]))
//   squares[j] / sigma[j]^2 ~ chi_square(count[j] - 1)
//   log(sigma[j]) ~ normal(log(sigma_typical), sigma_sd)
functions {
}
data {
  int<lower=1> J; // groups
  int<lower=J, upper=J> N; // observations: one summary for each group, in order
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector[N] y; // means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations
  real theta_location;
  real<lower=0> theta_scale;
  real<lower=0> sigma_typical_scale;
  real<lower=0> sigma_sd_scale;
  int<lower=0, upper=1> describe_theta; // write its mean and sd given all else?
}
transformed data {
  real center = theta_location; // mean of the prior
  real tau = theta_scale; // its standard deviation
}
parameters {
  // mean of a group not yet seen
  real<offset=theta_location, multiplier=theta_scale> theta_new;
  real<lower=0> sigma_typical; // sd within a typical group
  real<lower=0> sigma_sd; // sd of log(sigma) between groups
  vector[J] log_sigma; // sigma: sd within each group
}
model {
  theta_new ~ normal(theta_location, theta_scale);
  sigma_typical ~ normal(0, sigma_typical_scale);
  sigma_sd ~ normal(0, sigma_sd_scale);
  log_sigma ~ normal(log(sigma_typical), sigma_sd);
  y ~ normal(center, sqrt(square(tau) + exp(2 * log_sigma) ./ count));
  target += -dot_product(count - 1, log_sigma)
            - 0.5 * dot_product(squares, exp(-2 * log_sigma));
}
generated quantities {
  vector[describe_theta ? J : 0] theta_mean;
  vector[describe_theta ? J : 0] theta_sd;
  if (describe_theta) {
    vector[N] estimate = y;
    vector[N] error = exp(log_sigma[group]) ./ sqrt(count);
    vector[J] total = sqrt(square(tau) + square(error));
    theta_mean = center + square(tau ./ total) .* (estimate - center);
    theta_sd = tau * error ./ total;
  }
}
