// The family is gamma; the group means are logarithms of the expected value.
//
//   row ~ gamma(shape, shape / exp(eta))
//
// An observation stands for `count` rows of a group: y is their mean and
// mean_log the mean of their logarithms, which is all that their likelihood
// depends on. A single row has count 1 and mean_log = log(y).
functions {
  real family_lpdf(vector y, vector eta, real shape, vector count,
                   vector mean_log) {
    return shape
           * dot_product(count, log(shape) - eta + mean_log - y .* exp(-eta))
           - dot_product(count, mean_log) - sum(count) * lgamma(shape);
  }
}
data {
  vector<lower=0>[N] y; // means
  vector<lower=1>[N] count; // rows
  vector[N] mean_log; // means of the logarithms
}
parameters {
  real{{ bounds.shape }} shape; // coefficient of variation = 1 / sqrt(shape)
}
model {
  shape ~ {{ prior.shape }};
  y ~ family(eta, shape, count, mean_log);
}
generated quantities {
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpdf(y[n : n] | eta[n : n], shape, count[n : n],
                             mean_log[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real mean_n = exp(fmax(-300, fmin(300, eta[n])));
    y_rep[n] = gamma_rng(count[n] * shape, count[n] * shape / mean_n);
  }
}
