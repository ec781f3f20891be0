"""What a frame says of groups that the fit has not seen: labels, levels of factors, predictors."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from hierstan.answers.prediction.by_label import by_label
from hierstan.data.grouped_data import GroupedData
from hierstan.data.predictors import standardized
from hierstan.errors import DataError, HierstanError
from hierstan.fit.centers import NewGroups, described_groups, unknown_groups
from hierstan.fit.fit import Fit
from hierstan.text.wording import listed, show


def group_labels(data: GroupedData, frame: pd.DataFrame) -> pd.Index:
    """Return the groups that the lines of a frame are of, from its columns or its index."""
    several = isinstance(data.groups, pd.MultiIndex)
    names = list(data.groups.names) if several else [data.columns.get("group")]
    if all(name in frame.columns for name in names):
        if several:
            return pd.MultiIndex.from_frame(frame[names])
        return pd.Index(frame[names[0]], tupleize_cols=False, name=data.groups.name)
    return frame.index


def coded(fit: Fit, labels: pd.Index) -> tuple[np.ndarray, np.ndarray, list[Hashable]]:
    """Return codes of groups, which of them are new, and the labels of these."""
    code_of = {label: code for code, label in enumerate(fit.data.groups)}
    fresh = [label for label in labels if label not in code_of]
    is_new = np.array([label not in code_of for label in labels], dtype=bool)
    code_of.update({label: len(fit.data.groups) + place for place, label in enumerate(fresh)})
    return np.array([code_of[label] for label in labels], dtype=int), is_new, fresh


def described(fit: Fit, factors: pd.DataFrame, x: np.ndarray | None) -> NewGroups:
    """Return what a frame says of new groups."""
    if fit.model.stands_alone:
        return unknown_groups(fit, len(factors), x)
    missing = [name for name in fit.data.levels if name not in factors.columns]
    if missing:
        raise DataError(
            f"The new groups need the factor {listed(missing)}: the fit has "
            f"{listed(list(fit.data.levels), 9)}. Labels that the fit has not seen are new levels."
        )
    columns = {name: factors[name] for name in fit.data.levels}
    for name, column in columns.items():
        if column.isna().any():
            raise DataError(f"The factor {show(name)} of the new groups has missing labels.")
    return described_groups(fit, columns, len(factors), x)


def predictors_of(fit: Fit, frame: pd.DataFrame) -> dict[Hashable, np.ndarray]:
    """Return those of the fit's predictors that a frame has, line by line."""
    standards = fit.data.standards
    names = [] if standards is None else list(standards.index)
    return {name: frame[name].to_numpy() for name in names if name in frame}


def standardized_of(fit: Fit, given: Any, fresh: list[Hashable]) -> np.ndarray:
    """Return the predictors of the new groups in the standard deviations of the fit's data."""
    standards = fit.data.standards
    if standards is None:
        raise HierstanError("predictors= means nothing here: the fit's data have no predictors.")
    names = list(standards.index)
    if missing := [name for name in names if name not in given]:
        raise DataError(
            f"The new groups need the predictor {listed(missing)}: the fit has {listed(names)}. "
            "Give predictors=, a DataFrame with one line per new group, or data made with them."
        )
    if isinstance(given, pd.DataFrame) and fit.data.columns.get("group") not in names:
        given = given.set_axis(group_labels(fit.data, given))
    values = {name: by_label(f"predictor {name}", given[name], fresh) for name in names}
    table = pd.DataFrame(values, index=range(len(fresh)))
    if (
        any(column.dtype.kind not in "iufb" for column in values.values())
        or not np.isfinite(table.to_numpy(dtype=float)).all()
    ):
        raise DataError("predictors= must hold finite numbers.")
    return standardized(table[names], standards)
