"""What differences in predictive accuracy support, in words."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.display import WIDTH
from hierstan.elpd import Elpd
from hierstan.fit import Fit
from hierstan.raw import raw_estimates
from hierstan.spread_words import predictors

CLEAR = 4.0  # |elpd difference| below which models cannot be told apart (Sivula et al. 2020)
FEW_UNITS = 100  # below which the standard error of a difference may be too small
NEAR_ZERO = 0.7  # of the typical standard error within a group: tau below it is near zero
APART = 0.3  # of the same: tau above it means that the groups differ
OWN = 0.9  # weight of own data from which estimating each group alone is adequate
ROUNDS = 2000


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Fits compared by leave-one-out.

    Attributes
    ----------
    table : pandas.DataFrame
        Indexed by model name, best first; see `compare` for the columns.
    verdict : str
        What the table supports, in plain words.
    preferred : str or None
        A model's name, or None when the data can't tell.
    loo : dict of str to Elpd
        The results it rests on.
    """

    table: pd.DataFrame
    verdict: str
    preferred: str | None
    loo: dict[str, Elpd]

    @property
    def unit(self) -> str:
        """What was left out: ``"observation"`` or ``"group"``."""
        return next(iter(self.loo.values())).unit

    def __repr__(self) -> str:
        shown = self.table.copy()
        for name in ("elpd", "se", "p", "elpd_diff", "dse"):
            shown[name] = shown[name].map("{:.1f}".format)
        for name in ("weight", "max_k"):
            shown[name] = shown[name].map(lambda x: "–" if np.isnan(x) else f"{x:.2f}")
        words = textwrap.fill(self.verdict, WIDTH, break_on_hyphens=False)
        return f"Leave one {self.unit} out\n\n{shown.to_string()}\n\n{words}"


def compared(
    results: Mapping[str, Elpd], fits: Mapping[str, Fit], *, tau_limit: float | None = None
) -> Comparison:
    """Make the table, the weights and the verdict from the results of each fit.

    `tau_limit` stands in for the 95% quantile of ``tau`` in the partial pooling fit.
    """
    order = sorted(results, key=lambda name: -results[name].elpd)
    best = results[order[0]]
    weights = stacking_weights(np.column_stack([results[name].elpd_i for name in order]))
    rows = []
    for rank, name in enumerate(order, 1):
        result = results[name]
        apart = result.elpd_i - best.elpd_i
        finite = result.pareto_k[np.isfinite(result.pareto_k)]
        rows.append(
            {
                "rank": rank,
                "elpd": result.elpd,
                "se": result.se,
                "p": result.p,
                "elpd_diff": float(apart.sum()),
                "dse": float(np.sqrt(len(apart) * np.var(apart, ddof=1))),
                "weight": float(weights[rank - 1]),
                "max_k": float(finite.max()) if finite.size else float("nan"),
                "method": "+".join(sorted(set(result.method))),
            }
        )
    table = pd.DataFrame(rows, index=pd.Index(order, name="model"))
    words, preferred = _judge(table, results, fits, tau_limit)
    return Comparison(table, words, preferred, dict(results))


def stacking_weights(elpd: np.ndarray) -> np.ndarray:
    """Return the weights that maximise the leave-one-out log score of the mixture.

    Parameters
    ----------
    elpd : numpy.ndarray
        Pointwise elpd, shape (U, models).

    Returns
    -------
    numpy.ndarray
        Non-negative, summing to 1. Yao et al. 2018; found by the EM algorithm for mixture weights,
        whose objective is concave.
    """
    density = np.exp(elpd - elpd.max(axis=1, keepdims=True))
    weights = np.full(elpd.shape[1], 1 / elpd.shape[1])
    for _ in range(ROUNDS):
        share = density * weights
        weights = (share / share.sum(axis=1, keepdims=True)).mean(axis=0)
    return weights


# internals ------------------------------------------------------------------------------------


