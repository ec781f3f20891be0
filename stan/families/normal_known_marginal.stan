// The family is normal with known standard errors; identity link.
//
//   y[j] ~ normal(mu, sqrt(tau^2 + se[j]^2))
data {
  vector[N] y; // estimates
  vector<lower=0>[N] se; // their standard errors
}
model {
  y ~ normal(mu, sqrt(square(tau) + square(se)));
}
generated quantities {
  if (draw_theta) {
    vector[J] total = sqrt(square(tau) + square(se));
    vector[J] center = mu + square(tau ./ total) .* (y - mu);
    theta = to_vector(normal_rng(center, tau * se ./ total));
  }
}
