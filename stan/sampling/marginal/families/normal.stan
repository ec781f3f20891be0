// families/normal.stan with the group means integrated out; what it says of
// data and parameters holds here too.
//
//   y[j] ~ normal(center[j], sqrt(tau^2 + sigma^2 / count[j]))
//   squares[j] / sigma^2 ~ chi_square(count[j] - 1)
data {
  vector[N] y; // means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations
  int<lower=0> S; // different counts
  vector<lower=1>[S] different; // they: means of as many rows are as precise
  array[N] int<lower=1, upper=S> which; // of them is each
}
model {
  sigma ~ {{ prior.sigma }};
  y ~ normal(center, sqrt(square(tau) + square(sigma) ./ different)[which]);
  target += -sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma));
}
generated quantities {
  vector[N] estimate = y;
  vector[N] error = sigma ./ sqrt(count);
}
