// adjustment.stan where group means are integrated out: the family, which is
// normal, takes z_row * gamma off its outcomes.
model {
  gamma ~ {{ prior.gamma }};
}
