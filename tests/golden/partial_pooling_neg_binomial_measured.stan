// Partial pooling: the groups differ, but belong to one population.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] ~ normal(mu, tau)
//
// The family is negative binomial: counts more variable than Poisson's; the
// group means are logarithms of the expected count, per exposure.
//
//   row ~ neg_binomial_2_log(eta + log(exposure), phi)
//
// An observation stands for `weight` rows of a group that share the count y and
// the exposure.
functions {
  // neg_binomial_2_log, of all counts at once
  real family_lpmf(array[] int y, vector eta, real phi, vector weight,
                   vector exposure) {
    vector[size(y)] count = to_vector(y);
    vector[size(y)] log_odds = eta + log(exposure) - log(phi);
    vector[size(y)] lp = count .* log_odds
                         - (count + phi) .* log1p_exp(log_odds)
                         - lbeta(phi, count + 1) - log(phi + count);
    return dot_product(weight, lp);
  }
  // how far a group's mean may well be from where its data and the others
  // expect it
  vector uncertainty(real tau, vector precision, real tiny) {
    return 1 ./ sqrt(inv_square(tau + tiny) + precision);
  }
  // precision of estimates whose variance 1 / phi adds to
  vector given(vector precision, vector added, real phi) {
    return precision ./ (1 + precision .* added / phi);
  }
  // and how much each of what there is to say of a mean weighs then
  vector weight_given(real sd, real phi, vector least, vector added,
                      vector share) {
    return 1 ./ (least + added / phi + square(sd) * share);
  }
  // where its own data and the population together expect each group's mean
  vector expected(real center, real tau, vector estimate, vector precision) {
    return estimate + (center - estimate) ./ (1 + square(tau) * precision);
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  array[N] int<lower=0> y; // counts
  vector<lower=0>[N] weight; // rows that share the count
  vector<lower=0>[N] exposure;
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> tau_scale;
  real phi_location;
  real<lower=0> phi_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  int<lower=1> M; // what there is to say of mu: its prior, and a few groups or
  vector[M] mu_estimate; // means of groups that are alike, with the variance
  vector<lower=0>[M] mu_share; // unit of tau^2 adds to it
  vector[J] estimate; // about what each group's own data say
  real<lower=0> tiny; // so that no tau is lost in rounding
  vector<lower=0>[J] precision_most; // of the estimates if phi had no end
  vector<lower=0>[J] noise_added; // and what 1 / phi adds to their variance
  vector<lower=0>[M] mu_noise_least; // the same of what there is to say of mu
  vector<lower=0>[M] mu_noise_added;
}
parameters {
  real<lower=0> tau; // population standard deviation
  real<lower=0> phi; // variance = mean + mean^2 / phi
  // population mean
  real<offset=dot_product(
                          weight_given(tau, phi, mu_noise_least,
                                       mu_noise_added, mu_share),
                          mu_estimate)
              / sum(
                    weight_given(tau, phi, mu_noise_least, mu_noise_added,
                                 mu_share)),
       multiplier=inv_sqrt(
                           sum(
                               weight_given(tau, phi, mu_noise_least,
                                            mu_noise_added, mu_share)))> mu;
  // group means
  vector<offset=expected(mu, tau, estimate,
                         given(precision_most, noise_added, phi)),
         multiplier=uncertainty(tau, given(precision_most, noise_added, phi),
                                tiny)>[J] theta;
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  theta ~ normal(mu, tau);
  phi ~ lognormal(phi_location, phi_scale);
  y ~ family(eta, phi, weight, exposure);
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(mu, tau);
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep; // counts, some too large for integers
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], phi, weight[n : n],
                             exposure[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real log_mean = eta[n] + log(exposure[n]);
    real mean_n = exp(fmax(-300, fmin(300, log_mean)));
    real rate = fmin(1e300, fmax(1e-300, gamma_rng(phi, phi / mean_n)));
    y_rep[n] = rate < 4e8 ? poisson_rng(rate)
               : round(normal_rng(rate, sqrt(rate)));
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | mu, tau);
  }
}
