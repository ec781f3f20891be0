"""Success or failure in each row."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.families import collapse
from hierstan.families.binomial import Binomial
from hierstan.families.collapse import Frame
from hierstan.families.family import NOTHING, Draws, Role


class Bernoulli(Binomial):
    """``y ~ bernoulli_logit(theta)``, rows of a group added up."""

    name = "bernoulli"
    words = "success or failure in each row: Bernoulli, logit link"
    takes = {"rows": {"outcome": Role("y", "binary")}}
    unit = "rows"
    collapses = True

    def log_lik(self, cells: Draws, theta: np.ndarray, own: Draws = NOTHING) -> np.ndarray:
        """Return the log probabilities of the rows behind each cell."""
        return self.log_kernel(cells["y"], cells["trials"], theta)

    def collapse(self, frame: Frame) -> Frame:
        """Successes and rows of each group."""
        return collapse.sums(frame)

    def finished(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Name them as the Stan program does."""
        return super().finished(raw.rename(columns={"count": "trials"}))
