"""Forest plot as meta-analysts draw it: studies, their weights, and a diamond for what they say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hierstan.data.own_estimates import raw_estimates
from hierstan.errors import HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.information import BLOCK, sampling_variance
from hierstan.fit.observed_information import numeric
from hierstan.plots import axes as layout
from hierstan.plots import style
from hierstan.plots.groups import (
    group_table,
    group_word,
    mean_words,
    on_scale,
    references,
    require,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PITCH = 1.4  # height of a study's row, which has two lines, over that of a row with one
ESTIMATE, POOLED = -0.14, 0.24  # where they are in the row
LARGEST = 300.0  # log of a ratio: farther out, an axis has no numbers left
SQUARE = 0.6  # of the raw estimates' colour
NUMBERS = ["mean", "lower", "upper"]


def draw_meta(
    fit: Fit, *, prob: float, scale: str, sort: bool, exponentiate: bool | None, named: int
) -> Figure:
    """Draw the forest plot of a meta-analysis; see `hierstan.plot_forest`.

    Parameters
    ----------
    fit : Fit
    prob : float
    scale : {"response", "link"}
    sort : bool
    exponentiate : bool, optional
    named : int
        Most studies to write names and figures of.

    Returns
    -------
    matplotlib.figure.Figure
    """
    require(fit, "mu", 'plot_forest(style="meta")')
    studies, below = _studies(fit, prob, scale), references(fit, prob, scale)
    below.loc["mu", "label"] = "overall (mu)"
    effect = fit.data.effect
    if exponentiate is None:
        exponentiate = effect is not None and effect.ratio and scale == "response"
    if exponentiate:
        _check_logs(fit)
        studies, below = _exponentiated(studies), _exponentiated(below)
    if sort or len(studies) > named:
        studies = studies.sort_values("raw", ascending=False, kind="stable", ignore_index=True)
    log = exponentiate or layout.wants_log(fit.family.link, scale, studies[["raw", "mean"]].values)
    with style.quiet():
        apart = len(studies) <= named
        height = (PITCH if apart else 1) * layout.rows_height(len(studies), named)
        height += 0.3 * len(below)
        fig, ax = style.new_figure(7.6, height + 1.9)
        layout.name_rows(ax, list(studies["label"]), height, named, list(below["label"]))
        _frame(ax, studies, below, log, _no_effect(fit, scale, exponentiate))
        words = _ratio_words(fit, scale) if exponentiate else mean_words(fit, scale)
        ax.set_xlabel(words + (" (log scale)" if log else ""))
        cut = _draw(ax, fit, studies, apart=apart, area=_area(ax, height))
        cut |= _draw_overall(ax, len(studies), below)
        if apart:
            _write_figures(ax, studies, below, prob)
        style.legend(ax, _keys(fit, _face(len(studies))))
        told = layout.told(cut, len(studies), named)
        return style.finish(fig, _title(words, fit, studies, below), _caption(fit, prob, told))


# internals ------------------------------------------------------------------------------------


def _ratio_words(fit: Fit, scale: str) -> str:
    """Return what exponentiated estimates are: "odds ratio", or the column without its "log"."""
    if fit.data.effect:
        return fit.data.effect.words
    return re.sub(r"^(log|ln)[ _.]+", "", mean_words(fit, scale), flags=re.IGNORECASE)


def _check_logs(fit: Fit) -> None:
    effect = fit.data.effect
    if effect and not effect.ratio:
        raise HierstanError(
            f"exponentiate=True is for logs of ratios, but these estimates are of a {effect.words} "
            f'(measure="{effect.key}"). Leave it out.'
        )
    if not (fit.family.estimates or fit.family.treatment):
        raise HierstanError(
            "exponentiate=True is for estimates that are logs of ratios, as in "
            f"GroupedData.from_estimates, but these data are {fit.data.family}. Leave it out: "
            'scale="response" has their rates and means.'
        )


def _studies(fit: Fit, prob: float, scale: str) -> pd.DataFrame:
    """Return raw estimates with their confidence intervals, pooled ones, and weights."""
    from scipy.stats import norm

    table = group_table(fit, prob, scale).drop(columns=["se", "inner_lower", "inner_upper"])
    own = raw_estimates(fit.data)[["link", "link_se"]].to_numpy().T
    reach = norm.ppf((1 + prob) / 2) * own[1]
    ends = on_scale(fit, np.stack([own[0] - reach, own[0] + reach]), scale)
    # a rate of 0 has an interval that starts above it
    table["raw_lower"] = np.fmin(ends[0], table["raw"])
    table["raw_upper"] = np.fmax(ends[1], table["raw"])
    table["weight"] = _weights(fit)
    return table


def _weights(fit: Fit) -> np.ndarray:
    """Return each study's weight in mu, (J,): posterior means of 1 / (V + tau^2), summing to 1."""
    J = len(fit.data.groups)
    partial = fit.model.name == "partial"
    tau = fit.draws("tau") if partial else np.zeros(len(fit.draws("mu")))
    width = J if numeric(fit) else max(1, BLOCK // len(tau))
    blocks = [slice(start, start + width) for start in range(0, J, width)]

    def precisions(block: slice) -> np.ndarray:
        with np.errstate(over="ignore"):  # a group that says nothing has no weight
            variance = np.atleast_2d(sampling_variance(fit, block))
        used = tau[:: -(-len(tau) // len(variance))] if len(variance) > 1 else tau
        return np.asarray(1 / (variance + used[:, None] ** 2))

    total = sum(precisions(block).sum(axis=1, keepdims=True) for block in blocks)
    return np.concatenate([(precisions(block) / total).mean(axis=0) for block in blocks])


def _exponentiated(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its logs turned into ratios."""
    logs = table.columns[~table.columns.isin(["label", "weight", "precision"])]
    return table.assign(**{name: np.exp(table[name].clip(-LARGEST, LARGEST)) for name in logs})


def _no_effect(fit: Fit, scale: str, exponentiate: bool) -> float | None:
    """Return where there is no effect, if this scale has such a place."""
    if exponentiate:
        return 1.0
    return 0.0 if scale == "link" or fit.family.link == "identity" else None


def _frame(
    ax: Axes, studies: pd.DataFrame, below: pd.DataFrame, log: bool, no_effect: float | None
) -> None:
    """Set the value axis up, and draw the lines at no effect, if that is near, and at mu."""
    centers = np.r_[studies["mean"], below.loc["mu", "mean"]]
    lower, upper = (
        np.r_[studies[f"raw_{end}"], studies[end], below[end]] for end in ("lower", "upper")
    )
    raw = studies["raw"].to_numpy()
    low, high = layout.limits(centers, raw, lower, upper, log)
    # what is not far outside of that comes in whole, the bar of a new study too
    ends = np.r_[raw, below["lower"], below["upper"]]
    room = np.sqrt(high / low) if log else (high - low) / 2
    least, most = (low / room, high * room) if log else (low - room, high + room)
    near = np.r_[centers, ends[(least < ends) & (ends < most)]]
    low, high = layout.limits(near, raw, lower, upper, log)
    forward, back = (np.log, np.exp) if log else (np.asarray, np.asarray)
    left, right = float(forward(low)), float(forward(high))
    if no_effect is not None:
        place, room = float(forward(no_effect)), (right - left) / 2
        if left - room < place < right + room:
            left = min(left, place - 0.04 * room)
            right = max(right, place + 0.04 * room)
            ax.axvline(no_effect, color=style.INK, lw=0.9, zorder=1)
    layout.set_limits(ax, float(back(left)), float(back(right)), log)
    mu = float(below["mean"].loc["mu"])
    ax.axvline(mu, color=style.QUIET, lw=0.8, ls=(0, (4, 3)), zorder=1)
    style.grid_lines(ax)


def _area(ax: Axes, height: float) -> float:
    """Return the area in square points of the largest square that a row has room for."""
    bottom, top = ax.get_ylim()
    pitch = 72 * height / (bottom - top)
    return float(np.clip(0.6 * pitch, 3.0, 13.0)) ** 2


def _face(studies: int) -> str:
    """Return the squares' colour: light enough for lines on top, unless they are tiny."""
    return style.RAW if studies > layout.CROWDED else style.tint(style.RAW, SQUARE)


def _draw(ax: Axes, fit: Fit, studies: pd.DataFrame, *, apart: bool, area: float) -> bool:
    """Draw raw and pooled estimates, in lines of their own if `apart`; say if one was cut."""
    rows = np.arange(len(studies))
    above, beneath = (rows + ESTIMATE, rows + POOLED) if apart else (rows, rows)
    raw, pooled = style.RAW, style.POOLING_COLORS[fit.model.name]
    crowded = len(studies) > layout.CROWDED
    ends = studies["raw_lower"], studies["raw_upper"]
    thin: dict[str, Any] = {"color": raw, "lw": 1.0, "zorder": 2.7}  # over the squares
    if crowded:
        thin = {"color": style.tint(raw, 0.3), "lw": 0.6, "zorder": 2}
    ax.hlines(above, *ends, **thin)
    sizes = area * studies["weight"] / studies["weight"].max()
    ax.scatter(studies["raw"], above, s=sizes, marker="s", color=_face(len(rows)), lw=0, zorder=2.5)
    cut = layout.mark_cut(ax, *ends, above, raw)
    if apart:
        ax.hlines(beneath, studies["lower"], studies["upper"], color=pooled, lw=0.8, zorder=3)
        cut |= layout.mark_cut(ax, studies["lower"], studies["upper"], beneath, pooled)
    ax.plot(studies["mean"], beneath, "o", color=pooled, ms=3.2 if apart else 1.6, mew=0, zorder=4)
    return cut


def _draw_overall(ax: Axes, rows: int, below: pd.DataFrame) -> bool:
    """Draw the diamond and the bar of a new study, and say whether one was cut."""
    ys = dict(zip(below.index, layout.rows_below(rows, len(below)), strict=True))
    ax.axhline((rows - 1 + ys["mu"]) / 2, color=style.QUIET, lw=0.6)
    half = 0.3 * float(np.diff(layout.rows_below(rows, 2))[0])
    low, center, high = (float(below[name].loc["mu"]) for name in ("lower", "mean", "upper"))
    heights = ys["mu"] + half * np.array([0, -1, 0, 1])
    ax.fill([low, center, high, center], heights, color=style.INK, lw=0, zorder=3)
    if "theta_new" in ys:
        start, end = (float(below[name].loc["theta_new"]) for name in ("lower", "upper"))
        color = style.POOLING_COLORS["partial"]
        ax.hlines(ys["theta_new"], start, end, color=color, lw=5.0, zorder=3)
    return layout.mark_cut(ax, below["lower"], below["upper"], list(ys.values()), style.INK)


def _figures(studies: pd.DataFrame, below: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return estimates and intervals of all rows as texts."""
    own = studies[["raw", "raw_lower", "raw_upper"]].set_axis(NUMBERS, axis=1)
    return layout.figures(pd.concat([own, below[NUMBERS]]))


def _write_figures(ax: Axes, studies: pd.DataFrame, below: pd.DataFrame, prob: float) -> None:
    """Write estimate, interval and weight of every row at the right."""
    means, spans = _figures(studies, below)
    weights = [f"{100 * weight:.1f}%" for weight in studies["weight"]]
    weights += ["100%" if name == "mu" else "" for name in below.index]
    columns = {"estimate": means, f"{style.percent(prob)} interval": spans, "weight": weights}
    layout.write_columns(ax, [float(y) for y in ax.get_yticks()], columns)


def _keys(fit: Fit, face: str) -> list[object]:
    from matplotlib.lines import Line2D

    raw, pooled = style.RAW, style.POOLING_COLORS[fit.model.name]
    square: dict[str, Any] = {"marker": "s", "ms": 6, "mew": 0, "mfc": face}
    alone = f"{group_word(fit.data)} alone"
    words = "partially pooled" if fit.model.name == "partial" else "completely pooled"
    return [
        Line2D([], [], lw=1.0, color=raw, label=alone, **square),
        Line2D([], [], marker="o", ms=3.2, mew=0, lw=0.8, color=pooled, label=words),
        Line2D([], [], ls="", marker="D", ms=5, mew=0, color=style.INK, label="overall"),
    ]


def _title(words: str, fit: Fit, studies: pd.DataFrame, below: pd.DataFrame) -> str:
    rows = len(studies)
    means, spans = (texts[rows:] for texts in _figures(studies, below))
    new = f"; a new {group_word(fit.data)} {spans[1]}" if "theta_new" in below.index else ""
    return f"{words} by {group_word(fit.data)}: overall {means[0]} {spans[0]}{new}"


def _caption(fit: Fit, prob: float, told: list[str]) -> str:
    new = "the bar at the bottom is where the effect of a new one would lie"
    parts = [
        "Squares are what each study says alone, their areas the weights in the overall effect",
        f"intervals have {style.percent(prob)}",
        *([new] if fit.model.name == "partial" else []),
        *told,
    ]
    return "; ".join(parts) + "."
