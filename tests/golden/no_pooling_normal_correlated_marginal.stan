// no_pooling.stan with the group means integrated out, for families that are
// normal in them and a prior that is:
//
//   estimate[j] ~ normal(theta[j], error[j])
//   theta[j]    ~ normal(theta_location, theta_scale)
//
// What partial pooling learns about the population is given here.
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
  real theta_location;
  real<lower=0> theta_scale;
  int<lower=0, upper=1> describe_theta; // write its mean and sd given all else?
}
transformed data {
  real center = theta_location; // mean of the prior
  real tau = theta_scale; // its standard deviation
}
parameters {
  // mean of a group not yet seen
  real<offset=theta_location, multiplier=theta_scale> theta_new;
}
model {
  theta_new ~ normal(theta_location, theta_scale);
  target += normal_lupdf(within_study(y - center, to_axes, other) | 0,
                         sqrt(square(tau) + variance));
}
generated quantities {
  vector[describe_theta ? J : 0] theta_mean;
  vector[describe_theta ? J : 0] theta_sd;
  if (describe_theta) {
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
