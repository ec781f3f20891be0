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
}
data {
  vector[N] y; // means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations
  matrix[N, D] zy; // of products of those of y and of each covariate
  matrix[N, D * D] zz; // and of those of any two covariates
}
parameters {
  real{{ bounds.sigma_typical }} sigma_typical; // sd within a typical group
  real{{ bounds.sigma_sd }} sigma_sd; // sd of log(sigma) between groups
  vector[J] log_sigma; // sigma: sd within each group
}
model {
  sigma_typical ~ {{ prior.sigma_typical }};
  sigma_sd ~ {{ prior.sigma_sd }};
  log_sigma ~ normal(log(sigma_typical), sigma_sd);
  y ~ family(eta, log_sigma[group], count, left(squares, zy, zz, gamma));
}
generated quantities {
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
}
