// How structured_pooling.stan is sampled where mu or beta has bounds: no part of
// the model. As in sampling/partial_pooling.stan, with each group's own center
// for mu.
functions {
  // where its own data and the population together expect each group's mean
  vector expected(vector center, real tau, vector estimate, vector precision) {
    return estimate + (center - estimate) ./ (1 + square(tau) * precision);
  }
}
data {
  real mu_guess; // about where mu and beta are, and how unsure that is
  real<lower=0> mu_unit;
  vector[K] beta_guess;
  vector<lower=0>[K] beta_unit;
  vector[J] estimate; // about what each group's own data say
  vector<lower=0>[J] precision;
  real<lower=0> tiny; // so that no tau is lost in rounding
}
parameters {
  // mean of a group that is average in all of this
  real<offset=mu_guess, multiplier=mu_unit> mu;
  // change for one unit of a predictor
  vector<offset=beta_guess, multiplier=beta_unit>[K] beta;
  // what a level adds to the groups that have it
  vector<multiplier=tau_level[factor]>[L] u;
  // group means
  vector<offset=expected(center_of(mu, beta, u, x, level), tau, estimate,
                         precision),
         multiplier=uncertainty(tau, precision, tiny)>[J] theta;
}
