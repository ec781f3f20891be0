"""What `plot_uplift` draws: groups against one of them, or both arms of each against each other."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from hierstan.answers.decisions import losses
from hierstan.answers.decisions.worth import values_of
from hierstan.answers.differences.absolute import absolute_effects
from hierstan.errors import HierstanError, HierstanWarning
from hierstan.fit.fit import Fit
from hierstan.fit.two_arms import treatment_of
from hierstan.fit.two_part import TwoPartFit
from hierstan.plots import axes as layout
from hierstan.plots.groups import (
    arm_headers,
    arm_words,
    group_word,
    labels,
    mean_words,
    outcome_family,
    outcome_word,
    shares,
)
from hierstan.text.wording import show

NUMBERS = ["mean", "sd", "lower", "upper", "inner_lower", "inner_upper"]
POINTS = "percentage points"


@dataclass(frozen=True)
class Comparison:
    """Differences to draw, best first.

    Attributes
    ----------
    table, below : pandas.DataFrame
        One line per group, and that of the population if there is one: numbers, chances, `label`.
    what, axis : str
        What is compared, for the title and for the axis.
    unit : str
        "%", `POINTS` or nothing.
    beside : mapping of str to list of str
        Further columns of texts, `below` included.
    """

    table: pd.DataFrame
    below: pd.DataFrame
    what: str
    axis: str
    unit: str = ""
    beside: dict[str, list[str]] = field(default_factory=dict)


def against_control(
    fit: Fit | TwoPartFit,
    control: object,
    *,
    relative: bool,
    caring: object,
    prob: float,
    scale: str,
    larger_is_better: bool,
) -> Comparison:
    """Compare every group with a control, as `hierstan.uplift` does."""
    values = values_of(fit, scale, larger_is_better)
    losses.check_control(values, control)
    table = losses.differences(values, control, relative=relative, caring=caring, prob=prob)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HierstanWarning)  # said already
        inner = losses.differences(values, control, relative=relative, prob=0.5)
    table = table.assign(
        inner_lower=inner["lower"], inner_upper=inner["upper"], label=labels(values.groups)
    )
    name = table["label"].iloc[values.position(control)]
    table = table[np.arange(len(table)) != values.position(control)]
    if table.empty:
        raise HierstanError(f"plot_uplift needs a group to compare with {show(control)}.")
    words, points = _words(fit, scale), shares(fit, scale) and not relative
    axis = f"{words}, {_difference(relative)} from {name}" + f" ({POINTS})" * points
    return Comparison(
        table=_in_order(table, relative, larger_is_better),
        below=table[:0],
        what=f"{words} by {group_word(fit.data)} against {name}",
        axis=axis,
        unit="%" if relative else POINTS * points,
    )


def of_arms(
    fit: Fit, *, relative: bool, caring: object, prob: float, larger_is_better: bool
) -> Comparison:
    """Compare both arms of every group, and of all of them together, as they are in the data."""
    family = treatment_of(fit, "plot_uplift")
    if relative and not family.ratio:
        raise HierstanError(
            f"relative=True divides by the control arm's mean, which {fit.data.family} outcomes "
            "may have at 0 or below. Leave it out."
        )
    measure = family.ratio if relative else family.difference
    found, inner = (absolute_effects(fit, measure=measure, prob=p) for p in (prob, 0.5))
    draws = found.draws.to_numpy().reshape(-1, len(found.table))
    every = np.column_stack([draws, found.overall_draws]) - relative
    table, half = (
        pd.concat([one.table, one.overall.to_frame().T]).astype(float) for one in (found, inner)
    )
    table[["inner_lower", "inner_upper"]] = half[["lower", "upper"]]
    table[[*NUMBERS[:1], *NUMBERS[2:]]] -= relative
    table["label"] = [*labels(fit.data.groups), "all, as in the data"]
    table = table.drop(columns="prob_positive").assign(**_chances(every, caring, larger_is_better))
    points = family.base.shares and not relative
    both = {words.rpartition(",")[0] for words in arm_words(fit)}
    words = both.pop() if len(both) == 1 else family.base.mean_words
    control, treated = arm_headers(fit).values()
    lines = _in_order(table[:-1], relative, larger_is_better)
    below = _in_order(table[-1:], relative, larger_is_better)
    return Comparison(
        table=lines,
        below=below,
        what=f"{words} by {group_word(fit.data)}, {treated} against {control}",
        axis=f"{words}, {_difference(relative)} from control" + f" ({POINTS})" * points,
        unit="%" if relative else POINTS * points,
        beside=_arms(fit, pd.concat([lines, below])),
    )


# internals ------------------------------------------------------------------------------------


def _in_order(table: pd.DataFrame, relative: bool, larger_is_better: bool) -> pd.DataFrame:
    """Return lines best first, relative ones as percentages."""
    table = table.sort_values(
        "mean", ascending=not larger_is_better, kind="stable", ignore_index=True
    )
    table[NUMBERS] *= 100 if relative else 1
    return table


def _chances(draws: np.ndarray, caring: object, larger_is_better: bool) -> dict[str, np.ndarray]:
    """Return how probable it is that the treatment is better; with a limit, also worse or same."""
    low, high = losses.equivalent(caring) if caring is not None else (0.0, 0.0)
    above, below = (draws > high).mean(axis=0), (draws < low).mean(axis=0)
    better, worse = (above, below) if larger_is_better else (below, above)
    if caring is None:
        return {"prob_better": better}
    same = ((draws >= low) & (draws <= high)).mean(axis=0)
    return {"prob_better": better, "prob_worse": worse, "prob_equivalent": same}


def _arms(fit: Fit, table: pd.DataFrame) -> dict[str, list[str]]:
    """Return both arms' means as texts, under what the arms are called."""
    found, unit = {}, "%" if outcome_family(fit.data).shares else ""
    for name, header in zip(("control", "treated"), arm_headers(fit).values(), strict=True):
        own = table[[name]].rename(columns={name: "mean"})
        ends = table[["control", "treated"]]
        own = own.assign(lower=ends.min(axis=1), upper=ends.max(axis=1))
        found[header] = layout.figures(own, unit)[0]
    return found


def _difference(relative: bool) -> str:
    return "relative difference (%)" if relative else "difference"


def _words(fit: Fit | TwoPartFit, scale: str) -> str:
    """Return what is compared, in the user's words."""
    if scale == "mean" and isinstance(fit, Fit) and fit.family.medians:
        return f"mean of {outcome_word(fit.data)}"
    return mean_words(fit, "link" if scale == "link" else "response")
