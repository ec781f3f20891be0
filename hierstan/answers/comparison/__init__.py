"""Which pooling the data support: leave-one-out, WAIC, their comparison, prior sensitivity."""
