"""Rows that are normal around their group's mean."""

from __future__ import annotations

from typing import ClassVar

import narwhals as nw
import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.families import collapse, raw
from hierstan.families.collapse import Frame
from hierstan.families.family import Draws, Family, Role
from hierstan.priors import Prior


class Normal(Family):
    """``y ~ normal(theta, sigma)``."""

    name = "normal"
    link = "identity"
    words = "normal around the group's mean, identity link"
    columns = {"y": "real", "count": "real", "squares": "real"}
    takes = {"rows": {"outcome": Role("y", "real")}, "means": {"mean": Role("y", "real")}}
    observation = {"y": 1, "count": 1, "squares": 0}
    size = ("count",)
    collapses = True
    parameters: ClassVar[tuple[str, ...]] = ("sigma",)
    within = "sigma"
    unbounded = "no variation"
    gaussian = True
    marginal = True
    additive = True
    checks = {
        "below": ("lognormal|gamma",),
        "tails": ("student_t",),
        "unequal": ("normal_unequal",),
    }

    def location_scale(self, cells: pd.DataFrame) -> tuple[float, float]:
        """Mean and standard deviation of all rows."""
        return raw.of_rows(cells["y"], cells["count"], cells["squares"])

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return the prior of the standard deviation within groups."""
        return {"sigma": priors.HalfNormal(scale)}

    def collapse(self, frame: Frame) -> Frame:
        """Count, mean and squared deviations of the rows of each group."""
        return collapse.moments(frame, y=nw.col("y").cast(nw.Float64))

    def finished(self, found: pd.DataFrame) -> pd.DataFrame:
        """Name them as the Stan program does."""
        named = found.rename(columns={"mean_y": "y", "squares_y": "squares"})
        return super().finished(raw.not_negative(named))

    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return means and sample standard deviations."""
        count, mean, squares = raw.moments(cells, cells["y"], J)
        return pd.DataFrame({"mean": mean, "sd": raw.sample_sd(squares, count)})

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Means; their standard errors from the standard deviation within all groups."""
        count, mean, squares = raw.moments(cells, cells["y"], J)
        se = raw.pooled_sd(count, squares, mean) / np.sqrt(count)
        return raw.table(count, mean, se, mean, se)

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """``n / sigma^2``."""
        return weights / own["sigma"] ** 2

    def totals(
        self, rng: np.random.Generator, rows: np.ndarray, means: np.ndarray, own: Draws
    ) -> np.ndarray:
        """Draw from the normal distribution of the sum."""
        return rng.normal(rows * means, own["sigma"] * np.sqrt(rows))

    def as_normal(
        self, cells: pd.DataFrame, own: Draws
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return means of rows, of which `count` stand behind each."""
        variance, rest = raw.as_normal(cells, own["sigma"])
        return cells["y"].to_numpy(), variance, rest
