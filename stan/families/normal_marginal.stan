// The family is normal with one standard deviation; identity link.
//
//   y[j] ~ normal(location, sqrt(tau^2 + sigma^2 / count[j]))
//   squares[j] / sigma^2 ~ chi_square(count[j] - 1)
//
// y[j] is the mean of the group's `count` rows and squares[j] their sum of
// squared deviations from it.
data {
  vector[N] y; // means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations
}
parameters {
  real{{ bounds.sigma }} sigma; // standard deviation within groups
}
model {
  sigma ~ {{ prior.sigma }};
  y ~ normal(location, sqrt(square(tau) + square(sigma) ./ count));
  target += -sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma));
}
generated quantities {
  vector[J] se = sigma ./ sqrt(count);
  vector[J] total = sqrt(square(tau) + square(se));
  vector[J] center = location + square(tau ./ total) .* (y - location);
  vector[J] spread = tau * se ./ total;
}
