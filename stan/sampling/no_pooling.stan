// How no_pooling.stan is sampled, in units that suit the data: no part of the
// model.
data {
  vector[J] theta_guess; // about where each theta is, and how unsure that is
  vector<lower=0>[J] theta_unit;
}
parameters {
  vector<offset=theta_guess, multiplier=theta_unit>[J] theta; // group means
}
