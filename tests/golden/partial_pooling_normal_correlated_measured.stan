// Partial pooling: the groups differ, but belong to one population.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] ~ normal(mu, tau)
//
// The family is normal with known standard errors, whose errors go together
// within a study; identity link.
//
//   y ~ multi_normal(eta, V), with a block of V for each study
//
// or, what is the same, each estimate given those above it in its study:
//
//   y[n] ~ normal(eta[n] + weight[n] * (y - eta)[above[n]], own_se[n])
functions {
  // what the errors above an estimate, in its study, tell of its own
  vector expected_error(vector error, matrix weight, array[,] int above) {
    vector[rows(weight)] total = rep_vector(0, rows(weight));
    for (k in 1 : cols(weight)) {
      total += weight[ : , k] .* error[above[ : , k]];
    }
    return total;
  }
  real family_lpdf(vector y, vector eta, matrix weight, array[,] int above,
                   vector own_se) {
    return normal_lupdf(y | eta + expected_error(y - eta, weight, above),
                        own_se);
  }
  // how far a group's mean may well be from where its data and the others
  // expect it
  vector uncertainty(real tau, vector precision, real tiny) {
    return 1 ./ sqrt(inv_square(tau + tiny) + precision);
  }
  // where its own data and the population together expect each group's mean
  vector expected(real center, real tau, vector estimate, vector precision) {
    return estimate + (center - estimate) ./ (1 + square(tau) * precision);
  }
  // how much each of what there is to say of mu weighs
  vector mu_weight(real tau, vector noise, vector share) {
    return 1 ./ (noise + square(tau) * share);
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector[N] y; // estimates
  int<lower=1> W; // of the largest study
  matrix[N, W] weight; // of the errors above in its study
  array[N, W] int<lower=1> above; // which are these; itself where weight is 0
  vector<lower=0>[N] own_se; // of what they do not tell
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> tau_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  int<lower=1> M; // what there is to say of mu: its prior, and a few groups or
  vector[M] mu_estimate; // means of groups that are alike, with the variance
  vector<lower=0>[M] mu_noise; // they would have for no tau, and what each
  vector<lower=0>[M] mu_share; // unit of tau^2 adds to it
  vector[J] estimate; // about what each group's own data say
  vector<lower=0>[J] precision;
  real<lower=0> tiny; // so that no tau is lost in rounding
}
parameters {
  real<lower=0> tau; // population standard deviation
  // population mean
  real<offset=dot_product(mu_weight(tau, mu_noise, mu_share), mu_estimate)
              / sum(mu_weight(tau, mu_noise, mu_share)),
       multiplier=inv_sqrt(sum(mu_weight(tau, mu_noise, mu_share)))> mu;
  // group means
  vector<offset=expected(mu, tau, estimate, precision),
         multiplier=uncertainty(tau, precision, tiny)>[J] theta;
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  theta ~ normal(mu, tau);
  y ~ family(eta, weight, above, own_se);
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(mu, tau);
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik; // given those above it in its study
  vector[replicate ? N : 0] y_rep;
  if (pointwise) {
    vector[N] mean_y = eta + expected_error(y - eta, weight, above);
    for (n in 1 : N) {
      log_lik[n] = normal_lpdf(y[n] | mean_y[n], own_se[n]);
    }
  }
  for (n in 1 : size(y_rep)) {
    real error = 0;
    for (k in 1 : W) {
      if (above[n, k] < n) {
        error += weight[n, k] * (y_rep[above[n, k]] - eta[above[n, k]]);
      }
    }
    y_rep[n] = normal_rng(eta[n] + error, own_se[n]);
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | mu, tau);
  }
}
