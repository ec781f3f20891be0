"""Counts that vary more than Poisson."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.families import collapse, raw
from hierstan.families.collapse import Frame
from hierstan.families.family import Draws, Family, Role
from hierstan.priors import Prior


class NegBinomial(Family):
    """``y ~ neg_binomial_2_log(theta, phi)``, equal counts of a group told once."""

    name = "neg_binomial"
    link = "log"
    words = "counts that vary more than Poisson: negative binomial, log link"
    columns = {"y": "int", "weight": "real"}
    takes = {"rows": {"outcome": Role("y", "count")}}
    observation = {"y": 1, "weight": 1}
    size = ("weight",)
    collapses = True
    parameters = ("phi",)
    within = "phi"
    natural = True
    curved = True
    power_of_mean = "phi"
    checks = {"zeros": ("zero_inflated_neg_binomial", "zero_inflated_poisson")}

    def location_scale(self, cells: pd.DataFrame) -> tuple[float, float]:
        """Log of the overall mean count, with half an event added; scale 1."""
        total = float((cells["y"] * cells["weight"]).sum()) + 0.5
        return float(np.log(total / float(cells["weight"].sum()))), 1.0

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return the prior of the dispersion."""
        return {"phi": priors.LogNormal(1, 1.5)}

    def collapse(self, frame: Frame) -> Frame:
        """Different counts of each group, and how often each occurs."""
        return collapse.values(frame)

    def finished(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Name them as the Stan program does."""
        return self.typed(raw.rename(columns={"count": "weight"}).sort_values(["group", "y"]))

    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return means and sample standard deviations."""
        n, mean, squares = _moments(cells, J)
        return pd.DataFrame({"mean": mean, "sd": raw.sample_sd(squares, n)})

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Mean counts, with the overdispersion (in 1/phi) of all groups together by moments."""
        n, mean, squares = _moments(cells, J)
        freedom = (n - 1).sum()
        excess = 0.0
        if freedom > 0 and mean.sum() > 0:
            excess = max(0.0, float((squares.sum() - (n * mean).sum()) / (n * mean**2).sum()))
        smoothed = mean + 0.5 / n
        link_se = np.sqrt((1 / smoothed + excess) / n)
        raw_se = np.sqrt((mean + excess * mean**2) / n)
        return raw.table(n, mean, raw_se, np.log(smoothed), link_se)

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """``n / (1 / exp(theta) + 1 / phi)``."""
        return weights / (np.exp(-theta) + 1 / own["phi"])

    def information_near(self, raw: Draws, theta: np.ndarray) -> np.ndarray:
        """Return the same, at the moments' overdispersion."""
        n = raw["n"]
        return n / (np.exp(-theta) + n * raw["link_se"] ** 2 - np.exp(-raw["link"]))


def _moments(cells: pd.DataFrame, J: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the groups' counts, means and sums of squared deviations, (J,) each."""
    n = raw.summed(cells, cells["weight"], J)
    mean = raw.summed(cells, cells["weight"] * cells["y"], J) / n
    squares = raw.summed(cells, cells["weight"] * (cells["y"] - mean[cells["group"]]) ** 2, J)
    return n, mean, squares
