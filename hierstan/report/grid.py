"""Tables of a page: finished text in cells, numbers with the decimals they deserve."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.data.two_part import TwoPartData
from hierstan.fit.fit import Fit
from hierstan.fit.two_part import TwoPartFit
from hierstan.plots.groups import mean_words, shares
from hierstan.text.tables import numbers, places, plain_labels, printable

MOST_ROWS = 200
LONGEST = 120  # columns of a label
DIFFERENCES = ("moved", "uplift", "uplift_lower", "uplift_upper", "expected_loss")
MEANS = ("raw", "raw_se", "mean", "sd", "lower", "upper", *DIFFERENCES)


@dataclass(frozen=True)
class Grid:
    """A table; the first cell of each row is its heading.

    Attributes
    ----------
    name : str
        What it is called within the page.
    caption : str
    header : tuple of str
    rows : tuple of tuple of str
    words : frozenset of int
        The columns that hold words instead of numbers.
    more : str
        What is not shown.
    whole : bool
        Whether all columns are in sight on any screen: cells wrap, and on a narrow one a row's
        cells stand below each other, each beside the head of its column.
    """

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[int] = frozenset()
    more: str = ""
    whole: bool = False


def labels(groups: pd.Index) -> list[str]:
    """Return the group labels as texts on one line, never the same for two groups."""
    texts = [printable(text, None) for text in plain_labels(groups)]
    short = [printable(text, LONGEST) for text in texts]
    return short if len(set(short)) == len(short) else texts


def text_of(name: object, limit: int | None = LONGEST) -> str:
    """Return a name or a sentence on one line, of so many columns at most."""
    return printable(" ".join(str(name).split()), limit)


def group_grid(
    data: GroupedData | TwoPartData,
    name: str,
    caption: str,
    columns: Mapping[str, Sequence[str]],
    *,
    words: Iterable[str] = (),
    order: Sequence[Hashable] | None = None,
    whole: bool = False,
) -> Grid:
    """Return a table with one line per group of some data: the first 200 of them.

    The columns are in the order of the groups, or in that of the labels in `order`.
    """
    texts = labels(data.groups)
    if order is not None:
        text_by_label = dict(zip(data.groups.tolist(), texts, strict=True))
        texts = [text_by_label[label] for label in order]
    J = len(data.groups)
    header = (text_of(data.grouped_by), *columns)
    rows = tuple(zip(texts, *columns.values(), strict=True))[:MOST_ROWS]
    more = f"The first {MOST_ROWS} of {J:,} groups are shown." if J > MOST_ROWS else ""
    at = frozenset(i for i, head in enumerate(header) if i and head in set(words))
    return Grid(name, caption, header, rows, at, more, whole)


def column(values: object, decimals: int | None = None) -> list[str]:
    """Return a column of numbers as texts; with decimals that its spread deserves unless given."""
    values = np.asarray(values, dtype=float)
    if decimals is None:
        finite = values[np.isfinite(values)]
        whole = bool((finite == finite.round()).all())
        decimals = 0 if whole else min(places(finite.std() or abs(finite).max()), 5)
    return numbers(values, decimals)


def estimates(means: pd.DataFrame, decimals: int, *names: str) -> list[str]:
    """Return means with their intervals: ``10.2 [0.3, 22.9]``."""
    names = names or ("mean", "lower", "upper")
    columns = (numbers(means[name].to_numpy(), decimals) for name in names)
    return [f"{mean} [{low}, {high}]" for mean, low, high in zip(*columns, strict=True)]


def in_units(fit: Fit | TwoPartFit, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the means of groups as people read them: shares as percentages."""
    if not shares(fit, "response"):
        return table
    return table.assign(**{name: 100 * table[name] for name in MEANS if name in table})


def what(fit: Fit | TwoPartFit) -> str:
    """Return what a group's mean is, in the user's words and with its unit."""
    return text_of(mean_words(fit, "response")) + percent_sign(fit)


def percent_sign(fit: Fit | TwoPartFit, words: str = "%") -> str:
    """Return the unit of shares in brackets, and nothing for what has the outcome's own."""
    return f" ({words})" if shares(fit, "response") else ""
