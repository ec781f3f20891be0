"""Success or failure in each row."""

from __future__ import annotations

import pandas as pd

from hierstan.families import collapse
from hierstan.families.binomial import Binomial
from hierstan.families.collapse import Frame
from hierstan.families.family import Role


class Bernoulli(Binomial):
    """``y ~ bernoulli_logit(theta)``, rows of a group added up."""

    name = "bernoulli"
    words = "success or failure in each row: Bernoulli, logit link"
    takes = {"rows": {"outcome": Role("y", "binary")}}
    unit = "rows"
    collapses = True

    def collapse(self, frame: Frame) -> Frame:
        """Successes and rows of each group."""
        return collapse.sums(frame)

    def finished(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Name them as the Stan program does."""
        return super().finished(raw.rename(columns={"count": "trials"}))
