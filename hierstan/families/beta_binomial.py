"""Successes in trials whose rate varies from row to row: by day, batch or cluster."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.families import raw
from hierstan.families.binomial import log_odds, rates
from hierstan.families.family import NOTHING, Draws, Family, Role
from hierstan.families.links import expit, p_times_q
from hierstan.priors import Prior


class BetaBinomial(Family):
    """``y ~ binomial(trials, rate)``, ``rate ~ beta(phi p, phi (1 - p))``.

    A row of n trials varies ``1 + (n - 1) / (phi + 1)`` times as much as a binomial one.
    """

    name = "beta_binomial"
    link = "logit"
    words = "successes in trials that vary more than binomial: beta-binomial, logit link"
    distribution = "beta-binomial"
    columns = {"y": "int", "trials": "int"}
    takes = {"counts": {"successes": Role("y", "count"), "trials": Role("trials", "trials")}}
    observation = {"y": 1, "trials": 1}
    size = ("trials",)
    unit = "trials"
    predicted_size = "trials"
    per = "trials"
    parameters = ("phi",)
    within = "phi"
    natural = True
    mean_words = "rate"
    shares = True
    curved = True
    known = True
    bounded = True

    def location_scale(self, cells: pd.DataFrame) -> tuple[float, float]:
        """Log-odds of the overall rate, with half a success and half a failure added; scale 1."""
        return log_odds(cells), 1.0

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return the prior of the concentration of rates, which is wide: 90 % in 5.5 to 4,000."""
        return {"phi": priors.LogNormal(5, 2)}

    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return successes, trials and rates."""
        return rates(cells, J, "successes", "trials", "rate")

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Rates, with the overdispersion of all groups together by moments.

        The ``n`` of a group is its number of binomial trials that would say as much.
        """
        y, n = raw.summed(cells, cells["y"], J), raw.summed(cells, cells["trials"], J)
        smoothed = (y + 0.5) / (n + 1)
        excess = _excess(cells, smoothed)
        size = cells["trials"].to_numpy(float)
        inflated = raw.summed(cells, size * (1 + (size - 1) * excess), J) / n
        worth = raw.summed(cells, size / (1 + (size - 1) * excess), J)
        link_se = np.sqrt((1 / (y + 0.5) + 1 / (n - y + 0.5)) * n / worth)
        raw_se = np.sqrt(smoothed * (1 - smoothed) * inflated / n)
        return raw.table(worth, y / n, raw_se, np.log((y + 0.5) / (n - y + 0.5)), link_se)

    def weights(self, cells: pd.DataFrame, J: int) -> np.ndarray:
        """Return the trials of a row and the number of such rows, in a few sizes, (J, K, 2)."""
        return raw.in_few_sizes(cells, cells["trials"], np.ones(len(cells)), J)

    def log_lik(self, cells: Draws, theta: np.ndarray, own: Draws = NOTHING) -> np.ndarray:
        """Return the logarithms of beta-binomial probabilities at log-odds."""
        from scipy.special import gammaln

        y, n, phi = cells["y"], cells["trials"], own["phi"]
        ways = gammaln(n + 1) - gammaln(y + 1) - gammaln(n - y + 1)
        a, b = phi * expit(theta), phi * expit(-theta)
        seen = gammaln(a + y) - gammaln(a) + gammaln(b + n - y) - gammaln(b)
        return np.asarray(ways + seen - gammaln(phi + n) + gammaln(phi))

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """``p q`` times the sum of ``n (phi + 1) / (phi + n)`` over rows of n trials.

        That of the best linear estimate: what the variances of the rows say.
        """
        phi = own["phi"]
        worth = raw.over_sizes(weights, lambda size: size * (phi + 1) / (phi + size))
        return np.asarray(worth * p_times_q(theta))

    def information_near(self, raw: Draws, theta: np.ndarray) -> np.ndarray:
        """Return the same, at the moments' overdispersion."""
        return raw["n"] * p_times_q(theta)


def _excess(cells: pd.DataFrame, rate: np.ndarray) -> float:
    """Return by moments what each further trial adds to the variance of a row, in binomial ones."""
    size, p = cells["trials"].to_numpy(float), rate[cells["group"]]
    freedom = len(cells) - cells["group"].nunique()
    if freedom == 0 or size.max() == 1:
        return 0.0
    chi2 = float(((cells["y"].to_numpy() - size * p) ** 2 / (size * p * (1 - p))).sum())
    return float(np.clip((chi2 / freedom - 1) / (size - 1).mean(), 0.0, 1.0))
