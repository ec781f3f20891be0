// How structured_complete_pooling.stan is sampled where rows vary more than
// their size makes them: no part of the model. As in
// sampling/structured_complete_pooling.stan, but that the data say the less of
// a mean, the smaller phi is.
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
                                             near_pull,
                                             near_noise_least
                                             + near_noise_added / phi,
                                             near_share, far, far_mean,
                                             far_weight,
                                             far_noise_least
                                             + far_noise_added / phi,
                                             far_share, together, place);
}
