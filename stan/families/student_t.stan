// The family is Student's t, for rows with outliers; identity link.
//
//   y[n] ~ student_t(nu, theta[group[n]], sigma)
functions {
  real family_lpdf(vector y, vector theta, real sigma, real nu) {
    return student_t_lupdf(y | nu, theta, sigma);
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
  y ~ family(theta[group], sigma, nu);
}
generated quantities {
  vector[pointwise ? N : 0] log_lik;
  vector[pointwise ? N : 0] y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpdf(y[n : n] | theta[group[n : n]], sigma, nu);
    y_rep[n] = student_t_rng(nu, theta[group[n]], sigma);
  }
}
