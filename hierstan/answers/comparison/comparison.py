"""What differences in predictive accuracy support, in words."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.answers.comparison.elpd import Elpd
from hierstan.answers.comparison.verdict import CLEAR, judge_poolings
from hierstan.data.predictors import predictor_words
from hierstan.fit.fit import Fit
from hierstan.text.tables import WIDTH

FEW_UNITS = 100  # below which the standard error of a difference may be too small
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
        words, preferred = judge_poolings(results, fits, poolings, tau_limit)
        if names := predictor_words(fits[poolings["complete"]].data.predictors):
            words += f" (Complete pooling here lets the groups differ by {names} alone.)"
    else:
        words, preferred = _judge_any(table)
    return f"{words} {_caution(table, results)}".strip(), preferred


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
