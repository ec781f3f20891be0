// families/normal_known.stan with the group means integrated out; what it says
// of data holds here too.
//
//   y[j] ~ normal(center[j], sqrt(tau^2 + se[j]^2))
model {
  y ~ normal(center, sqrt(square(tau) + square(se)));
}
generated quantities {
  vector[J] estimate = y;
  vector[J] error = se;
}
