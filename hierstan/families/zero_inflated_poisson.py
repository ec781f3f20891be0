"""Counts with more zeros than Poisson's."""

from __future__ import annotations

import numpy as np

from hierstan.families.extra_zeros import ExtraZeros
from hierstan.families.family import Draws
from hierstan.families.poisson import Poisson


class ZeroInflatedPoisson(ExtraZeros):
    """A row is an extra zero with odds ``zero_odds``, else Poisson; its mean is ``exp(theta)``."""

    name = "zero_inflated_poisson"
    words = "counts with more zeros than Poisson's: zero-inflated Poisson, log link"
    distribution = "zero-inflated Poisson"
    within = "zero_odds"
    power_of_mean = ""
    checks = {"above": ("zero_inflated_neg_binomial",)}

    def _log_of_others(self, cells: Draws, theta: np.ndarray, own: Draws) -> np.ndarray:
        return Poisson().log_lik(cells, theta)
