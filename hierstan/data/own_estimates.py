"""Each group on its own: its raw estimate and sampling variance, without the other groups."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.families.treatment import Treatment

STEPS, PRECISE, TINY = 200, 1e-13, 1e-300  # of Newton's method; it doubles a far too small start


def raw_estimates(data: GroupedData) -> pd.DataFrame:
    """Estimate every group from its own data alone.

    Parameters
    ----------
    data : GroupedData

    Returns
    -------
    pandas.DataFrame
        One line per group, in the order of ``data.groups``: ``n`` (rows), ``raw`` and ``raw_se`` on
        the response scale, ``link`` and ``link_se`` on the link scale. Counts get half a success,
        failure or event added on the link scale and in the standard errors, so that groups without
        any have a finite estimate and an error above 0 (Gart and Zweifel 1967,
        doi:10.1093/biomet/54.1-2.181). ``link_se`` is the inverse root of the Fisher information;
        where the family has a standard deviation or dispersion of its own,
        that is estimated from all groups together. A group that says nothing has no ``raw``, and
        0 with an infinite error on the link scale.

    Examples
    --------
    >>> import hierstan as hs
    >>> frame = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    >>> from hierstan.data.own_estimates import raw_estimates
    >>> print(raw_estimates(data).loc["A", ["raw", "raw_se"]].tolist())
    [28.0, 15.0]
    """
    family = FAMILIES[data.family]
    table = family.raw_estimates(data.cells, len(data.groups))
    if family.scored:
        table = family.on_scores(table, data.scores)
    table.index = data.groups
    return table


def raw_arms(data: GroupedData) -> dict[str, pd.DataFrame]:
    """Estimate both arms of every group alone, ``"control"`` and ``"treatment"``.

    An arm that a group lacks has an infinite ``link_se``.
    """
    family = FAMILIES[data.family]
    assert isinstance(family, Treatment)
    arms = family.raw_arms(data.cells, len(data.groups))
    for table in arms.values() if family.scored else ():
        there = np.isfinite(table["link_se"])
        found = family.base.on_scores(table[there], data.scores)
        table[["raw", "raw_se"]] = found[["raw", "raw_se"]].reindex(table.index)
    return arms


def shown_estimates(data: GroupedData, scale: str) -> pd.DataFrame:
    """Return ``raw`` and ``raw_se`` on a scale, "response" or "link", missing where there is none.

    Parameters
    ----------
    data : GroupedData
    scale : {"response", "link"}
    """
    table = raw_estimates(data)
    columns = ["link", "link_se"] if scale == "link" else ["raw", "raw_se"]
    found = table[columns].set_axis(["raw", "raw_se"], axis=1)
    return found.assign(raw=found["raw"].where(table["raw"].notna()))


def between_variance(raw: pd.DataFrame, design: np.ndarray, target: float) -> float:
    """Return the variance between groups at which their weighted sum of squares equals `target`.

    Parameters
    ----------
    raw : pandas.DataFrame
        From `raw_estimates`, J groups.
    design : numpy.ndarray
        Of the data, (J, 1 + K): squares are taken around the weighted regression on it, without
        predictors around the weighted mean.
    target : float
        ``J - K - 1`` gives the estimate of Paule and Mandel (1982); quantiles of the chi-squared
        distribution with as many degrees of freedom give the limits of the Q-profile interval
        (Viechtbauer 2007, doi:10.1002/sim.2514).

    Returns
    -------
    float
        On the link scale; 0 where even without any variance between groups the sum is smaller.
    """
    link, variance = raw["link"].to_numpy(), raw["link_se"].to_numpy() ** 2

    tau2 = 0.0
    for _ in range(STEPS):  # Newton never oversteps: the sum is convex in tau2 and falls
        weights = 1 / (variance + tau2)
        rest = link - design @ regression(link, design, weights)
        squares = weights * rest**2
        excess = float(squares.sum()) - target
        step = excess / max(float(weights @ squares), TINY)
        if excess <= 0 or step <= PRECISE * tau2:
            break
        tau2 += step
    return tau2


def regression(link: np.ndarray, design: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the coefficients of the weighted least squares regression on a design, (1 + K,)."""
    root = np.sqrt(weights)[:, None]
    return np.linalg.lstsq(root * design, root[:, 0] * link, rcond=None)[0]


def group_sizes(data: GroupedData) -> np.ndarray:
    """Return how much data each group has, (J,), in the family's unit."""
    return FAMILIES[data.family].sizes(data.cells, len(data.groups))
