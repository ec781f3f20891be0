// families/bernoulli.stan at many means; what it says of data holds here too.
functions {
  // of each line of data in a row, at each log-odds in a column
  matrix log_likelihood(vector y, vector trials, vector theta) {
    return -y * log1p_exp(-theta)' - (trials - y) * log1p_exp(theta)';
  }
}
transformed data {
  vector[N] total = to_vector(y);
  vector[N] weight = to_vector(trials);
}