def _judge(
    table: pd.DataFrame,
    results: Mapping[str, Elpd],
    fits: Mapping[str, Fit],
    tau_limit: float | None,
) -> tuple[str, str | None]:
    unreliable = [name for name, result in results.items() if not result.reliable]
    if unreliable:
        return (
            (
                f"This comparison cannot be relied on: importance sampling failed for "
                f"{', '.join(unreliable)} (Pareto k > 0.7). Compare again with refit=True."
            ),
            None,
        )
    poolings = {fit.model.name: name for name, fit in fits.items()}
    if set(poolings) == {"complete", "none", "partial"} and len(fits) == 3:
        words, preferred = _judge_poolings(results, fits, poolings, tau_limit)
        if names := predictors(fits[poolings["complete"]]):
            words += f" (Complete pooling here lets the groups differ by {names} alone.)"
    else:
        words, preferred = _judge_any(table)
    return f"{words} {_caution(table, results)}".strip(), preferred


def clearly_worse(worse: Elpd, better: Elpd) -> bool:
    """Whether one model predicts worse beyond doubt: by more than 4 and by two standard errors."""
    apart = better.elpd_i - worse.elpd_i
    dse = np.sqrt(len(apart) * np.var(apart, ddof=1))
    return bool(apart.sum() > max(CLEAR, 2 * dse))


def _difference(a: Elpd, b: Elpd) -> str:
    apart = a.elpd_i - b.elpd_i
    return f"{apart.sum():+.1f} ± {np.sqrt(len(apart) * np.var(apart, ddof=1)):.1f}"


@dataclass(frozen=True)
class _Evidence:
    """What a verdict on the three poolings rests on.

    Attributes
    ----------
    complete, none, partial : Elpd
    low, high : float
        From where on and up to where tau may be, 95% sure of each; `high` may be the user's limit.
    noise : float
        The typical standard error within a group.
    own : float
        The weight of a group's own data in its partially pooled estimate.
    """

    complete: Elpd
    none: Elpd
    partial: Elpd
    low: float
    high: float
    noise: float
    own: float

    @property
    def lumped_worse(self) -> bool:
        """Whether complete pooling predicts worse than partial pooling."""
        return clearly_worse(self.complete, self.partial)

    @property
    def alone_worse(self) -> bool:
        """Whether no pooling predicts worse than partial pooling."""
        return clearly_worse(self.none, self.partial)

    @property
    def equal(self) -> str:
        """Say how little complete and partial pooling differ."""
        what = "single outcomes" if self.partial.unit == "observation" else "whole groups"
        how = (
            f"they predict {what} about equally well"
            if abs(self.partial.elpd - self.complete.elpd) < CLEAR
            else f"how well they predict {what} differs by less than two standard errors"
        )
        return f"{how} ({_difference(self.partial, self.complete)} for partial pooling)"


Judgement = tuple[str, str | None]  # words, and the pooling that they are for


def _judge_poolings(
    results: Mapping[str, Elpd],
    fits: Mapping[str, Fit],
    poolings: Mapping[str, str],
    tau_limit: float | None,
) -> Judgement:
    """Say what the first rule that applies has to say."""
    low, high, noise, own = _tau_facts(fits[poolings["partial"]])
    evidence = _Evidence(
        **{key: results[poolings[key]] for key in ("complete", "none", "partial")},
        low=low,
        high=high if tau_limit is None else tau_limit,
        noise=noise,
        own=own,
    )
    rules = (_unlike_a_population, _different_and_alike, _different, _equal, _near_equal)
    words, pooling = next(filter(None, (rule(evidence) for rule in rules)), _undecided(evidence))
    return words, None if pooling is None else poolings[pooling]


def _unlike_a_population(e: _Evidence) -> Judgement | None:
    if not (clearly_worse(e.partial, e.none) and clearly_worse(e.complete, e.none)):
        return None
    words = (
        "No pooling predicts best: the groups are not like draws from one population (partial "
        f"pooling: {_difference(e.partial, e.none)}). Estimate each group on its own."
    )
    return words, "none"


