"""Forest plot as meta-analysts draw it: studies, their weights, and a diamond for what they say."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hierstan.fit.fit import Fit
from hierstan.plots import axes as layout
from hierstan.plots import style
from hierstan.plots.groups import (
    by_level,
    group_word,
    headings,
    mean_words,
    references,
    require,
    shares,
)
from hierstan.plots.meta_columns import (
    by_line,
    heterogeneity_words,
    raw_columns,
    subgroups,
    write_sides,
)
from hierstan.plots.meta_studies import (
    check_logs,
    exponentiated,
    no_effect_of,
    ratio_words,
    studies_of,
)
from hierstan.text.tables import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PITCH = 1.4  # height of a study's row, which has two lines, over that of a row with one
ESTIMATE, POOLED = -0.2, 0.24  # where they are in the row
DECIMALS = 2
SQUARE = 0.6  # of the raw estimates' colour
NUMBERS = ["mean", "lower", "upper"]


def draw_meta(
    fit: Fit,
    *,
    prob: float,
    scale: str,
    sort: bool,
    exponentiate: bool | None,
    named: int,
    by: Hashable | None = None,
    favours: tuple[str, str] | None = None,
    columns: object = None,
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
    by : str, optional
    favours : (str, str), optional
    columns : pandas.DataFrame or mapping, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    require(fit, "mu", 'plot_forest(style="meta")')
    studies, below = studies_of(fit, prob, scale), references(fit, prob, scale)
    below.loc["mu", "label"] = "overall"
    effect = fit.data.effect
    if exponentiate is None:
        exponentiate = effect is not None and effect.ratio and scale == "response"
    beside = raw_columns(fit, columns)
    means = None if by is None else subgroups(fit, by, prob, scale) if _has(fit, by) else None
    if exponentiate:
        check_logs(fit)
        studies, below = exponentiated(studies), exponentiated(below)
        means = None if means is None else exponentiated(means.assign(label=""))
    if sort or len(studies) > named:
        studies = studies.sort_values("raw", ascending=False, kind="stable")
    studies = studies.assign(place=studies.index)
    lines = studies if by is None else by_level(fit, studies, by)
    log = exponentiate or layout.wants_log(fit.family.link, scale, studies[["raw", "mean"]].values)
    with style.quiet():
        apart = len(lines) <= named
        height = (PITCH if apart else 1) * layout.rows_height(len(lines), named)
        height += 0.3 * len(below)
        fig, ax = style.new_figure(7.6 + 0.7 * len(beside), height + 1.9)
        names = (list(lines["label"]), height, named, list(below["label"]), headings(lines))
        layout.name_rows(ax, *names)
        _frame(ax, studies, below, log, no_effect_of(fit, scale, exponentiate))
        words = ratio_words(fit, scale) if exponentiate else mean_words(fit, scale)
        ax.set_xlabel(words + (" (log scale)" if log else ""))
        if shares(fit, scale):
            style.show_percent(ax)
        if favours is not None:
            write_sides(ax, favours, no_effect_of(fit, scale, exponentiate))
        cut = _draw(ax, fit, lines, apart=apart, area=_area(ax, height))
        cut |= _draw_overall(ax, len(lines), below)
        if means is not None:
            lines = _draw_subgroups(ax, lines, means)
        if apart:
            _write_figures(ax, fit, lines, below, prob, scale, by_line(beside, lines))
        style.legend(ax, _keys(fit, _face(len(lines))))
        told = heterogeneity_words(fit, prob, _told(fit, below, scale)[1][-1])
        told += _caption(fit, prob) + layout.told(cut, len(lines), named, by is not None)
        return style.finish(fig, _title(words, fit, below, scale), "; ".join(told) + ".")


# internals ------------------------------------------------------------------------------------


def _has(fit: Fit, factor: Hashable) -> bool:
    return factor in list(fit.data.levels)


def _draw_subgroups(ax: Axes, lines: pd.DataFrame, means: pd.DataFrame) -> pd.DataFrame:
    """Draw a diamond in the line of each level's name, and return the lines with its numbers."""
    rows, numbers = headings(lines), ["raw", "raw_lower", "raw_upper"]
    for row, (low, center, high) in zip(
        rows, means[["lower", "mean", "upper"]].to_numpy(), strict=True
    ):
        heights = row + 0.22 * np.array([0, -1, 0, 1])
        ax.fill([low, center, high, center], heights, color=style.QUIET, lw=0, zorder=3)
    own = lines[numbers].to_numpy(float)
    own[list(rows)] = means[NUMBERS]
    return lines.assign(**dict(zip(numbers, own.T, strict=True)))


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


