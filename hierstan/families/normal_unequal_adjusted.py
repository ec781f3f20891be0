"""Rows that differ by covariates, with a standard deviation of each group."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.families.family import NOTHING, Draws
from hierstan.families.normal_adjusted import NormalAdjusted
from hierstan.families.normal_unequal import NormalUnequal


class NormalUnequalAdjusted(NormalAdjusted, NormalUnequal):
    """``y ~ normal(theta + z * gamma, sigma[group])``, from the sums of `NormalAdjusted`."""

    name = "normal_unequal_adjusted"
    words = f"{NormalUnequal.words}; rows adjusted for covariates"
    distribution = NormalUnequal.distribution
    parameters = (*NormalUnequal.parameters, "gamma")

    def log_of_group(
        self, cells: pd.DataFrame, J: int, own: Draws = NOTHING
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what the rows of each group, less what their covariates say, say of it."""
        slopes = own["gamma"][:, 0].mean(axis=0) if own else self.slopes(cells)[0]
        return NormalUnequal.log_of_group(self, self.without_covariates(cells, slopes), J)
