// families/normal_unequal.stan with the group means integrated out; what it
// says of data and parameters holds here too.
//
//   y[j] ~ normal(center[j], sqrt(tau^2 + sigma[j]^2 / count[j]))
//   squares[j] / sigma[j]^2 ~ chi_square(count[j] - 1)
//   log(sigma[j]) ~ normal(log(sigma_typical), sigma_sd)
model {
  sigma_typical ~ {{ prior.sigma_typical }};
  sigma_sd ~ {{ prior.sigma_sd }};
  log_sigma ~ normal(log(sigma_typical), sigma_sd);
  y ~ normal(center, sqrt(square(tau) + exp(2 * log_sigma) ./ count));
  target += -dot_product(count - 1, log_sigma)
            - 0.5 * dot_product(squares, exp(-2 * log_sigma));
}
generated quantities {
  vector[J] estimate = y;
  vector[J] error = exp(log_sigma) ./ sqrt(count);
}
