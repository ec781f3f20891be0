"""Group labels and their codes: what type they have, and in which order the groups stand.

The order is the one a categorical column declares, else that of first appearance. Engines that
promise no row order (DuckDB, Dask, PySpark, ibis) get sorted labels, so that the same data always
give the same groups.
"""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from hierstan.data.frames import Table, collected, hashable
from hierstan.errors import DataError
from hierstan.families.collapse import Frame
from hierstan.text.wording import broken_by, did_you_mean, listed, show


def fetch_rows(table: Table) -> tuple[pd.Index, pd.DataFrame]:
    """Return the group labels and every row in pandas, the group as 0-based codes."""
    if table.in_pandas:
        native = nw.to_native(table.frame)
        groups, codes = _pandas_codes(native["group"], table)
        values = {role: native[role].to_numpy() for role in table.names if role != "group"}
        return groups, pd.DataFrame({"group": codes, **values})
    return _coded(table, collected(table.frame), None)


def fetch_cells(table: Table, cells: Frame) -> tuple[pd.Index, pd.DataFrame]:
    """Return the group labels and the cells an engine has computed, the group as 0-based codes."""
    order = None
    if table.keeps_order:
        first = table.numbered().group_by("group").agg(nw.col("row").min())
        order = collected(first).sort("row")["group"].to_list()
    return _coded(table, collected(cells), order)


def position(groups: pd.Index, label: Any) -> int:
    """Return the position of a group, given by its label."""
    code_of = {known: code for code, known in enumerate(groups)}
    if not hashable(label) or label not in code_of:
        known = list(code_of)
        raise DataError(
            f"There is no group {show(label)}.{did_you_mean(label, known)} "
            f"Groups: {listed(known, 8)}."
        )
    return code_of[label]


# internals --------------------------------------------------------------------------------------


def _pandas_codes(labels: pd.Series, table: Table) -> tuple[pd.Index, np.ndarray]:
    """Labels and codes of a pandas column: in category order, else by first appearance."""
    if isinstance(labels.dtype, pd.CategoricalDtype):
        groups = labels.cat.categories.rename("group")
        codes = labels.cat.codes.to_numpy().astype(np.int64)
        _check_observed(groups, codes, table)
        return groups, codes
    try:
        codes, unique = labels.factorize()
    except TypeError:
        bad = [
            f"row {show(row)}: {show(label)}"
            for row, label in labels.items()
            if not hashable(label)
        ]
        raise DataError(
            f"{table.column('group')} must hold labels that can be hashed (text, numbers, dates, "
            f"tuples); {broken_by(len(bad), len(labels), bad)}. Turn lists into tuples or text."
        ) from None
    return pd.Index(unique, name="group"), codes


def _coded(
    table: Table, frame: nw.DataFrame[Any], order: list[Any] | None
) -> tuple[pd.Index, pd.DataFrame]:
    """Code labels in declared order, else as told, else by appearance, else sorted."""
    labels = frame["group"].to_list()
    declared = _declared(table)
    if declared is not None:
        order = declared
    elif order is None:
        order = list(dict.fromkeys(labels))
        order = order if table.keeps_order else _sorted(order)
    groups = pd.Index(order, name="group", tupleize_cols=False)
    code_of = {label: code for code, label in enumerate(order)}
    codes = np.fromiter((code_of[label] for label in labels), np.int64, len(labels))
    if declared is not None:
        _check_observed(groups, codes, table)
    values = {name: _numpy(frame[name]) for name in frame.columns if name != "group"}
    return groups, pd.DataFrame({"group": codes, **values})


def _numpy(values: nw.Series[Any]) -> np.ndarray:
    wide = values.dtype in (nw.Int128, nw.UInt128)  # which NumPy has not
    return (values.cast(nw.Float64) if wide else values).to_numpy()


def _sorted(labels: list[Any]) -> list[Any]:
    try:
        return sorted(labels)
    except TypeError:  # labels of several types, or without an order
        return sorted(labels, key=lambda label: (type(label).__name__, str(label)))


def _declared(table: Table) -> list[Any] | None:
    """Return the categories that the group column declares, where its engine has such a thing."""
    dtype = table.frame.collect_schema()["group"]
    if isinstance(dtype, nw.Enum):
        return list(dtype.categories)
    if dtype == nw.Categorical and table.frame.implementation.is_dask():
        column = nw.to_native(table.frame)["group"]
        return list(column.cat.categories) if column.cat.known else None
    return None


def _check_observed(groups: pd.Index, codes: np.ndarray, table: Table) -> None:
    absent = groups[np.bincount(codes, minlength=len(groups)) == 0].tolist()
    if absent:
        raise DataError(
            f"{table.column('group')} declares {len(absent)} of {len(groups)} categories that no "
            f"row has: {listed(absent)}. Remove them with {table.recipe('unused', 'group')}."
        )
