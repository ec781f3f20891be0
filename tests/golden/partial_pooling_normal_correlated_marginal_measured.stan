// partial_pooling.stan with the group means integrated out, for families that
// are normal in them:
//
//   estimate[j] ~ normal(theta[j], error[j])
//   theta[j]    ~ normal(mu, tau)
//
// so that estimate[j] ~ normal(mu, sqrt(tau^2 + error[j]^2)), and each theta[j]
// given all else is normal too, around an average of estimate[j] and mu.
//
// families/normal_correlated.stan with the group means integrated out.
//
//   y ~ multi_normal(center, V + tau^2 I)
//
// V has a block for each study. Along the axes of its block (its eigenvectors)
// errors are independent, and stay so when tau^2 is added to their variance.
functions {
  // sums over the estimates of the same study
  vector within_study(vector values, matrix weight, array[,] int other) {
    vector[rows(weight)] total = rep_vector(0, rows(weight));
    for (k in 1 : cols(weight)) {
      total += weight[ : , k] .* values[other[ : , k]];
    }
    return total;
  }
  // how much each of what there is to say of mu weighs
  vector mu_weight(real tau, vector noise, vector share) {
    return 1 ./ (noise + square(tau) * share);
  }
}
data {
  int<lower=1> J; // groups
  int<lower=J, upper=J> N; // observations: one summary for each group, in order
  vector[N] y; // estimates
  int<lower=1> W; // of the largest study
  array[N, W] int<lower=1> other; // those of the same study
  matrix[N, W] to_axes; // from their errors to the axes
  matrix[N, W] from_axes; // and back
  vector<lower=0>[N] variance; // along the axes
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> tau_scale;
  int<lower=0, upper=1> describe_theta; // write its mean and sd given all else?
  int<lower=1> M; // what there is to say of mu: its prior, and a few groups or
  vector[M] mu_estimate; // means of groups that are alike, with the variance
  vector<lower=0>[M] mu_noise; // they would have for no tau, and what each
  vector<lower=0>[M] mu_share; // unit of tau^2 adds to it
}
parameters {
  real<lower=0> tau; // population standard deviation
  // population mean
  real<offset=dot_product(mu_weight(tau, mu_noise, mu_share), mu_estimate)
              / sum(mu_weight(tau, mu_noise, mu_share)),
       multiplier=inv_sqrt(sum(mu_weight(tau, mu_noise, mu_share)))> mu;
}
model {
  real center = mu;
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  target += normal_lupdf(within_study(y - center, to_axes, other) | 0,
                         sqrt(square(tau) + variance));
}
generated quantities {
  real theta_new = normal_rng(mu, tau); // mean of a group not yet seen
  vector[describe_theta ? J : 0] theta_mean;
  vector[describe_theta ? J : 0] theta_sd;
  if (describe_theta) {
    real center = mu;
    // what each group's own estimate says, given the errors of its study
    vector[J] along = 1 ./ (square(tau) + variance);
    matrix[N, W] weight = square(from_axes);
    vector[J] share = within_study(along, weight, other);
    vector[J] left = within_study(variance .* along, weight, other);
    vector[J] error = sqrt(left ./ share);
    vector[J] off = within_study(y - center, to_axes, other) .* along;
    vector[J] ahead = within_study(off, from_axes, other) ./ share;
    vector[J] estimate = center + ahead;
    vector[J] total = sqrt(square(tau) + square(error));
    theta_mean = center + square(tau ./ total) .* (estimate - center);
    theta_sd = tau * error ./ total;
  }
}
