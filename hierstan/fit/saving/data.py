"""The data of a fit and the coordinate of its groups, as they are kept in a DataTree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hierstan.data.covariates import table_of
from hierstan.data.grouped_data import GroupedData
from hierstan.data.measures import MEASURES
from hierstan.data.structure import level_codes, levels
from hierstan.families import FAMILIES
from hierstan.fit.saving.labels import (
    codes_within,
    from_groups,
    from_label,
    from_labels,
    to_groups,
    to_label,
    to_labels,
)
from hierstan.fit.saving.records import Damaged, entry, of_type
from hierstan.sampling.tree import parts_of_groups
from hierstan.text.tables import plain_labels

if TYPE_CHECKING:
    import xarray as xr

TABLES = {"cells": "cell", "rows": "row"}  # group: dimension


def from_data(data: GroupedData) -> dict[str, Any]:
    """Record everything but the tables."""
    rows = "gone" if data.rows is None else "cells" if data.rows is data.cells else "own"
    return {
        "family": data.family,
        "groups": from_groups(data.groups),
        "n_rows": int(data.n_rows),
        "columns": {
            role: from_label(column, "The column name") for role, column in data.columns.items()
        },
        "rows": rows,
        "measure": data.measure,
        "arms": None if data.arms is None else from_labels(data.arms),
        "categories": None if data.categories is None else from_labels(data.categories),
        "predictors": _from_predictors(data),
        "factors": _from_factors(data.factors),
        "covariates": _from_covariates(data.covariates),
    }


def to_data(record: Mapping[str, Any], tree: xr.DataTree) -> GroupedData:
    """Return recorded data, with the tables of a DataTree."""
    family = entry(record, "family", str)
    if family not in FAMILIES:
        raise Damaged(f"{family!r} is not a family")
    groups = to_groups(entry(record, "groups", dict))
    cells = _to_frame(tree, "cells", family, len(groups))
    kept = entry(record, "rows", str)
    if kept not in ("cells", "own", "gone"):
        raise Damaged(f"{kept!r} is no way to keep rows")
    rows = _to_frame(tree, "rows", family, len(groups)) if kept == "own" else None
    measure = record.get("measure")
    if measure is not None and measure not in MEASURES:
        raise Damaged(f"{measure!r} is not a measure")
    names = entry(record, "columns", dict)
    return GroupedData(
        family=family,
        groups=groups,
        cells=cells,
        rows=cells if kept == "cells" else rows,
        n_rows=entry(record, "n_rows", int),
        columns={role: to_label(name) for role, name in names.items()},
        measure=measure,
        arms=_to_arms(record.get("arms"), names),
        categories=_to_categories(record.get("categories"), cells),
        **_to_predictors(record.get("predictors"), groups),
        factors=_to_factors(record.get("factors"), groups),
        covariates=_to_covariates(record.get("covariates")),
    )


def _to_arms(record: Any, names: Mapping[str, Any]) -> pd.Index | None:
    if record is None:
        return None
    labels = to_labels(record)
    if len(labels) != 2:
        raise Damaged(f"{len(labels)} arms are not two")
    return labels.rename(to_label(names["arm"]) if "arm" in names else None)


def tables(data: GroupedData) -> dict[str, xr.DataTree]:
    """Return the tables of data as groups of a DataTree."""
    frames = {"cells": data.cells}
    if data.rows is not None and data.rows is not data.cells:
        frames["rows"] = data.rows
    return {name: _from_frame(frame, TABLES[name]) for name, frame in frames.items()}


def readable(groups: pd.Index) -> np.ndarray:
    """Return labels that netCDF can hold: numbers as they are, anything else as text."""
    values = groups.to_numpy()
    if values.dtype.kind in "iuf":
        return values
    return np.array([text.replace("\0", "\\x00") for text in plain_labels(groups)])


def coordinate_kind(tree: xr.DataTree) -> str:
    """Say how the groups' coordinate holds the labels: as text, as objects or as pandas does."""
    kinds = {node.coords["group"].dtype.kind for node in tree.subtree if "group" in node.coords}
    return {"U": "text", "O": "object"}.get(kinds.pop(), "values") if kinds else "values"


def restore_coordinate(tree: xr.DataTree, groups: pd.Index, kind: str) -> None:
    """Put the labels themselves where `readable` put what netCDF can hold."""
    if kind not in ("text", "object", "values"):
        raise Damaged(f"{kind!r} is no kind of coordinate")
    labels = readable(groups) if isinstance(groups, pd.MultiIndex) else groups.to_numpy()
    if kind != "values" and not isinstance(groups, pd.MultiIndex):
        labels = np.empty(len(groups), dtype=object)
        labels[:] = list(groups)
    if kind == "text":
        labels = labels.astype(str)
    for node in tree.subtree:
        if "group" not in node.dims:
            continue
        if node.sizes["group"] != len(groups):
            raise Damaged(f"{node.path} has {node.sizes['group']} groups, not {len(groups)}")
        beside = [name for name in parts_of_groups(groups) if name in node]
        node.dataset = node.to_dataset().set_coords(beside).assign_coords(group=labels)


# internals --------------------------------------------------------------------------------------


