// No pooling of effects: the effects have nothing to do with each other.
//
//   y[n]        ~ family(eta[n])
//   eta[n]      = baseline[group[n]] + treated[n] * theta[group[n]]
//   theta[j]    ~ a fixed prior, the same for every group
//   baseline[j] ~ normal(intercept, spread)
//
// The baselines are partially pooled if the prior of their spread lets them be;
// the default holds it so wide that they are not.
//
{{ family.comment }}
functions {
  {{ family.functions }}
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector<lower=0, upper=1>[N] treated; // 1 under treatment, else 0
  {{ family.data }}
  {{ prior.data }}
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  vector{{ bounds.theta }}[J] theta; // effects
  real{{ bounds.intercept }} intercept; // mean of the baselines
  real{{ bounds.spread }} spread; // their standard deviation
  vector[J] baseline; // means without the treatment
  {{ family.parameters }}
}
model {
  vector[N] eta = baseline[group] + treated .* theta[group];
  theta ~ {{ prior.theta }};
  intercept ~ {{ prior.intercept }};
  spread ~ {{ prior.spread }};
  baseline ~ normal(intercept, spread);
  {{ family.model }}
}
generated quantities {
  real theta_new = {{ population.rng }}; // a new group
  real baseline_new = normal_rng(intercept, spread); // and its baseline
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = head(
                                       baseline[group]
                                       + treated .* theta[group],
                                       pointwise ? N : 0);
  {{ family.generated_quantities }}
  for (j in 1 : size(log_population)) {
    log_population[j] = {{ population.lpdf }}
                        + normal_lpdf(baseline[j] | intercept, spread);
  }
}
