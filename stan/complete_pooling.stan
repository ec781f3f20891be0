//% if predictors
// Complete pooling: the groups differ by their predictors alone.
//% else
// Complete pooling: the groups do not differ.
//% endif
//
//   y[n]     ~ family(theta[group[n]])
//% if predictors
//   theta[j] = mu + x[j] * beta
//% else
//   theta[j] = mu
//% endif
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
  //% if predictors
  int<lower=1> K; // predictors of the groups
  matrix[J, K] x; // predictors of each group, standardized
  row_vector[K] x_new; // predictors of a group not yet seen
  //% endif
  {{ prior.data }}
  int<lower=0, upper=1> pointwise; // write log_lik and y_rep?
}
parameters {
  //% if predictors
  real{{ bounds.mu }} mu; // mean of a group with average predictors
  vector{{ bounds.beta }}[K] beta; // change for one unit of a predictor
  //% else
  real{{ bounds.mu }} mu; // mean of every group
  //% endif
  {{ family.parameters }}
}
transformed parameters {
  //% if predictors
  vector[J] theta = mu + x * beta; // group means
  //% else
  vector[J] theta = rep_vector(mu, J); // group means
  //% endif
}
model {
  mu ~ {{ prior.mu }};
  //% if predictors
  beta ~ {{ prior.beta }};
  //% endif
  {{ family.model }}
}
generated quantities {
  {{ family.generated_quantities }}
}
