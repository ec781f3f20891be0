"""The population that an overall effect is of, and groups whose baseline is known."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from hierstan.data.own_estimates import group_sizes
from hierstan.errors import DataError, HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.two_arms import check_baselines, treatment_of
from hierstan.text.tables import printable
from hierstan.text.wording import did_you_mean, listed, show

KINDS = ("size", "equal")


class Population(NamedTuple):
    """Shares of the groups, (J,), adding up to 1, and which population that is."""

    share: np.ndarray
    words: str


def of(fit: Fit, weights: object) -> Population:
    """Return the population that is meant by ``"size"``, ``"equal"`` or a weight for each group."""
    groups = fit.data.groups
    if isinstance(weights, str):
        if weights not in KINDS:
            raise HierstanError(
                f"weights= takes 'size', 'equal', or a mapping or Series with a weight for each "
                f"group, got {weights!r}."
            )
        size = group_sizes(fit.data) if weights == "size" else np.ones(len(groups))
        told = f"groups as large as in the data ({size.sum():,.0f} {_unit(fit)})"
        words = told if weights == "size" else f"{len(groups):,} groups of equal size"
        return Population(size / size.sum(), words)
    if not isinstance(weights, (Mapping, pd.Series)):
        raise HierstanError(
            "weights= takes 'size', 'equal', or a mapping or Series with a weight for each group, "
            f"got {show(weights)}."
        )
    size = _by_group(groups, dict(weights.items()))
    return Population(size / size.sum(), "groups with the weights given")


def baselines(fit: Fit, given: object) -> tuple[np.ndarray | None, list[str]]:
    """Return means of the control arm that are known of groups not yet seen, and their names."""
    if given is None:
        return None, ["a new group"]
    named = dict(given.items()) if isinstance(given, (Mapping, pd.Series)) else {}
    values = check_baselines(fit, list(named.values()) if named else given)
    return values, [*map(str, named)] or [f"new, baseline {value:g}" for value in values]


# internals ------------------------------------------------------------------------------------


def _unit(fit: Fit) -> str:
    """Return what sizes are counted in: the user's column, such as users, if that is what it is."""
    family, columns = treatment_of(fit, "absolute_effects"), fit.data.columns
    role = family.base.role_of(family.predicted_size, columns)
    known = role is not None and tuple(family.size) == (family.predicted_size,)
    return printable(str(columns[role])) if known and role is not None else family.unit


def _by_group(groups: pd.Index, given: Mapping[Hashable, float]) -> np.ndarray:
    foreign = [label for label in given if label not in set(groups)]
    if foreign:
        raise DataError(
            f"weights= has {listed(foreign)}, which no group is called."
            f"{did_you_mean(foreign[0], groups.tolist())}"
        )
    missing = [label for label in groups if label not in given]
    if missing:
        raise DataError(f"weights= says nothing about {listed(missing)}.")
    try:
        size = np.array([float(given[label]) for label in groups])
    except (TypeError, ValueError):
        size = np.array([np.nan])
    if not (np.isfinite(size).all() and (size >= 0).all() and size.sum() > 0):
        raise DataError("weights= must hold numbers from 0 on, not all of them 0.")
    return size
