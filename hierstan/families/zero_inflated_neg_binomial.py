"""Counts with more zeros than a negative binomial's."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.families.extra_zeros import ExtraZeros
from hierstan.families.family import Draws
from hierstan.families.neg_binomial import NegBinomial, log_probability
from hierstan.priors import Prior


class ZeroInflatedNegBinomial(ExtraZeros):
    """A row is an extra zero with odds ``zero_odds``, else negative binomial; mean ``exp(theta)``.

    All groups have the same odds, as in `ZeroInflatedPoisson`.
    """

    name = "zero_inflated_neg_binomial"
    words = "counts with more zeros than a negative binomial's: zero-inflated, log link"
    distribution = "zero-inflated negative binomial"
    parameters = ("phi", "zero_odds")
    checks = {}

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return the priors of the dispersion and of the odds of an extra zero."""
        return NegBinomial().own_priors(scale, cells) | super().own_priors(scale, cells)

    def _log_of_others(self, cells: Draws, theta: np.ndarray, own: Draws) -> np.ndarray:
        return log_probability(cells, theta, own["phi"])
