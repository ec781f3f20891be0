// The family is normal with one standard deviation; identity link.
//
//   row ~ normal(eta, sigma)
//
// An observation stands for `count` rows of a group: y is their mean and
// `squares` their sum of squared deviations from it, which is all that their
// likelihood depends on. A single row has count 1 and squares 0.
functions {
  real family_lpdf(vector y, vector eta, real sigma, vector count,
                   vector squares) {
    return normal_lupdf(y | eta, sigma ./ sqrt(count))
           - sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma))
           - 0.5 * (sum(count - 1) * log(2 * pi()) + sum(log(count)));
  }
}
data {
  vector[N] y; // means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations
}
parameters {
  real{{ bounds.sigma }} sigma; // standard deviation within groups
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
    y_rep[n] = normal_rng(eta[n], sigma / sqrt(count[n]));
  }
}
