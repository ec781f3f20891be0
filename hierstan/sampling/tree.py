"""Draws laid out in groups, as ArviZ expects them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.engines import Draws
from hierstan.families import FAMILIES
from hierstan.sampling.arrays import SAMPLE, Arrays, Sampled
from hierstan.sampling.inputs import Plan
from hierstan.text.tables import plain_labels

VECTORS = {"u": "u", "tau_level": "tau"}  # of the program, kept as one variable per factor
OWN_DIMS = ("chain", "draw", "group", "observation", "predictor", "cut", "covariate")
DIMS = {"theta": ["group"], "baseline": ["group"], "beta": ["predictor"]}


def laid_out(plan: Plan, draws: Draws, written: Mapping[str, np.ndarray]) -> Sampled:
    """Return draws, statistics and data; of what the engine wrote besides, what is complete.

    By the conventions of ArviZ: arrays come by chain and draw first, but for groups of data, and a
    dimension without a name of its own is numbered.
    """
    data, family = plan.data, FAMILIES[plan.data.family]
    variables, dims, coords = _by_factor(data, draws.variables)
    if family.of_group:
        variables[family.of_group] = np.exp(variables.pop(family.log_name))
        dims[family.of_group] = ["group"]
    groups: dict[str, Mapping[str, np.ndarray]] = {"posterior": variables}
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
    named = {name: [dim] for name, dim in family.parameter_dims.items()}
    known = {**DIMS, **named, "y": observation, **constant, **dims}
    labels = {dim: (dim, values) for dim, values in {**_coordinates(data), **coords}.items()}
    labels |= parts_of_groups(data.groups)
    return Sampled(
        {
            group: Arrays(arrays, _dims(group, arrays, known), labels)
            for group, arrays in groups.items()
        }
    )


def drawn(draws: Arrays, data: GroupedData, name: str) -> np.ndarray:
    """Return the draws of a variable of the program, (chain, draw, ...).

    ``u`` and ``tau_level`` are put together from the variables of the factors; what each group has
    of its own is kept as it is, and its logarithm the program's.
    """
    family = FAMILIES[data.family]
    if family.of_group and name == family.log_name:
        return np.log(draws[family.of_group])
    if name not in VECTORS or name in draws:
        return draws[name]
    parts = [draws[f"{VECTORS[name]}_{factor}"] for factor in data.levels]
    return np.concatenate([part[..., None] if part.ndim == 2 else part for part in parts], axis=2)


def parts_of_groups(groups: pd.Index) -> dict[str, tuple[str, np.ndarray]]:
    """Return a coordinate beside the groups' for each of several columns: ``group_age``, …."""
    if not isinstance(groups, pd.MultiIndex):
        return {}
    return {
        f"group_{column}": ("group", _texts(groups.get_level_values(number)))
        for number, column in enumerate(groups.names)
    }


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


def _dims(
    group: str, arrays: Mapping[str, np.ndarray], known: Mapping[str, list[str]]
) -> dict[str, list[str]]:
    """Return the dimensions of each array."""
    sample = [] if group.endswith("_data") else list(SAMPLE)
    found = {name: [*sample, *known.get(name, [])] for name in arrays}
    for name, values in arrays.items():
        found[name] += [f"{name}_dim_{k}" for k in range(np.ndim(values) - len(found[name]))]
    return found


def _by_factor(
    data: GroupedData, variables: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, list[str]], dict[str, np.ndarray]]:
    """Give each factor its own part of ``u`` and ``tau_level``: variables, dims and coordinates."""
    found: dict[str, np.ndarray] = {}
    taken = {*OWN_DIMS, *DIMS, *variables}  # theta may be added later
    names = {str(name): known for name, known in data.levels.items()}
    dims = {name: f"{name}_level" if name in taken else name for name in names}
    ends = np.cumsum([0, *map(len, names.values())])
    for variable, values in variables.items():
        if variable == "tau_level":
            found |= {f"tau_{name}": values[..., f] for f, name in enumerate(names)}
        elif variable == "u":
            found |= {
                f"u_{name}": values[..., ends[f] : ends[f + 1]] for f, name in enumerate(names)
            }
        else:
            found[variable] = values
    of_u = {f"u_{name}": [dim] for name, dim in dims.items() if f"u_{name}" in found}
    coords = {dims[name]: _texts(known) for name, known in names.items() if f"u_{name}" in found}
    return found, of_u, coords


def _texts(labels: pd.Index) -> np.ndarray:
    """Return labels that netCDF can hold: numbers as they are, anything else as text."""
    values = labels.to_numpy()
    return values if values.dtype.kind in "iuf" else np.array(_plain(labels))


def _plain(labels: pd.Index) -> list[str]:
    known = pd.Index(list(dict.fromkeys(labels)), tupleize_cols=False)
    texts = dict(zip(known, plain_labels(known), strict=True))
    return [texts[label] for label in labels]


def _coordinates(data: GroupedData) -> dict[str, np.ndarray]:
    found = {"group": coordinate(data.groups)}
    if data.categories is not None:
        known = plain_labels(data.categories)
        found["cut"] = np.array([f"{a}|{b}" for a, b in itertools.pairwise(known)])
    if data.predictors is not None:
        found["predictor"] = np.array([str(name) for name in data.predictors.columns])
    if data.covariates is not None:
        found["covariate"] = np.array([str(name) for name in data.covariates.index])
    return found
