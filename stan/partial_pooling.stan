// Partial pooling: the groups differ, but belong to one population.
//
//   y[n]     ~ family(theta[group[n]])
//% if predictors
//   theta[j] ~ normal(mu + x[j] * beta, tau)
//% else
//   theta[j] ~ normal(mu, tau)
//% endif
//
{{ family.comment }}
functions {
  {{ family.functions }}
  //% if parameterization == "mixed"
  //% if predictors
  vector zero(vector weak, vector mean) {
    return weak .* mean; // 0 for a centered group
  }
  //% else
  vector zero(vector weak, real mean) {
    return weak * mean; // 0 for a centered group
  }
  //% endif
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
  //% if predictors
  int<lower=1> K; // predictors of the groups
  matrix[J, K] x; // predictors of each group, standardized
  row_vector[K] x_new; // predictors of a group not yet seen
  //% endif
  {{ prior.data }}
  int<lower=0, upper=1> pointwise; // write log_lik and y_rep?
  //% if parameterization == "mixed"
  vector<lower=0, upper=1>[J] weak; // 1: weakly informed, so non-centered
  //% endif
}
parameters {
  real{{ bounds.mu }} mu; // population mean
  //% if predictors
  vector{{ bounds.beta }}[K] beta; // change for one unit of a predictor
  //% endif
  real{{ bounds.tau }} tau; // population standard deviation
  //% if parameterization == "centered"
  vector[J] theta; // group means
  //% elif parameterization == "noncentered"
  vector<offset=mu, multiplier=tau>[J] theta; // group means
  //% elif predictors
  // group means
  vector<offset=zero(weak, mu + x * beta), multiplier=unit(weak, tau)>[J] theta;
  //% else
  // group means
  vector<offset=zero(weak, mu), multiplier=unit(weak, tau)>[J] theta;
  //% endif
  {{ family.parameters }}
}
model {
  mu ~ {{ prior.mu }};
  tau ~ {{ prior.tau }};
  //% if predictors
  beta ~ {{ prior.beta }};
  theta ~ normal(mu + x * beta, tau);
  //% else
  theta ~ normal(mu, tau);
  //% endif
  {{ family.model }}
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = {{ population.rng }};
  vector[pointwise ? J : 0] log_population;
  {{ family.generated_quantities }}
  for (j in 1 : size(log_population)) {
    log_population[j] = {{ population.lpdf }};
  }
}
