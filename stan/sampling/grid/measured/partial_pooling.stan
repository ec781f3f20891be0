// How the page in the folder above is sampled. No part of the model.
//
// Given tau, mu is measured from where the groups and its prior put it, in units
// of how far off it may well be, as polynomials say about.
functions {
  // a polynomial, between the smallest and the largest value it was fitted to
  real along(real tau, real unit_tau, vector coefficient, vector ends) {
    real share = square(tau) / (square(tau) + square(unit_tau));
    real value = 0;
    for (d in 1 : size(coefficient)) {
      value = value * share + coefficient[d];
    }
    return fmin(fmax(value, ends[1]), ends[2]);
  }
}
data {
  int<lower=1> D; // coefficients, that of the highest power first
  vector[D] mu_of_tau;
  vector[2] mu_ends;
  vector[D] unit_of_tau; // of the logarithm
  vector[2] unit_ends;
  real<lower=0> unit_tau;
}
parameters {
  // population mean
  real<offset=along(tau, unit_tau, mu_of_tau, mu_ends),
       multiplier=exp(along(tau, unit_tau, unit_of_tau, unit_ends))> mu;
}
