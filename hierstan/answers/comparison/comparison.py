"""What differences in predictive accuracy support, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.answers.comparison.elpd import Elpd
from hierstan.answers.comparison.parts import judge_parts, missing_factors
from hierstan.answers.comparison.verdict import CLEAR, judge_poolings, scores_its_prior
from hierstan.fit.fit import Fit
from hierstan.fit.titles import pooling_meaning
from hierstan.priors import Prior
from hierstan.text.tables import Page, Printed, Table, numbers

FEW_UNITS = 100  # below which the standard error of a difference may be too small
VISIBLE = 0.2  # share of its standard error from which a Monte Carlo error is shown
ROUNDS = 50  # of EM, before Newton
BARRIERS = 10.0 ** -np.arange(3, 12)
STEPS = 50  # of Newton, at most, at each
ROUNDING = 1e-6
TENTHS = ("elpd", "se", "p_loo", "elpd_diff", "dse")


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Printed):
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
    legend : tuple of (str, str)
        What each pooling means for these groups, and what the numbers are.
    """

    table: pd.DataFrame
    verdict: str
    preferred: str | None
    loo: dict[str, Elpd]
    legend: tuple[tuple[str, str], ...] = ()

    @property
    def unit(self) -> str:
        """What was left out: ``"observation"`` or ``"group"``."""
        return next(iter(self.loo.values())).unit

    def page(self) -> Page:
        """Return what is printed."""
        shown = self.table.drop(columns=["mcse", "diff_mcse"])
        for error, of, name in (("mcse", "se", "elpd"), ("diff_mcse", "dse", "elpd_diff")):
            if (self.table[error] > VISIBLE * self.table[of]).any():
                shown.insert(list(shown).index(name) + 2, error, self.table[error])
        decimals = dict.fromkeys((*TENTHS, "mcse", "diff_mcse"), 1) | {"rank": 0}
        columns = [
            shown[name].where(~shown[name].str.contains("+", regex=False), "mixed")
            if name == "method"
            else numbers(shown[name].to_numpy(float, na_value=np.nan), decimals.get(str(name), 2))
            for name in shown
        ]
        rows = tuple(zip(map(str, shown.index), *columns, strict=True))
        align = "<" + "".join("<" if name == "method" else "." for name in shown)
        table = Table(("model", *shown.columns), rows, align=align)
        return Page(f"Leave one {self.unit} out", self.legend, (table,), (self.verdict,))


def compared(
    results: Mapping[str, Elpd], fits: Mapping[str, Fit], *, tau_prior: Prior | None = None
) -> Comparison:
    """Make the table, the weights and the verdict from the results of each fit.

    A fit whose elpd is not a finite number has no rank and no weight, and no more has no pooling
    where leaving out a unit leaves its group to the prior. `tau_prior` stands in for the prior of
    ``tau`` in the partial pooling fit.
    """
    finite = {name: bool(np.isfinite(result.elpd_i).all()) for name, result in results.items()}
    counts = {
        name: finite[name] and not scores_its_prior(fits[name], result.unit)
        for name, result in results.items()
    }
    order = sorted(
        results, key=lambda name: (not counts[name], not finite[name], -results[name].elpd)
    )
    ranked = [name for name in order if counts[name]]
    weights = np.full(len(order), np.nan)
    if ranked:
        elpd = np.column_stack([results[name].elpd_i for name in ranked])
        weights[: len(ranked)] = stacking_weights(elpd)
    best = results[order[0]]
    rows = [_row(results[name], best) for name in order]
    table = pd.DataFrame(rows, index=pd.Index(order, name="model"))
    ranks = [rank + 1 if rank < len(ranked) else None for rank in range(len(order))]
    table.insert(0, "rank", pd.Series(ranks, index=table.index, dtype="Int64"))
    table.insert(6, "weight", weights)
    words, preferred = _judge(table, results, fits, tau_prior)
    return Comparison(table, words, preferred, dict(results), _legend(results, fits))


def stacking_weights(elpd: np.ndarray) -> np.ndarray:
    """Return the weights that maximise the leave-one-out log score of the mixture.

    Parameters
    ----------
    elpd : numpy.ndarray
        Pointwise elpd, shape (U, models).

    Returns
    -------
    numpy.ndarray
        Non-negative, summing to 1. Yao et al. 2018, doi:10.1214/17-BA1091. The objective is
        concave; a few rounds of EM for mixture weights come near, and Newton steps with ever lower
        logarithmic barriers at 0 come to the maximum (Boyd and Vandenberghe 2004, chapter 11).
    """
    density = np.exp(elpd - elpd.max(axis=1, keepdims=True))
    M = elpd.shape[1]
    weights = np.full(M, 1 / M)
    for _ in range(ROUNDS):
        weights = weights * (density / (density @ weights)[:, None]).mean(axis=0)
    weights = np.maximum(weights, BARRIERS[0] / M)
    weights /= weights.sum()
    for barrier in BARRIERS:
        weights = _inside(density, weights, barrier)
    weights = np.where(weights > ROUNDING, weights, 0.0)
    return np.asarray(weights / weights.sum())


