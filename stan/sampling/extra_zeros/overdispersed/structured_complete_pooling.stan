// How structured_complete_pooling.stan is sampled where outcomes may be extra
// zeros and the others vary more than their size makes them: no part of the
// model. As in sampling/extra_zeros/ and sampling/overdispersed/.
data {
  vector<lower=0>[M] near_noise_least; // if phi had no end, and what 1 / phi
  vector<lower=0>[M] near_noise_added; // adds; and the same of each far one
  vector<lower=0>[E] far_noise_least;
  vector<lower=0>[E] far_noise_added;
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
                                             near_noise_least
                                             + near_noise_added / phi,
                                             near_share, far,
                                             fell(far_mean, far_mean_falls,
                                                  zero_odds, guessed_odds),
                                             far_weight,
                                             far_noise_least
                                             + far_noise_added / phi,
                                             far_share, together, place);
}
