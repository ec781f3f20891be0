// The family is zero-inflated negative binomial: counts, some of them extra
// zeros; the group means are logarithms of the expected count, per exposure.
//
//   row = 0 with odds zero_odds, else
//   row ~ neg_binomial_2_log(eta + log(exposure) + log1p(zero_odds), phi)
//
// An observation stands for `weight` rows of a group that share the count y and
// the exposure.
functions {
  // exp(eta) is the mean of all rows, extra zeros among them
  real family_lpmf(array[] int y, vector eta, real phi, real zero_odds,
                   vector weight, vector exposure) {
    vector[size(y)] count = to_vector(y);
    vector[size(y)] log_odds = eta + log(exposure) + log1p(zero_odds)
                               - log(phi);
    vector[size(y)] lp = count .* log_odds
                         - (count + phi) .* log1p_exp(log_odds)
                         - lbeta(phi, count + 1) - log(phi + count);
    for (n in 1 : size(y)) {
      if (y[n] == 0) {
        lp[n] = log(zero_odds + exp(lp[n]));
      }
    }
    return dot_product(weight, lp) - sum(weight) * log1p(zero_odds);
  }
}
data {
  array[N] int<lower=0> y; // counts
  vector<lower=0>[N] weight; // rows that share the count
  vector<lower=0>[N] exposure;
}
parameters {
  real{{ bounds.phi }} phi; // variance of others = mean + mean^2 / phi
  real{{ bounds.zero_odds }} zero_odds; // that a row is an extra zero
}
model {
  phi ~ {{ prior.phi }};
  zero_odds ~ {{ prior.zero_odds }};
  y ~ family(eta, phi, zero_odds, weight, exposure);
}
generated quantities {
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep; // counts, some too large for integers
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], phi, zero_odds,
                             weight[n : n], exposure[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real log_mean = eta[n] + log(exposure[n]) + log1p(zero_odds);
    real mean_n = exp(fmax(-300, fmin(300, log_mean)));
    real rate = fmin(1e300, fmax(1e-300, gamma_rng(phi, phi / mean_n)));
    real other = rate < 4e8 ? poisson_rng(rate)
                 : round(normal_rng(rate, sqrt(rate)));
    y_rep[n] = other * bernoulli_logit_rng(-log(zero_odds)); // or an extra zero
  }
}
