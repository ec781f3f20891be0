// How partial_pooling.stan is sampled with parameterization="centered": theta
// as it is, in units that suit the data. No part of the model.
data {
  real mu_guess; // about where mu is, and how unsure that is
  real<lower=0> mu_unit;
  vector[J] theta_guess; // and each theta
  vector<lower=0>[J] theta_unit;
}
parameters {
  real<offset=mu_guess, multiplier=mu_unit> mu; // population mean
  vector<offset=theta_guess, multiplier=theta_unit>[J] theta; // group means
}
