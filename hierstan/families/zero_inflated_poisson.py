"""Counts with more zeros than Poisson's."""

from __future__ import annotations

from hierstan.families.extra_zeros import ExtraZeros


class ZeroInflatedPoisson(ExtraZeros):
    """A row is an extra zero with odds ``zero_odds``, else Poisson; its mean is ``exp(theta)``."""

    name = "zero_inflated_poisson"
    words = "counts with more zeros than Poisson's: zero-inflated Poisson, log link"
    distribution = "zero-inflated Poisson"
    within = "zero_odds"
    power_of_mean = ""
    checks = {"above": ("zero_inflated_neg_binomial",)}
