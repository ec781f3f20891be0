"""Group-level predictors: taken from the user's frame, checked, and standardized."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import narwhals as nw
import numpy as np
import pandas as pd

from hierstan.data.frames import Table
from hierstan.data.labels import fetch_cells
from hierstan.errors import DataError
from hierstan.text.tables import printable
from hierstan.text.wording import broken_by, listed, show

ROLE = "predictor"
LEAST_SD = 1e-145  # whose square is still a number


def kinds(table: Table) -> dict[str, str]:
    """Say what the columns of the predictors must hold."""
    return dict.fromkeys(_own(table), "predictor")


def take(table: Table, groups: pd.Index, rows: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the predictors by group, in the order of the groups, or None if there are none.

    Parameters
    ----------
    table : Table
        Checked.
    groups : pandas.Index
        The group labels.
    rows : pandas.DataFrame or None
        All rows with coded groups, if they came to Python.

    Raises
    ------
    DataError
        If a predictor differs between rows of a group, does not differ between the groups, or
        repeats what others say.
    """
    own = _own(table)
    if not own:
        return None
    if rows is None:
        ends = [
            getattr(nw.col(role), end)().alias(f"{end} {role}")
            for role in own
            for end in ("min", "max")
        ]
        keys = table.keys
        numbers = table.frame.select(*keys, *(nw.col(role).cast(nw.Float64) for role in own))
        _, found = fetch_cells(table, numbers.group_by(*keys).agg(*ends))
        found = found.set_index("group").sort_index()
        low, high = (
            found[[f"{end} {role}" for role in own]].to_numpy(float) for end in ("min", "max")
        )
    else:
        by_group = rows[["group", *own]].astype(float).groupby("group")
        low, high = by_group.min().to_numpy(), by_group.max().to_numpy()
    _check_constant(table, low, high, groups)
    names = pd.Index(list(own.values()), dtype=object, tupleize_cols=False, name="predictor")
    return pd.DataFrame(low, index=groups, columns=names)


def standards(predictors: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard deviation of each predictor over the groups.

    Raises
    ------
    DataError
        If a predictor is the same in every group, if there are more predictors than the groups can
        tell apart, or if one is a sum of multiples of the others.
    """
    J, K = predictors.shape
    if J < K + 2:
        raise DataError(
            f"{K} predictor{'s' * (K > 1)} of {J} groups: the groups' differences need at least "
            f"{K + 2} groups to be told from the slopes. Use fewer predictors, or more groups."
        )
    table = pd.DataFrame({"mean": predictors.mean(), "sd": predictors.std()})
    flat = predictors.columns[(predictors.max() == predictors.min()).to_numpy()].tolist()
    if flat:
        raise DataError(
            f"Predictor {listed(flat)} is the same in every group, so that it cannot explain "
            "their differences. Leave it out."
        )
    vanishing = predictors.columns[(table["sd"] < LEAST_SD).to_numpy()].tolist()
    if vanishing:
        raise DataError(
            f"Predictor {listed(vanishing)} differs so little between the groups that the squares "
            "of the differences vanish. Give it in a smaller unit."
        )
    x = standardized(predictors, table)
    rounding = (predictors.abs().max() / table["sd"]).max() * np.finfo(float).eps
    for k in range(1, K):
        design = np.column_stack([np.ones(J), x[:, : k + 1]])
        values = np.linalg.svd(design, compute_uv=False)
        if values[-1] < J * max(values[0] * np.finfo(float).eps, rounding):
            raise DataError(
                f"Predictor {show(predictors.columns[k])} says nothing that the others do not say "
                f"already: it is a sum of multiples of {listed(predictors.columns[:k].tolist())} "
                "and a constant. Leave it out; labels that describe groups go to factors=."
            )
    return table


def standardized(predictors: pd.DataFrame, table: pd.DataFrame) -> np.ndarray:
    """Return predictors less their mean, in standard deviations, (J, K)."""
    centered = predictors.to_numpy(float) - table["mean"].to_numpy()
    return np.asarray(centered / table["sd"].to_numpy())


def predictor_words(predictors: pd.DataFrame | None, factors: Iterable[Hashable] = ()) -> str:
    """Name the predictors of the groups and their factors, or nothing."""
    known = [*(() if predictors is None else predictors), *factors]
    names = map(printable, map(str, known))
    *first, last = [*names] or [""]
    return f"{', '.join(first)} and {last}" if first else last


# internals ------------------------------------------------------------------------------------


def _own(table: Table) -> dict[str, Hashable]:
    return {role: name for role, name in table.names.items() if role.startswith(ROLE)}


def _check_constant(table: Table, low: np.ndarray, high: np.ndarray, groups: pd.Index) -> None:
    for k, role in enumerate(_own(table)):
        broken = np.flatnonzero(low[:, k] != high[:, k])
        if broken.size:
            told = [
                f"group {show(groups[j])}: from {_plain(low[j, k])} to {_plain(high[j, k])}"
                for j in broken[:3]
            ]
            raise DataError(
                f"{table.column(role)} must be the same in all rows of a group; "
                f"{broken_by(int(broken.size), len(low), told, noun='groups')}. Predictors are of "
                "groups here: average the column by group first, or make it part of the group's "
                "label."
            )


def _plain(value: float) -> str:
    return repr(float(value)).removesuffix(".0")
