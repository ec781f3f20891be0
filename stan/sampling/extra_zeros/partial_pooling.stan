// How partial_pooling.stan is sampled where outcomes may be extra zeros: no part
// of the model. As in sampling/partial_pooling.stan, but that what a group's
// rows say of its mean falls as extra zeros get more: where it is plain which
// zeros these are, the mean of the other rows is what is known.
functions {
  // estimates with more extra zeros than they are made with
  vector fell(vector estimate, vector falls, real zero_odds, real guess) {
    return estimate - falls * (log1p(zero_odds) - log1p(guess));
  }
  // where its own data and the population together expect each group's mean
  vector expected(real center, real tau, vector estimate, vector precision) {
    return estimate + (center - estimate) ./ (1 + square(tau) * precision);
  }
  // and how far from there it may well be
  vector uncertainty(real tau, vector precision, real tiny) {
    return 1 ./ sqrt(inv_square(tau + tiny) + precision);
  }
  // how much each of what there is to say of mu weighs
  vector mu_weight(real tau, vector noise, vector share) {
    return 1 ./ (noise + square(tau) * share);
  }
}
data {
  int<lower=1> M; // what there is to say of mu: its prior, and a few groups or
  vector[M] mu_estimate; // means of groups that are alike, with the variance
  vector<lower=0>[M] mu_noise; // they would have for no tau, and what each
  vector<lower=0>[M] mu_share; // unit of tau^2 adds to it
  vector[J] estimate; // about what each group's own data say
  vector<lower=0>[J] precision;
  real<lower=0> tiny; // so that no tau is lost in rounding
  real<lower=0> guessed_odds; // that these are made with, and how far they
  vector[M] mu_estimate_falls; // fall for one unit more of log1p(zero_odds)
  vector[J] estimate_falls;
}
parameters {
  // population mean
  real<offset=dot_product(mu_weight(tau, mu_noise, mu_share),
                          fell(mu_estimate, mu_estimate_falls, zero_odds,
                               guessed_odds))
              / sum(mu_weight(tau, mu_noise, mu_share)),
       multiplier=inv_sqrt(sum(mu_weight(tau, mu_noise, mu_share)))> mu;
  // group means
  vector<offset=expected(mu, tau,
                         fell(estimate, estimate_falls, zero_odds,
                              guessed_odds),
                         precision),
         multiplier=uncertainty(tau, precision, tiny)>[J] theta;
}
