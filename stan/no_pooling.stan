// No pooling: the groups have nothing to do with each other.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] ~ a fixed prior, the same for every group
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
  vector{{ bounds.theta }}[J] theta; // group means
  {{ family.parameters }}
}
model {
  vector[N] eta = theta[group];
  theta ~ {{ prior.theta }};
  {{ family.model }}
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = {{ population.rng }};
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  {{ family.generated_quantities }}
  for (j in 1 : size(log_population)) {
    log_population[j] = {{ population.lpdf }};
  }
}
