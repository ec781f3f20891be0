"""Factors: labels that describe groups, such as a store's region or the parts of a segment's name.

A factor's *levels* stand in the order that a categorical column declares, else in the order of the
groups. Several columns given as `group` are factors too, but for one that tells all groups apart:
that one is the groups themselves.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TypedDict

import numpy as np
import pandas as pd

from hierstan.data.frames import Table, hashable
from hierstan.data.labels import fetch_cells
from hierstan.errors import DataError
from hierstan.text.wording import broken_by, did_you_mean, listed, show

Group = Hashable | list[Hashable]

RESERVED = "level"  # tau_level is what programs and priors call the sds of all factors


class LevelCodes(TypedDict):
    """The levels of factors as Stan programs read them."""

    F: int
    L: int
    factor: np.ndarray
    level: np.ndarray
    level_new: np.ndarray


def column_roles(
    group: object, predictors: object, factors: object, adjust: object = (), **own: Hashable
) -> dict[str, Hashable]:
    """Return the column of each role; several columns for one thing are numbered."""
    if isinstance(group, list) and not group:
        raise DataError("group= takes a column or a list of columns, but the list is empty.")
    if isinstance(group, list) and len(group) > 1:
        grouped = _numbered("group", group)
    else:
        grouped = {"group": group[0] if isinstance(group, list) else group}
    described = {
        **_numbered("predictor", _names("predictors", predictors, "latitude")),
        **_numbered("factor", _names("factors", factors, "region")),
        **_numbered("adjust", _names("adjust", adjust, "age")),
    }
    _check_names(
        [*(group if isinstance(group, list) else []), *_names("factors", factors, "region")]
    )
    return {**grouped, **own, **described}


def columns(table: Table) -> dict[str, Hashable]:
    """Return the column of each role; under "group" a tuple where there are several."""
    if len(table.keys) == 1:
        return table.names
    rest = {role: name for role, name in table.names.items() if role not in table.keys}
    return {"group": tuple(table.names[key] for key in table.keys), **rest}


def take(table: Table, groups: pd.Index, rows: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the factors by group, in the order of the groups, or None if there are none.

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
        If a factor differs between rows of a group, has one level or one for each group, or splits
        the groups as another does.
    """
    found = _of_name(table, groups) | _of_columns(table, groups, rows)
    if not found:
        return None
    factors = pd.DataFrame(dict(enumerate(found.values())))
    factors.index = groups
    names = [table.names[role] for role in found]
    factors.columns = pd.Index(names, dtype=object, tupleize_cols=False, name="factor")
    _check_distinct(table, factors, list(found))
    return factors


def levels(factors: pd.DataFrame | None) -> dict[Hashable, pd.Index]:
    """Return the levels of each factor, in their order."""
    if factors is None:
        return {}
    each = enumerate(factors.columns)
    return {name: _levels(factors.iloc[:, f]).rename(name) for f, name in each}


def some(factors: pd.DataFrame | None, names: object) -> pd.DataFrame | None:
    """Return some of the factors, given by a list of their names; all of them for None."""
    if names is None:
        return factors
    known = [] if factors is None else list(factors.columns)
    chosen = _names("factors", names, "region")
    unknown = [name for name in chosen if not hashable(name) or name not in known]
    if unknown:
        hint = did_you_mean(unknown[0], known)
        raise DataError(
            f"The data have no factor {listed(unknown)}.{hint} They have "
            f"{listed(known, 9) or 'none: give factors= or several group= columns'}."
        )
    return None if factors is None or not chosen else factors[chosen]


def level_codes(factors: pd.DataFrame | None, J: int) -> LevelCodes:
    """Return ``F``, ``L``, ``factor``, ``level`` and ``level_new`` as the Stan programs read them.

    Levels are counted from 1, over all factors.
    """
    each = [] if factors is None else [factors.iloc[:, f] for f in range(factors.shape[1])]
    sizes = [len(_levels(labels)) for labels in each]
    codes = np.array([_codes(labels) for labels in each], dtype=np.int32).reshape(len(each), J)
    before = np.cumsum([0, *sizes[:-1]])[: len(each)]
    return {
        "F": len(each),
        "L": sum(sizes),
        "factor": np.repeat(np.arange(1, len(each) + 1), sizes).astype(np.int32),
        "level": (codes + before[:, None] + 1).astype(np.int32),
        "level_new": np.zeros(len(each), dtype=np.int32),
    }


def of_some(factors: pd.DataFrame, present: np.ndarray) -> pd.DataFrame:
    """Return the factors of some of the groups, without the levels that none of them has."""
    left = factors[present].copy()
    for name, labels in left.items():
        if isinstance(labels.dtype, pd.CategoricalDtype):
            left[name] = labels.cat.remove_unused_categories()
    return left


def taken(factors: pd.DataFrame, places: np.ndarray, index: pd.Index) -> pd.DataFrame:
    """Return the factors of the groups at some places, each as often as it is named there.

    They keep their levels and the order of these, whichever of them the groups have.
    """
    columns = [
        pd.Series(pd.Categorical.from_codes(_codes(labels)[places], _levels(labels)), index)
        for labels in (factors.iloc[:, f] for f in range(factors.shape[1]))
    ]
    return pd.concat(columns, axis=1).set_axis(factors.columns, axis=1)


