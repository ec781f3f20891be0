"""Replicated data sets, in a form that pictures can compare with the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hierstan.data.ratings import counted
from hierstan.errors import HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.new_outcomes import Outcomes
from hierstan.plots.groups import outcome_family, outcome_word, rate_words

MOST = 1000  # replicated data sets
MOST_VALUES = 4_000_000  # of them together, where they have to be drawn again; but at least
LEAST = 60  # data sets

STATISTICS: dict[str, Callable[[np.ndarray], float]] = {
    "mean": np.mean,
    "median": np.median,
    "sd": np.std,
    "min": np.min,
    "max": np.max,
    "zeros": lambda y: float((y == 0).mean()),
}


@dataclass(frozen=True)
class Replicated:
    """The outcomes (N,) and their replications (R, N), and the groups' means (J,) and (R, J).

    Successes in unequal numbers of trials are shown as rates (`whole` is False), and so `words`,
    which name the outcome, say.
    """

    y: np.ndarray
    y_rep: np.ndarray
    means: np.ndarray
    means_rep: np.ndarray
    discrete: bool
    positive: bool
    whole: bool
    words: str


def replicated(fit: Fit) -> Replicated:
    """Return the outcomes and at most 1,000 replicated data sets.

    Those that a fit of many observations did not keep are drawn again, fewer of them.

    Raises
    ------
    HierstanError
        If the single observations are gone: more than 20,000 rows, reduced to summaries.
    """
    constant = fit.kept.arrays("constant_data")
    y = fit.kept.arrays("observed_data")["y"].astype(float)
    y_rep = _kept(fit, len(y))
    family = outcome_family(fit.data)
    y, y_rep = (counted(values, fit.data.categories) for values in (y, y_rep))
    weights, sizes = (
        np.broadcast_to(constant.get(name, 1.0), y.shape) for name in ("weight", family.per)
    )
    group, J = constant["group_index"], len(fit.data.groups)
    whole = "trials" not in constant or bool((sizes == sizes[0]).all())
    means = _means(np.vstack([y, y_rep]), weights, sizes, group, J, fit.family.medians)
    discrete = family.columns["y"] == "int"
    scale = 1 if whole else sizes
    words = outcome_word(fit.data) if whole else rate_words(fit.data)
    return Replicated(
        y / scale, y_rep / scale, means[0], means[1:], discrete, family.positive, whole, words
    )


def statistic_of(
    statistic: str | Callable[[np.ndarray], float],
) -> tuple[str, Callable[[np.ndarray], float]]:
    """Return a statistic's name and function."""
    if callable(statistic):
        return getattr(statistic, "__name__", "statistic"), statistic
    if statistic not in STATISTICS:
        raise HierstanError(
            f"statistic must be a function or one of {', '.join(sorted(STATISTICS))}, "
            f"got {statistic!r}."
        )
    return statistic, STATISTICS[statistic]


# internals ------------------------------------------------------------------------------------


def _kept(fit: Fit, N: int) -> np.ndarray:
    """Return replicated outcomes, (R, N): the fit's own, or else new ones."""
    name = "prior_predictive" if fit.prior_only else "posterior_predictive"
    if name in fit.idata.children:
        y_rep = fit.idata[name]["y"].transpose("chain", "draw", ...).to_numpy().reshape(-1, N)
        return y_rep[:: -(-len(y_rep) // MOST)].astype(float)
    if fit.data.rows is None:
        raise HierstanError(
            f"plot_ppc needs single observations, but the {fit.data.n_rows:,} rows of this fit "
            "came as, or were reduced to, summaries. Fit a sample of the rows, 20,000 at most."
        )
    S = fit.arrays.sizes["chain"] * fit.arrays.sizes["draw"]
    few = int(np.clip(MOST_VALUES // N, LEAST, min(MOST, S)))
    which = np.linspace(0, S - 1, few).astype(int)
    y_rep = np.empty((few, N))
    for part, written in Outcomes(fit, fit.data.rows, seed=fit.seed, which=which).evaluate(
        ["y_rep"]
    ):
        y_rep[:, part] = written["y_rep"]
    return y_rep


def _means(
    y: np.ndarray,
    weights: np.ndarray,
    sizes: np.ndarray,
    group: np.ndarray,
    J: int,
    median: bool,
) -> np.ndarray:
    """Return the groups' weighted means (or rates) of data sets (R, N), shape (R, J)."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(J))
    with np.errstate(divide="ignore"):
        values = np.log(y) if median else y
    totals = np.add.reduceat((weights * values)[:, order], starts, axis=1)
    means = totals / np.add.reduceat((weights * sizes)[order], starts)
    return np.asarray(np.exp(means) if median else means)
