"""Ratings in the terms of surveys: mean scores, top boxes, and how each group's are distributed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from hierstan.data.wording import at_mean_of
from hierstan.errors import HierstanError
from hierstan.families.ordinal import Ordinal
from hierstan.fit import group_summaries
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.fit.two_arms import arm_means
from hierstan.text.answer import answer
from hierstan.text.tables import percent
from hierstan.text.wording import listed, pooling_words, show

BLOCK = 2**20  # draws x groups x categories at a time


def ratings(fit: Fit, *, top: int = 2, prob: float | None = None) -> pd.DataFrame:
    """Tell each group's mean score, its share of top boxes, and the share of every category.

    Parameters
    ----------
    fit : Fit
        Of ratings: data from `GroupedData.from_ratings`, or `.from_trial` of two arms of them. Of
        any pooling.
    top : int
        How many of the best categories count as top boxes: with 2, the "top-2 box" of surveys.
    prob : float, optional
        Probability of the equal-tailed intervals, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        One line per group, or per group and arm, indexed by its label under the name of the user's
        column: ``mean``, ``sd``, ``lower``, ``upper`` of the mean score; ``top``, ``top_lower``,
        ``top_upper``, the share of ratings in the best `top` categories; and the posterior mean of
        the share of each category, under its own name. All are shares of ratings yet to come from
        the group, as the model has them: the cut points are those of all groups.

    Raises
    ------
    HierstanError
        If the fit is not of ratings, or `top` is not a number of categories below all of them.

    Examples
    --------
    >>> import hierstan as hs
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"store": list("AAAABBBBCC"), "stars": [5, 4, 5, 4, 1, 3, 2, 3, 4, 5]})
    >>> data = hs.GroupedData.from_ratings(frame, group="store", rating="stars")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> table = hs.ratings(fit, top=2)
    >>> table.columns.tolist()
    ['mean', 'sd', 'lower', 'upper', 'top', 'top_lower', 'top_upper', 1, 2, 3, 4, 5]
    >>> bool(np.allclose(table[4] + table[5], table["top"]))
    True
    """
    prob = check_prob(prob)
    check_fit(fit, "ratings")
    family, categories = fit.family.outcomes, fit.data.categories
    if not isinstance(family, Ordinal) or categories is None:
        raise HierstanError(
            "ratings takes a fit of ratings, from GroupedData.from_ratings or, with two arms, "
            "GroupedData.from_trial(..., family='ordinal', order=[...]); this one is of "
            f"{fit.data.family} data."
        )
    C = len(categories)
    whole = isinstance(top, (int, np.integer)) and not isinstance(top, bool)
    if not whole or not 1 <= top < C:
        raise HierstanError(
            f"top= must be a number of categories from 1 to {C - 1}, got {show(top)}."
        )
    lines, own = _lines(fit), fit.own()
    found: dict[object, np.ndarray] = {name: np.empty(len(lines)) for name in _names(categories)}
    for part, link in _links(fit, max(1, BLOCK // (C * len(own["cutpoint"])))):
        shares = family.category_shares(link, own)
        of_mean = group_summaries.summarise(shares @ own["scores"], prob)
        of_top = group_summaries.summarise(shares[..., C - top :].sum(axis=2), prob)
        values = [*of_mean, *of_top[[0, 2, 3]], *shares.mean(axis=0).T]
        for column, value in zip(found.values(), values, strict=True):
            column[part] = value
    table = pd.DataFrame(found, index=lines)
    best = listed(categories[C - top :].tolist(), C)
    table.attrs["caption"] = (
        f"Ratings of each {'arm' if fit.family.treatment else 'group'} under "
        f"{pooling_words(fit.model.name)}: mean score, and share of the "
        f"top {'box' if top == 1 else f'{top} boxes'} ({best}), with equal-tailed "
        f"{percent(prob)} intervals; and the mean share of each category."
        + (f" All {where}." if (where := at_mean_of(fit.data.covariates)) else "")
    )
    return answer(table, None if fit.family.treatment else fit.data.columns.get("group"))


# internals ------------------------------------------------------------------------------------


def _lines(fit: Fit) -> pd.Index:
    """Return the labels of the table's lines: groups, or the two arms of each."""
    groups, arms = fit.data.groups, fit.data.arms
    if arms is None:
        return groups
    column = fit.data.columns["group"]
    names = [*(column if isinstance(column, tuple) else [column]), fit.data.columns["arm"]]
    both = groups.repeat(2).to_frame(index=False).to_dict("series").values()
    which = np.tile(arms, len(groups))
    return pd.MultiIndex.from_arrays([*both, which], names=names)


def _links(fit: Fit, width: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield some lines of the table, and draws of their means on the link scale, (S, K)."""
    if not fit.family.treatment:
        for start in range(0, len(fit.data.groups), width):
            part = slice(start, min(start + width, len(fit.data.groups)))
            yield part, fit.theta(groups=part)
        return
    for groups, *both in arm_means(fit, "link"):
        for a, link in enumerate(both):
            for start in range(0, link.shape[1], width):
                some = link[:, start : start + width]
                first = 2 * (groups.start + start) + a
                yield slice(first, first + 2 * some.shape[1] - 1, 2), some


def _names(categories: pd.Index) -> list[object]:
    own = [*group_summaries.COLUMNS, "top", "top_lower", "top_upper"]
    clash = [name for name in categories if name in own]
    if clash:
        raise HierstanError(
            f"Categories called {listed(clash)} cannot stand beside the table's own columns. "
            "Rename them in the data."
        )
    return [*own, *categories.tolist()]
