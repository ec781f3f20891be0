// The family is Student's t, for rows with outliers; identity link.
//
//   y[n] ~ student_t(nu, eta[n], sigma)
functions {
  real family_lpdf(vector y, vector eta, real sigma, real nu) {
    return student_t_lupdf(y | nu, eta, sigma);
  }
}
data {
  vector[N] y; // rows
}
parameters {
  real{{ bounds.sigma }} sigma; // scale within groups
  real{{ bounds.nu }} nu; // degrees of freedom
}
model {
  sigma ~ {{ prior.sigma }};
  nu ~ {{ prior.nu }};
  y ~ family(eta, sigma, nu);
}
generated quantities {
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpdf(y[n : n] | eta[n : n], sigma, nu);
  }
  for (n in 1 : size(y_rep)) {
    y_rep[n] = student_t_rng(nu, eta[n], sigma);
  }
}
