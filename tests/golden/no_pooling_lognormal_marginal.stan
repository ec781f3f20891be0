// no_pooling.stan with the group means integrated out, for families that are
// normal in them and a prior that is:
//
//   estimate[j] ~ normal(theta[j], error[j])
//   theta[j]    ~ normal(theta_location, theta_scale)
//
// What partial pooling learns about the population is given here.
//
// families/lognormal.stan with the group means integrated out; what it says of
// data and parameters holds here too.
//
//   log(y[j]) ~ normal(center[j], sqrt(tau^2 + sigma^2 / count[j]))
//   squares[j] / sigma^2 ~ chi_square(count[j] - 1)
functions {
}
data {
  int<lower=1> J; // groups
  int<lower=J, upper=J> N; // observations: one summary for each group, in order
  vector<lower=0>[N] y; // geometric means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations of the logarithms
  int<lower=0> S; // different counts
  vector<lower=1>[S] different; // they: means of as many rows are as precise
  array[N] int<lower=1, upper=S> which; // of them is each
  real theta_location;
  real<lower=0> theta_scale;
  real<lower=0> sigma_scale;
  int<lower=0, upper=1> describe_theta; // write its mean and sd given all else?
}
transformed data {
  real center = theta_location; // mean of the prior
  real tau = theta_scale; // its standard deviation
}
parameters {
  // mean of a group not yet seen
  real<offset=theta_location, multiplier=theta_scale> theta_new;
  real<lower=0> sigma; // standard deviation of the logarithm
}
model {
  theta_new ~ normal(theta_location, theta_scale);
  sigma ~ normal(0, sigma_scale);
  log(y) ~ normal(center,
                  sqrt(square(tau) + square(sigma) ./ different)[which]);
  target += -sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma));
}
generated quantities {
  vector[describe_theta ? J : 0] theta_mean;
  vector[describe_theta ? J : 0] theta_sd;
  if (describe_theta) {
    vector[N] estimate = log(y);
    vector[N] error = sigma ./ sqrt(count);
    vector[J] total = sqrt(square(tau) + square(error));
    theta_mean = center + square(tau ./ total) .* (estimate - center);
    theta_sd = tau * error ./ total;
  }
}
