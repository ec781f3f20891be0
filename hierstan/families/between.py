"""How far groups differ by their own estimates, for default priors."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd


class Estimating(Protocol):
    """A family, for what is asked of it here."""

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Estimate every group alone."""


def between_groups(family: Estimating, cells: pd.DataFrame) -> tuple[float, float, float]:
    """Return the scale of differences between groups, the widest one, and a factor for few groups.

    The first is the larger of the standard deviation of the groups' own estimates and their median
    standard error, the second the larger of that and their largest standard error.
    """
    link, se = _own_estimates(family, cells)
    J = len(link)
    between = max(float(np.std(link, ddof=1)) if J > 1 else 0.0, float(np.median(se)))
    return between, max(between, float(se.max())), (J + 2) / max(J - 1, 1)


def far_apart(family: Estimating, cells: pd.DataFrame) -> float:
    """Return how far groups differ beyond any chance, times the same factor for few groups.

    From the variance of their own estimates, less twice what chance adds to it.
    """
    link, se = _own_estimates(family, cells)
    J = len(link)
    if J < 2:
        return 0.0
    beyond = float(np.var(link, ddof=1) - 2 * np.mean(se**2))
    return float(np.sqrt(max(0.0, beyond))) * (J + 2) / (J - 1)


# internals ------------------------------------------------------------------------------------


def _own_estimates(family: Estimating, cells: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the groups' own estimates on the link scale and their finite standard errors."""
    group = cells["group"].to_numpy()
    there = np.bincount(group).astype(bool)
    J = int(there.sum())
    numbered = cells if len(there) == J else cells.assign(group=np.cumsum(there)[group] - 1)
    raw = family.raw_estimates(numbered, J)
    link, se = raw["link"].to_numpy(), raw["link_se"].to_numpy()
    known = np.isfinite(se)
    return link[known], se[known]
