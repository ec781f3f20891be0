// Partial pooling: the groups differ, but belong to one population.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] ~ normal(mu, tau)
//
// The family is ordinal: ratings from 1 to C, on a scale that all groups share;
// the group means are log-odds of higher ratings.
//
//   P(row > c) = inv_logit(eta - (cutpoint[c] - mean(cutpoint)))
//
// Only differences between the cut points count: eta is the mean, over all of
// them, of the log-odds that a row lies above.
//
// An observation stands for `weight` rows of a group that share the rating y.
functions {
  // log of what lies between neighbouring cut points, but for where they are
  vector log_widths(vector cutpoint) {
    int K = size(cutpoint);
    return log1m_exp(head(cutpoint, K - 1) - tail(cutpoint, K - 1));
  }
  real family_lpmf(array[] int y, vector eta, vector cutpoint, vector weight) {
    int C = size(cutpoint) + 1;
    vector[C - 1] cut = cutpoint - mean(cutpoint);
    vector[C] top = append_row(cut, positive_infinity());
    vector[C] bottom = append_row(negative_infinity(), cut);
    vector[C] log_width = append_row(append_row(0, log_widths(cut)), 0);
    return dot_product(weight,
                       log_inv_logit(top[y] - eta)
                       + log_inv_logit(eta - bottom[y]) + log_width[y]);
  }
  // of cut points at which the shares of the C categories are Dirichlet
  real induced_dirichlet_lpdf(vector cutpoint, real concentration) {
    int C = size(cutpoint) + 1;
    vector[C - 1] below = log_inv_logit(cutpoint);
    vector[C - 1] above = log_inv_logit(-cutpoint);
    real log_shares = sum(below) + sum(above) + sum(log_widths(cutpoint));
    return lgamma(C * concentration) - C * lgamma(concentration)
           + (concentration - 1) * log_shares + sum(below) + sum(above);
  }
  // how far a group's mean may well be from where its data and the others
  // expect it
  vector uncertainty(real tau, vector precision, real tiny) {
    return 1 ./ sqrt(inv_square(tau + tiny) + precision);
  }
  // where its own data and the population together expect each group's mean
  vector expected(real center, real tau, vector estimate, vector precision) {
    return estimate + (center - estimate) ./ (1 + square(tau) * precision);
  }
  // how much each of what there is to say of mu weighs
  vector mu_weight(real tau, vector noise, vector share) {
    return 1 ./ (noise + square(tau) * share);
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  int<lower=3> C; // categories
  array[N] int<lower=1, upper=C> y; // ratings
  vector<lower=0>[N] weight; // rows that share the rating
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> tau_scale;
  real<lower=0> cutpoint_concentration;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  int<lower=1> M; // what there is to say of mu: its prior, and a few groups or
  vector[M] mu_estimate; // means of groups that are alike, with the variance
  vector<lower=0>[M] mu_noise; // they would have for no tau, and what each
  vector<lower=0>[M] mu_share; // unit of tau^2 adds to it
  vector[J] estimate; // about what each group's own data say
  vector<lower=0>[J] precision;
  real<lower=0> tiny; // so that no tau is lost in rounding
}
parameters {
  real<lower=0> tau; // population standard deviation
  ordered[C - 1] cutpoint; // only their differences count
  // population mean
  real<offset=dot_product(mu_weight(tau, mu_noise, mu_share), mu_estimate)
              / sum(mu_weight(tau, mu_noise, mu_share)),
       multiplier=inv_sqrt(sum(mu_weight(tau, mu_noise, mu_share)))> mu;
  // group means
  vector<offset=expected(mu, tau, estimate, precision),
         multiplier=uncertainty(tau, precision, tiny)>[J] theta;
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  theta ~ normal(mu, tau);
  cutpoint ~ induced_dirichlet(cutpoint_concentration);
  y ~ family(eta, cutpoint, weight);
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(mu, tau);
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[pointwise ? N : 0] log_lik;
  array[replicate ? N : 0] int y_rep;
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], cutpoint, weight[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real latent = logistic_rng(eta[n] + mean(cutpoint), 1);
    y_rep[n] = 1;
    for (c in 1 : C - 1) {
      y_rep[n] += latent > cutpoint[c];
    }
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(theta[j] | mu, tau);
  }
}