# internals ------------------------------------------------------------------------------------


def _names(argument: str, given: object, example: str) -> list[Hashable]:
    single = isinstance(given, str | bytes) or getattr(given, "ndim", 1) == 0
    if single or not isinstance(given, Iterable):
        raise DataError(
            f"{argument}= takes a list of columns, such as [{example!r}]; got {show(given)}."
        )
    return list(given)


def _numbered(noun: str, names: list[Hashable]) -> dict[str, Hashable]:
    return {f"{noun} {number}": name for number, name in enumerate(names, 1)}


def _levels(labels: pd.Series) -> pd.Index:
    if isinstance(labels.dtype, pd.CategoricalDtype):
        return labels.cat.categories
    return pd.Index(labels.unique(), tupleize_cols=False)


def _check_names(factors: Sequence[Hashable]) -> None:
    """Refuse columns after which no variable of a file of draws can be named."""
    slashed = [name for name in factors if "/" in str(name)]
    if slashed:
        raise DataError(
            f"The names of factors must be without '/', got {listed(slashed)}: in a file of draws "
            f"'tau_{slashed[0]}' would be a path. Rename the column."
        )


def _codes(labels: pd.Series) -> np.ndarray:
    if isinstance(labels.dtype, pd.CategoricalDtype):
        return labels.cat.codes.to_numpy()
    return pd.factorize(labels)[0]


def _of_name(table: Table, groups: pd.Index) -> dict[str, pd.Series]:
    """Return the parts of the groups' labels that several groups share, by role."""
    if not isinstance(groups, pd.MultiIndex):
        return {}
    found = {}
    for key, known, codes in zip(table.keys, groups.levels, groups.codes, strict=True):
        if len(known) == 1:
            raise DataError(
                f"{table.column(key)} is {show(known[0])} in every row, so that it tells no groups "
                "apart. Leave it out of group=."
            )
        if len(known) == len(groups):
            continue
        in_order = np.array_equal(pd.unique(codes), np.arange(len(known)))
        labels = known.take(codes) if in_order else pd.Categorical.from_codes(codes, known)
        found[key] = pd.Series(labels)
    return found


def _of_columns(table: Table, groups: pd.Index, rows: pd.DataFrame | None) -> dict[str, pd.Series]:
    """Return the factors of columns of their own, by role, one label per group."""
    if not table.factors:
        return {}
    if rows is None:
        _, rows = fetch_cells(table, table.frame.select(*table.keys, *table.factors).unique())
    group = rows["group"].to_numpy()
    first = np.full(len(groups), -1)
    first[group[::-1]] = np.arange(len(group))[::-1]
    found = {}
    for role in table.factors:
        labels = rows[role]
        _check_constant(table, role, groups, group, labels)
        found[role] = labels.iloc[first].reset_index(drop=True)
        _check_levels(table, role, groups, _levels(found[role]))
    return found


def _check_constant(
    table: Table, role: str, groups: pd.Index, group: np.ndarray, labels: pd.Series
) -> None:
    by_group = pd.Series(_codes(labels)).groupby(group)
    broken = np.flatnonzero((by_group.max() != by_group.min()).to_numpy())
    if broken.size:
        told = [
            f"group {show(groups[j])}: {listed(list(dict.fromkeys(labels[group == j])))}"
            for j in broken[:3]
        ]
        name = table.names[role]
        raise DataError(
            f"{table.column(role)} must be the same in all rows of a group; "
            f"{broken_by(int(broken.size), len(groups), told, noun='groups')}. Factors describe "
            f"groups: correct those rows, or make the column part of the groups, with "
            f"group={[*(table.names[key] for key in table.keys), name]!r}."
        )


def _check_levels(table: Table, role: str, groups: pd.Index, known: pd.Index) -> None:
    if len(known) == 1:
        raise DataError(
            f"{table.column(role)} is {show(known[0])} in every group, so that it cannot explain "
            "their differences. Leave it out."
        )
    if len(known) == len(groups):
        raise DataError(
            f"{table.column(role)} has a level of its own for each of the {len(groups):,} groups, "
            "so that its levels cannot be told from the groups themselves. Leave it out, or name "
            "it as group= if its labels are the better ones."
        )


def _check_distinct(table: Table, factors: pd.DataFrame, roles: list[str]) -> None:
    """Refuse two factors that split the groups alike, and names that read the same."""
    splits: dict[bytes, Hashable] = {}
    for f, role in enumerate(roles):
        split = pd.factorize(_codes(factors.iloc[:, f]))[0].tobytes()
        if split in splits:
            raise DataError(
                f"{table.column(role)} splits the groups exactly as {show(splits[split])} does, so "
                "that the two cannot be told apart. Leave one of them out."
            )
        splits[split] = factors.columns[f]
    texts = [str(name) for name in factors.columns]
    if RESERVED in texts:
        raise DataError(
            f"A factor cannot be called {RESERVED}: tau_{RESERVED} stands for the sds of all "
            "factors. Rename the column."
        )
    doubled = sorted({text for text in texts if texts.count(text) > 1})
    if doubled:
        raise DataError(f"Two factors are called {doubled[0]}. Rename one of the columns.")
