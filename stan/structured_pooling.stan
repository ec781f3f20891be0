// Structured pooling: what is known of a group moves the population it is from.
//
//   y[n]      ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j]  ~ normal(center[j], tau)
//   center[j] = mu + x[j] * beta + u[level[1, j]] + u[level[2, j]] + ...
//   u[l]      ~ normal(0, tau_level[factor[l]])
//
// x holds numbers that describe a group; level, for each factor, which of its
// levels the group has: its district, or its region and its device.
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
  {{ family.data }}
  int<lower=0> K; // predictors of the groups
  matrix[J, K] x; // predictors of each group, standardized
  int<lower=0> F; // factors that describe the groups
  int<lower=0> L; // levels of all of them together
  array[L] int<lower=1, upper=F> factor; // factor of each level
  array[F, J] int<lower=1, upper=L> level; // level of each group
  row_vector[K] x_new; // predictors and levels of a group not yet seen
  array[F] int<lower=0, upper=L> level_new; // 0 for a level not yet seen
  {{ prior.data }}
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  real{{ bounds.mu }} mu; // mean of a group that is average in all of this
  vector{{ bounds.beta }}[K] beta; // change for one unit of a predictor
  vector{{ bounds.tau_level }}[F] tau_level; // sd between levels of a factor
  vector[L] u; // what a level adds to the groups that have it
  real{{ bounds.tau }} tau; // sd between groups that are alike in all of this
  vector[J] theta; // group means
  {{ family.parameters }}
}
model {
  vector[N] eta = theta[group];
  vector[J] center = center_of(mu, beta, u, x, level);
  mu ~ {{ prior.mu }};
  beta ~ {{ prior.beta }};
  tau_level ~ {{ prior.tau_level }};
  u ~ normal(0, tau_level[factor]);
  tau ~ {{ prior.tau }};
  theta ~ normal(center, tau);
  {{ family.model }}
}
generated quantities {
  real theta_new; // mean of a group not yet seen
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  {{ family.generated_quantities }}
  {
    real center_new = mu + x_new * beta;
    for (f in 1 : F) {
      center_new += level_new[f] > 0 ? u[level_new[f]]
                    : normal_rng(0, tau_level[f]);
    }
    theta_new = {{ population.rng }};
  }
  if (pointwise) {
    vector[J] center = center_of(mu, beta, u, x, level);
    for (j in 1 : J) {
      log_population[j] = {{ population.lpdf }};
    }
  }
}
