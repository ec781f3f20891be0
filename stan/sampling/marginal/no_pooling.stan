// no_pooling.stan with the group means integrated out, for families that are
// normal in them and a prior that is:
//
//   estimate[j] ~ normal(theta[j], error[j])
//   theta[j]    ~ normal(theta_location, theta_scale)
//
// What partial pooling learns about the population is given here.
//
{{ family.comment }}
functions {
  {{ family.functions }}
}
data {
  int<lower=1> J; // groups
  int<lower=J, upper=J> N; // observations: one summary for each group, in order
  {{ family.data }}
  {{ prior.data }}
  int<lower=0, upper=1> describe_theta; // write its mean and sd given all else?
}
transformed data {
  real center = theta_location; // mean of the prior
  real tau = theta_scale; // its standard deviation
}
parameters {
  // mean of a group not yet seen
  real<offset=theta_location, multiplier=theta_scale> theta_new;
  {{ family.parameters }}
}
model {
  theta_new ~ {{ prior.theta }};
  {{ family.model }}
}
generated quantities {
  vector[describe_theta ? J : 0] theta_mean;
  vector[describe_theta ? J : 0] theta_sd;
  if (describe_theta) {
    {{ family.generated_quantities }}
    vector[J] total = sqrt(square(tau) + square(error));
    theta_mean = center + square(tau ./ total) .* (estimate - center);
    theta_sd = tau * error ./ total;
  }
}
