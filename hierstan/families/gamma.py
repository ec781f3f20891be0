"""Amounts that are gamma around their group's mean."""

from __future__ import annotations

import narwhals as nw
import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.families import collapse, raw
from hierstan.families.collapse import Frame
from hierstan.families.family import NOTHING, Draws, Family, Role
from hierstan.priors import Prior


class Gamma(Family):
    """``y ~ gamma(shape, shape / exp(theta))``."""

    name = "gamma"
    link = "log"
    words = "amounts above 0: gamma, log link"
    columns = {"y": "real", "count": "real", "mean_log": "real"}
    takes = {"rows": {"outcome": Role("y", "positive")}}
    observation = {"y": 1, "count": 1, "mean_log": 0}
    size = ("count",)
    collapses = True
    parameters = ("shape",)
    within = "shape"
    unbounded = "no variation"
    natural = True
    curved = True
    known = True
    positive = True
    additive = True
    power_of_mean = "shape"
    checks = {"skew": ("lognormal",), "tails": ("lognormal",), "unequal": ("lognormal",)}

    def location_scale(self, cells: pd.DataFrame) -> tuple[float, float]:
        """Log of the overall mean; scale 1."""
        y, count = cells["y"].to_numpy(), cells["count"].to_numpy()
        return float(np.log((y * count).sum() / count.sum())), 1.0

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return the prior of the shape."""
        return {"shape": priors.LogNormal(1, 1.5)}

    def collapse(self, frame: Frame) -> Frame:
        """Count, mean and mean logarithm of each group."""
        y = nw.col("y").cast(nw.Float64)
        return collapse.moments(frame, y=y, log_y=y.log())

    def finished(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Name them as the Stan program does."""
        return super().finished(raw.rename(columns={"mean_y": "y", "mean_log_y": "mean_log"}))

    def single(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Write rows as cells, each its own mean."""
        if "mean_log" not in rows:
            rows = rows.assign(mean_log=np.log(rows["y"].to_numpy(dtype=float)))
        return super().single(rows)

    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return means and mean logarithms."""
        _, mean, mean_log = _means(cells, J)
        return pd.DataFrame({"mean": mean, "mean_log": mean_log})

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Means; the common shape from the mean gap between log mean and mean log (Minka 2002)."""
        n, mean, mean_log = _means(cells, J)
        several = n > 1
        gap = float(((np.log(mean) - mean_log) * n)[several].sum() / max((n - 1)[several].sum(), 1))
        if gap <= 0:
            gap = 0.5
        shape = _shape(gap)
        link_se = 1 / np.sqrt(shape * n)
        return raw.table(n, mean, mean * link_se, np.log(mean), link_se)

    def log_lik(self, cells: Draws, theta: np.ndarray, own: Draws = NOTHING) -> np.ndarray:
        """Return the log densities of the rows behind each cell."""
        from scipy.special import gammaln

        shape = own["shape"]
        each = np.exp(np.minimum(-theta, 300)) * cells["y"]
        each += theta
        each = -shape * each  # then in place: these are large
        each += (shape - 1) * cells["mean_log"]
        each += shape * np.log(shape) - gammaln(shape)
        each *= cells["count"]
        return np.asarray(each)

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """``n * shape``."""
        return weights * own["shape"]

    def best_log_lik(self, cells: pd.DataFrame) -> float:
        """Return it at the means, and the shape of `raw_estimates`."""
        from scipy.special import gammaln

        count, y, logs = (cells[name].to_numpy() for name in ("count", "y", "mean_log"))
        gap = float((count * (np.log(y) - logs)).sum() / count.sum())
        if gap <= 0:
            return np.inf
        shape = _shape(gap)
        each = shape * (np.log(shape) - np.log(y) - 1) - gammaln(shape) + (shape - 1) * logs
        return float((count * each).sum())

    def totals(
        self, rng: np.random.Generator, rows: np.ndarray, means: np.ndarray, own: Draws
    ) -> np.ndarray:
        """Draw from the gamma distribution with so many times the shape."""
        return rng.gamma(own["shape"] * rows) / own["shape"] * means


def _means(cells: pd.DataFrame, J: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, means and mean logarithms of groups of one or several cells, (J,) each."""
    n = raw.summed(cells, cells["count"], J)
    mean, mean_log = (
        raw.summed(cells, cells["count"] * cells[name], J) / n for name in ("y", "mean_log")
    )
    return n, mean, mean_log


def _shape(gap: float) -> float:
    """Return the likeliest shape where the log of the mean exceeds the mean log by so much."""
    return float((3 - gap + np.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap))
