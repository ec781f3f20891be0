"""Events over an exposure."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.families import collapse, raw
from hierstan.families.collapse import Frame
from hierstan.families.family import NOTHING, Draws, Family, Role


class Poisson(Family):
    """``y ~ poisson_log(theta + log(exposure))``."""

    name = "poisson"
    link = "log"
    words = "events over an exposure: Poisson, log link"
    columns = {"y": "int", "exposure": "real"}
    takes = {
        "events": {
            "events": Role("y", "count"),
            "exposure": Role("exposure", "positive", optional=True),
        },
        "rows": {"outcome": Role("y", "count")},
    }
    observation = {"y": 1, "exposure": 1}
    size = ("exposure",)
    unit = "exposure"
    predicted_size = "exposure"
    per = "exposure"
    collapses = True
    natural = True
    mean_words = "rate"
    known = True
    one_parameter = True
    curved = True
    checks = {
        "dispersion": ("neg_binomial",),
        "zeros": ("zero_inflated_poisson", "zero_inflated_neg_binomial", "neg_binomial"),
    }

    def location_scale(self, cells: pd.DataFrame) -> tuple[float, float]:
        """Log of the overall rate, with half an event added; scale 1."""
        rate = (float(cells["y"].sum()) + 0.5) / float(cells["exposure"].sum())
        return float(np.log(rate)), 1.0

    def collapse(self, frame: Frame) -> Frame:
        """Events and rows of each group."""
        return collapse.sums(frame)

    def finished(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Name them as the Stan program does."""
        return super().finished(raw.rename(columns={"count": "exposure"}))

    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return events, exposures and rates."""
        y, exposure = (raw.summed(cells, cells[name], J) for name in ("y", "exposure"))
        events = y.astype(np.int64)
        return pd.DataFrame({"events": events, "exposure": exposure, "rate": y / exposure})

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Rates; their logs with half an event added."""
        y, exposure = (raw.summed(cells, cells[name], J) for name in ("y", "exposure"))
        return raw.table(
            raw.summed(cells, np.ones(len(cells)), J),
            y / exposure,
            np.sqrt(y + 0.5) / exposure,
            np.log((y + 0.5) / exposure),
            1 / np.sqrt(y + 0.5),
        )

    def log_lik(self, cells: Draws, theta: np.ndarray, own: Draws = NOTHING) -> np.ndarray:
        """Return the logarithms of Poisson probabilities at log-rates."""
        return self.log_kernel(cells["y"], cells["exposure"], theta) + self.log_ways(cells)

    def log_ways(self, cells: pd.DataFrame | Draws) -> np.ndarray:
        """Return it: events of several rows are fewer ways to have their sum than all there are."""
        from scipy.special import gammaln

        y, exposure = (np.asarray(cells[name], dtype=float) for name in ("y", "exposure"))
        return np.asarray(y * np.log(exposure) - gammaln(y + 1))

    def log_kernel(self, total: np.ndarray, weight: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Return the log probabilities at log-rates."""
        log_mean = np.minimum(theta + np.log(weight), 700)
        return np.asarray(total * theta - np.exp(log_mean))

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """``exposure * exp(theta)``: the expected number of events."""
        return weights * np.exp(theta)

    def information_near(self, raw: Draws, theta: np.ndarray) -> np.ndarray:
        """Return the same, from the number of events there were."""
        return np.exp(theta - raw["link"]) * raw["link_se"] ** -2.0
