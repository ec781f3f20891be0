// How complete_pooling.stan is sampled where outcomes may be extra zeros: no
// part of the model. See sampling/extra_zeros/partial_pooling.stan.
data {
  real<lower=0> guessed_odds; // that it is made with, and how far it falls
  real mu_guess_falls; // for one unit more of log1p(zero_odds)
}
parameters {
  // mean of every group
  real<offset=mu_guess
              - mu_guess_falls * (log1p(zero_odds) - log1p(guessed_odds)),
       multiplier=mu_unit> mu;
}
