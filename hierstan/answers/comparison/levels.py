"""Leaving out a level of a factor: how well would a new region be predicted."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np

from hierstan.answers.comparison.elpd import Elpd, LeftOut, summarised
from hierstan.answers.comparison.left_out import hyper_draws, log_mean_and_error
from hierstan.answers.comparison.unit_likelihood import log_lik_together
from hierstan.data.grouped_data import GroupedData
from hierstan.errors import HierstanError
from hierstan.families.normal_correlated import NormalCorrelated
from hierstan.fit.centers import drawn_noise, placed
from hierstan.fit.fit import Fit

NODES = np.linspace(-6.0, 6.0, 25)  # of a new level, in sds from the average one
FINE = np.linspace(-6.0, 6.0, 601)


def loo_of_levels(fit: Fit, factor: Hashable, *, size: int, progress: bool) -> Elpd:
    """Fit again without each level's groups, and predict all of their data together.

    What the level adds is integrated out, as are the means of its groups.
    """
    from tqdm.auto import tqdm

    known = fit.data.levels[factor]
    own = fit.data.factors
    assert own is not None
    within = np.asarray(own[factor].map({label: code for code, label in enumerate(known)}))
    _check_apart(fit, factor, within)
    hyper = hyper_draws(fit, size)
    levels = [fit.data.only_groups(np.flatnonzero(within == code)) for code in range(len(known))]
    together = np.stack([log_lik_together(fit, hyper, data) for data in levels], axis=1)
    bar = tqdm(range(len(known)), desc=f"refitting without each {factor}", disable=not progress,
               delay=2, leave=False)  # fmt: skip
    found = np.array([_without(fit, factor, within == code, size) for code in bar])
    U, S = len(known), len(together)
    left_out = LeftOut(
        elpd_i=found[:, 0],
        pareto_k=np.full(U, np.nan),
        mcse_i=found[:, 1],
        hard=np.ones(U, dtype=bool),
        influence=np.zeros(S),
    )
    return summarised(
        left_out, together, unit=str(factor), method=np.full(U, "refit"), labels=known,
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

    S = len(hyper["u"])
    noise = drawn_noise(refit, data, S, refit.seed)
    place = list(refit.data.levels).index(factor)
    at_nodes = []
    for node in NODES:
        noise[place] = np.full((S, 1), node)
        there, draws = placed(refit, data, hyper, noise)
        at_nodes.append(log_lik_together(refit, draws, there))
    fine = interpolate.CubicSpline(NODES, np.array(at_nodes))(FINE)
    log_density = -0.5 * FINE**2 - 0.5 * np.log(2 * np.pi) + np.log(FINE[1] - FINE[0])
    return np.asarray(special.logsumexp(fine + log_density[:, None], axis=0))
