"""Successes in a number of trials."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.families import raw
from hierstan.families.family import NOTHING, Draws, Family, Role
from hierstan.families.links import p_times_q


class Binomial(Family):
    """``y ~ binomial_logit(trials, theta)``."""

    name = "binomial"
    link = "logit"
    words = "successes in trials: binomial, logit link"
    columns = {"y": "int", "trials": "int"}
    takes = {"counts": {"successes": Role("y", "count"), "trials": Role("trials", "trials")}}
    observation = {"y": 1, "trials": 1}
    size = ("trials",)
    unit = "trials"
    predicted_size = "trials"
    per = "trials"
    natural = True
    mean_words = "rate"
    shares = True
    known = True
    one_parameter = True
    curved = True
    bounded = True
    checks = {"dispersion": ("beta_binomial",)}

    def location_scale(self, cells: pd.DataFrame) -> tuple[float, float]:
        """Log-odds of the overall rate, with half a success and half a failure added; scale 1."""
        return log_odds(cells), 1.0

    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return successes, trials and rates."""
        return rates(cells, J, "successes", "trials", "rate")

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Rates."""
        return raw_rates(cells, J)

    def log_lik(self, cells: Draws, theta: np.ndarray, own: Draws = NOTHING) -> np.ndarray:
        """Return the logarithms of binomial probabilities at log-odds."""
        from scipy.special import gammaln

        y, n = cells["y"], cells["trials"]
        ways = gammaln(n + 1) - gammaln(y + 1) - gammaln(n - y + 1)
        return np.asarray(ways + self.log_kernel(y, n, theta))

    def log_kernel(self, total: np.ndarray, weight: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Return the log probability of successes and failures in the order they came in."""
        size = np.abs(theta)  # against the likelier outcome, so that nothing large is subtracted
        unlikely = np.where(theta < 0, total, weight - total) * size
        return np.asarray(-unlikely - weight * np.log1p(np.exp(-size)))

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """``n p (1 - p)``, with ``p = inv_logit(theta)``."""
        return weights * p_times_q(theta)

    def information_near(self, raw: Draws, theta: np.ndarray) -> np.ndarray:
        """Return the same, not far from the raw estimates."""
        return raw["n"] * p_times_q(theta)


def log_odds(cells: pd.DataFrame) -> float:
    """Log-odds of the overall rate, with half a success and half a failure added."""
    successes = float(cells["y"].sum()) + 0.5
    return float(np.log(successes / (float(cells["trials"].sum()) + 1 - successes)))


def rates(cells: pd.DataFrame, J: int, y_name: str, of_name: str, rate: str) -> pd.DataFrame:
    """Return successes, trials and rates of each group, under the names given."""
    y, n = (raw.summed(cells, cells[name], J) for name in ("y", "trials"))
    return pd.DataFrame({y_name: y.astype(np.int64), of_name: n.astype(np.int64), rate: y / n})


def raw_rates(cells: pd.DataFrame, J: int) -> pd.DataFrame:
    """Rates; log-odds with half a success and half a failure added."""
    y, n = raw.summed(cells, cells["y"], J), raw.summed(cells, cells["trials"], J)
    rate = y / n
    link = np.log((y + 0.5) / (n - y + 0.5))
    link_se = np.sqrt(1 / (y + 0.5) + 1 / (n - y + 0.5))
    smoothed = (y + 0.5) / (n + 1)
    return raw.table(n, rate, np.sqrt(smoothed * (1 - smoothed) / n), link, link_se)
