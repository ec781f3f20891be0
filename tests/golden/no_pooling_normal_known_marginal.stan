// no_pooling.stan with the group means integrated out, for families that are
// normal in them and a prior that is:
//
//   estimate[j] ~ normal(theta[j], error[j])
//   theta[j]    ~ normal(theta_location, theta_scale)
//
// What partial pooling learns about the population is given here.
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
  real theta_location;
  real<lower=0> theta_scale;
  int<lower=0, upper=1> describe_theta; // write its mean and sd given all else?
}
transformed data {
  real center = theta_location; // mean of the prior
  real tau = theta_scale; // its standard deviation
}
parameters {
  // mean of a group not yet seen
  real<offset=theta_location, multiplier=theta_scale> theta_new;
}
model {
  theta_new ~ normal(theta_location, theta_scale);
  y ~ normal(center, sqrt(square(tau) + square(se)));
}
generated quantities {
  vector[describe_theta ? J : 0] theta_mean;
  vector[describe_theta ? J : 0] theta_sd;
  if (describe_theta) {
    vector[J] estimate = y;
    vector[J] error = se;
    vector[J] total = sqrt(square(tau) + square(error));
    theta_mean = center + square(tau ./ total) .* (estimate - center);
    theta_sd = tau * error ./ total;
  }
}
