"""Group labels and their codes: what type they have, and in which order the groups stand.

The order is the one a categorical column declares, else that of first appearance. Engines that
promise no row order (DuckDB, Dask, PySpark, ibis) get sorted labels, so that the same data always
give the same groups. With several columns the groups are the combinations that occur: in the
columns' order of labels where one declares it, else in order of first appearance.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from hierstan.data.frames import Table, collected, hashable
from hierstan.errors import DataError, warn
from hierstan.families.collapse import Frame
from hierstan.text.wording import broken_by, did_you_mean, listed, show


def fetch_rows(table: Table) -> tuple[pd.Index, pd.DataFrame]:
    """Return the group labels and every row in pandas, the group as 0-based codes."""
    if not table.in_pandas:
        return _coded(table, collected(table.frame), None)
    native = nw.to_native(table.frame)
    coded = [_pandas_codes(native[key], table, key) for key in table.keys]
    declared = any(isinstance(native[key].dtype, pd.CategoricalDtype) for key in table.keys)
    groups, codes = _combined(table, coded, by_level=declared)
    values = {role: native[role].to_numpy() for role in table.names if role not in table.keys}
    for role in table.factors:
        _pandas_codes(native[role], table, role)  # for its checks
        values[role] = native[role].array
    return groups, pd.DataFrame({"group": codes, **values})


def fetch_cells(table: Table, cells: Frame) -> tuple[pd.Index, pd.DataFrame]:
    """Return the group labels and the cells an engine has computed, the group as 0-based codes."""
    order = None
    if table.keeps_order:
        first = table.numbered().group_by(*table.keys).agg(nw.col("row").min())
        order = collected(first).sort("row")
    return _coded(table, collected(cells), order)


def position(groups: pd.Index, label: object) -> int:
    """Return the position of a group, given by its label."""
    code_of = {known: code for code, known in enumerate(groups)}
    if not hashable(label) or label not in code_of:
        known = list(code_of)
        raise DataError(
            f"There is no group {show(label)}.{did_you_mean(label, known)} "
            f"Groups: {listed(known, 8)}."
        )
    return code_of[label]


def known_labels(table: Table, role: str) -> list[Hashable]:
    """Return the labels of a column: in the order that it declares, else sorted."""
    if table.in_pandas:
        native = nw.to_native(table.frame)[role]
        if isinstance(native.dtype, pd.CategoricalDtype):
            return list(_pandas_codes(native, table, role)[0])
    declared = _declared(table, role)
    found = collected(table.frame.select(role).unique())[role].to_list()
    return _sorted(found) if declared is None else [label for label in declared if label in found]


def several(levels: Any, codes: Any, names: list[Hashable]) -> pd.MultiIndex:
    """Return the labels of groups by several columns, from each one's labels and their codes."""
    return pd.MultiIndex(levels=levels, codes=codes, names=names)


# internals --------------------------------------------------------------------------------------


Coded = tuple[pd.Index, np.ndarray]  # labels in their order, and 0-based codes


def _pandas_codes(labels: pd.Series, table: Table, role: str) -> Coded:
    """Labels and codes of a pandas column: in category order, else by first appearance."""
    if isinstance(labels.dtype, pd.CategoricalDtype):
        known = labels.cat.categories
        codes = labels.cat.codes.to_numpy().astype(np.int64)
        _check_observed(known, codes, table, role)
        return known, codes
    try:
        codes, unique = labels.factorize()
    except TypeError:
        bad = [
            f"row {show(row)}: {show(label)}"
            for row, label in labels.items()
            if not hashable(label)
        ]
        raise DataError(
            f"{table.column(role)} must hold labels that can be hashed (text, numbers, dates, "
            f"tuples); {broken_by(len(bad), len(labels), bad)}. Turn lists into tuples or text."
        ) from None
    return pd.Index(unique), codes


def _coded(
    table: Table, frame: nw.DataFrame[Any], order: nw.DataFrame[Any] | None
) -> tuple[pd.Index, pd.DataFrame]:
    """Code labels in declared order, else as told, else by appearance, else sorted."""
    own = {key: frame[key].to_list() for key in table.keys}
    told = own if order is None else {key: order[key].to_list() for key in table.keys}
    coded = [_list_codes(table, key, told[key], own[key]) for key in table.keys]
    by_level = not table.keeps_order or any(_declared(table, key) for key in table.keys)
    if order is None:
        groups, codes = _combined(table, coded, by_level=by_level)
    else:
        first = [_list_codes(table, key, told[key], told[key]) for key in table.keys]
        groups, codes = _combined(table, first, by_level=by_level)
        place = {flat: codes[row] for row, flat in enumerate(_flat(first).tolist())}
        codes = np.array([place[flat] for flat in _flat(coded).tolist()], dtype=np.int64)
    values: dict[str, object] = {
        name: _numpy(frame[name]) for name in frame.columns if name not in table.keys
    }
    for role in set(table.factors) & set(frame.columns):
        values[role] = _series(table, role, frame[role].to_list())
    return groups, pd.DataFrame({"group": codes, **values})


