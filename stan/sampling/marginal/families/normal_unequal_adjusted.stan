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
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector[N] y; // means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations
  matrix[N, D] zy; // of products of those of y and of each covariate
  matrix[N, D * D] zz; // and of those of any two covariates
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
  vector[N] estimate = y - z_row * gamma;
  vector[N] error = exp(log_sigma[group]) ./ sqrt(count);
}
