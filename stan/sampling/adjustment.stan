// How the slopes of adjustment.stan are sampled, in units that suit the data: no
// part of the model.
data {
  vector[D] gamma_guess; // about where they are, and how unsure that is
  vector<lower=0>[D] gamma_unit;
}
parameters {
  // change for one unit of a covariate
  vector<offset=gamma_guess, multiplier=gamma_unit>[D] gamma;
}
