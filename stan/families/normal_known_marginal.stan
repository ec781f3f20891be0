// The family is normal with known standard errors; identity link.
//
//   y[j] ~ normal(location, sqrt(tau^2 + se[j]^2))
data {
  vector[N] y; // estimates
  vector<lower=0>[N] se; // their standard errors
}
model {
  y ~ normal(location, sqrt(square(tau) + square(se)));
}
generated quantities {
  vector[J] total = sqrt(square(tau) + square(se));
  vector[J] center = location + square(tau ./ total) .* (y - location);
  vector[J] spread = tau * se ./ total;
}
