// families/normal_adjusted.stan with the group means integrated out; what it
// says of data and parameters holds here too.
//
//   y[j] - z_row[j] * gamma
//     ~ normal(center[j], sqrt(tau^2 + sigma^2 / count[j]))
//   left(squares, ...)[j] / sigma^2 ~ chi_square(count[j] - 1)
functions {
  // sums of squared deviations from what the covariates say
  vector left(vector squares, matrix zy, matrix zz, vector gamma) {
    return squares - 2 * zy * gamma + zz * to_vector(gamma * gamma');
  }
}
model {
  sigma ~ {{ prior.sigma }};
  target += normal_lupdf(y - z_row * gamma | center,
                         sqrt(square(tau) + square(sigma) ./ count))
            - sum(count - 1) * log(sigma)
            - sum(left(squares, zy, zz, gamma)) / (2 * square(sigma));
}
generated quantities {
  vector[N] estimate = y - z_row * gamma;
  vector[N] error = sigma ./ sqrt(count);
}
