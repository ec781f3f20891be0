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
  // where its own data and the population together expect each group's mean
  //% if predictors
  vector expected(vector mean, real tau, vector estimate, vector precision) {
  //% else
  vector expected(real mean, real tau, vector estimate, vector precision) {
  //% endif
    return estimate + (mean - estimate) ./ (1 + square(tau) * precision);
  }
  // and how far from there it may well be
  vector uncertainty(real tau, vector precision, real tiny) {
    return 1 ./ sqrt(inv_square(tau + tiny) + precision);
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
  // about what each group's own data say: theta is measured from there, which
  // changes how well it is sampled, not its posterior
  vector[J] estimate;
  vector<lower=0>[J] precision;
  real<lower=0> tiny; // so that no tau is lost in rounding
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
  //% else
  //% if predictors
  // group means
  vector<offset=expected(mu + x * beta, tau, estimate, precision),
         multiplier=uncertainty(tau, precision, tiny)>[J] theta;
  //% else
  // group means
  vector<offset=expected(mu, tau, estimate, precision),
         multiplier=uncertainty(tau, precision, tiny)>[J] theta;
  //% endif
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
