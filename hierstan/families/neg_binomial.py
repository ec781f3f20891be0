"""Counts that vary more than Poisson."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.families import collapse, raw
from hierstan.families.collapse import Frame
from hierstan.families.family import NOTHING, Draws, Family, Role
from hierstan.families.links import log1p_exp
from hierstan.priors import Prior


class NegBinomial(Family):
    """``y ~ neg_binomial_2_log(theta + log(exposure), phi)``; rows that are equal are told once."""

    name = "neg_binomial"
    link = "log"
    words = "counts that vary more than Poisson: negative binomial, log link"
    columns = {"y": "int", "weight": "real", "exposure": "real"}
    takes = {
        "rows": {"outcome": Role("y", "count")},
        "events": {
            "events": Role("y", "count"),
            "exposure": Role("exposure", "positive", optional=True),
        },
    }
    observation = {"y": 1, "weight": 1, "exposure": 1}
    size = ("weight",)
    predicted_size = "exposure"
    per = "exposure"
    collapses = True
    parameters: ClassVar[tuple[str, ...]] = ("phi",)
    within = "phi"
    natural = True
    curved = True
    known = True
    power_of_mean = "phi"
    checks = {
        "zeros": ("zero_inflated_neg_binomial|zero_inflated_poisson",),
        "lump": ("zero_inflated_neg_binomial|zero_inflated_poisson",),
    }

    def location_scale(self, cells: pd.DataFrame) -> tuple[float, float]:
        """Log of the overall rate, with half an event added; scale 1."""
        y, exposure, weight = (cells[name].to_numpy() for name in ("y", "exposure", "weight"))
        return float(np.log(((y * weight).sum() + 0.5) / (exposure * weight).sum())), 1.0

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return the prior of the dispersion."""
        return {"phi": priors.LogNormal(1, 1.5)}

    def collapse(self, frame: Frame) -> Frame:
        """Different counts of each group, and how often each occurs."""
        return collapse.values(frame)

    def finished(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Name them as the Stan program does."""
        named = raw.rename(columns={"count": "weight"}).assign(exposure=1.0)
        return self.typed(named.sort_values(["group", "y"]))

    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return means and sample standard deviations; of exposures, events and rates."""
        n, exposure, rate, _, squares = _moments(cells, J)
        if (cells["exposure"] == 1).all():
            return pd.DataFrame({"mean": rate, "sd": raw.sample_sd(squares, n)})
        events = np.round(rate * exposure).astype(np.int64)
        return pd.DataFrame({"events": events, "exposure": exposure, "rate": rate})

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Rates, with the overdispersion (in 1/phi) of all groups together by moments."""
        n, exposure, rate, square, squares = _moments(cells, J)
        excess = 0.0
        if (n > 1).any() and rate.sum() > 0:
            beyond = squares.sum() - (exposure * rate).sum()
            excess = max(0.0, float(beyond / (square * rate**2).sum()))
        smoothed = rate + 0.5 / exposure
        shared = excess * square / exposure**2  # of the relative variance
        link_se = np.sqrt(1 / (exposure * smoothed) + shared)
        raw_se = np.sqrt(rate / exposure + shared * rate**2)
        table = raw.table(n, rate, raw_se, np.log(smoothed), link_se)
        return table.assign(exposure=exposure)

    def weights(self, cells: pd.DataFrame, J: int) -> np.ndarray:
        """Return the exposure of a row and the number of such rows, in a few sizes, (J, K, 2)."""
        return raw.in_few_sizes(cells, cells["exposure"], cells["weight"], J)

    def log_lik(self, cells: Draws, theta: np.ndarray, own: Draws = NOTHING) -> np.ndarray:
        """Return the log probabilities of the rows behind each cell."""
        return np.asarray(cells["weight"] * log_probability(cells, theta, own["phi"]))

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """Sum of ``1 / (1 / (exposure * exp(theta)) + 1 / phi)`` over rows."""
        return raw.over_sizes(
            weights, lambda exposure: 1 / (np.exp(-theta) / exposure + 1 / own["phi"])
        )

    def information_near(self, raw: Draws, theta: np.ndarray) -> np.ndarray:
        """Return the same, at the moments' overdispersion."""
        shared = raw["link_se"] ** 2 - np.exp(-raw["link"]) / raw["exposure"]
        return 1 / (np.exp(-theta) / raw["exposure"] + np.maximum(shared, 0))


def log_probability(cells: Draws, theta: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """Return the log negative binomial probability of one row of each cell."""
    from scipy.special import gammaln

    y = cells["y"]
    log_odds = theta + np.log(cells["exposure"]) - np.log(phi)
    ways = gammaln(y + phi) - gammaln(phi) - gammaln(y + 1)
    return np.asarray(ways + y * log_odds - (y + phi) * log1p_exp(log_odds))


def _moments(cells: pd.DataFrame, J: int) -> tuple[np.ndarray, ...]:
    """Return rows, exposures, rates, squared exposures and squared deviations, (J,) each."""
    n, size = cells["weight"], cells["exposure"]
    rows, exposure, square = (raw.summed(cells, n * size**power, J) for power in (0, 1, 2))
    rate = raw.summed(cells, n * cells["y"], J) / exposure
    off = cells["y"] - rate[cells["group"]] * size
    return rows, exposure, rate, square, raw.summed(cells, n * off**2, J)
