"""Leaving out a level of a factor: how well would a new region be predicted."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from hierstan.answers.comparison.elpd import Elpd, summarised
from hierstan.answers.comparison.importance import LeftOut, log_mean
from hierstan.answers.comparison.left_out import hyper_draws
from hierstan.answers.comparison.refits import log_mean_and_error
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units, log_lik_together
from hierstan.data.grouped_data import GroupedData
from hierstan.errors import HierstanError
from hierstan.families.normal_correlated import NormalCorrelated
from hierstan.fit.centers import drawn_noise, placed
from hierstan.fit.fit import Fit
from hierstan.text.bars import with_bar

NODES = np.linspace(-6.0, 6.0, 25)  # of a new level, in sds from the average one
FINE = np.linspace(0.0, 1.0, 601)  # of the way from the first node to the last
NEAR = 20.0  # in log density: what lies farther below its maximum hardly counts
ENOUGH = 8  # nodes as near as that, for a spline; else they are set anew, where those are
ROUNDS = 8
BLOCK = 2**20  # draws x groups at a time


def loo_of_levels(fit: Fit, factor: Hashable, *, size: int, progress: bool) -> Elpd:
    """Fit again without each level's groups, and predict all of their data together.

    What the level adds is integrated out, as are the means of its groups.
    """
    known = fit.data.levels[factor]
    own = fit.data.factors
    assert own is not None
    within = np.asarray(own[factor].map({label: code for code, label in enumerate(known)}))
    _check_apart(fit, factor, within)
    hyper = hyper_draws(fit, size)
    levels = [fit.data.only_groups(np.flatnonzero(within == code)) for code in range(len(known))]
    together = np.stack([log_lik_together(fit, hyper, data) for data in levels], axis=1)
    bar = with_bar(range(len(known)), f"refitting without each {factor}", shown=progress)
    found = np.array([_without(fit, factor, within == code, size) for code in bar])
    U, S = len(known), len(together)
    left_out = LeftOut(
        elpd_i=found[:, 0],
        lpd_i=log_mean(together),
        pareto_k=np.full(U, np.nan),
        mcse_i=found[:, 1],
        hard=np.ones(U, dtype=bool),
        influence=np.zeros(S),
    )
    return summarised(
        left_out, unit=str(factor), method=np.full(U, "refit"), labels=known,
        model=fit.model.name,
    )  # fmt: skip


# internals ------------------------------------------------------------------------------------


def _check_apart(fit: Fit, factor: Hashable, within: np.ndarray) -> None:
    """Refuse levels whose estimates have errors that go together: no level is then new."""
    rows, family = fit.data.rows, fit.family
    if not isinstance(family, NormalCorrelated) or rows is None:
        return
    level = within[rows["group"].to_numpy()]
    for index, _ in family.blocks(rows):
        if (level[index] != level[index][:, :1]).any():
            raise HierstanError(
                f"unit={str(factor)!r} cannot be left out a level at a time: errors of different "
                f"levels are correlated, as studies have estimates in several of them. Leave out "
                "the studies (as a factor), unit='group' or unit='observation'."
            )


def _without(fit: Fit, factor: Hashable, mine: np.ndarray, size: int) -> tuple[float, float]:
    """Return the log predictive density of a level's data given the rest, and its error."""
    data = fit.data.only_groups(np.flatnonzero(mine))
    refit = fit.model.fit(
        fit.data.only_groups(np.flatnonzero(~mine)),
        **fit.options, seed=fit.seed, engine=fit.engine.split()[0].lower(), progress=False,
    )  # fmt: skip
    chains = fit.options["chains"]
    hyper = hyper_draws(refit, size - size % chains)
    if "u" not in hyper:
        log_lik = log_lik_together(refit, hyper, data)
    else:
        log_lik = _over_the_level(refit, factor, data, hyper)
    return log_mean_and_error(log_lik, chains)


def _over_the_level(
    refit: Fit, factor: Hashable, data: GroupedData, hyper: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Integrate what the level adds out, at each draw: splines of the log density, (S,)."""
    from scipy import interpolate, special

    nodes = np.tile(NODES, (len(hyper["u"]), 1))
    for _ in range(ROUNDS):
        log_density = _at_nodes(refit, factor, data, hyper, nodes) - 0.5 * nodes**2
        log_density = np.nan_to_num(log_density, nan=-np.inf, neginf=-np.inf)
        top = log_density.max(axis=1, keepdims=True)
        near = log_density > top - NEAR
        if near.sum(axis=1).min() >= ENOUGH:
            break
        nodes = _between(nodes, near)
    way = np.linspace(0, 1, nodes.shape[1])
    spline = interpolate.CubicSpline(way, np.maximum(log_density, top - 2 * NEAR), axis=1)
    width = nodes[:, -1] - nodes[:, 0]
    total = special.logsumexp(spline(FINE), axis=1) + np.log(width * (FINE[1] - FINE[0]))
    return np.asarray(total - 0.5 * np.log(2 * np.pi))


def _between(nodes: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return as many nodes from just below the first near one to just above the last, (S, M)."""
    row, M = np.arange(len(nodes)), nodes.shape[1]
    first = np.maximum(near.argmax(axis=1) - 1, 0)
    last = np.minimum(M - near[:, ::-1].argmax(axis=1), M - 1)
    return np.linspace(nodes[row, first], nodes[row, last], M, axis=1)


def _at_nodes(
    refit: Fit,
    factor: Hashable,
    data: GroupedData,
    hyper: Mapping[str, np.ndarray],
    nodes: np.ndarray,
) -> np.ndarray:
    """Return the log likelihood of the level's groups at values that it may add, (S, M).

    One copy of the groups for each value, many copies at a time.
    """
    (S, M), J = nodes.shape, len(data.groups)
    noise = drawn_noise(refit, data, S, refit.seed)
    place = list(refit.data.levels).index(factor)
    most = 1 if refit.family.correlated else max(1, BLOCK // (S * J))
    found = []
    for values in np.array_split(nodes, -(-M // most), axis=1):
        noise[place] = values
        there, draws = placed(refit, _copies(data, factor, values.shape[1]), hyper, noise)
        if values.shape[1] == 1:
            found.append(log_lik_together(refit, draws, there)[:, None])
        else:
            by_group = log_lik_of_units(refit, draws, "group", data=there)
            found.append(by_group.reshape(*values.shape, J).sum(axis=2))
    return np.concatenate(found, axis=1)


def _copies(data: GroupedData, factor: Hashable, count: int) -> GroupedData:
    """Return a level's groups several times over, each time with a level of their own."""
    if count == 1:
        return data
    J = len(data.groups)
    again, copy = np.tile(np.arange(J), count), np.repeat(np.arange(count), J)
    cells = pd.concat([data.cells] * count, ignore_index=True)
    shift = np.repeat(np.arange(count), len(data.cells)) * J
    assert data.factors is not None
    groups = pd.RangeIndex(J * count)
    factors = data.factors.iloc[again].set_axis(groups)
    labels = pd.Index([object() for _ in range(count)], dtype=object)
    factors[factor] = pd.Series(pd.Categorical.from_codes(copy, labels), groups)
    return replace(
        data,
        groups=groups,
        cells=cells.assign(group=cells["group"].to_numpy() + shift),
        rows=None,
        n_rows=data.n_rows * count,
        predictors=None if data.predictors is None else data.predictors.iloc[again],
        factors=factors,
    )
