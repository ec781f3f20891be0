"""From a checked table to groups, cells and rows: what comes to Python, and in which form.

Rows that do not collapse all come. Rows that do come too, as long as they are few; a larger table
that is not in pandas stays in its engine, and only its cells come.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import NamedTuple

import numpy as np
import pandas as pd

from hierstan.data import covariates, predictors, structure
from hierstan.data.frames import Table
from hierstan.data.labels import fetch_cells, fetch_rows
from hierstan.data.validation import INT_MAX, check
from hierstan.errors import DataError
from hierstan.families import FAMILIES, accepted_by, default
from hierstan.families.family import Family
from hierstan.families.treatment import TREATED, effects_on
from hierstan.text.wording import did_you_mean, show

MAX_ROWS = 20_000
CONSTRUCTORS = ("rows", "counts", "events", "ratings", "estimates", "means")
ARMS = ("control", "treatment")
ARM = "group arm"  # the last of the columns whose combinations are taken as groups


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
    factors: pd.DataFrame | None = None
    measure: str | None = None
    categories: pd.Index | None = None
    arms: pd.Index | None = None
    covariates: pd.DataFrame | None = None


def take(table: Table, constructor: str, family: str, *, describe: bool = True) -> Intake:
    """Check and take what a constructor was given, every row an observation as it stands.

    Parameters
    ----------
    table : Table
    constructor : str
        A key of `hierstan.families.family.Family.takes`.
    family : str
    describe : bool
        Whether to take predictors and factors too.
    """
    _check(table, constructor, family)
    return _take_all(table, constructor, family, describe)


def take_rows(table: Table, constructor: str, family: str, *, describe: bool = True) -> Intake:
    """Check and take raw outcomes, collapsed where the family has sufficient statistics."""
    n_rows = _check(table, constructor, family)
    if not FAMILIES[family].collapses:
        return _take_all(table, constructor, family, describe)
    names = _columns(constructor, family)
    rows = fetched = None
    own, kind, table, standards = table, *_adjusted(table, family)
    if table.in_pandas or n_rows <= MAX_ROWS:
        groups, fetched = _fetched(table, names)
        cells = kind.collapsed(fetched)
        if n_rows <= MAX_ROWS:
            rows = kind.single(fetched)
    else:
        groups, raw = fetch_cells(table, kind.collapse(table.frame.rename(names)))
        cells = kind.finished(raw)
    taken = Intake(kind.name, groups, cells, rows, n_rows, structure.columns(own))
    taken = _with_covariates(taken, standards, own)
    _check_sums(taken, own)
    return described(taken, own, fetched) if describe else taken


def take_summaries(
    table: Table,
    family: str,
    derived: Callable[[pd.DataFrame], pd.DataFrame],
    *,
    describe: bool = True,
) -> Intake:
    """Take one row per group of a checked table, from which the family's columns are derived."""
    groups, rows = fetch_rows(table)
    cells = FAMILIES[family].typed(derived(rows))
    taken = Intake(family, groups, cells, cells, len(cells), structure.columns(table))
    _check_one_row_per_group(taken, table, "Combine the rows of each group first.")
    cells = cells.sort_values("group", ignore_index=True)
    taken = taken._replace(cells=cells, rows=cells)
    return described(taken, table, rows) if describe else taken


def take_arms(table: Table) -> Intake:
    """Check and take the events and totals of two arms, side by side in one row per group."""
    kinds = {f"events_{arm}": "count" for arm in ARMS} | {f"total_{arm}": "trials" for arm in ARMS}
    check(table, {**kinds, **predictors.kinds(table)})
    groups, rows = fetch_rows(table)
    arms = [
        pd.DataFrame(
            {
                "group": rows["group"],
                "y": rows[f"events_{arm}"],
                "trials": rows[f"total_{arm}"],
                TREATED: float(treated),
            }
        )
        for treated, arm in enumerate(ARMS)
    ]
    family = effects_on(FAMILIES[default("counts")])
    cells = family.typed(pd.concat(arms).sort_values(["group", TREATED], kind="stable"))
    taken = Intake(family.name, groups, cells, cells, len(cells), structure.columns(table))
    once = "Add up the rows of each trial, or name its comparisons apart."
    _check_one_row_per_group(taken._replace(cells=rows), table, once)
    taken = taken._replace(measure=family.measure, arms=pd.Index(ARMS))
    return described(taken, table, rows)


