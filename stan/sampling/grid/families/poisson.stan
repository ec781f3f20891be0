// families/poisson.stan at many means; what it says of data holds here too.
functions {
  // of each line of data in a row, at each log-rate in a column
  matrix log_likelihood(vector y, vector exposure, vector theta) {
    return y * theta' - exposure * exp(theta)';
  }
}
transformed data {
  vector[N] total = to_vector(y);
  vector[N] weight = exposure;
}
