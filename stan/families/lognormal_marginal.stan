// The family is lognormal; theta is the mean of the logarithm.
//
//   log(y[j]) ~ normal(location, sqrt(tau^2 + sigma^2 / count[j]))
//   squares[j] / sigma^2 ~ chi_square(count[j] - 1)
//
// y[j] is the geometric mean of the group's `count` rows and squares[j] the sum
// of squared deviations of their logarithms.
data {
  vector<lower=0>[N] y; // geometric means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations of the logarithms
}
parameters {
  real{{ bounds.sigma }} sigma; // standard deviation of the logarithm
}
model {
  sigma ~ {{ prior.sigma }};
  log(y) ~ normal(location, sqrt(square(tau) + square(sigma) ./ count));
  target += -sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma));
}
generated quantities {
  vector[J] se = sigma ./ sqrt(count);
  vector[J] total = sqrt(square(tau) + square(se));
  vector[J] center = location + square(tau ./ total) .* (log(y) - location);
  vector[J] spread = tau * se ./ total;
}
