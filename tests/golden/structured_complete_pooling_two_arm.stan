// Complete pooling of groups of which something is known: they differ by that
// alone.
//
//   y[n]     ~ family(eta[n]),  eta[n] = theta[group[n]]
//   theta[j] = mu + x[j] * beta + u[level[1, j]] + u[level[2, j]] + ...
//   u[l]     ~ normal(0, tau_level[factor[l]])
//
// x holds numbers that describe a group; level, for each factor, which of its
// levels the group has.
//
// The family is two_arm: events in the two arms of a trial; the group means
// are log odds ratios, treatment against control.
//
//   control[n]  ~ binomial_logit(control_trials[n], baseline[n])
//   y[n]        ~ binomial_logit(trials[n], baseline[n] + eta[n])
//   baseline[n] ~ normal(intercept + slope * eta[n], spread)
//
// The baselines are integrated out, so that theta is all there is to sample;
// then each is drawn given theta and its two arms. Where theta is normal,
// baseline and theta are bivariate normal.
functions {
  // log density of the baselines given their trials, up to constants
  vector log_density(vector baseline, vector theta, vector mean, real spread,
                     vector events, vector trials, vector control_trials) {
    return events .* baseline - trials .* log1p_exp(baseline + theta)
           - control_trials .* log1p_exp(baseline)
           - 0.5 * square((baseline - mean) / spread);
  }
  // where it is highest, and its scale there, by Newton's method
  array[] vector peak(vector theta, vector mean, real spread, vector events,
                      vector trials, vector control_trials) {
    int N = rows(theta);
    real precision = inv_square(spread);
    vector[N] rest = trials + control_trials - events;
    vector[N] weight = inv(inv(events + 1) + inv(rest + 1));
    vector[N] start = log((events + 1) ./ (rest + 1))
                      - theta .* trials ./ (trials + control_trials);
    vector[N] mode = (weight .* start + precision * mean)
                     ./ (weight + precision);
    vector[N] information = weight;
    for (iteration in 1 : 50) {
      vector[N] p = inv_logit(mode + theta);
      vector[N] q = inv_logit(mode);
      vector[N] gradient = events - trials .* p - control_trials .* q
                           - precision * (mode - mean);
      vector[N] step;
      information = trials .* p .* (1 - p) + control_trials .* q .* (1 - q)
                    + precision;
      step = 2 * tanh(gradient ./ information / 2); // at most 2
      mode += step;
      if (max(square(step) .* information) < 1e-3) {
        break;
      }
    }
    return {mode, inv_sqrt(information)};
  }
  // log of its integral, by the trapezoidal rule in steps of 0.7 scales; at
  // absurd parameters, where the highest point was not found, no more than it
  vector log_integral(vector theta, vector mean, real spread, vector events,
                      vector trials, vector control_trials) {
    int N = rows(theta);
    array[2] vector[N] at = peak(theta, mean, spread, events, trials,
                                 control_trials);
    vector[N] top = log_density(at[1], theta, mean, spread, events, trials,
                                control_trials);
    vector[N] total = rep_vector(0, N);
    for (node in -10 : 10) {
      vector[N] lp = log_density(at[1] + 0.7 * node * at[2], theta, mean,
                                 spread, events, trials, control_trials);
      total += exp(fmin(lp - top, 0));
    }
    return top + log(0.7 * at[2] .* total);
  }
  // exact draws, by rejection: no log-concave density f with its mode at 0 is
  // above f(0) * min(1, exp(1 - f(0) * abs(x))) (Devroye 1984)
  vector baseline_rng(vector theta, vector mean, real spread, vector events,
                      vector trials, vector control_trials) {
    int N = rows(theta);
    array[2] vector[N] at = peak(theta, mean, spread, events, trials,
                                 control_trials);
    vector[N] mode = at[1];
    vector[N] top = log_density(mode, theta, mean, spread, events, trials,
                                control_trials);
    vector[N] total = log_integral(theta, mean, spread, events, trials,
                                   control_trials);
    vector[N] width = exp(total - top);
    vector[N] drawn = rep_vector(not_a_number(), N);
    array[N] int open = rep_array(1, N);
    int attempts = 0; // one in four is accepted, or more
    while (sum(open) > 0 && attempts < 1000) {
      vector[N] proposed = mode;
      vector[N] limit;
      for (n in 1 : N) {
        real away = uniform_rng(0, 2);
        if (away > 1) {
          away = 1 - log(away - 1);
        }
        proposed[n] += (2 * bernoulli_rng(0.5) - 1) * away * width[n];
        limit[n] = log(uniform_rng(0, 1)) + fmin(0, 1 - away) + top[n];
      }
      limit -= log_density(proposed, theta, mean, spread, events, trials,
                           control_trials);
      for (n in 1 : N) {
        if (open[n] == 1 && limit[n] < 0) {
          drawn[n] = proposed[n];
          open[n] = 0;
        }
      }
      attempts += 1;
    }
    return drawn;
  }
  vector log_family(array[] int y, vector theta, vector mean, real spread,
                    array[] int trials, array[] int control,
                    array[] int control_trials) {
    int N = rows(theta);
    vector[N] events = to_vector(y) + to_vector(control);
    vector[N] lp = to_vector(y) .* theta - log(spread * sqrt(2 * pi()));
    lp += log_integral(theta, mean, spread, events, to_vector(trials),
                       to_vector(control_trials));
    for (n in 1 : N) {
      lp[n] += lchoose(trials[n], y[n])
               + lchoose(control_trials[n], control[n]);
    }
    return lp;
  }
  real family_lpmf(array[] int y, vector theta, vector mean, real spread,
                   array[] int trials, array[] int control,
                   array[] int control_trials) {
    vector[rows(theta)] lp = log_family(y, theta, mean, spread, trials,
                                        control, control_trials);
    return sum(lp);
  }
  vector center_of(real mu, vector beta, vector u, matrix x,
                   array[,] int level) {
    vector[rows(x)] center = mu + x * beta;
    for (f in 1 : size(level)) {
      center += u[level[f]];
    }
    return center;
  }
}
data {
  int<lower=1> J; // groups
  int<lower=0> N; // observations
  array[N] int<lower=1, upper=J> group; // group of each observation
  array[N] int<lower=0> trials; // of the treatment arm
  array[N] int<lower=0, upper=trials> y; // its events
  array[N] int<lower=0> control_trials; // of the control arm
  array[N] int<lower=0, upper=control_trials> control; // its events
  int<lower=0, upper=1> draw_baseline; // write the baselines?
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
  real slope_location;
  real<lower=0> slope_scale;
  real<lower=0> spread_scale;
  int<lower=0, upper=1> pointwise; // write log_lik and y_rep?
}
parameters {
  real mu; // mean of a group that is average in all of this
  vector[K] beta; // change for one unit of a predictor
  vector<lower=0>[F] tau_level; // sd between levels of a factor
  vector[L] u; // what a level adds to the groups that have it
  real intercept; // baseline where theta is 0
  real slope; // change of the baseline with theta
  real<lower=0> spread; // of the baselines given theta
}
transformed parameters {
  vector[J] theta = center_of(mu, beta, u, x, level); // group means
}
model {
  vector[N] eta = theta[group];
  mu ~ normal(mu_location, mu_scale);
  beta ~ normal(beta_location, beta_scale);
  tau_level ~ normal(0, tau_level_scale);
  u ~ normal(0, tau_level[factor]);
  intercept ~ normal(intercept_location, intercept_scale);
  slope ~ normal(slope_location, slope_scale);
  spread ~ normal(0, spread_scale);
  if (N > 0) {
    // there are none when the prior is sampled
    vector[N] effect = eta;
    y ~ family(effect, intercept + slope * effect, spread, trials, control,
               control_trials);
  }
}
generated quantities {
  vector[pointwise ? N : 0] eta = theta[head(group, pointwise ? N : 0)];
  vector[draw_baseline ? J : 0] baseline; // log-odds of the control arms
  vector[pointwise ? N : 0] log_lik;
  array[pointwise ? N : 0] int y_rep; // with new baselines, as in log_lik
  array[pointwise ? N : 0] int control_rep;
  for (j in 1 : size(baseline)) {
    baseline[j] = normal_rng(intercept + slope * theta[j], spread);
  }
  if (draw_baseline && N > 0) {
    vector[N] mean = intercept + slope * theta[group];
    baseline[group] = baseline_rng(theta[group], mean, spread,
                                   to_vector(y) + to_vector(control),
                                   to_vector(trials),
                                   to_vector(control_trials));
  }
  if (size(log_lik) > 0) {
    log_lik = log_family(y, eta, intercept + slope * eta, spread, trials,
                         control, control_trials);
  }
  for (n in 1 : size(log_lik)) {
    real other = normal_rng(intercept + slope * eta[n], spread);
    y_rep[n] = binomial_rng(trials[n], inv_logit(other + eta[n]));
    control_rep[n] = binomial_rng(control_trials[n], inv_logit(other));
  }
}
