// Complete pooling of effects: the treatment does the same in every group, or
// differs by what is known of them alone. Their baselines differ.
//
//   y[n]        ~ family(eta[n])
//   eta[n]      = baseline[group[n]] + treated[n] * theta[group[n]]
//   theta[j]    = mu + x[j] * beta + u[level[1, j]] + u[level[2, j]] + ...
//   u[l]        ~ normal(0, tau_level[factor[l]])
//   baseline[j] ~ normal(intercept, spread)
//
// The baselines are partially pooled.
//
{{ family.comment }}
functions {
  {{ family.functions }}
  vector center_of(real mu, vector beta, vector u, matrix x,
                   array[,] int level) {
    vector[rows(x)] center = mu + x * beta;
    for (f in 1 : size(level)) {
      center += u[level[f]];
    }
    return center;
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector<lower=0, upper=1>[N] treated; // 1 under treatment, else 0
  {{ family.data }}
  int<lower=0> K; // predictors of the groups
  matrix[J, K] x; // predictors of each group, standardized
  int<lower=0> F; // factors that describe the groups
  int<lower=0> L; // levels of all of them together
  array[L] int<lower=1, upper=F> factor; // factor of each level
  array[F, J] int<lower=1, upper=L> level; // level of each group
  {{ prior.data }}
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  real{{ bounds.mu }} mu; // mean effect
  vector{{ bounds.beta }}[K] beta; // change for one unit of a predictor
  vector{{ bounds.tau_level }}[F] tau_level; // sd between levels of a factor
  vector[L] u; // what a level adds to the effects of its groups
  real{{ bounds.intercept }} intercept; // mean of the baselines
  real{{ bounds.spread }} spread; // their standard deviation
  vector[J] baseline; // means without the treatment
  {{ family.parameters }}
}
transformed parameters {
  vector[J] theta = center_of(mu, beta, u, x, level); // effects
}
model {
  vector[N] eta = baseline[group] + treated .* theta[group];
  mu ~ {{ prior.mu }};
  beta ~ {{ prior.beta }};
  tau_level ~ {{ prior.tau_level }};
  u ~ normal(0, tau_level[factor]);
  intercept ~ {{ prior.intercept }};
  spread ~ {{ prior.spread }};
  baseline ~ normal(intercept, spread);
  {{ family.model }}
}
generated quantities {
  real baseline_new = normal_rng(intercept, spread); // of a group not yet seen
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = head(
                                       baseline[group]
                                       + treated .* theta[group],
                                       pointwise ? N : 0);
  {{ family.generated_quantities }}
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(baseline[j] | intercept, spread);
  }
}
