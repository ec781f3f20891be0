// partial_pooling.stan with the group means integrated out, for families that
// are normal in them:
//
//   estimate[j] ~ normal(theta[j], error[j])
//   theta[j]    ~ normal(mu, tau)
//
// so that estimate[j] ~ normal(mu, sqrt(tau^2 + error[j]^2)), and each theta[j]
// given all else is normal too, around an average of estimate[j] and mu.
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
parameters {
  real{{ bounds.mu }} mu; // population mean
  real{{ bounds.tau }} tau; // population standard deviation
  {{ family.parameters }}
}
model {
  real center = mu;
  mu ~ {{ prior.mu }};
  tau ~ {{ prior.tau }};
  {{ family.model }}
}
generated quantities {
  real theta_new = normal_rng(mu, tau); // mean of a group not yet seen
  vector[describe_theta ? J : 0] theta_mean;
  vector[describe_theta ? J : 0] theta_sd;
  if (describe_theta) {
    real center = mu;
    {{ family.generated_quantities }}
    vector[J] total = sqrt(square(tau) + square(error));
    theta_mean = center + square(tau ./ total) .* (estimate - center);
    theta_sd = tau * error ./ total;
  }
}
