"""Ratings: which categories there are and in which order, and the rows as positions in it."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import replace

import narwhals as nw
import numpy as np
import pandas as pd

from hierstan.data import covariates, predictors
from hierstan.data.frames import Table, collected, hashable
from hierstan.data.intake import Intake, take_rows
from hierstan.data.validation import Rule, check, check_rule
from hierstan.errors import DataError, warn
from hierstan.families import FAMILIES, default
from hierstan.text.wording import listed, show

FEWEST, MOST = 3, 11  # categories; the second of a scale that nobody stated, such as 0 to 10


def take(table: Table, order: object = None, *, describe: bool = True) -> Intake:
    """Check and take ratings, collapsed to how often each occurs in each group.

    Parameters
    ----------
    table : Table
        With a column of role "rating".
    order : sequence, optional
        The categories from the lowest to the highest, whether or not they occur.
    describe : bool
        Whether to take predictors and factors too.
    """
    check(table, {"rating": "category", **predictors.kinds(table), **covariates.kinds(table)})
    known = _stated(table, order)
    categories = _inferred(table) if known is None else known
    _check_many(table, categories)
    values = categories.tolist()
    value = nw.col("rating")
    if known is not None:
        must = f"must hold one of the categories {listed(values, MOST)}"
        cure = "Correct those rows, or add what is missing to order=."
        check_rule(table, Rule("rating", ~value.is_in(values), must, cure))
    position = nw.lit(0)
    for code, one in enumerate(values, 1):
        position = nw.when(value == one).then(nw.lit(code)).otherwise(position)
    coded = replace(table, frame=table.frame.with_columns(position.alias("rating")))
    taken = take_rows(coded, "ratings", default("ratings"), describe=describe)
    family = FAMILIES[taken.family]

    def with_size(part: pd.DataFrame) -> pd.DataFrame:
        return family.typed(part.assign(C=len(values)))

    rows = None if taken.rows is None else with_size(taken.rows)
    return taken._replace(cells=with_size(taken.cells), rows=rows, categories=categories)


def scores(categories: pd.Index) -> np.ndarray:
    """Return what each category counts in means: its number, or its position from 1."""
    if all(_is_number(value) for value in categories):
        return np.asarray(categories, dtype=float)
    return np.arange(1.0, len(categories) + 1)


def counted(y: np.ndarray, categories: pd.Index | None) -> np.ndarray:
    """Return what outcomes count in means: of positions in a scale the scores, all else itself."""
    return y if categories is None else scores(categories)[y.astype(int) - 1]


def named(counts: pd.DataFrame, categories: pd.Index | None) -> pd.DataFrame:
    """Return counts of each category in each group under its name, means and sds of scores.

    Of two arms those of the treatment come first, and names end on the arm's. Without categories
    the table is returned as it is.
    """
    if categories is None:
        return counts
    C = len(categories)
    if counts.shape[1] == C:
        return _named(counts, categories)
    arms = {"treatment": counts.iloc[:, :C], "control": counts.iloc[:, C:]}
    parts = [_named(part, categories).add_suffix(f"_{arm}") for arm, part in arms.items()]
    return pd.concat(parts, axis=1)


# internals --------------------------------------------------------------------------------------


def _named(counts: pd.DataFrame, categories: pd.Index) -> pd.DataFrame:
    n, known = counts.to_numpy(float), scores(categories)
    total = n.sum(axis=1)
    mean = n @ known / total
    squares = (n * (known - mean[:, None]) ** 2).sum(axis=1)
    with np.errstate(invalid="ignore"):
        sd = np.sqrt(squares / (total - 1))
    names = pd.Index(categories, dtype=object)
    return pd.DataFrame({"mean": mean, "sd": sd}).join(counts.set_axis(names, axis=1))


def _stated(table: Table, order: object) -> pd.Index | None:
    """Return the categories that the user or the column's type states, or None."""
    if order is None:
        return _declared(table)
    if isinstance(order, str) or not isinstance(order, Sequence | range | np.ndarray | pd.Index):
        raise DataError(
            "order= takes the categories from the lowest to the highest, such as [1, 2, 3, 4, 5] "
            f"or ['bad', 'fair', 'good']; got {show(order)}."
        )
    values = [value.item() if isinstance(value, np.generic) else value for value in order]
    if not all(hashable(value) for value in values) or len(set(values)) < len(values):
        raise DataError(f"order= must name each category once; got {listed(values, MOST)}.")
    if all(map(_is_number, values)) and values != sorted(values):
        raise DataError(
            f"order= goes from the lowest category to the highest; got {listed(values, MOST)}. "
            "Where a low number is the best, turn the numbers around first."
        )
    return pd.Index(values, tupleize_cols=False, name="category")


def _declared(table: Table) -> pd.Index | None:
    """Return the categories of an ordered categorical."""
    dtype = table.frame.collect_schema()["rating"]
    if isinstance(dtype, nw.Enum):
        return pd.Index(list(dtype.categories), name="category")
    if dtype != nw.Categorical:
        return None
    native = nw.to_native(table.frame)["rating"] if _like_pandas(table) else None
    if native is None or not native.cat.ordered or not getattr(native.cat, "known", True):
        raise DataError(
            f"{table.column('rating')} holds categories without an order. State it from the "
            "lowest to the highest, with order=[...]."
        )
    return pd.Index(native.cat.categories.tolist(), name="category")


def _like_pandas(table: Table) -> bool:
    return table.in_pandas or table.frame.implementation.is_dask()


def _inferred(table: Table) -> pd.Index:
    """Return the whole numbers from the lowest to the highest rating given."""
    found = collected(table.frame.select("rating").unique())["rating"].to_list()
    column = table.column("rating")
    if not all(_is_number(value) for value in found):
        told = listed(sorted(map(str, found)), 8)
        raise DataError(
            f"{column} must hold numbers, or labels whose order is stated: it holds {told}. "
            "State the categories from the lowest to the highest, with order=[...]."
        )
    if any(value != int(value) for value in found) or max(found) - min(found) + 1 > MOST:
        raise DataError(
            f"{column} holds {listed(sorted(found), 8)}, which are not a scale of up to {MOST} "
            "whole numbers. State the categories from the lowest to the highest, with order=[...]; "
            "scores on a scale with many steps go to from_rows."
        )
    every = range(int(min(found)), int(max(found)) + 1)
    absent = sorted(set(every) - {int(value) for value in found})
    if absent:
        warn(
            f"{column}: nobody gave {listed(absent, MOST)}. The scale is taken to be {every[0]} to "
            f"{every[-1]}, where {'it has its' if len(absent) == 1 else 'these have their'} place; "
            "say so with order=[...], or give the categories that there are."
        )
    return pd.Index(list(every), name="category")


def _check_many(table: Table, categories: pd.Index) -> None:
    if len(categories) >= FEWEST:
        return
    cure = (
        "State the whole scale, with order=[...], if there are categories that nobody gave. Two "
        "categories are yes/no outcomes: recode them to 0 and 1 for from_rows with "
        "family='bernoulli'."
    )
    raise DataError(
        f"{table.column('rating')} has {len(categories)} "
        f"categor{'y' if len(categories) == 1 else 'ies'}, {listed(categories.tolist())}, and "
        f"ratings need at least {FEWEST}. {cure}"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)
