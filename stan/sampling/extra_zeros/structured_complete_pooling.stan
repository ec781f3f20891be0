// How structured_complete_pooling.stan is sampled where outcomes may be extra
// zeros: no part of the model. As in sampling/structured_complete_pooling.stan,
// and see sampling/extra_zeros/partial_pooling.stan.
data {
  real<lower=0> guessed_odds; // that these are made with, and how far they
  matrix[P, M] near_pull_falls; // fall for one unit more of log1p(zero_odds)
  vector[E] far_mean_falls;
}
transformed parameters {
  vector[2 + K + L] measured = measured_from(z, 0,
                                             append_row(prior_width,
                                                        tau_level[factor_of]),
                                             prior_middle, near_information,
                                             near_pull
                                             - near_pull_falls
                                               * (log1p(zero_odds)
                                                  - log1p(guessed_odds)),
                                             near_noise, near_share, far,
                                             fell(far_mean, far_mean_falls,
                                                  zero_odds, guessed_odds),
                                             far_weight, far_noise,
                                             far_share, together, place);
}
