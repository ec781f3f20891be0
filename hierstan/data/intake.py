"""From a checked table to groups, cells and rows: what comes to Python, and in which form.

Rows that do not collapse all come. Rows that do come too, as long as they are few; a larger table
that is not in pandas stays in its engine, and only its cells come.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
import pandas as pd

from hierstan.data import predictors
from hierstan.data.frames import Table
from hierstan.data.labels import fetch_cells, fetch_rows
from hierstan.data.reduction import COLLAPSING, collapse, collapse_in_pandas, finished, single
from hierstan.data.validation import INT_MAX, check
from hierstan.errors import DataError
from hierstan.families.family import FAMILIES
from hierstan.text.wording import show

MAX_ROWS = 20_000

ROW_FAMILIES = {  # what the outcome of each family of rows must hold
    "bernoulli": "binary",
    "gamma": "positive",
    "lognormal": "positive",
    "neg_binomial": "count",
    "normal": "real",
    "poisson": "count",
    "student_t": "real",
}

NAMES = {  # what the Stan programs call some roles
    **dict.fromkeys(("estimate", "events", "events_treatment", "outcome", "successes"), "y"),
    "total_treatment": "trials",
    "events_control": "control",
    "total_control": "control_trials",
}


class Intake(NamedTuple):
    """What `GroupedData` is made of, under the names of its attributes."""

    family: str
    groups: pd.Index
    cells: pd.DataFrame
    rows: pd.DataFrame | None
    n_rows: int
    columns: dict[str, Hashable]
    predictors: pd.DataFrame | None = None
    standards: pd.DataFrame | None = None


def take_estimates(table: Table) -> Intake:
    """Check and take estimates with standard errors, one row per group."""
    check(table, {"estimate": "real", "se": "positive", **predictors.kinds(table)})
    cure = (
        "If each row is an observation, use GroupedData.from_rows; if not, combine each group's "
        "estimates first."
    )
    return _take_all(table, "normal_known", once=cure)


def take_arms(table: Table) -> Intake:
    """Check and take the events and totals of two arms, one row per group."""
    arms = ("treatment", "control")
    kinds = {f"events_{arm}": "count" for arm in arms} | {f"total_{arm}": "trials" for arm in arms}
    check(table, {**kinds, **predictors.kinds(table)})
    cure = "Add up the rows of each trial, or name its comparisons apart."
    return _take_all(table, "two_arm", once=cure)


def take_counts(table: Table) -> Intake:
    """Check and take successes in trials."""
    check(table, {"successes": "count", "trials": "trials", **predictors.kinds(table)})
    return _take_all(table, "binomial")


def take_events(table: Table) -> Intake:
    """Check and take events, over an exposure if there is one."""
    kinds = {"events": "count", "exposure": "positive"}
    given = {role: kind for role, kind in kinds.items() if role in table.names}
    check(table, {**given, **predictors.kinds(table)})
    return _take_all(table, "poisson")


def take_rows(table: Table, family: str) -> Intake:
    """Check and take raw outcomes, collapsed where the family has sufficient statistics."""
    n_rows = check(table, {"outcome": ROW_FAMILIES[family], **predictors.kinds(table)})
    if family not in COLLAPSING:
        return _take_all(table, family)
    rows = fetched = None
    if table.in_pandas or n_rows <= MAX_ROWS:
        groups, fetched = _fetched(table)
        cells = collapse_in_pandas(family, fetched)
        if n_rows <= MAX_ROWS:
            rows = single(family, fetched)
    else:
        in_engine = collapse(family, table.frame.rename({"outcome": "y"}))
        groups, raw = fetch_cells(table, in_engine)
        cells = finished(family, raw)
    taken = Intake(family, groups, cells, rows, n_rows, table.names)
    _check_sums(taken, table)
    return _with_predictors(taken, table, fetched)


# internals --------------------------------------------------------------------------------------


def _fetched(table: Table) -> tuple[pd.Index, pd.DataFrame]:
    groups, rows = fetch_rows(table)
    return groups, rows.rename(columns=NAMES)


def _take_all(table: Table, family: str, *, once: str = "") -> Intake:
    """Take all rows; `once` is the cure where a group has several and may not."""
    groups, rows = _fetched(table)
    cells = single(family, rows)
    taken = Intake(family, groups, cells, cells, len(cells), table.names)
    if once:
        _check_one_row_per_group(taken, table, once)
    return _with_predictors(taken, table, rows)


def _with_predictors(taken: Intake, table: Table, rows: pd.DataFrame | None) -> Intake:
    found = predictors.take(table, taken.groups, rows)
    if found is None:
        return taken
    return taken._replace(predictors=found, standards=predictors.standards(found))


def _check_one_row_per_group(taken: Intake, table: Table, cure: str) -> None:
    codes = taken.cells["group"].to_numpy()
    doubled = np.flatnonzero(np.bincount(codes) > 1)
    if doubled.size:
        told = [
            f"{show(taken.groups[code])} in {table.rows_at(np.flatnonzero(codes == code))}"
            for code in doubled[:3]
        ]
        verb = "breaks" if doubled.size == 1 else "break"
        raise DataError(
            f"{table.column('group')} must name each group once; {doubled.size:,} of "
            f"{len(taken.groups):,} groups {verb} this: {'; '.join(told)}. {cure}"
        )


def _check_sums(taken: Intake, table: Table) -> None:
    """Refuse sums over the rows of a group that Stan's integers cannot hold."""
    for name, kind in FAMILIES[taken.family].columns.items():
        large = taken.cells[taken.cells[name] > INT_MAX]
        if kind == "int" and len(large):
            label, total = taken.groups[large["group"].iloc[0]], large[name].iloc[0]
            raise DataError(
                f"{table.column('outcome')} adds up to {total:,} in group {show(label)}, but "
                f"Stan's largest integer is {INT_MAX:,}. Count in thousands, or use "
                "family='normal'."
            )
