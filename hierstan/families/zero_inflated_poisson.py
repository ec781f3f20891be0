"""Counts with more zeros than Poisson's."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.families import raw
from hierstan.families.family import Draws
from hierstan.families.neg_binomial import NegBinomial
from hierstan.priors import Prior


class ZeroInflatedPoisson(NegBinomial):
    """A row is an extra zero with odds ``zero_odds``, else Poisson; its mean is ``exp(theta)``.

    All groups have the same odds: those of a single group would be told from its mean by many rows
    alone. The raw estimates are those of `NegBinomial`, of which extra zeros have the variance.
    """

    name = "zero_inflated_poisson"
    words = "counts with more zeros than Poisson's: zero-inflated Poisson, log link"
    distribution = "zero-inflated Poisson"
    zeros_apart = True
    parameters = ("zero_odds",)
    within = "zero_odds"
    power_of_mean = ""
    checks = {"above": ("zero_inflated_neg_binomial",)}

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return the prior of the odds of an extra zero: 90 % of shares in 3 % to 81 %."""
        return {"zero_odds": priors.LogNormal(-1, 1.5)}

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """Sum over rows; see `raw.with_extra_zeros`."""
        odds = own["zero_odds"]
        rate = np.exp(np.minimum(theta, 300)) * (1 + odds)

        def of_row(exposure: np.ndarray) -> np.ndarray:
            return raw.with_extra_zeros(odds, exposure * rate, np.exp(-exposure * rate))

        return raw.over_sizes(weights, of_row)
