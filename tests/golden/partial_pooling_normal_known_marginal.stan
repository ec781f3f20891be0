// partial_pooling.stan with the group means integrated out, for families that
// are normal in them:
//
//   estimate[j] ~ normal(theta[j], error[j])
//   theta[j]    ~ normal(mu, tau)
//
// so that estimate[j] ~ normal(mu, sqrt(tau^2 + error[j]^2)), and each theta[j]
// given all else is normal too, around an average of estimate[j] and mu.
//
// families/normal_known.stan with the group means integrated out; what it says
// of data holds here too.
//
//   y[j] ~ normal(center[j], sqrt(tau^2 + se[j]^2))
functions {
}
data {
  int<lower=1> J; // groups
  int<lower=J, upper=J> N; // observations: one summary for each group, in order
  vector[N] y; // estimates
  vector<lower=0>[N] se; // their standard errors
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> tau_scale;
  int<lower=0, upper=1> describe_theta; // write its mean and sd given all else?
}
parameters {
  real mu; // population mean
  real<lower=0> tau; // population standard deviation
}
model {
  real center = mu;
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  y ~ normal(center, sqrt(square(tau) + square(se)));
}
generated quantities {
  real theta_new = normal_rng(mu, tau); // mean of a group not yet seen
  vector[describe_theta ? J : 0] theta_mean;
  vector[describe_theta ? J : 0] theta_sd;
  if (describe_theta) {
    real center = mu;
    vector[J] estimate = y;
    vector[J] error = se;
    vector[J] total = sqrt(square(tau) + square(error));
    theta_mean = center + square(tau ./ total) .* (estimate - center);
    theta_sd = tau * error ./ total;
  }
}
