// Complete pooling of effects: the treatment does the same in every group, or
// differs by what is known of them alone. Their baselines differ.
//
//   y[n]        ~ family(eta[n])
//   eta[n]      = baseline[group[n]] + treated[n] * theta[group[n]]
//   theta[j]    = mu + x[j] * beta + u[level[1, j]] + u[level[2, j]] + ...
//   u[l]        ~ normal(0, tau_level[factor[l]])
//   baseline[j] ~ normal(intercept, spread)
//
// The baselines are partially pooled.
//
// The family is zero-inflated Poisson: counts, some of them extra zeros; the
// group means are logarithms of the expected count, per exposure.
//
//   row = 0 with odds zero_odds, else
//   row ~ poisson_log(eta + log(exposure) + log1p(zero_odds))
//
// An observation stands for `weight` rows of a group that share the count y and
// the exposure.
functions {
  // exp(eta) is the mean of all rows, extra zeros among them
  real family_lpmf(array[] int y, vector eta, real zero_odds, vector weight,
                   vector exposure) {
    vector[size(y)] count = to_vector(y);
    vector[size(y)] log_mean = eta + log(exposure) + log1p(zero_odds);
    vector[size(y)] log_p = count .* log_mean - exp(log_mean)
                            - lgamma(count + 1);
    for (n in 1 : size(y)) {
      if (y[n] == 0) {
        log_p[n] = log(zero_odds + exp(log_p[n]));
      }
    }
    return dot_product(weight, log_p) - sum(weight) * log1p(zero_odds);
  }
  vector center_of(real mu, vector beta, vector u, matrix x,
                   array[,] int level) {
    vector[rows(x)] center = mu + x * beta;
    for (f in 1 : size(level)) {
      center += u[level[f]];
    }
    return center;
  }
  // how much each of what there is to say of a mean weighs
  vector precision_of(real sd, vector noise, vector share) {
    return 1 ./ (noise + square(sd) * share);
  }
  // where both arms and the population together expect each group's baseline,
  // given its effect
  vector expected_baseline(vector alone, vector effect, real spread,
                           vector control, vector c_precision,
                           vector treatment, vector t_precision) {
    return (alone
            + square(spread)
              * (c_precision .* control + t_precision .* (treatment - effect)))
           ./ (1 + square(spread) * (c_precision + t_precision));
  }
  // and how far from there it may well be
  vector baseline_unit(real spread, vector c_precision, vector t_precision,
                       real tiny) {
    return 1 ./ sqrt(inv_square(spread + tiny) + c_precision + t_precision);
  }
  // estimates with more extra zeros than they are made with
  vector fell(vector estimate, vector falls, real zero_odds, real guess) {
    return estimate - falls * (log1p(zero_odds) - log1p(guess));
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector<lower=0, upper=1>[N] treated; // 1 under treatment, else 0
  array[N] int<lower=0> y; // counts
  vector<lower=0>[N] weight; // rows that share the count
  vector<lower=0>[N] exposure;
  int<lower=0> K; // predictors of the groups
  matrix[J, K] x; // predictors of each group, standardized
  int<lower=0> F; // factors that describe the groups
  int<lower=0> L; // levels of all of them together
  array[L] int<lower=1, upper=F> factor; // factor of each level
  array[F, J] int<lower=1, upper=L> level; // level of each group
  real beta_location;
  real<lower=0> beta_scale;
  vector<lower=0>[F] tau_level_scale;
  real mu_location;
  real<lower=0> mu_scale;
  real intercept_location;
  real<lower=0> intercept_scale;
  real<lower=0> spread_scale;
  real zero_odds_location;
  real<lower=0> zero_odds_scale;
  int<lower=0, upper=1> pointwise; // write log_lik?
  int<lower=0, upper=1> replicate; // write y_rep?
  real mu_guess; // about where these are, and how unsure that is
  real<lower=0> mu_unit;
  int<lower=1> B; // what there is to say of the mean of the baselines
  vector[B] baseline_estimate;
  vector<lower=0>[B] baseline_noise;
  vector<lower=0>[B] baseline_share;
  vector[J] control; // about what the control arm of each group says
  vector<lower=0>[J] control_precision;
  vector[J] treatment; // and its treatment arm
  vector<lower=0>[J] treatment_precision;
  real<lower=0> tiny; // so that no sd is lost in rounding
  real<lower=0> guessed_odds; // that these are made with, and how far they
  vector[B] baseline_estimate_falls; // fall for one more of log1p(zero_odds)
  vector[J] control_falls;
  vector[J] treatment_falls;
}
parameters {
  vector[K] beta; // change for one unit of a predictor
  vector<lower=0>[F] tau_level; // sd between levels of a factor
  vector[L] u; // what a level adds to the effects of its groups
  real<lower=0> spread; // their standard deviation
  real<lower=0> zero_odds; // that a row is an extra zero
  // mean effect
  real<offset=mu_guess, multiplier=mu_unit> mu;
  // mean of the baselines
  real<offset=dot_product(
                          precision_of(spread, baseline_noise,
                                       baseline_share),
                          fell(baseline_estimate, baseline_estimate_falls,
                               zero_odds, guessed_odds))
              / sum(precision_of(spread, baseline_noise, baseline_share)),
       multiplier=inv_sqrt(
                           sum(
                               precision_of(spread, baseline_noise,
                                            baseline_share)))> intercept;
  // means without the treatment
  vector<offset=expected_baseline(rep_vector(intercept, J),
                  center_of(mu, beta, u, x, level), spread,
                  fell(control, control_falls, zero_odds, guessed_odds),
                  control_precision,
                  fell(treatment, treatment_falls, zero_odds, guessed_odds),
                  treatment_precision),
         multiplier=baseline_unit(spread, control_precision,
                                  treatment_precision, tiny)>[J] baseline;
}
transformed parameters {
  vector[J] theta = center_of(mu, beta, u, x, level); // effects
}
model {
  vector[N] eta = baseline[group] + treated .* theta[group];
  mu ~ normal(mu_location, mu_scale);
  beta ~ normal(beta_location, beta_scale);
  tau_level ~ normal(0, tau_level_scale);
  u ~ normal(0, tau_level[factor]);
  intercept ~ normal(intercept_location, intercept_scale);
  spread ~ normal(0, spread_scale);
  baseline ~ normal(intercept, spread);
  zero_odds ~ lognormal(zero_odds_location, zero_odds_scale);
  y ~ family(eta, zero_odds, weight, exposure);
}
generated quantities {
  real baseline_new = normal_rng(intercept, spread); // of a group not yet seen
  vector[pointwise ? J : 0] log_population;
  vector[pointwise ? N : 0] eta = head(
                                       baseline[group]
                                       + treated .* theta[group],
                                       pointwise ? N : 0);
  vector[pointwise ? N : 0] log_lik;
  vector[replicate ? N : 0] y_rep; // counts, some too large for integers
  for (n in 1 : size(log_lik)) {
    log_lik[n] = family_lpmf(y[n : n] | eta[n : n], zero_odds, weight[n : n],
                             exposure[n : n]);
  }
  for (n in 1 : size(y_rep)) {
    real log_mean = eta[n] + log(exposure[n]) + log1p(zero_odds);
    real mean_n = exp(fmin(300, log_mean));
    real other = log_mean < 20 ? poisson_log_rng(log_mean)
                 : round(normal_rng(mean_n, sqrt(mean_n)));
    y_rep[n] = other * bernoulli_logit_rng(-log(zero_odds)); // or an extra zero
  }
  for (j in 1 : size(log_population)) {
    log_population[j] = normal_lpdf(baseline[j] | intercept, spread);
  }
}
