// The family is lognormal; theta is the mean of the logarithm.
//
//   row ~ lognormal(eta, sigma)
//
// An observation stands for `count` rows of a group: y is their geometric mean
// and `squares` the sum of squared deviations of their logarithms, which is all
// that their likelihood depends on. A single row has count 1 and squares 0.
functions {
  real family_lpdf(vector y, vector eta, real sigma, vector count,
                   vector squares) {
    return normal_lupdf(log(y) | eta, sigma ./ sqrt(count))
           - sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma))
           - 0.5 * (sum(count - 1) * log(2 * pi()) + sum(log(count)))
           - dot_product(count, log(y));
  }
}
data {
  vector<lower=0>[N] y; // geometric means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations of the logarithms
}
parameters {
  real{{ bounds.sigma }} sigma; // standard deviation of the logarithm
}
model {
  sigma ~ {{ prior.sigma }};
  y ~ family(eta, sigma, count, squares);
}
generated quantities {
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpdf(y[n : n] | eta[n : n], sigma, count[n : n],
                             squares[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    y_rep[n] = exp(normal_rng(eta[n], sigma / sqrt(count[n])));
  }
}
