// Partial pooling with the group means integrated out.
//
//   y[n]     ~ family(theta[group[n]])
//   theta[j] ~ normal(mu, tau)
//
// Both are normal, so that mu and tau can be sampled without theta, and theta
// drawn afterwards from its exact conditional distribution.
//
{{ family.comment }}
data {
  int<lower=1> J; // groups
  int<lower=J, upper=J> N; // observations: one summary for each group, in order
  array[N] int<lower=1, upper=J> group; // group of each observation
  {{ family.data }}
  {{ prior.data }}
  int<lower=0, upper=1> draw_theta; // write theta?
}
parameters {
  real{{ bounds.mu }} mu; // population mean
  real{{ bounds.tau }} tau; // population standard deviation
  {{ family.parameters }}
}
model {
  mu ~ {{ prior.mu }};
  tau ~ {{ prior.tau }};
  {{ family.model }}
}
generated quantities {
  real theta_new = normal_rng(mu, tau); // mean of a group not yet seen
  vector[draw_theta ? J : 0] theta; // group means
  {{ family.generated_quantities }}
}
