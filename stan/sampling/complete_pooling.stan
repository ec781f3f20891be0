// How complete_pooling.stan is sampled, in units that suit the data: no part of
// the model.
data {
  real mu_guess; // about where mu is, and how unsure that is
  real<lower=0> mu_unit;
}
parameters {
  real<offset=mu_guess, multiplier=mu_unit> mu; // mean of every group
}
