// How structured_complete_pooling.stan is sampled where mu or beta has bounds, in
// units that suit the data: no part of the model.
data {
  real mu_guess; // about where mu and beta are, and how unsure that is
  real<lower=0> mu_unit;
  vector[K] beta_guess;
  vector<lower=0>[K] beta_unit;
}
parameters {
  // mean of a group that is average in all of this
  real<offset=mu_guess, multiplier=mu_unit> mu;
  // change for one unit of a predictor
  vector<offset=beta_guess, multiplier=beta_unit>[K] beta;
  // what a level adds to the groups that have it
  vector<multiplier=tau_level[factor]>[L] u;
}
