"""Counts with more zeros than a negative binomial's."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.families import raw
from hierstan.families.family import Draws
from hierstan.families.neg_binomial import NegBinomial
from hierstan.families.zero_inflated_poisson import ZeroInflatedPoisson
from hierstan.priors import Prior


class ZeroInflatedNegBinomial(NegBinomial):
    """A row is an extra zero with odds ``zero_odds``, else negative binomial; mean ``exp(theta)``.

    All groups have the same odds, as in `ZeroInflatedPoisson`.
    """

    name = "zero_inflated_neg_binomial"
    words = "counts with more zeros than a negative binomial's: zero-inflated, log link"
    distribution = "zero-inflated negative binomial"
    zeros_apart = True
    parameters = ("phi", "zero_odds")
    checks = {}

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return the priors of the dispersion and of the odds of an extra zero."""
        own = super().own_priors(scale, cells)
        return own | ZeroInflatedPoisson().own_priors(scale, cells)

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """Sum over rows; see `raw.with_extra_zeros`."""
        phi, odds = own["phi"], own["zero_odds"]
        rate = np.exp(np.minimum(theta, 300)) * (1 + odds)

        def of_row(exposure: np.ndarray) -> np.ndarray:
            mean = exposure * rate
            no_events = np.exp(-phi * np.log1p(mean / phi))
            return raw.with_extra_zeros(odds, 1 / (1 / mean + 1 / phi), no_events)

        return raw.over_sizes(weights, of_row)
