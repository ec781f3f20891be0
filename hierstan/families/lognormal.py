"""Amounts whose logarithms are normal around their group's."""

from __future__ import annotations

import narwhals as nw
import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.families import collapse, raw
from hierstan.families.collapse import Frame
from hierstan.families.family import Draws, Family, Role
from hierstan.priors import Prior


class Lognormal(Family):
    """``y ~ lognormal(theta, sigma)``; `y` of a cell is the geometric mean of its rows."""

    name = "lognormal"
    link = "log"
    words = "amounts above 0: lognormal, log link"
    columns = {"y": "real", "count": "real", "squares": "real"}
    takes = {"rows": {"outcome": Role("y", "positive")}}
    observation = {"y": 1, "count": 1, "squares": 0}
    size = ("count",)
    collapses = True
    parameters = ("sigma",)
    within = "sigma"
    unbounded = "no variation"
    gaussian = True
    marginal = True
    mean_words = "median"
    medians = True
    positive = True
    checks = {"below": ("gamma",), "tails": (), "unequal": ()}

    def location_scale(self, cells: pd.DataFrame) -> tuple[float, float]:
        """Mean and standard deviation of the logarithms of all rows."""
        return raw.of_rows(np.log(cells["y"]), cells["count"], cells["squares"])

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return the prior of the standard deviation of logarithms within groups."""
        return {"sigma": priors.HalfNormal(scale)}

    def collapse(self, frame: Frame) -> Frame:
        """Count, mean and squared deviations of the logarithms of each group."""
        return collapse.moments(frame, log_y=nw.col("y").cast(nw.Float64).log())

    def finished(self, found: pd.DataFrame) -> pd.DataFrame:
        """Name them as the Stan program does."""
        cells = raw.not_negative(found.rename(columns={"squares_log_y": "squares"}))
        cells["y"] = np.exp(cells["mean_log_y"].to_numpy(dtype=float))
        return super().finished(cells)

    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return means and sample standard deviations of the logarithms."""
        count, mean_log, squares = raw.moments(cells, np.log(cells["y"]), J)
        sd = raw.sample_sd(squares, count)
        return pd.DataFrame({"mean_log": mean_log, "sd_log": sd})

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Geometric means; standard errors from the deviation within all groups."""
        count, mean_log, squares = raw.moments(cells, np.log(cells["y"]), J)
        se = raw.pooled_sd(count, squares, mean_log) / np.sqrt(count)
        median = np.exp(mean_log)
        return raw.table(count, median, median * se, mean_log, se)

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """``n / sigma^2``."""
        return weights / own["sigma"] ** 2

    def best_log_lik(self, cells: pd.DataFrame) -> float:
        """Return it at the geometric means, and the standard deviation within cells."""
        count, N = cells["count"].to_numpy(), cells["count"].sum()
        with np.errstate(divide="ignore"):
            log_variance = np.log(cells["squares"].sum() / N)
        logs = (count * np.log(cells["y"].to_numpy())).sum()
        return float(-0.5 * N * (np.log(2 * np.pi) + log_variance + 1) - logs)

    def mean_offset(self, own: Draws) -> np.ndarray:
        """``sigma^2 / 2``."""
        return own["sigma"] ** 2 / 2

    def totals(
        self, rng: np.random.Generator, rows: np.ndarray, means: np.ndarray, own: Draws
    ) -> np.ndarray:
        """Draw each amount, and add them up."""
        factors = [
            np.bincount(
                np.repeat(np.arange(len(n)), n), rng.lognormal(-(s**2) / 2, s, n.sum()), len(n)
            )
            for n, s in zip(rows, own["sigma"][:, 0], strict=True)
        ]
        return np.asarray(factors) * means

    def as_normal(
        self, cells: pd.DataFrame, own: Draws
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the logarithm of the geometric mean."""
        log_y = np.log(cells["y"].to_numpy())
        variance, rest = raw.as_normal(cells, own["sigma"])
        return log_y, variance, rest - cells["count"].to_numpy() * log_y
