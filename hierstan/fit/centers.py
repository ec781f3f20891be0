"""Where the population puts each group: ``mu + x * beta``, and what its levels add to that."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.fit.fit import Fit

BLOCK = 2**21  # draws x groups at a time, 16 MB


def centers(
    data: GroupedData, draws: Mapping[str, np.ndarray], some: np.ndarray | slice = slice(None)
) -> np.ndarray:
    """Return the mean of the population each group is from, (S, J), or (S, 1) for one and all.

    Parameters
    ----------
    data : GroupedData
    draws : mapping of str to numpy.ndarray
        Of ``mu`` and, where the model has them, ``beta`` and ``u``, as the program calls them.
    some : numpy.ndarray or slice
        Positions of the groups that are asked for.
    """
    center = draws["mu"][:, None]
    if "beta" in draws and data.predictors is not None:
        center = center + draws["beta"] @ data.design[some, 1:].T
    if "u" in draws:
        for level in data.stan_data()["level"]:
            center = center + draws["u"][:, level[some] - 1]
    return center


def has_centers(fit: Fit) -> bool:
    """Whether something is known of the groups that moves their population."""
    known = fit.data.factors is not None or fit.data.predictors is not None
    return known and "mu" in fit.arrays


def center_means(fit: Fit, scale: str = "response") -> np.ndarray:
    """Return the posterior mean of each group's center, on either scale, (J,)."""
    J, parts = len(fit.data.groups), []
    names = [name for name in ("mu", "beta") if name in fit.arrays]
    names += ["u"] if fit.data.factors is not None else []
    draws = {name: fit.draws(name) for name in names}
    width = max(1, BLOCK // len(draws["mu"]))
    for start in range(0, J, width):
        some = np.arange(start, min(start + width, J))
        link = centers(fit.data, draws, some)
        values = fit.to_response(link) if scale == "response" else link
        parts.append(np.broadcast_to(values.mean(axis=0), len(some)))
    return np.concatenate(parts)


@dataclass(frozen=True, eq=False)
class NewGroups:
    """What is known of groups that the fit has not seen.

    Attributes
    ----------
    x : numpy.ndarray
        Their standardized predictors, (count, K).
    level : numpy.ndarray
        Which level they have of each factor, (F, count), from 0: those of the fit and then `fresh`.
    fresh : numpy.ndarray
        The factor, from 0, of each level that the fit has not seen.
    """

    x: np.ndarray
    level: np.ndarray
    fresh: np.ndarray

    @property
    def of_new_levels(self) -> np.ndarray:
        """Whether a level of theirs is fresh, (count,)."""
        first = self.level.max(initial=-1) + 1 - len(self.fresh)
        return np.asarray((self.level >= first).any(axis=0))

    def u(self, fit: Fit, seed: int) -> np.ndarray:
        """Return draws of what all levels add, those of the fit and then the fresh ones."""
        if self.level.shape[0] == 0:
            return np.zeros((len(fit.draws("mu")), 0))
        known, tau = fit.draws("u"), fit.draws("tau_level")
        noise = np.random.default_rng([seed, 2]).normal(size=(len(tau), len(self.fresh)))
        return np.hstack([known, tau[:, self.fresh] * noise])

    def centers(self, fit: Fit, u: np.ndarray) -> np.ndarray:
        """Return the mean of the population each of them is from, (S, count)."""
        center = fit.draws("mu")[:, None] + np.zeros(self.x.shape[0])
        if self.x.shape[1] and "beta" in fit.arrays:
            center = center + fit.draws("beta") @ self.x.T
        for level in self.level:
            center = center + u[:, level]
        return center


def unknown_groups(fit: Fit, count: int, x: np.ndarray | None = None) -> NewGroups:
    """Return new groups of which nothing is known, or their predictors alone."""
    F, L = (len(fit.data.levels), sum(map(len, fit.data.levels.values())))
    if fit.model.stands_alone:
        F = L = 0
    K = fit.data.design.shape[1] - 1
    level = L + np.arange(F * count).reshape(F, count)
    return NewGroups(np.zeros((count, K)) if x is None else x, level, np.repeat(range(F), count))


def described_groups(
    fit: Fit, factors: Mapping[Hashable, pd.Series], count: int, x: np.ndarray | None = None
) -> NewGroups:
    """Return new groups with known levels or new ones; the same new label is the same level."""
    found: list[list[int]] = []
    fresh: list[int] = []
    before = 0
    size = sum(map(len, fit.data.levels.values()))
    for f, (name, known) in enumerate(fit.data.levels.items()):
        place = {label: before + code for code, label in enumerate(known)}
        for label in dict.fromkeys(factors[name]):
            if label not in place:
                place[label] = size + len(fresh)
                fresh.append(f)
        found.append([place[label] for label in factors[name]])
        before += len(known)
    K = fit.data.design.shape[1] - 1
    level = np.array(found, dtype=int).reshape(len(found), count)
    return NewGroups(np.zeros((count, K)) if x is None else x, level, np.array(fresh, dtype=int))


def placed(
    fit: Fit, data: GroupedData, hyper: Mapping[str, np.ndarray], noise: Mapping[int, np.ndarray]
) -> tuple[GroupedData, dict[str, np.ndarray]]:
    """Return other data with their levels counted as a fit counts them, and draws of all of these.

    Parameters
    ----------
    fit : Fit
    data : GroupedData
        With the fit's factors; of levels that the fit has seen and of others.
    hyper : mapping of str to numpy.ndarray
        Draws of the fit's parameters.
    noise : mapping of int to numpy.ndarray
        For each factor, by its place, how far the levels that the fit has not seen are from 0, in
        standard deviations: (S, levels), in the order of ``data.levels``.
    """
    if "u" not in hyper or data.factors is None:
        return data, dict(hyper)
    factors, parts, before = data.factors.copy(), [], 0
    for f, (name, known) in enumerate(fit.data.levels.items()):
        fresh = fresh_levels(fit, data, name)
        labels = pd.Index([*known, *fresh], tupleize_cols=False)
        place = {label: code for code, label in enumerate(labels)}
        codes = [place[label] for label in data.factors[name]]
        factors[name] = pd.Series(pd.Categorical.from_codes(codes, labels), index=factors.index)
        parts.append(hyper["u"][:, before : before + len(known)])
        parts.append(hyper["tau_level"][:, [f]] * noise[f])
        before += len(known)
    return replace(data, factors=factors), {**hyper, "u": np.hstack(parts)}


def with_levels(fit: Fit, data: GroupedData) -> GroupedData:
    """Return some of a fit's data with all levels that the fit knows, in their order.

    Programs count levels by it. Data that were `placed` stay as they are.
    """
    if data.factors is None or data is fit.data:
        return data
    factors = data.factors.copy()
    for name, known in fit.data.levels.items():
        if list(data.levels[name][: len(known)]) != list(known):
            place = {label: code for code, label in enumerate(known)}
            codes = [place[label] for label in factors[name]]
            factors[name] = pd.Series(pd.Categorical.from_codes(codes, known), factors.index)
    return replace(data, factors=factors)


def fresh_levels(fit: Fit, data: GroupedData, name: Hashable) -> list[Hashable]:
    """Return the levels of a factor that data have and a fit has not seen."""
    known = set(fit.data.levels[name])
    return [label for label in data.levels[name] if label not in known]


def drawn_noise(fit: Fit, data: GroupedData, size: int, seed: int) -> dict[int, np.ndarray]:
    """Draw how far each level that the fit has not seen is from 0, in standard deviations."""
    rng = np.random.default_rng([seed, 3])
    counts = [len(fresh_levels(fit, data, name)) for name in fit.data.levels]
    return {f: rng.normal(size=(size, count)) for f, count in enumerate(counts)}
