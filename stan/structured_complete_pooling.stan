// Complete pooling of groups of which something is known: they differ by that
// alone.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] = mu + x[j] * beta + u[level[1, j]] + u[level[2, j]] + ...
//   u[l]     ~ normal(0, tau_level[factor[l]])
//
// x holds numbers that describe a group; level, for each factor, which of its
// levels the group has.
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
  {{ prior.data }}
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
}
parameters {
  real{{ bounds.mu }} mu; // mean of a group that is average in all of this
  vector{{ bounds.beta }}[K] beta; // change for one unit of a predictor
  vector{{ bounds.tau_level }}[F] tau_level; // sd between levels of a factor
  vector[L] u; // what a level adds to the groups that have it
  {{ family.parameters }}
}
transformed parameters {
  vector[J] theta = center_of(mu, beta, u, x, level); // group means
}
model {
  vector[N] eta = theta[group];
  mu ~ {{ prior.mu }};
  beta ~ {{ prior.beta }};
  tau_level ~ {{ prior.tau_level }};
  u ~ normal(0, tau_level[factor]);
  {{ family.model }}
}
generated quantities {
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  {{ family.generated_quantities }}
}
