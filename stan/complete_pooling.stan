// Complete pooling: the groups do not differ.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] = mu
//
{{ family.comment }}
functions {
  {{ family.functions }}
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  {{ family.data }}
  {{ prior.data }}
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  real{{ bounds.mu }} mu; // mean of every group
  {{ family.parameters }}
}
transformed parameters {
  vector[J] theta = rep_vector(mu, J); // group means
}
model {
  vector[N] eta = theta[group];
  mu ~ {{ prior.mu }};
  {{ family.model }}
}
generated quantities {
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  {{ family.generated_quantities }}
}
