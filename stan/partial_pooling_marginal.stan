// Partial pooling with the group means integrated out.
//
//   y[n]     ~ family(theta[group[n]])
//% if predictors
//   theta[j] ~ normal(mu + x[j] * beta, tau)
//% else
//   theta[j] ~ normal(mu, tau)
//% endif
//
// Both are normal, so that mu and tau can be sampled without theta, and theta
// drawn afterwards from its exact conditional distribution.
//
{{ family.comment }}
//% if parameterization == "mixed"
functions {
  // how much each group's own data say about the population's mean
  vector weight(real tau, vector precision) {
    return precision ./ (1 + square(tau) * precision);
  }
}
//% endif
data {
  int<lower=1> J; // groups
  int<lower=J, upper=J> N; // observations: one summary for each group, in order
  array[N] int<lower=1, upper=J> group; // group of each observation
  {{ family.data }}
  //% if predictors
  int<lower=1> K; // predictors of the groups
  matrix[J, K] x; // predictors of each group, standardized
  row_vector[K] x_new; // predictors of a group not yet seen
  //% endif
  {{ prior.data }}
  int<lower=0, upper=1> draw_theta; // write theta?
  int<lower=0, upper=1> describe_theta; // write its conditional mean and sd?
  //% if parameterization == "mixed"
  // about what each group's own data say: mu is measured from where they put
  // it, which changes how well it is sampled, not its posterior
  vector[J] estimate;
  vector<lower=0>[J] precision;
  //% endif
}
parameters {
  //% if parameterization == "mixed"
  real{{ bounds.tau }} tau; // population standard deviation
  // population mean
  real<offset=dot_product(weight(tau, precision), estimate)
              / sum(weight(tau, precision)),
       multiplier=inv_sqrt(sum(weight(tau, precision)))> mu;
  //% else
  real{{ bounds.mu }} mu; // population mean
  //% if predictors
  vector{{ bounds.beta }}[K] beta; // change for one unit of a predictor
  //% endif
  real{{ bounds.tau }} tau; // population standard deviation
  //% endif
  {{ family.parameters }}
}
model {
  //% if predictors
  vector[J] location = mu + x * beta; // population mean of each group
  beta ~ {{ prior.beta }};
  //% else
  real location = mu; // population mean of each group
  //% endif
  mu ~ {{ prior.mu }};
  tau ~ {{ prior.tau }};
  {{ family.model }}
}
generated quantities {
  // mean of a group not yet seen
  //% if predictors
  real theta_new = normal_rng(mu + x_new * beta, tau);
  //% else
  real theta_new = normal_rng(mu, tau);
  //% endif
  vector[draw_theta ? J : 0] theta; // group means
  vector[describe_theta ? J : 0] theta_mean; // given mu, tau and the data
  vector[describe_theta ? J : 0] theta_sd;
  if (draw_theta || describe_theta) {
    //% if predictors
    vector[J] location = mu + x * beta;
    //% else
    real location = mu;
    //% endif
    {{ family.generated_quantities }}
    if (draw_theta) {
      theta = to_vector(normal_rng(center, spread));
    }
    if (describe_theta) {
      theta_mean = center;
      theta_sd = spread;
    }
  }
}
