// How no_pooling.stan is sampled where outcomes may be extra zeros: no part of
// the model. See sampling/extra_zeros/partial_pooling.stan.
data {
  real<lower=0> guessed_odds; // that these are made with, and how far they
  vector[J] theta_guess_falls; // fall for one unit more of log1p(zero_odds)
}
parameters {
  // group means
  vector<offset=fell(theta_guess, theta_guess_falls, zero_odds, guessed_odds),
         multiplier=theta_unit>[J] theta;
}
