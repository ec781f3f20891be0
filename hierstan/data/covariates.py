"""Covariates of rows: checked, coded and standardized inside the user's own dataframe engine."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TypedDict

import narwhals as nw
import numpy as np
import pandas as pd

from hierstan.data.frames import Table, collected
from hierstan.data.labels import known_labels
from hierstan.errors import DataError
from hierstan.families import FAMILIES
from hierstan.families.adjusted import Adjusted
from hierstan.text.wording import listed, show

ROLE = "adjust"
MOST_LEVELS = 50
TOLERANCE = 1e-9  # of a variance that is left, relative to that there was


class Line(TypedDict):
    """What a covariate is of: a column's numbers, or one of its levels, told from `reference`."""

    role: str
    column: Hashable
    level: Hashable | None
    reference: Hashable | None


def kinds(table: Table) -> dict[str, str]:
    """Say what the columns of numbers among the covariates must hold."""
    return {role: "predictor" for role in _roles(table) if role not in table.labelled}


def widened(table: Table) -> tuple[Table, pd.DataFrame | None]:
    """Return a checked table with the covariates as columns ``z 0``, …, and their standards.

    A number becomes one column, in standard deviations from its mean over all rows; a label an
    indicator for each level but the first, less its share of the rows.

    Returns
    -------
    Table
        With roles ``"z 0"``, …, beside the others.
    pandas.DataFrame or None
        By covariate, such as ``age`` or ``sex: m``: ``column``, ``level`` (missing for a number),
        ``reference``, ``mean`` and ``sd``, by which it is divided (1 for an indicator).
    """
    if not _roles(table):
        return table, None
    coded: list[tuple[Line, nw.Expr]] = []
    for role in _roles(table):
        coded += (_of_labels if role in table.labelled else _of_number)(table, role)
    raw = {f"z {k}": expression.alias(f"z {k}") for k, (_, expression) in enumerate(coded)}
    frame = table.frame.with_columns(*raw.values())
    found = collected(frame.select(*(nw.col(z).mean().alias(z) for z in raw)))
    mean = {z: float(found[z][0]) for z in raw}
    centered = frame.with_columns(*((nw.col(z) - mean[z]).alias(z) for z in raw))
    squares = collected(centered.select(*((nw.col(z) * nw.col(z)).mean().alias(z) for z in raw)))
    spread = {z: float(np.sqrt(squares[z][0])) for z in raw}
    lines = []
    for z, (line, _) in zip(raw, coded, strict=True):
        if not spread[z] > 1e-13 * abs(mean[z]):
            raise DataError(
                f"{table.column(line['role'])} is the same in every row, so that there is nothing "
                "to adjust for. Leave it out of adjust=."
            )
        number = line["level"] is None
        lines.append({**line, "mean": mean[z], "sd": spread[z] if number else 1.0})
    scaled = centered.with_columns(
        *((nw.col(z) / line["sd"]).alias(z) for z, line in zip(raw, lines, strict=True))
    )
    names = [
        f"{line['column']}" if line["level"] is None else f"{line['column']}: {line['level']}"
        for line in lines
    ]
    standards = table_of(lines, names)
    doubled = standards.index[standards.index.duplicated()]
    if len(doubled):
        raise DataError(f"Two covariates are called {doubled[0]}. Rename one of the columns.")
    names_of = {**table.names, **{z: line["column"] for z, line in zip(raw, lines, strict=True)}}
    return replace(table, frame=scaled, names=names_of), standards


def table_of(lines: Sequence[Mapping[str, object]], names: list[str]) -> pd.DataFrame:
    """Lay out what is known of the covariates, with labels of any type as they are."""
    index = pd.Index(names, name="covariate")
    labels = {
        role: pd.Series([line[role] for line in lines], index, dtype=object)
        for role in ("column", "level", "reference")
    }
    return pd.DataFrame(
        labels | {n: pd.Series([line[n] for line in lines], index) for n in ("mean", "sd")}
    )


def check_within(family: str, cells: pd.DataFrame, standards: pd.DataFrame, words: str) -> None:
    """Refuse covariates that do not vary within groups and arms, or repeat what others say.

    Parameters
    ----------
    family : str
    cells : pandas.DataFrame
        Whose groups are the arms of groups, where there are several.
    standards : pandas.DataFrame
    words : str
        What the groups are.
    """
    C = len(standards)
    kind = FAMILIES[family]
    assert isinstance(kind, Adjusted)
    products, total = kind.covariate_products(cells, cells["group"].to_numpy())
    names = standards.index.tolist()
    for k in range(C):
        if products[k, k] <= TOLERANCE * total[k]:
            column = standards["column"].iloc[k]
            raise DataError(
                f"Column {column!r} (adjust) does not vary within {words}, so that {show(names[k])}"
                f" cannot be told from them. What describes groups goes to predictors= (numbers) "
                "or factors= (labels); leave it out of adjust=."
            )
    size = np.sqrt(np.diag(products))
    correlation = products / np.outer(size, size)
    for k in range(1, C):
        part = correlation[:k, :k]
        explained = correlation[k, :k] @ np.linalg.lstsq(part, correlation[:k, k], rcond=None)[0]
        if 1 - explained <= TOLERANCE:
            raise DataError(
                f"Covariate {show(names[k])} says nothing within {words} that the others do not "
                f"say already: it is a sum of multiples of {listed(names[:k])}. Leave it out of "
                "adjust=."
            )


# internals --------------------------------------------------------------------------------------


def _roles(table: Table) -> list[str]:
    return [role for role in table.names if role.split()[0] == ROLE]


def _of_number(table: Table, role: str) -> list[tuple[Line, nw.Expr]]:
    line: Line = {"role": role, "column": table.names[role], "level": None, "reference": None}
    return [(line, nw.col(role).cast(nw.Float64))]


def _of_labels(table: Table, role: str) -> list[tuple[Line, nw.Expr]]:
    known = known_labels(table, role)
    column: Hashable = table.names[role]
    if len(known) == 1:
        raise DataError(
            f"Column {column!r} (adjust) is {show(known[0])} in every row, so that there is "
            "nothing to adjust for. Leave it out of adjust=."
        )
    if len(known) > MOST_LEVELS:
        raise DataError(
            f"Column {column!r} (adjust) has {len(known):,} levels, of which each would be a "
            f"covariate of its own; the most are {MOST_LEVELS}. Make it part of the groups, with "
            "group=[…], or join levels."
        )
    label = nw.col(role).cast(nw.String) if all(isinstance(k, str) for k in known) else nw.col(role)
    return [
        (
            {"role": role, "column": column, "level": level, "reference": known[0]},
            nw.when(label == level).then(nw.lit(1.0)).otherwise(nw.lit(0.0)),
        )
        for level in known[1:]
    ]
