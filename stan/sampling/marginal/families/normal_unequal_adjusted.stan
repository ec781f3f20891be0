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
model {
  sigma_typical ~ {{ prior.sigma_typical }};
  sigma_sd ~ {{ prior.sigma_sd }};
  log_sigma ~ normal(log(sigma_typical), sigma_sd);
  y - z_row * gamma ~ normal(center,
                             sqrt(square(tau) + exp(2 * log_sigma) ./ count));
  target += -dot_product(count - 1, log_sigma)
            - 0.5
              * dot_product(left(squares, zy, zz, gamma),
                            exp(-2 * log_sigma));
}
generated quantities {
  vector[J] estimate = y - z_row * gamma;
  vector[J] error = exp(log_sigma) ./ sqrt(count);
}
