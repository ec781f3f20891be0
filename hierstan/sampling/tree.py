"""Draws laid out as a DataTree, as ArviZ expects it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.engines import Draws
from hierstan.families import FAMILIES
from hierstan.sampling.inputs import Plan
from hierstan.text.tables import plain_labels

if TYPE_CHECKING:
    import xarray as xr

DIMS = {"theta": ["group"], "baseline": ["group"], "beta": ["predictor"]}


def tree(plan: Plan, draws: Draws, written: Mapping[str, np.ndarray]) -> xr.DataTree:
    """Return draws, statistics and data; of what the engine wrote besides, what is complete."""
    import arviz_base as azb

    data, family = plan.data, FAMILIES[plan.data.family]
    groups: dict[str, Any] = {"posterior": draws.variables}
    stats = dict(draws.stats)
    stats["diverging"] = stats["diverging"] > 0
    for name in ("tree_depth", "n_steps"):
        stats[name] = stats[name].astype(np.int64)
    groups["sample_stats"] = stats
    if {"log_lik", "y_rep"} <= set(written):
        rep = written["y_rep"]
        rep = whole_numbers(rep) if family.columns["y"] == "int" else rep
        groups |= {"log_likelihood": {"y": written["log_lik"]}, "posterior_predictive": {"y": rep}}
    observed = data.cells if data.rows is None else data.rows
    groups["observed_data"] = {"y": observed["y"].to_numpy()}
    groups["constant_data"] = {
        "group_index": observed["group"].to_numpy(),
        **{name: observed[name].to_numpy() for name in family.columns if name != "y"},
    }
    if plan.prior_only:
        groups["prior"] = groups.pop("posterior")
        groups["sample_stats_prior"] = groups.pop("sample_stats")
    observation = ["observation"]
    constant = dict.fromkeys(groups["constant_data"], observation)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="More chains")
        made: xr.DataTree = azb.from_dict(
            groups,
            coords={"observation": np.arange(len(observed)), **_coordinates(data)},
            dims={**DIMS, "y": observation, **constant},
        )
    return made


def coordinate(groups: pd.Index) -> np.ndarray:
    """Return the group labels as a coordinate; labels of any type stay themselves.

    Labels of several columns are joined to texts, which netCDF and ArviZ's tables can hold.
    """
    if isinstance(groups, pd.MultiIndex):
        return np.array(plain_labels(groups))
    values = groups.to_numpy()
    if values.dtype.kind in "iufbM":
        return values
    labels = np.empty(len(groups), dtype=object)
    labels[:] = list(groups)
    if all(isinstance(label, str) for label in labels):
        return labels.astype(str)
    return labels


def whole_numbers(values: np.ndarray) -> np.ndarray:
    """Return counts as 64-bit integers, or as they are where one of them is larger than that."""
    fits = values.size == 0 or np.abs(values).max() < 2.0**63
    return values.astype(np.int64) if fits else values


# internals ------------------------------------------------------------------------------------


def _coordinates(data: GroupedData) -> dict[str, np.ndarray]:
    found = {"group": coordinate(data.groups)}
    if data.predictors is not None:
        found["predictor"] = np.array([str(name) for name in data.predictors.columns])
    return found
