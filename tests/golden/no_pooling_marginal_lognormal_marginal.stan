// No pooling with the group means integrated out.
//
//   y[n]     ~ family(theta[group[n]])
//   theta[j] ~ normal(theta_location, theta_scale), a fixed prior
//
// Both are normal, so that theta can be drawn from its exact conditional
// distribution. What partial pooling learns about the population is given here.
//
// The family is lognormal; theta is the mean of the logarithm.
//
//   log(y[j]) ~ normal(location, sqrt(tau^2 + sigma^2 / count[j]))
//   squares[j] / sigma^2 ~ chi_square(count[j] - 1)
//
// y[j] is the geometric mean of the group's `count` rows and squares[j] the sum
// of squared deviations of their logarithms.
data {
  int<lower=1> J; // groups
  int<lower=J, upper=J> N; // observations: one summary for each group, in order
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector<lower=0>[N] y; // geometric means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations of the logarithms
  real theta_location;
  real<lower=0> theta_scale;
  real<lower=0> sigma_scale;
  int<lower=0, upper=1> draw_theta; // write theta?
  int<lower=0, upper=1> describe_theta; // write its conditional mean and sd?
}
transformed data {
  real location = theta_location; // mean of the prior
  real tau = theta_scale; // its standard deviation
}
parameters {
  real<offset=theta_location, multiplier=theta_scale> theta_new;
  real<lower=0> sigma; // standard deviation of the logarithm
}
model {
  theta_new ~ normal(theta_location, theta_scale);
  sigma ~ normal(0, sigma_scale);
  log(y) ~ normal(location, sqrt(square(tau) + square(sigma) ./ count));
  target += -sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma));
}
generated quantities {
  vector[draw_theta ? J : 0] theta; // group means
  vector[describe_theta ? J : 0] theta_mean; // given the data
  vector[describe_theta ? J : 0] theta_sd;
  if (draw_theta || describe_theta) {
    vector[J] se = sigma ./ sqrt(count);
    vector[J] total = sqrt(square(tau) + square(se));
    vector[J] center = location + square(tau ./ total) .* (log(y) - location);
    vector[J] spread = tau * se ./ total;
    if (draw_theta) {
      theta = to_vector(normal_rng(center, spread));
    }
    if (describe_theta) {
      theta_mean = center;
      theta_sd = spread;
    }
  }
}