def _from_predictors(data: GroupedData) -> dict[str, Any] | None:
    if data.predictors is None or data.standards is None:
        return None
    return {
        "names": [from_label(name, "The predictor") for name in data.predictors.columns],
        "values": data.predictors.to_numpy(float).tolist(),
        "mean": data.standards["mean"].tolist(),
        "sd": data.standards["sd"].tolist(),
    }


def _to_predictors(record: Any, groups: pd.Index) -> dict[str, pd.DataFrame]:
    if record is None:
        return {}
    if not isinstance(record, dict):
        raise Damaged("the predictors should be a record")
    names = [to_label(name) for name in entry(record, "names", list)]
    columns = pd.Index(names, dtype=object, tupleize_cols=False, name="predictor")
    try:
        values = np.array(entry(record, "values", list), dtype=float)
        scales = {part: np.array(entry(record, part, list), dtype=float) for part in ("mean", "sd")}
        if not all(np.isfinite(part).all() for part in (values, *scales.values())):
            raise ValueError("they are not finite")
        return {
            "predictors": pd.DataFrame(values, index=groups, columns=columns),
            "standards": pd.DataFrame(scales, index=columns),
        }
    except (TypeError, ValueError) as error:
        raise Damaged(f"the predictors do not fit the groups: {error}") from None


def _to_categories(record: Any, cells: pd.DataFrame) -> pd.Index | None:
    if record is None:
        return None
    known = to_labels(of_type(record, dict, "the categories"))
    if "C" not in cells or (cells["C"] != len(known)).any():
        raise Damaged(f"{len(known)} categories do not fit the ratings")
    return known.rename("category")


LABELS, NUMBERS = ("column", "level", "reference"), ("mean", "sd")


def _from_covariates(covariates: pd.DataFrame | None) -> list[Any] | None:
    if covariates is None:
        return None
    return [
        {
            "name": str(name),
            **{role: from_label(line[role], "The covariate") for role in LABELS},
            **{role: float(line[role]) for role in NUMBERS},
        }
        for name, line in zip(covariates.index, covariates.to_dict("records"), strict=True)
    ]


def _to_covariates(record: Any) -> pd.DataFrame | None:
    if record is None:
        return None
    parts = [of_type(part, dict, "a covariate") for part in of_type(record, list, "covariates")]
    lines = [
        {role: to_label(part.get(role)) for role in LABELS}
        | {role: entry(part, role, float) for role in NUMBERS}
        for part in parts
    ]
    names = [entry(part, "name", str) for part in parts]
    return table_of(lines, names)


def _from_factors(factors: pd.DataFrame | None) -> list[Any] | None:
    if factors is None:
        return None
    codes = level_codes(factors, len(factors))["level"]
    return [
        {
            "name": from_label(name, "The factor"),
            "levels": from_labels(known),
            "codes": (codes[f] - codes[f].min()).tolist(),
            "ordered": isinstance(factors.iloc[:, f].dtype, pd.CategoricalDtype),
        }
        for f, (name, known) in enumerate(levels(factors).items())
    ]


def _to_factors(record: Any, groups: pd.Index) -> pd.DataFrame | None:
    if record is None:
        return None
    columns: dict[int, Any] = {}
    names = []
    for f, part in enumerate(of_type(record, list, "the factors")):
        part = of_type(part, dict, "a factor")
        known = to_labels(entry(part, "levels", dict))
        codes = codes_within(entry(part, "codes", list), len(known))
        if len(codes) != len(groups):
            raise Damaged(f"a factor has {len(codes)} labels for {len(groups)} groups")
        categories = pd.Categorical.from_codes(codes, known)
        columns[f] = categories if entry(part, "ordered", bool) else known.take(codes)
        names.append(to_label(part.get("name")))
    factors = pd.DataFrame(columns)
    factors.index = groups
    factors.columns = pd.Index(names, dtype=object, tupleize_cols=False, name="factor")
    return factors


def _from_frame(frame: pd.DataFrame, dimension: str) -> xr.DataTree:
    import xarray as xr

    columns = {str(name): (dimension, column.to_numpy()) for name, column in frame.items()}
    return xr.DataTree(xr.Dataset(columns))


def _to_frame(tree: xr.DataTree, name: str, family: str, size: int) -> pd.DataFrame:
    """Return the table of a group, checked as far as what comes after relies on it."""
    if name not in tree.children:
        raise Damaged(f"the group {name!r} is missing")
    dataset = tree[name].to_dataset()
    wanted = {"group", *FAMILIES[family].columns}
    found = {str(column) for column in dataset.data_vars}
    if {name for name in found if name.split()[0] not in FAMILIES[family].vectors} != wanted:
        raise Damaged(f"the group {name!r} should hold {', '.join(sorted(wanted))}")
    columns = {str(column): values.to_numpy() for column, values in dataset.data_vars.items()}
    if any(values.ndim != 1 or values.dtype.kind not in "iuf" for values in columns.values()):
        raise Damaged(f"the group {name!r} should hold columns of numbers")
    codes = columns["group"]
    whole = codes.dtype.kind in "iu" and codes.size > 0
    if not whole or codes.min() < 0 or codes.max() >= size:
        raise Damaged(f"the group {name!r} refers to groups that there are not")
    return pd.DataFrame(columns)
