"""Tables of answers: pandas frames that print whole, rounded, with what they are and what to do."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

import numpy as np
import pandas as pd

from hierstan.text.tables import (
    Page,
    Table,
    cut_apart,
    numbers,
    places,
    places_of_line,
    plain_label,
    plain_labels,
)

WIDTH = 100
MOST_ROWS = 60
MOST_COLUMNS = 20
SHARES = 2  # decimals of probabilities: 4,000 draws leave an error of 0.008 at most
FIGURES = {"r_hat": 3, "exaggeration": 1, "replicates": 2} | dict.fromkeys(
    ("pareto_k", "weight", "pooling_factor", "share", "rank_correlation"), 2
)
COUNTS = ("ess_bulk", "ess_tail")


class AnswerPart(pd.DataFrame):
    """What is made from a table of answers: it prints as whole, without words on what it was.

    Numbers are rounded to what their Monte Carlo error supports: those that share a unit to the
    same decimals.
    """

    _metadata: ClassVar[list[str]] = ["each_row"]
    each_row: bool

    @property
    def _constructor(self) -> type[AnswerPart]:
        return AnswerPart

    def __repr__(self) -> str:
        return self._page(WIDTH).text()

    def _repr_html_(self) -> str:
        return self._page(None).html()

    def _page(self, width: int | None) -> Page:
        return Page("", (), tables_of(self, getattr(self, "each_row", False), width))


class AnswerTable(AnswerPart):
    """A pandas DataFrame that prints as a person reads it.

    ``.attrs["caption"]`` is printed above, ``.attrs["advice"]`` below.
    """

    def _page(self, width: int | None) -> Page:
        advice = str(self.attrs.get("advice", ""))
        caption = str(self.attrs.get("caption", ""))
        return Page(caption, (), super()._page(width).tables, (advice,) if advice else ())


class AnswerColumn(pd.Series):
    """A pandas Series, one number for each group, that prints in the same way."""

    @property
    def _constructor(self) -> type[pd.Series]:
        return pd.Series

    @property
    def _constructor_expanddim(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        return self._page().text()

    def _repr_html_(self) -> str:
        return self._page().html()

    def _page(self) -> Page:
        caption = str(self.attrs.get("caption", ""))
        return Page(caption, (), tables_of(self.to_frame(self.name or "value"), False, WIDTH))


def answer(
    table: pd.DataFrame, group: Hashable | None = None, *, each_row: bool = False
) -> AnswerTable:
    """Return a table that prints as a person reads it.

    Parameters
    ----------
    table : pandas.DataFrame
    group : hashable, optional
        The user's name for the column of the groups, which an index called ``group`` gets.
    each_row : bool
        Whether rows, and not columns, share a unit.
    """
    found = AnswerTable(table)
    found.attrs = dict(table.attrs)
    object.__setattr__(found, "each_row", each_row)
    if group is not None and found.index.name == "group":
        found.index = found.index.rename(group)
    return found


def tables_of(
    table: pd.DataFrame, each_row: bool = False, width: int | None = WIDTH
) -> tuple[Table, ...]:
    """Lay a table out below each other where it is too wide."""
    shown = table.iloc[:MOST_ROWS, :MOST_COLUMNS]
    labels = cut_apart(plain_labels(shown.index), 32)
    columns = _by_row(shown) if each_row else _by_column(shown)
    name = " × ".join(str(name or "") for name in table.index.names)
    blocks: list[list[tuple[str, list[str]]]] = [[]]
    room = used = 0
    for head, cells in columns:
        size = 2 + max(map(len, (head, *cells)))
        room = max(map(len, (name, *labels)))
        if width is not None and blocks[-1] and room + used + size > width:
            blocks.append([])
            used = 0
        blocks[-1].append((head, cells))
        used += size
    words = {_head(name) for name in shown.select_dtypes(exclude="number")}
    return tuple(
        Table(
            (name, *(head for head, _ in block)),
            tuple(zip(labels, *(cells for _, cells in block), strict=True)),
            _more(table) if block is blocks[-1] else "",
            "<" + "".join("<" if head in words else "." for head, _ in block),
        )
        for block in blocks
    )


# internals ------------------------------------------------------------------------------------


def _more(table: pd.DataFrame) -> str:
    left = (len(table) - MOST_ROWS, len(table.columns) - MOST_COLUMNS)
    told = [
        f"{n:,} more {what}" for n, what in zip(left, ("rows", "columns"), strict=True) if n > 0
    ]
    return f"… and {' and '.join(told)}" if told else ""


def _head(name: object) -> str:
    return ", ".join(map(str, name)) if isinstance(name, tuple) else str(name)


def _by_column(table: pd.DataFrame) -> list[tuple[str, list[str]]]:
    common = _common(table)
    found = []
    for name, values in table.items():
        if not pd.api.types.is_numeric_dtype(values) or values.dtype == bool:
            cells = [_cell(value) for value in values]
        else:
            cells = numbers(
                values.to_numpy(float, na_value=np.nan), _decimals(name, values, common)
            )
        found.append((_head(name), cells))
    return found


def _cell(value: object) -> str:
    if isinstance(value, (float, np.floating)):
        return "–" if np.isnan(value) else f"{value:.6g}"
    return "–" if value is pd.NA else plain_label(value)


def _common(table: pd.DataFrame) -> int | None:
    """Return the decimals of what has the outcome's unit, by its standard deviation or a lead."""
    if "sd" in table and np.isfinite(table["sd"].to_numpy(float)).any():
        return max(places(table["sd"]) - 1, 0)
    if "raw_lead" in table:
        least = places(table["raw_lead"].abs())
        return min(max(least, places(table["lead"].abs())), least + 2)
    if {"lower", "upper"} <= {*table}:
        return max(places((table["upper"] - table["lower"]) / 4) - 1, 0)
    return None


def _decimals(name: Hashable, values: pd.Series, common: int | None) -> int:
    whole = values[np.isfinite(values.astype(float))] if len(values) else values
    if pd.api.types.is_integer_dtype(values) or ((whole == whole.round()).all() and name == "n"):
        return 0
    if name in FIGURES:
        return FIGURES[str(name)]
    if isinstance(name, (int, np.integer)) or str(name).startswith("prob"):
        return SHARES
    if common is not None and not str(name).startswith("borrowed"):
        return common
    return places(whole.abs())


def _by_row(table: pd.DataFrame) -> list[tuple[str, list[str]]]:
    lines = (table if "sd" in table else table.abs().max(axis=1).div(10).to_frame("sd")).to_dict(
        "records"
    )
    decimals = [places_of_line(line, line.get("mcse_mean")) for line in lines]
    found = []
    for name, values in table.items():
        own = FIGURES.get(str(name), 0 if name in COUNTS else None)
        own = SHARES if str(name).startswith("prob") else own
        cells = [
            numbers([float(value)], digits if own is None else own)[0]
            for value, digits in zip(values, decimals, strict=True)
        ]
        found.append((_head(name), cells))
    return found