def _different_and_alike(e: _Evidence) -> Judgement | None:
    if not (e.lumped_worse and e.alone_worse):
        return None
    words = (
        "Partial pooling predicts best. The groups differ, so lumping them together loses accuracy "
        f"({_difference(e.complete, e.partial)}), and they have enough in common that estimating "
        f"each alone loses too ({_difference(e.none, e.partial)})."
    )
    return words, "partial"


def _different(e: _Evidence) -> Judgement | None:
    if not e.lumped_worse:
        return None
    apart = f"The groups clearly differ (complete pooling: {_difference(e.complete, e.partial)})"
    as_well = f"no pooling does about as well as partial pooling ({_difference(e.none, e.partial)})"
    if e.own > OWN:
        words = (
            f"{apart}, and {as_well}: each group's own data hold {e.own:.0%} of the weight in its "
            "estimate. Estimating each group on its own is adequate."
        )
        return words, "none"
    words = (
        f"{apart}; {as_well}. Partial pooling is the safer of the two: it also says what a new "
        "group may look like."
    )
    return words, "partial"


def _equal(e: _Evidence) -> Judgement | None:
    difference = _difference(e.partial, e.complete)
    if clearly_worse(e.partial, e.complete):
        words = (
            "Complete pooling predicts best: the data show no difference between groups that would "
            f"be worth a parameter (partial pooling: {difference})."
        )
        return words, "complete"
    if e.high < NEAR_ZERO * e.noise:
        words = (
            "Complete pooling is adequate: tau is near zero (95% sure that it is below "
            f"{e.high:.3g}, against a typical standard error of {e.noise:.3g} within a group), and "
            f"partial pooling predicts no better ({difference})."
        )
        return words, "complete"
    return None


def _near_equal(e: _Evidence) -> Judgement | None:
    if e.low <= APART * e.noise:
        return None
    words = (
        f"Partial pooling: the groups differ, since tau is at least {e.low:.3g} (95% sure), though "
        f"complete and partial pooling are hard to tell apart by leave-one-out: {e.equal}."
    )
    return words, "partial"


def _undecided(e: _Evidence) -> Judgement:
    worse = f" No pooling is worse ({_difference(e.none, e.partial)})." if e.alone_worse else ""
    words = (
        f"The data cannot tell complete from partial pooling: {e.equal}, and tau may be anything "
        f"up to {e.high:.3g}.{worse} Partial pooling is the safer choice, since it covers both."
    )
    return words, None


def _judge_any(table: pd.DataFrame) -> tuple[str, str | None]:
    best, second = table.index[0], table.index[1]
    gap, dse = -float(table["elpd_diff"].iloc[1]), float(table["dse"].iloc[1])
    if gap > max(CLEAR, 2 * dse):
        return f"{best} predicts best: {second} is worse by {gap:.1f} ± {dse:.1f}.", str(best)
    return (
        f"{best} and {second} cannot be told apart: they differ by {gap:.1f} ± {dse:.1f} in elpd.",
        None,
    )


def _caution(table: pd.DataFrame, results: Mapping[str, Elpd]) -> str:
    units = len(next(iter(results.values())).elpd_i)
    if units >= FEW_UNITS or bool((table["elpd_diff"].iloc[1:].abs() < CLEAR).all()):
        return ""
    return f"(With only {units} units, the ± may be too small; take it as a rough guide.)"


def _tau_facts(fit: Fit) -> tuple[float, float, float, float]:
    """Return tau's 5% and 95% quantiles, the typical standard error, the weight of own data."""
    raw = raw_estimates(fit.data)
    variance = raw["link_se"].to_numpy() ** 2
    tau = fit.draws("tau")
    own = np.mean([t / (t + variance).mean() for t in (tau**2)[:: max(1, len(tau) // 200)]])
    weights = 1 / variance
    J = len(variance)
    typical = (J - 1) * weights.sum() / (weights.sum() ** 2 - (weights**2).sum())
    low, high = np.quantile(tau, [0.05, 0.95])
    return float(low), float(high), float(np.sqrt(typical)), float(own)