# internals ------------------------------------------------------------------------------------


def _inside(density: np.ndarray, weights: np.ndarray, barrier: float) -> np.ndarray:
    """Maximise mean log score plus a barrier at 0, from weights inside the simplex."""

    def loss(at: np.ndarray) -> float:
        return -float(np.log(density @ at).mean() + barrier * np.log(at).sum())

    M, value = len(weights), loss(weights)
    system = np.ones((M + 1, M + 1))
    system[M, M] = 0.0
    for _ in range(STEPS):
        ratio = density / (density @ weights)[:, None]
        slope = -ratio.mean(axis=0) - barrier / weights
        system[:M, :M] = ratio.T @ ratio / len(density) + np.diag(barrier / weights**2)
        move = np.linalg.solve(system, np.append(-slope, 0.0))[:M]
        falling = float(slope @ move)
        if falling > -1e-3 * barrier:
            break
        with np.errstate(divide="ignore"):
            step = min(1.0, 0.99 / max(float((-move / weights).max()), 1e-9))
        while loss(weights + step * move) > value + 0.1 * step * falling and step > 1e-9:
            step /= 2
        weights = weights + step * move
        value = loss(weights)
    return weights


def _legend(results: Mapping[str, Elpd], fits: Mapping[str, Fit]) -> tuple[tuple[str, str], ...]:
    """Say what each pooling means for these groups, what elpd is, and what its errors are."""
    result = next(iter(results.values()))
    without = missing_factors(fits)
    meanings = tuple(
        (name, pooling_meaning(fit) + f", without {', '.join(without[name])}")
        if without.get(name)
        else (name, pooling_meaning(fit))
        for name, fit in fits.items()
    )
    units = f"{len(result.elpd_i):,} {result.unit}s"
    elpd = f"how well each predicts {units}, left out one by one; more is better"
    errors = f"standard errors over the {units}, of elpd and of elpd_diff"
    return (*meanings, ("elpd", elpd), ("se, dse", errors))


def _row(result: Elpd, best: Elpd) -> dict[str, object]:
    apart = result.elpd_i - best.elpd_i
    k = result.pareto_k[np.isfinite(result.pareto_k)]
    same = result is best
    return {
        "elpd": result.elpd,
        "se": result.se,
        "p_loo": result.p_loo,
        "elpd_diff": float(apart.sum()),
        "dse": float(np.sqrt(len(apart) * np.var(apart, ddof=1))),
        "pareto_k": float(k.max()) if k.size else float("nan"),
        "method": "+".join(sorted(set(result.method))),
        "mcse": result.mcse,
        "diff_mcse": 0.0 if same else float(np.hypot(result.mcse, best.mcse)),
    }


def _judge(
    table: pd.DataFrame,
    results: Mapping[str, Elpd],
    fits: Mapping[str, Fit],
    tau_prior: Prior | None,
) -> tuple[str, str | None]:
    troubles = {
        name: result.trouble
        for name, result in results.items()
        if result.trouble and not scores_its_prior(fits[name], result.unit)
    }
    trouble = "; ".join(f"{name}: {words}" for name, words in troubles.items())
    if len(troubles) > 1 and len({*troubles.values()}) == 1:
        trouble = next(iter(troubles.values()))
    if trouble:
        trouble = f"This leave-one-out comparison cannot be relied on ({trouble}).{_cure(results)}"
    poolings = {fit.model.name: name for name, fit in fits.items()}
    if "partial" in poolings and len(poolings) == len(fits):
        words, preferred = judge_poolings(results, fits, poolings, tau_prior, trouble)
    elif found := judge_parts(results, fits, trouble):
        words, preferred = found
    elif trouble:
        words, preferred = trouble, None
    else:
        words, preferred = _judge_any(table)
    caution = "" if trouble else _caution(table, results)
    return " ".join(filter(None, [words, caution])), preferred


def _cure(results: Mapping[str, Elpd]) -> str:
    failed = any(((result.method == "psis") & result.bad).any() for result in results.values())
    return " Compare again with refit=True." if failed else ""


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
