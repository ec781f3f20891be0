"""Ranks of the groups: how sure one can be of a league table.

Rank 1 is best. Groups that are exactly equal at a draw share the ranks they occupy evenly.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.answers.decisions import losses
from hierstan.answers.decisions.worth import values_of
from hierstan.errors import HierstanError
from hierstan.fit import group_summaries
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.two_part import TwoPartFit
from hierstan.text.answer import answer
from hierstan.text.tables import percent

MAX_SQUARE = 500  # groups: above, a table of all ranks of all groups is no use to anyone


def rank_probabilities(
    fit: Fit | TwoPartFit,
    *,
    top: int | None = None,
    scale: str = "response",
    larger_is_better: bool = True,
) -> pd.DataFrame:
    """Probability of every rank, for every group.

    Parameters
    ----------
    fit : Fit or TwoPartFit
    top : int, optional
        Only the ranks 1 to `top`. Needed for more than 500 groups.
    scale : {"response", "link", "mean"}
        Makes no difference: the order of the groups is the same on each.
    larger_is_better : bool

    Returns
    -------
    pandas.DataFrame
        Groups by label times ranks; rank 1 is best. Each rank's probabilities add up to 1.

    Raises
    ------
    HierstanError
        For more than 500 groups without `top`.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> hs.rank_probabilities(fit).shape
    (8, 8)
    """
    values = values_of(fit, scale, larger_is_better)
    S, J = values.sizes
    if top is None and J > MAX_SQUARE:
        raise HierstanError(
            f"All ranks of {J:,} groups are {J * J:,} numbers. Ask for the first: top=10."
        )
    k = J if top is None else _checked_top(top, J, "top")
    if J * k > 10_000_000:
        raise HierstanError(f"{k:,} ranks of {J:,} groups are too many. Ask for fewer: top=10.")
    counts = np.zeros(J * k)
    for block in values.goodness():
        order, tied = losses.ordered(block)
        alone = order[~tied, :k]
        counts += np.bincount((alone * k + np.arange(k)).ravel(), minlength=J * k)
        equal = np.ptp(block, axis=1) == 0  # complete pooling, at every draw
        counts += equal.sum() / J
        tied &= ~equal
        for row, places in zip(block[tied], order[tied], strict=True):
            _share(counts.reshape(J, k), row[places], places)
    columns = pd.RangeIndex(1, k + 1, name="rank")
    table = pd.DataFrame(counts.reshape(J, k) / S, index=values.groups, columns=columns)
    table.attrs["caption"] = "Probability of each rank; 1 is best"
    return answer(table, values.group_column)


def prob_top(
    fit: Fit | TwoPartFit, k: int, *, scale: str = "response", larger_is_better: bool = True
) -> pd.Series:
    """Probability that a group is among the best `k`.

    Parameters
    ----------
    fit : Fit or TwoPartFit
    k : int
        From 1 to the number of groups.
    scale : {"response", "link", "mean"}
        Makes no difference.
    larger_is_better : bool

    Returns
    -------
    pandas.Series
        By group label; adds up to `k`.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> print(round(hs.prob_top(fit, 3).sum(), 6))
    3.0
    """
    values = values_of(fit, scale, larger_is_better)
    S, J = values.sizes
    k = _checked_top(k, J, "k")
    total = np.zeros(J)
    for block in values.goodness():
        last = np.partition(block, J - k, axis=1)[:, [J - k]]
        above, level = block > last, block == last
        room = (k - above.sum(axis=1)) / level.sum(axis=1)
        total += above.sum(axis=0) + room @ level
    return values.series(total / S, f"prob_top_{k}")


def rank_intervals(
    fit: Fit | TwoPartFit,
    *,
    prob: float | None = None,
    scale: str = "response",
    larger_is_better: bool = True,
) -> pd.DataFrame:
    """Interval of the rank of every group.

    Parameters
    ----------
    fit : Fit or TwoPartFit
    prob : float, optional
        Probability of the equal-tailed intervals; at least that, as ranks come in steps.
    scale : {"response", "link", "mean"}
        Makes no difference.
    larger_is_better : bool

    Returns
    -------
    pandas.DataFrame
        By group label: ``mean``, ``median``, ``lower``, ``upper``; rank 1 is best.

    Notes
    -----
    Ties are broken at random here, always in the same way. Needs 2 bytes per draw and group.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> print(hs.rank_intervals(fit).loc["A", ["lower", "upper"]].astype(int).tolist())
    [1, 8]
    """
    values = values_of(fit, scale, larger_is_better)
    prob = check_prob(prob)
    ranks = losses.ranks(values)
    S, J = ranks.shape
    table = np.empty((4, J))
    step = max(1, group_summaries.BLOCK // S)
    tail = (1 - prob) / 2
    for first in range(0, J, step):
        part = ranks[:, first : first + step]
        ends = np.quantile(part, [0.5, tail, 1 - tail], axis=0, method="inverted_cdf")
        table[:, first : first + step] = [part.mean(axis=0), *ends]
    frame = pd.DataFrame(dict(zip(("mean", "median", "lower", "upper"), table, strict=True)))
    frame.index = values.groups
    frame = frame.astype(dict.fromkeys(("median", "lower", "upper"), int))
    frame.attrs["caption"] = f"Rank (1 is best): mean, median and {percent(prob)} interval"
    return answer(frame, values.group_column)


# internals ------------------------------------------------------------------------------------


def _checked_top(k: int, J: int, name: str) -> int:
    whole = isinstance(k, (int, np.integer)) and not isinstance(k, bool)
    if not whole or not 1 <= k <= J:
        raise HierstanError(f"{name}= must be a whole number from 1 to {J}, got {k!r}.")
    return int(k)


def _share(counts: np.ndarray, ordered: np.ndarray, places: np.ndarray) -> None:
    """Add one draw to the counts (J, k), where runs of equal groups share their ranks."""
    k = counts.shape[1]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    ends = np.append(starts[1:], len(ordered))
    for start, end in zip(starts, ends, strict=True):
        if start >= k:
            break
        counts[places[start:end], start : min(end, k)] += 1 / (end - start)