def described(taken: Intake, table: Table, rows: pd.DataFrame | None) -> Intake:
    """Add what is known of the groups: their predictors and factors."""
    taken = taken._replace(factors=structure.take(table, taken.groups, rows))
    found = predictors.take(table, taken.groups, rows)
    if found is None:
        return taken
    return taken._replace(predictors=found, standards=predictors.standards(found))


def valid(family: Hashable, constructor: str) -> str:
    """Return the name of a family if a constructor accepts it."""
    names = accepted_by(constructor)
    if family not in names:
        known = FAMILIES[family].takes if isinstance(family, str) and family in FAMILIES else {}
        others = [f"of {one} (GroupedData.from_{one})" for one in CONSTRUCTORS if one in known]
        hint = f" It is a family {' and '.join(others)}." if others else did_you_mean(family, names)
        raise DataError(
            f"family= got {show(family)}.{hint} "
            f"Valid families of {constructor}: {', '.join(sorted(names))}."
        )
    return str(family)


def kind_of_rows(
    family: str, outcome: Hashable, weights: Hashable | None
) -> tuple[str, str, dict[str, Hashable]]:
    """Return constructor and family of rows, with or without weights, and their columns."""
    family = valid(family, "rows")
    if weights is None:
        return "rows", family, {"outcome": outcome}
    if family != default("rows"):
        raise DataError(f"weights= goes with family={default('rows')!r}, got {family!r}.")
    return "weighted", default("weighted"), {"outcome": outcome, "weights": weights}


# internals --------------------------------------------------------------------------------------


def _check(table: Table, constructor: str, family: str) -> int:
    roles = FAMILIES[family].takes[constructor].items()
    kinds = {name: role.holds for name, role in roles if name in table.names}
    return check(table, {**kinds, **predictors.kinds(table), **covariates.kinds(table)})


def _adjusted(table: Table, family: str) -> tuple[Family, Table, pd.DataFrame | None]:
    """Return the family of adjusted rows, the table with the covariates, and their standards."""
    wide, standards = covariates.widened(table)
    if standards is None:
        return FAMILIES[family], table, None
    return FAMILIES[f"{family}_adjusted"], wide, standards


def _with_covariates(taken: Intake, standards: pd.DataFrame | None, table: Table) -> Intake:
    if standards is None:
        return taken
    words = "groups and arms" if len(table.keys) and table.keys[-1] == ARM else "groups"
    covariates.check_within(taken.family, taken.cells, standards, words)
    return taken._replace(covariates=standards)


def _columns(constructor: str, family: str) -> dict[str, str]:
    """Return what the Stan program calls the columns that play a role."""
    return {name: role.column for name, role in FAMILIES[family].takes[constructor].items()}


def _fetched(table: Table, names: dict[str, str]) -> tuple[pd.Index, pd.DataFrame]:
    groups, rows = fetch_rows(table)
    return groups, rows.rename(columns=names)


def _take_all(table: Table, constructor: str, family: str, describe: bool) -> Intake:
    own, kind, table, standards = table, *_adjusted(table, family)
    groups, rows = _fetched(table, _columns(constructor, family))
    cells = kind.single(rows)
    taken = Intake(kind.name, groups, cells, cells, len(cells), structure.columns(own))
    taken = _with_covariates(taken, standards, own)
    if FAMILIES[family].once:
        _check_one_row_per_group(taken, table, FAMILIES[family].once)
    return described(taken, table, rows) if describe else taken


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
