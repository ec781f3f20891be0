// Adjusted for what is known of single rows, which z_row holds, relative to its
// mean over all rows: eta[n] + z_row[n] * gamma takes the place of eta[n].
data {
  int<lower=1> D; // covariates of the rows
  matrix[N, D] z_row; // covariates of each observation, around their means
}
parameters {
  vector{{ bounds.gamma }}[D] gamma; // change for one unit of a covariate
}
model {
  gamma ~ {{ prior.gamma }};
  eta += z_row * gamma;
}
generated quantities {
  if (pointwise) {
    eta += z_row * gamma;
  }
}
