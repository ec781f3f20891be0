// families/normal_unequal.stan with the group means integrated out; what it
// says of data and parameters holds here too.
//
//   y[j] ~ normal(center[j], sqrt(tau^2 + sigma[j]^2 / count[j]))
//   squares[j] / sigma[j]^2 ~ chi_square(count[j] - 1)
//   log(sigma[j]) ~ normal(log(sigma_typical), sigma_sd)
data {
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector[N] y; // means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations
}
model {
  sigma_typical ~ {{ prior.sigma_typical }};
  sigma_sd ~ {{ prior.sigma_sd }};
  log_sigma ~ normal(log(sigma_typical), sigma_sd);
  y ~ normal(center, sqrt(square(tau) + exp(2 * log_sigma) ./ count));
  target += -dot_product(count - 1, log_sigma)
            - 0.5 * dot_product(squares, exp(-2 * log_sigma));
}
generated quantities {
  vector[N] estimate = y;
  vector[N] error = exp(log_sigma[group]) ./ sqrt(count);
}
