// Partial pooling: the groups differ, but belong to one population.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] ~ normal(mu, tau)
//
// The family is beta-binomial: successes in trials that vary more than
// binomial; the group means are log-odds.
//
//   y[n]    ~ binomial(trials[n], rate[n])
//   rate[n] ~ beta(phi * p, phi * (1 - p)),  p = inv_logit(eta[n])
functions {
  real family_lpmf(array[] int y, vector eta, real phi, array[] int trials) {
    // Beta functions that do not cancel where phi is large
    vector[size(y)] successes = to_vector(y);
    vector[size(y)] failures = to_vector(trials) - successes;
    vector[size(y)] total = to_vector(trials);
    vector[size(y)] a = phi * inv_logit(eta);
    vector[size(y)] b = phi * inv_logit(-eta);
    return sum(
               lbeta(phi, total + 1) + log(phi + total)
               - lbeta(a, successes + 1) - log(a + successes)
               - lbeta(b, failures + 1) - log(b + failures));
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
  array[N] int<lower=0> trials;
  array[N] int<lower=0, upper=trials> y; // successes
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
  real<lower=0> phi; // variance of rates in a group = p q / (phi + 1)
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
  y ~ family(eta, phi, trials);
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(mu, tau);
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  array[replicate ? N : 0] int y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], phi, trials[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real a = fmax(1e-9, phi * inv_logit(eta[n]));
    real b = fmax(1e-9, phi * inv_logit(-eta[n]));
    y_rep[n] = binomial_rng(trials[n], beta_rng(a, b));
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | mu, tau);
  }
}
