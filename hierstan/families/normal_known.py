"""Estimates with known standard errors, normal around a group's true value."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.families import raw
from hierstan.families.family import Draws, Family, Role


class NormalKnown(Family):
    """``y ~ normal(theta, se)``, with `se` known."""

    name = "normal_known"
    link = "identity"
    words = "normal with known standard errors, identity link"
    distribution = "normal"
    columns = {"y": "real", "se": "real"}
    takes = {"estimates": {"estimate": Role("y", "real"), "se": Role("se", "positive")}}
    once = (
        "If each row is an observation, use GroupedData.from_rows. Several estimates of a study "
        "can be told by within= and the correlation= of their errors; else combine each group's "
        "estimates first."
    )
    unit = "estimates"
    predicted_size = "se"
    gaussian = True
    marginal = True
    estimates = True

    def location_scale(self, cells: pd.DataFrame) -> tuple[float, float]:
        """Mean and standard deviation of the estimates, for which there is no parameter."""
        return float(cells["y"].mean()), float(cells["y"].std(ddof=0))

    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return the estimates and their standard errors."""
        y, se = (raw.summed(cells, cells[name], J) for name in ("y", "se"))
        return pd.DataFrame({"estimate": y, "se": se})

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return what was given."""
        y, se = (raw.summed(cells, cells[name], J) for name in ("y", "se"))
        return raw.table(np.ones(J), y, se, y, se)

    def weights(self, cells: pd.DataFrame, J: int) -> np.ndarray:
        """Return the precisions."""
        return raw.summed(cells, 1 / cells["se"].to_numpy() ** 2, J)

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """``1 / se^2``, in one line for all draws."""
        return weights[None, :]

    def as_normal(
        self, cells: pd.DataFrame, own: Draws
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what was given."""
        return cells["y"].to_numpy(), cells["se"].to_numpy()[None] ** 2, np.zeros((1, 1))
