// No pooling with the group means integrated out.
//
//   y[n]     ~ family(theta[group[n]])
//   theta[j] ~ normal(theta_location, theta_scale), a fixed prior
//
// Both are normal, so that theta can be drawn from its exact conditional
// distribution. What partial pooling learns about the population is given here.
//
// The family is normal with known standard errors; identity link.
//
//   y[j] ~ normal(location, sqrt(tau^2 + se[j]^2))
data {
  int<lower=1> J; // groups
  int<lower=J, upper=J> N; // observations: one summary for each group, in order
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector[N] y; // estimates
  vector<lower=0>[N] se; // their standard errors
  real theta_location;
  real<lower=0> theta_scale;
  int<lower=0, upper=1> draw_theta; // write theta?
  int<lower=0, upper=1> describe_theta; // write its conditional mean and sd?
}
transformed data {
  real location = theta_location; // mean of the prior
  real tau = theta_scale; // its standard deviation
}
parameters {
  real<offset=theta_location, multiplier=theta_scale> theta_new;
}
model {
  theta_new ~ normal(theta_location, theta_scale);
  y ~ normal(location, sqrt(square(tau) + square(se)));
}
generated quantities {
  vector[draw_theta ? J : 0] theta; // group means
  vector[describe_theta ? J : 0] theta_mean; // given the data
  vector[describe_theta ? J : 0] theta_sd;
  if (draw_theta || describe_theta) {
    vector[J] total = sqrt(square(tau) + square(se));
    vector[J] center = location + square(tau ./ total) .* (y - location);
    vector[J] spread = tau * se ./ total;
    if (draw_theta) {
      theta = to_vector(normal_rng(center, spread));
    }
    if (describe_theta) {
      theta_mean = center;
      theta_sd = spread;
    }
  }
}
