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
FINE = np.linspace(-6.0, 6.0, 601)
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
    """Integrate what the level adds out, at each draw: splines of the log density, (S,).

    One copy of the level's groups for each value that it may add, many copies at a time.
    """
    from scipy import interpolate, special

    S, J = len(hyper["u"]), len(data.groups)
    noise = drawn_noise(refit, data, S, refit.seed)
    place = list(refit.data.levels).index(factor)
    most = 1 if refit.family.correlated else max(1, BLOCK // (S * J))
    at_nodes = []
    for nodes in np.array_split(NODES, -(-len(NODES) // most)):
        noise[place] = np.tile(nodes, (S, 1))
        there, draws = placed(refit, _copies(data, factor, len(nodes)), hyper, noise)
        if len(nodes) == 1:
            at_nodes.append(log_lik_together(refit, draws, there)[None])
        else:
            by_group = log_lik_of_units(refit, draws, "group", data=there)
            at_nodes.append(by_group.reshape(S, len(nodes), J).sum(axis=2).T)
    fine = interpolate.CubicSpline(NODES, np.concatenate(at_nodes))(FINE)
    log_density = -0.5 * FINE**2 - 0.5 * np.log(2 * np.pi) + np.log(FINE[1] - FINE[0])
    return np.asarray(special.logsumexp(fine + log_density[:, None], axis=0))


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