def _list_codes(table: Table, role: str, told: list[Hashable], labels: list[Hashable]) -> Coded:
    """Labels in the order that `told` tells, and codes of others of them."""
    declared = _declared(table, role)
    known = declared or list(dict.fromkeys(told))
    if declared is None and not table.keeps_order:
        known = _sorted(known)
    code_of = {label: code for code, label in enumerate(known)}
    codes = np.fromiter((code_of[label] for label in labels), np.int64, len(labels))
    index = pd.Index(known, tupleize_cols=False)
    if declared is not None:
        _check_observed(index, codes, table, role)
    return index, codes


def _series(table: Table, role: str, labels: list[Hashable]) -> pd.Series:
    """Return the labels of a factor, as categories where they are declared in an order."""
    if _declared(table, role) is None:
        return pd.Series(pd.Index(labels, tupleize_cols=False))
    known, codes = _list_codes(table, role, labels, labels)
    return pd.Series(pd.Categorical.from_codes(codes, categories=known))


def _combined(table: Table, coded: list[Coded], *, by_level: bool) -> Coded:
    """Return groups and codes of the combinations of several columns, or of a single one.

    With `by_level` combinations stand in the order of their labels, else by first appearance.
    """
    for key, (known, _) in zip(table.keys, coded, strict=True):
        _warn_of_twins(known, table, key)
    if len(coded) == 1:
        return coded[0][0].rename("group"), coded[0][1]
    flat = _flat(coded)
    codes, combinations = pd.factorize(flat, sort=by_level)
    parts = np.unravel_index(combinations, [len(known) for known, _ in coded])
    names = [table.names[key] for key in table.keys]
    return several([known for known, _ in coded], parts, names), codes


def _flat(coded: list[Coded]) -> np.ndarray:
    """Return a number for each combination of labels, by the order of the labels."""
    sizes = tuple(len(known) for known, _ in coded)
    return np.ravel_multi_index(tuple(codes for _, codes in coded), sizes)


def _warn_of_twins(labels: pd.Index, table: Table, role: str) -> None:
    """Warn of labels that differ by case or spaces alone: one group, written in two ways."""
    alike: dict[Hashable, list[Hashable]] = {}
    for label in labels:
        alike.setdefault(_normal_form(label), []).append(label)
    twins = [same for same in alike.values() if len(same) > 1]
    if twins:
        told = "; ".join(" and ".join(map(show, same)) for same in twins[:5])
        more = f"; and {len(twins) - 5} more" if len(twins) > 5 else ""
        warn(
            f"{table.column(role)} has labels that differ by case or spaces alone, and are "
            f"taken as different groups: {told}{more}. If they are the same, correct them, as with "
            ".str.strip().str.lower() in pandas."
        )


def _normal_form(label: Hashable) -> Hashable:
    if isinstance(label, tuple):
        return tuple(map(_normal_form, label))
    return " ".join(label.split()).casefold() if isinstance(label, str) else label


def _numpy(values: nw.Series[Any]) -> np.ndarray:
    wide = values.dtype in (nw.Int128, nw.UInt128)  # which NumPy has not
    return (values.cast(nw.Float64) if wide else values).to_numpy()


def _sorted(labels: list[Any]) -> list[Hashable]:
    try:
        return sorted(labels)
    except TypeError:  # labels of several types, or without an order
        return sorted(labels, key=lambda label: (type(label).__name__, str(label)))


def _declared(table: Table, role: str) -> list[Hashable] | None:
    """Return the categories that a column declares, where its engine has such a thing."""
    dtype = table.frame.collect_schema()[role]
    if isinstance(dtype, nw.Enum):
        return list(dtype.categories)
    if dtype == nw.Categorical and table.frame.implementation.is_dask():
        column = nw.to_native(table.frame)[role]
        return list(column.cat.categories) if column.cat.known else None
    return None


def _check_observed(known: pd.Index, codes: np.ndarray, table: Table, role: str) -> None:
    absent = known[np.bincount(codes, minlength=len(known)) == 0].tolist()
    if absent:
        raise DataError(
            f"{table.column(role)} declares {len(absent)} of {len(known)} categories that no "
            f"row has: {listed(absent)}. Remove them with {table.recipe('unused', role)}."
        )
