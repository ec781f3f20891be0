// families/lognormal.stan with the group means integrated out; what it says of
// data and parameters holds here too.
//
//   log(y[j]) ~ normal(center[j], sqrt(tau^2 + sigma^2 / count[j]))
//   squares[j] / sigma^2 ~ chi_square(count[j] - 1)
model {
  sigma ~ {{ prior.sigma }};
  log(y) ~ normal(center, sqrt(square(tau) + square(sigma) ./ count));
  target += -sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma));
}
generated quantities {
  vector[N] estimate = log(y);
  vector[N] error = sigma ./ sqrt(count);
}
