// partial_pooling.stan with the group means integrated out, for families that
// are normal in them:
//
//   estimate[j] ~ normal(theta[j], error[j])
//   theta[j]    ~ normal(mu, tau)
//
// so that estimate[j] ~ normal(mu, sqrt(tau^2 + error[j]^2)), and each theta[j]
// given all else is normal too, around an average of estimate[j] and mu.
//
// families/lognormal.stan with the group means integrated out; what it says of
// data and parameters holds here too.
//
//   log(y[j]) ~ normal(center[j], sqrt(tau^2 + sigma^2 / count[j]))
//   squares[j] / sigma^2 ~ chi_square(count[j] - 1)
functions {
  // how much each of what there is to say of mu weighs
  vector mu_weight(real tau, vector noise, vector share) {
    return 1 ./ (noise + square(tau) * share);
  }
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
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> tau_scale;
  real<lower=0> sigma_scale;
  int<lower=0, upper=1> describe_theta; // write its mean and sd given all else?
  int<lower=1> M; // what there is to say of mu: its prior, and a few groups or
  vector[M] mu_estimate; // means of groups that are alike, with the variance
  vector<lower=0>[M] mu_noise; // they would have for no tau, and what each
  vector<lower=0>[M] mu_share; // unit of tau^2 adds to it
}
parameters {
  real<lower=0> tau; // population standard deviation
  real<lower=0> sigma; // standard deviation of the logarithm
  // population mean
  real<offset=dot_product(mu_weight(tau, mu_noise, mu_share), mu_estimate)
              / sum(mu_weight(tau, mu_noise, mu_share)),
       multiplier=inv_sqrt(sum(mu_weight(tau, mu_noise, mu_share)))> mu;
}
model {
  real center = mu;
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  sigma ~ normal(0, sigma_scale);
  log(y) ~ normal(center,
                  sqrt(square(tau) + square(sigma) ./ different)[which]);
  target += -sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma));
}
generated quantities {
  real theta_new = normal_rng(mu, tau); // mean of a group not yet seen
  vector[describe_theta ? J : 0] theta_mean;
  vector[describe_theta ? J : 0] theta_sd;
  if (describe_theta) {
    real center = mu;
    vector[N] estimate = log(y);
    vector[N] error = sigma ./ sqrt(count);
    vector[J] total = sqrt(square(tau) + square(error));
    theta_mean = center + square(tau ./ total) .* (estimate - center);
    theta_sd = tau * error ./ total;
  }
}
