// How no_pooling.stan is sampled where outcomes may be extra zeros: no part of
// the model. See sampling/extra_zeros/partial_pooling.stan.
functions {
  // estimates with more extra zeros than they are made with
  vector fell(vector estimate, vector falls, real zero_odds, real guess) {
    return estimate - falls * (log1p(zero_odds) - log1p(guess));
  }
}
data {
  vector[J] theta_guess; // about where each theta is, and how unsure that is
  vector<lower=0>[J] theta_unit;
  real<lower=0> guessed_odds; // that these are made with, and how far they
  vector[J] theta_guess_falls; // fall for one unit more of log1p(zero_odds)
}
parameters {
  // group means
  vector<offset=fell(theta_guess, theta_guess_falls, zero_odds, guessed_odds),
         multiplier=theta_unit>[J] theta;
}