def _told(fit: Fit, rows: pd.DataFrame, scale: str) -> tuple[list[str], list[str]]:
    """Return estimates and intervals as texts, with the decimals that journals print."""
    percent = shares(fit, scale)
    return layout.figures(rows, "%" if percent else "", DECIMALS - percent)


def _figures(
    fit: Fit, studies: pd.DataFrame, below: pd.DataFrame, scale: str
) -> tuple[list[str], list[str]]:
    """Return estimates and intervals of all rows as texts."""
    own = studies[["raw", "raw_lower", "raw_upper"]].set_axis(NUMBERS, axis=1)
    return _told(fit, pd.concat([own, below[NUMBERS]]), scale)


def _write_figures(
    ax: Axes,
    fit: Fit,
    lines: pd.DataFrame,
    below: pd.DataFrame,
    prob: float,
    scale: str,
    beside: dict[str, list[str]],
) -> None:
    """Write raw numbers, estimate, interval and weight of every row, the pooled ones beneath."""
    means, spans = _figures(fit, lines, below, scale)
    weights = ["" if np.isnan(weight) else f"{100 * weight:.1f}%" for weight in lines["weight"]]
    weights += ["100%" if name == "mu" else "" for name in below.index]
    interval = f"{percent(prob)} interval"
    blank = [""] * len(below)
    columns = {name: [*column, *blank] for name, column in beside.items()}
    columns |= {"estimate": means, interval: spans, "weight": weights}
    ys = np.array([*range(len(lines)), *layout.rows_below(len(lines), len(below))], dtype=float)
    studies = np.array([j for j in range(len(lines)) if j not in headings(lines)])
    above = ys.copy()
    above[studies] += ESTIMATE
    layout.write_columns(ax, above.tolist(), columns)
    pooled, ends = _told(fit, lines.iloc[studies][NUMBERS], scale)
    none = [""] * len(studies)
    second = dict.fromkeys(beside, none) | {"estimate": pooled, interval: ends, "weight": none}
    sizes = {name: max(map(len, [name, *texts])) for name, texts in columns.items()}
    layout.write_columns(
        ax,
        (ys[studies] + POOLED).tolist(),
        second,
        color=style.POOLING_COLORS[fit.model.name],
        sizes=sizes,
    )


def _keys(fit: Fit, face: str) -> list[object]:
    from matplotlib.lines import Line2D

    raw, pooled = style.RAW, style.POOLING_COLORS[fit.model.name]
    square: dict[str, Any] = {"marker": "s", "ms": 6, "mew": 0, "mfc": face}
    alone = f"{group_word(fit.data)} alone"
    words = "partially pooled" if fit.model.has_population else "completely pooled"
    return [
        Line2D([], [], lw=1.0, color=raw, label=alone, **square),
        Line2D([], [], marker="o", ms=3.2, mew=0, lw=0.8, color=pooled, label=words),
        Line2D([], [], ls="", marker="D", ms=5, mew=0, color=style.INK, label="overall"),
    ]


def _title(words: str, fit: Fit, below: pd.DataFrame, scale: str) -> str:
    means, spans = _told(fit, below, scale)
    new = f"; a new {group_word(fit.data)} {spans[1]}" if "theta_new" in below.index else ""
    return f"{words} by {group_word(fit.data)}: overall {means[0]} {spans[0]}{new}"


def _caption(fit: Fit, prob: float) -> list[str]:
    new = "the bar at the bottom is where the effect of a new one would lie"
    return [
        "squares are what each study says alone, their areas the weights in the overall effect",
        f"intervals have {percent(prob)}",
        *([new] if fit.model.has_population else []),
    ]
