// partial_pooling.stan with the group means integrated out numerically, for
// families whose likelihood has no other parameter:
//
//   theta[j] ~ normal(mu, tau)
//
// Where the population is wide, the likelihoods are tabulated once, at means x
// with distances dx that are short against it; where it is narrow, they are
// taken all over it:
//
//   integral[n] = sum(likelihood[n](x) * normal(x | mu, tau) * dx)
//   integral[n] = sum(likelihood[n](mu + tau * z) * normal(z | 0, 1) * dz)
//
// families/binomial.stan at many means; what it says of data holds here too.
functions {
  // of each line of data in a row, at each log-odds in a column
  matrix log_likelihood(vector y, vector trials, vector theta) {
    return -y * log1p_exp(-theta)' - (trials - y) * log1p_exp(theta)';
  }
  // a polynomial, between the smallest and the largest value it was fitted to
  real along(real tau, real unit_tau, vector coefficient, vector ends) {
    real share = square(tau) / (square(tau) + square(unit_tau));
    real value = 0;
    for (d in 1 : size(coefficient)) {
      value = value * share + coefficient[d];
    }
    return fmin(fmax(value, ends[1]), ends[2]);
  }
}
data {
  int<lower=1> N; // groups, those with equal data as one
  vector<lower=1>[N] alike; // how many these are
  array[N] int<lower=0> trials;
  array[N] int<lower=0, upper=trials> y; // successes
  vector[N] height; // about their log likelihoods where these matter most
  int<lower=1> G;
  vector[G] x;
  vector<lower=0>[G] dx;
  int<lower=0> Q; // 0 where the data rule out that the population is narrow
  vector[Q] z;
  real<lower=0> dz;
  real x_middle; // tau is wide above least_tau, where mu is within x_reach of
  real<lower=0> x_reach; // x_middle, and above more where it is farther away
  real<lower=0> least_tau;
  real<lower=0> more_tau;
  real mu_location;
  real<lower=0> mu_scale;
  real<lower=0> tau_scale;
  int<lower=1> D; // coefficients, that of the highest power first
  vector[D] mu_of_tau;
  vector[2] mu_ends;
  vector[D] unit_of_tau; // of the logarithm
  vector[2] unit_ends;
  real<lower=0> unit_tau;
}
transformed data {
  vector[N] total = to_vector(y);
  vector[N] weight = to_vector(trials);
  matrix[N, G] relative = log_likelihood(total, weight, x)
                          - rep_matrix(height, G);
  matrix[N, G] likelihood = exp(relative);
}
parameters {
  real<lower=0> tau; // population standard deviation
  // population mean
  real<offset=along(tau, unit_tau, mu_of_tau, mu_ends),
       multiplier=exp(along(tau, unit_tau, unit_of_tau, unit_ends))> mu;
}
model {
  real away = fmax(mu - x_middle, x_middle - mu);
  real least = least_tau + more_tau * fmax(away - x_reach, 0);
  real wide = fmax(tau, least);
  vector[N] integral = likelihood
                       * (dx .* exp(-0.5 * square((x - mu) / wide)) / wide);
  real log_integrals = dot_product(alike, log(integral));
  mu ~ normal(mu_location, mu_scale);
  tau ~ normal(0, tau_scale);
  if (Q > 0) {
    vector[Q] theta = mu + fmin(tau, least) * z;
    matrix[N, Q] density = log_likelihood(total, weight, theta)
                           - rep_matrix(height, Q);
    vector[N] all_over = exp(density) * (dz * exp(-0.5 * square(z)));
    log_integrals = tau < least ? dot_product(alike, log(all_over))
                    : log_integrals;
  }
  // beyond the largest number is only what lies far outside the posterior
  target += log_integrals < positive_infinity() ? log_integrals
            : negative_infinity();
}
generated quantities {
  real theta_new = normal_rng(mu, tau); // mean of a group not yet seen
}
