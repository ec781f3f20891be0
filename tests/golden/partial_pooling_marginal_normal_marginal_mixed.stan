// Partial pooling with the group means integrated out.
//
//   y[n]     ~ family(theta[group[n]])
//   theta[j] ~ normal(mu, tau)
//
// Both are normal, so that mu and tau can be sampled without theta, and theta
// drawn afterwards from its exact conditional distribution.
//
// The family is normal with one standard deviation; identity link.
//
//   y[j] ~ normal(location, sqrt(tau^2 + sigma^2 / count[j]))
//   squares[j] / sigma^2 ~ chi_square(count[j] - 1)
//
// y[j] is the mean of the group's `count` rows and squares[j] their sum of
// squared deviations from it.
functions {
  // how much each group's own data say about the population's mean
  vector weight(real tau, vector precision) {
    return precision ./ (1 + square(tau) * precision);
  }
}
data {
  int<lower=1> J; // groups
  int<lower=J, upper=J> N; // observations: one summary for each group, in order
  array[N] int<lower=1, upper=J> group; // group of each observation
  vector[N] y; // means
  vector<lower=1>[N] count; // rows
  vector<lower=0>[N] squares; // sums of squared deviations
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> tau_scale;
  real<lower=0> sigma_scale;
  int<lower=0, upper=1> draw_theta; // write theta?
  int<lower=0, upper=1> describe_theta; // write its conditional mean and sd?
  // about what each group's own data say: mu is measured from where they put
  // it, which changes how well it is sampled, not its posterior
  vector[J] estimate;
  vector<lower=0>[J] precision;
}
parameters {
  real<lower=0> tau; // population standard deviation
  // population mean
  real<offset=dot_product(weight(tau, precision), estimate)
              / sum(weight(tau, precision)),
       multiplier=inv_sqrt(sum(weight(tau, precision)))> mu;
  real<lower=0> sigma; // standard deviation within groups
}
model {
  real location = mu; // population mean of each group
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  sigma ~ normal(0, sigma_scale);
  y ~ normal(location, sqrt(square(tau) + square(sigma) ./ count));
  target += -sum(count - 1) * log(sigma) - sum(squares) / (2 * square(sigma));
}
generated quantities {
  // mean of a group not yet seen
  real theta_new = normal_rng(mu, tau);
  vector[draw_theta ? J : 0] theta; // group means
  vector[describe_theta ? J : 0] theta_mean; // given mu, tau and the data
  vector[describe_theta ? J : 0] theta_sd;
  if (draw_theta || describe_theta) {
    real location = mu;
    vector[J] se = sigma ./ sqrt(count);
    vector[J] total = sqrt(square(tau) + square(se));
    vector[J] center = location + square(tau ./ total) .* (y - location);
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
