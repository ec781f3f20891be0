"""Which group is best, and what choosing it risks."""
