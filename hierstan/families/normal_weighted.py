"""Rows of unequal weight: means of many claims beside means of few."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.families import collapse, raw
from hierstan.families.collapse import Frame
from hierstan.families.family import Draws, Role
from hierstan.families.normal import Normal


class NormalWeighted(Normal):
    """``y ~ normal(theta, sigma / sqrt(weight))``, with weights known."""

    name = "normal_weighted"
    words = "normal with variance sigma^2 / weight, identity link"
    distribution = "normal"
    columns = {
        "y": "real",
        "count": "real",
        "squares": "real",
        "weight": "real",
        "sum_log_weight": "real",
    }
    takes = {"weighted": {"outcome": Role("y", "real"), "weights": Role("weight", "positive")}}
    observation = {"y": 1, "count": 1, "squares": 0, "weight": 1, "sum_log_weight": 0}
    size = ("weight",)
    unit = "weights"
    predicted_size = "weight"
    mean_words = "weighted mean"
    checks = {}

    def location_scale(self, cells: pd.DataFrame) -> tuple[float, float]:
        """Weighted mean, and standard deviation of a row of weight 1."""
        count, _, mean, squares = _moments(cells.assign(group=0), 1)
        scale = float(np.sqrt(squares[0] / max(count[0] - 1, 1)))
        return float(mean[0]), scale if scale > 0 else max(abs(float(mean[0])), 1.0)

    def collapse(self, frame: Frame) -> Frame:
        """Count, weighted mean and weighted squared deviations of the rows of each group."""
        return collapse.weighted_moments(frame)

    def finished(self, found: pd.DataFrame) -> pd.DataFrame:
        """Return the family's columns, in order."""
        return self.typed(raw.not_negative(found.sort_values("group")))

    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return weighted means, weights, and standard deviations of a row of weight 1."""
        count, weight, mean, squares = _moments(cells, J)
        return pd.DataFrame({"mean": mean, "weight": weight, "sd": raw.sample_sd(squares, count)})

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Weighted means; their standard errors from the standard deviation within all groups."""
        count, weight, mean, squares = _moments(cells, J)
        overall = np.average(mean, weights=weight)
        alike = overall + np.sqrt(weight) * (mean - overall)  # in units of a row of weight 1
        se = raw.pooled_sd(count, squares, alike) / np.sqrt(weight)
        return raw.table(count, mean, se, mean, se)

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """``weight / sigma^2``, with the weights of a group added up."""
        return weights / own["sigma"] ** 2

    def as_normal(
        self, cells: pd.DataFrame, own: Draws
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return weighted means, of which `weight` stands behind each."""
        count, squares, weight, logs = (
            cells[name].to_numpy() for name in ("count", "squares", "weight", "sum_log_weight")
        )
        sigma = own["sigma"]
        rest = 0.5 * logs - (count - 1) * (np.log(sigma) + 0.5 * np.log(2 * np.pi))
        return cells["y"].to_numpy(), sigma**2 / weight, rest - squares / (2 * sigma**2)


def _moments(cells: pd.DataFrame, J: int) -> tuple[np.ndarray, ...]:
    """Return rows, weights, weighted means and weighted squared deviations, (J,) each."""
    y, origin = cells["y"].to_numpy(), float(cells["y"].iloc[0])
    count, weight = (raw.summed(cells, cells[name], J) for name in ("count", "weight"))
    mean = origin + raw.summed(cells, cells["weight"] * (y - origin), J) / weight
    between = cells["weight"] * (y - mean[cells["group"]]) ** 2
    return count, weight, mean, raw.summed(cells, cells["squares"] + between, J)
