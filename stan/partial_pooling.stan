// Partial pooling: the groups differ, but belong to one population.
//
//   y[n]     ~ family(theta[group[n]])
//   theta[j] ~ normal(mu, tau)
//
{{ family.comment }}
functions {
  {{ family.functions }}
  //% if parameterization == "mixed"
  vector center(vector weak, real mu) {
    return weak * mu; // 0 for a centered group
  }
  vector unit(vector weak, real tau) {
    return weak * tau + (1 - weak); // 1 for a centered group
  }
  //% endif
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  {{ family.data }}
  {{ prior.data }}
  int<lower=0, upper=1> pointwise; // write log_lik and y_rep?
  //% if parameterization == "mixed"
  vector<lower=0, upper=1>[J] weak; // 1: weakly informed, so non-centered
  //% endif
}
parameters {
  real{{ bounds.mu }} mu; // population mean
  real{{ bounds.tau }} tau; // population standard deviation
  //% if parameterization == "noncentered"
  vector<offset=mu, multiplier=tau>[J] theta; // group means
  //% elif parameterization == "centered"
  vector[J] theta; // group means
  //% else
  // group means
  vector<offset=center(weak, mu), multiplier=unit(weak, tau)>[J] theta;
  //% endif
  {{ family.parameters }}
}
model {
  mu ~ {{ prior.mu }};
  tau ~ {{ prior.tau }};
  theta ~ normal(mu, tau);
  {{ family.model }}
}
generated quantities {
  real theta_new = {{ population.rng }}; // mean of a group not yet seen
  vector[pointwise ? J : 0] log_population;
  {{ family.generated_quantities }}
  for (j in 1 : size(log_population)) {
    log_population[j] = {{ population.lpdf }};
  }
}
