"""What changes when a unit is left out: the default priors' numbers and, if need be, the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import pandas as pd

from hierstan.answers.comparison.arms_integral import LATENT
from hierstan.answers.comparison.integral import distinct_rows
from hierstan.answers.comparison.normal_integral import Shift
from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.families.treatment import arm_of
from hierstan.fit.fit import Fit
from hierstan.priors import Prior, log_density_of_each
from hierstan.programs.program import Program
from hierstan.sampling.tree import VECTORS

MAX_FOLD_PRIORS = 500
WIDER, FURTHER = 1.25, 0.25  # scales of a fold's prior that the draws may not cover


def hyper_draws(fit: Fit, size: int | None = None) -> dict[str, np.ndarray]:
    """Return all or at most `size` evenly spaced draws of what is no group's own parameter."""
    known = {*fit.arrays, *(VECTORS if fit.data.factors is not None else ())} - {*LATENT}
    draws = {name: fit.draws(name) for name in fit.conditional.parameters if name in known}
    if not draws:
        return {}
    S = len(next(iter(draws.values())))
    kept = np.linspace(0, S - 1, min(size or S, S)).astype(int)
    return {name: values[kept] for name, values in draws.items()}


@dataclass(frozen=True)
class FoldPriors:
    """The default priors of each fold, whose numbers come from the data without the unit.

    Attributes
    ----------
    full : dict of str to Prior
        Those of the full data, of the parameters whose prior is a default.
    folds : dict of str to list of Prior
        For each parameter, one prior for each unit.
    tau_names : sequence of str
        What the sds of the factors are called, in the order of ``tau_level``.
    """

    full: Mapping[str, Prior]
    folds: Mapping[str, list[Prior]]
    tau_names: Sequence[str] = ()

    def take(self, units: np.ndarray) -> FoldPriors:
        """Return those of some units."""
        folds = {name: [each[unit] for unit in units] for name, each in self.folds.items()}
        return replace(self, folds=folds)

    def correction(self, hyper: Mapping[str, np.ndarray], U: int) -> np.ndarray | float:
        """Return log prior of the fold minus log prior of the full data, (S, U)."""
        known = self._draws(hyper)
        if not known:
            return 0.0
        result = np.zeros((len(next(iter(known.values()))), U))
        for name, draws in known.items():
            distinct = list(dict.fromkeys([self.full[name], *self.folds[name]]))
            if len(distinct) == 1:
                continue
            place = {prior: column for column, prior in enumerate(distinct)}
            found = np.zeros((len(draws), len(distinct)))
            for element in draws.reshape(len(draws), -1).T:
                found += log_density_of_each(distinct, element)
            result += found[:, [place[prior] for prior in self.folds[name]]]
            result -= found[:, :1]
        return result

    def shift(self) -> Shift | None:
        """Return how the prior of ``theta`` differs in each fold; None if it does not."""
        if "theta" not in self.full:
            return None
        numbers = [prior.numbers() for prior in self.folds["theta"]]
        location, scale = (np.array([n[name] for n in numbers]) for name in ("location", "scale"))
        return Shift(location, scale)

    def wider(self, hyper: Mapping[str, np.ndarray], U: int) -> np.ndarray:
        """Return the units whose fold has a prior that the draws do not cover, (U,).

        Weights cannot make tails that were never drawn, and Pareto k does not see it.
        """
        result = np.zeros(U, dtype=bool)
        for name in self._draws(hyper):
            full = self.full[name].numbers()
            for unit, prior in enumerate(self.folds[name]):
                fold = prior.numbers()
                apart = abs(fold.get("location", 0.0) - full.get("location", 0.0))
                scale = full.get("scale", np.inf)
                wide = fold.get("scale", 0.0) > WIDER * scale
                result[unit] |= wide or apart > FURTHER * scale
        return result

    def _draws(self, hyper: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the draws of the parameters whose priors these are, where folds differ."""
        factors = dict(
            zip(self.tau_names, hyper.get("tau_level", np.empty((0, 0))).T, strict=False)
        )
        own = {**hyper, **factors}
        differ = (name for name in self.full if {self.full[name]} != {*self.folds[name]})
        return {name: own[name] for name in differ if name in own}


def fold_priors(fit: Fit, unit: str) -> FoldPriors:
    """Work out the default priors of each fold.

    With more than 500 units the numbers of the full data are kept: leaving one out, even one 300
    standard deviations from the rest, moves the elpd of all by 0.02 at most.
    """
    full = _used_defaults(fit)
    U = len(group_of_units(fit.data, unit))
    if not full or U > MAX_FOLD_PRIORS or U < 2:
        return FoldPriors({}, {})
    defaults = _defaults_without(fit.data, unit, fit.model.stands_alone)
    folds = {name: [_default(fold, name) for fold in defaults] for name in full}
    return FoldPriors(full, folds, fit.data.tau_names)


def priors_without(fit: Fit, unit: str, index: int) -> dict[str, Prior]:
    """Return the priors of one fold, of every parameter."""
    full = _used_defaults(fit)
    fold = _without(fit.data, unit, index, fit.model.stands_alone) if full else {}
    return {n: _default(fold, n) if n in full else prior for n, prior in fit.priors.items()}


def _default(priors: Mapping[str, Prior], name: str) -> Prior:
    """Return a default prior; that of a factor's sd is that of tau."""
    return priors[name] if name in priors else priors["tau"]


def _used_defaults(fit: Fit) -> dict[str, Prior]:
    given, factors = set(fit.model.priors or {}), fit.data.tau_names
    given |= {*factors} if "tau_level" in given else set()
    return {
        name: prior
        for name, prior in fit.priors.items()
        if name not in given
        and _is_used("tau_level" if name in factors else name, prior, fit.conditional)
    }


def _without(data: GroupedData, unit: str, index: int, alone: bool) -> dict[str, Prior]:
    """Return the default priors for the data without a unit."""
    return FAMILIES[data.family].default_priors(without_unit(data, unit, index).cells, alone=alone)


@lru_cache(maxsize=8)
def _defaults_without(data: GroupedData, unit: str, alone: bool) -> list[dict[str, Prior]]:
    """Return the default priors without each unit; poolings share them but for two arms."""
    family = FAMILIES[data.family]
    if family.correlated and data.rows is not data.cells:
        return [_without(data, unit, u, alone) for u in range(len(group_of_units(data, unit)))]
    if unit != "observation" or data.rows is data.cells:
        place = unit_of_cells(data, unit)
        kept = (data.cells[place != u] for u in range(place.max() + 1))
        return [family.default_priors(cells, alone=alone) for cells in kept]
    # rows collapse: the cells without a row are those of the other groups and of what is left
    rows, place = distinct_rows(data)
    codes, cell_codes = group_of_units(data), data.cells["group"].to_numpy()
    first = np.unique(place, return_index=True)[1]
    left = [np.flatnonzero((codes == codes[i]) & (np.arange(len(codes)) != i)) for i in first]
    assert data.rows is not None
    rest = data.rows.iloc[np.concatenate(left)]
    rest = rest.assign(group=np.repeat(np.arange(len(left)), [len(part) for part in left]))
    cells = family.collapsed(rest) if len(rest) else rest
    both = pd.concat([data.cells, cells.assign(group=rows["group"].to_numpy()[cells["group"]])])
    found = []
    mine = np.searchsorted(cells["group"], np.arange(len(rows) + 1)) + len(data.cells)
    others = {group: np.flatnonzero(cell_codes != group) for group in np.unique(codes)}
    for unit_place, group in enumerate(rows["group"]):
        own = np.arange(mine[unit_place], mine[unit_place + 1])
        rest = both.take(np.append(others[group], own))
        found.append(family.default_priors(rest, alone=alone))
    return [found[p] for p in place]


def _is_used(name: str, prior: Prior, program: Program) -> bool:
    """Whether a program uses a prior's numbers: an edited template may have its own instead."""
    return any(f"{name}_{number}" in program.read for number in prior.numbers())


def can_refit(fit: Fit, unit: str, index: int) -> bool:
    """Whether what is left can be fitted: partial pooling takes two groups."""
    codes = group_of_units(fit.data, unit)
    alone = (codes == codes[index]).sum() == 1
    return len(fit.data.groups) - int(alone) >= (2 if "tau" in fit.priors else 1)


def without_unit(data: GroupedData, unit: str, index: int) -> GroupedData:
    """Return the data without one unit."""
    if unit == "observation":
        return data.without_rows([index])
    label = data.groups[group_of_units(data, unit)[index]]
    if unit == "group":
        return data.without(label)
    return data.without_arm(label, treated=bool(np.unique(arm_of(data.cells))[index] % 2))


def with_its_group(data: GroupedData, unit: str, index: int) -> tuple[GroupedData, int]:
    """Return the data of a unit's group, and its position there."""
    codes = group_of_units(data, unit)
    code = codes[index]
    return data.only(data.groups[code]), int((codes[:index] == code).sum())


def units_of(data: GroupedData) -> tuple[str, ...]:
    """Return what can be left out one at a time, besides the levels of factors."""
    arms = ("arm",) * FAMILIES[data.family].treatment
    return ("observation", *arms, "group")


def group_of_units(data: GroupedData, unit: str = "observation") -> np.ndarray:
    """Return the position of the group that each unit belongs to."""
    if unit == "group":
        return np.arange(len(data.groups))
    if unit == "arm":
        return np.unique(arm_of(data.cells)) // 2
    assert data.rows is not None
    return data.rows["group"].to_numpy()


def unit_of_cells(data: GroupedData, unit: str) -> np.ndarray:
    """Return the number of the unit that each cell belongs to, where units are cells or more."""
    if unit == "group":
        return data.cells["group"].to_numpy()
    if unit == "arm":
        return np.unique(arm_of(data.cells), return_inverse=True)[1]
    return np.arange(len(data.cells))


def unit_labels(fit: Fit, unit: str) -> pd.Index:
    """Return the names of the units: of groups, of their arms, or positions of observations."""
    if unit == "group":
        return fit.data.groups
    if unit == "arm":
        code = np.unique(arm_of(fit.data.cells))
        groups = fit.data.groups[code // 2].to_frame(index=False)
        assert fit.data.arms is not None
        column = fit.data.columns["group"]
        names = [*(column if isinstance(column, tuple) else [column])]
        names.append(fit.data.columns.get("arm", "arm"))
        return pd.MultiIndex.from_arrays(
            [*(groups[name] for name in groups), fit.data.arms[code % 2]], names=names
        )
    if fit.data.rows is fit.data.cells and len(fit.data.groups) == fit.data.n_rows:
        return fit.data.groups[fit.data.cells["group"]]
    return pd.RangeIndex(fit.data.n_rows, name="observation")
