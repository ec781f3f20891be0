"""Rows that are normal around their group's mean, with a standard deviation of each group."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.families import raw
from hierstan.families.family import NOTHING, Draws
from hierstan.families.normal import Normal
from hierstan.priors import Prior

TYPICAL_ROWS = 2  # that a typical group lends to each one's standard deviation


class NormalUnequal(Normal):
    """``y ~ normal(theta, sigma[group])``, ``log(sigma) ~ normal(log(sigma_typical), sigma_sd)``.

    The logarithms of the standard deviations are partially pooled, whatever the pooling of the
    means, so that groups of one row have one too.
    """

    name = "normal_unequal"
    words = "normal with a standard deviation of each group, partially pooled; identity link"
    distribution = "unequal normal"
    parameters: ClassVar[tuple[str, ...]] = ("sigma_typical", "sigma_sd")
    of_group = "sigma"
    within = "sigma_typical"
    unbounded = "no variation in a group"
    additive = False
    checks = {"below": ("lognormal|gamma",), "tails": ("student_t",)}

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return the priors of the typical standard deviation, and of how the logs differ."""
        return {"sigma_typical": priors.HalfNormal(scale), "sigma_sd": priors.HalfNormal(0.5)}

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Means; their standard errors from the group's own standard deviation.

        To which a typical group lends two rows, lest groups of few rows look certain.
        """
        count, mean, squares = raw.moments(cells, cells["y"], J)
        typical = _typical_sd(count, squares, mean)
        lent = squares + TYPICAL_ROWS * typical**2
        se = np.sqrt(lent / (count - 1 + TYPICAL_ROWS) / count)
        return raw.table(count, mean, se, mean, se)

    def log_of_group(
        self, cells: pd.DataFrame, J: int, own: Draws = NOTHING
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what the rows of each group say of the log of its standard deviation.

        Those of each cell around their own mean: the two arms of a group are two cells.
        """
        freedom, squares = (
            raw.summed(cells, cells["count"] - 1, J),
            raw.summed(cells, cells["squares"], J),
        )
        typical = _typical_sd(freedom + 1, squares, cells["y"].to_numpy())
        variance = (squares + 0.1 * typical**2) / (freedom + 0.1)
        return 0.5 * np.log(variance), 2 * freedom

    def without_each(self, rows: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return what is left of the group of each row without it."""
        code, y = rows["group"].to_numpy(), rows[["y"]].to_numpy()
        count, mean, squares = raw.without_each(code, y, J)
        return rows.assign(y=mean[:, 0], count=count, squares=np.maximum(squares[:, 0, 0], 0.0))


def _typical_sd(count: np.ndarray, squares: np.ndarray, mean: np.ndarray) -> float:
    """Return the geometric mean of the groups' standard deviations, weighted by their rows."""
    varies = (count > 1) & (squares > 0)
    if not varies.any():
        return raw.pooled_sd(count, squares, mean)
    freedom = count[varies] - 1
    logs = np.log(squares[varies] / freedom)
    return float(np.exp(0.5 * np.average(logs, weights=freedom)))
