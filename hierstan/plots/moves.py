"""Moves of groups from their raw estimates to their means: of one fit, or several side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hierstan.errors import DataError
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.fit.two_part import PART_WORDS, TwoPartFit
from hierstan.plots import axes as layout
from hierstan.plots import style
from hierstan.plots.groups import (
    POOLING_WORDS,
    check_scale,
    group_table,
    group_word,
    link_of,
    mean_words,
    name_axis,
    require_posterior,
)
from hierstan.plots.picture import is_narrow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED = 30  # groups; of more, only the extremes are named
SHORTEST_ARROW = 9.0  # points; what moves less gets a line without a head
MOVES = ["raw", "mean", "precision", "label"]


@dataclass(frozen=True)
class Panel:
    """One of several pictures of the same groups."""

    table: pd.DataFrame
    title: str
    fit: Fit | TwoPartFit
    color: str


def draw_side_by_side(given: TwoPartFit | Mapping[str, Fit | TwoPartFit], scale: str) -> Figure:
    """Draw the moves of the same groups under several fits, or in either part and the whole.

    Parameters
    ----------
    given : TwoPartFit, or mapping of str to Fit
    scale : {"response", "link"}

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If the fits are of different groups.
    HierstanError
        For what is no fit, or one of the prior only.
    """
    check_scale(scale)
    parts = isinstance(given, TwoPartFit)
    panels = _parts(given, scale) if isinstance(given, TwoPartFit) else _fits(given, scale)
    whole = panels[-1 if parts else 0].table
    order = whole["raw"].sort_values(ascending=False, kind="stable").index
    with style.quiet():
        height = layout.rows_height(len(order), NAMED)
        fig, axes = style.new_figure(1.2 + 2.9 * len(panels), height + 1.9, len(panels))
        axes = np.atleast_1d(axes)
        names = list(whole["label"][order])
        for ax in axes:
            texts = names if ax is axes[0] or is_narrow() else [""] * len(names)
            layout.name_rows(ax, texts, height, NAMED)
        pairs = list(zip(axes, panels, strict=True))
        for together in [[pair] for pair in pairs] if parts else [pairs]:
            _limit(together, scale)
        cut = [_draw(fig, ax, panel, order) for ax, panel in pairs]
        first = given if isinstance(given, TwoPartFit) else next(iter(given.values()))
        what = f"{mean_words(first, scale)} by {group_word(first.data)}"
        title = f"{what}: from raw estimates (hollow) to means"
        told = ["Ordered by raw estimate", *layout.told(any(cut), len(order), NAMED)]
        return style.finish(fig, title, "; ".join(told) + ".")


def draw_moves(fig: Figure, ax: Axes, table: pd.DataFrame, color: str) -> None:
    """Draw raw estimates, posterior means and the shafts and heads of the arrows between them."""
    ys = np.arange(len(table))
    raw, mean = table["raw"].to_numpy(), table["mean"].to_numpy()
    crowded = len(table) > layout.CROWDED
    largest = 8 if crowded else 36 if len(table) > NAMED else 75
    areas = largest * np.clip(table["precision"].to_numpy(), 0.2, 1)
    shaft = "#B9BDC4" if crowded else style.QUIET
    ax.hlines(ys, raw, mean, color=shaft, lw=0.5 if crowded else 0.9, zorder=1)
    ring: dict[str, Any] = {"facecolor": style.RAW if crowded else "white"}
    ring["lw"], edge = (0, 0) if crowded else (1.1, 0.4)
    ax.scatter(raw, ys, s=areas, edgecolor=style.RAW, zorder=2, **ring)
    ax.scatter(mean, ys, s=areas, color=color, edgecolor="white", lw=edge, zorder=3)
    if not crowded:
        _draw_heads(fig, ax, raw, mean, np.sqrt(areas / np.pi))


# internals ------------------------------------------------------------------------------------


def _draw_heads(
    fig: Figure, ax: Axes, raw: np.ndarray, mean: np.ndarray, radii: np.ndarray
) -> None:
    """Put a head on every arrow that is long enough to have one, short of the mean's dot."""
    style.settle(fig)
    starts = np.clip(raw, *ax.get_xlim())  # an arrow from afar comes in at the edge
    ends = [ax.transData.transform(np.column_stack([x, x]))[:, 0] for x in (starts, mean)]
    length = np.abs(ends[1] - ends[0]) * 72 / fig.dpi
    for j in np.flatnonzero(length > SHORTEST_ARROW + 2 * radii).tolist():
        ax.annotate(
            "",
            (mean[j], j),
            (starts[j], j),
            arrowprops={
                "arrowstyle": "-|>,head_length=0.5,head_width=0.22",
                "color": style.QUIET,
                "lw": 0.1,
                "shrinkA": 0,
                "shrinkB": radii[j],
            },
            zorder=1,
        )


def _parts(fit: TwoPartFit, scale: str) -> list[Panel]:
    """Return the rate, the amount and the revenue per customer."""
    prob, color = check_prob(None), style.POOLING_COLORS[fit.model.name]
    require_posterior(fit.rate, "plot_shrinkage")
    whole = group_table(fit, prob, scale)
    rate, bought = group_table(fit.rate, prob, scale), fit.data.table["buyers"].to_numpy() > 0
    amount = whole[MOVES].assign(raw=np.nan, precision=0.0)
    paid = group_table(fit.amount, prob, scale)
    amount.loc[bought, ["raw", "precision"]] = paid[["raw", "precision"]].to_numpy()
    draws = fit.draws("amount")
    amount["mean"] = (np.log(draws) if scale == "link" else draws).mean(axis=0)
    if fit.amount.family.medians:  # raw amounts are medians, and so are what they move to
        amount.loc[bought, "mean"] = paid["mean"].to_numpy()
    found: dict[str, tuple[pd.DataFrame, Fit | TwoPartFit]] = {
        "rate": (rate, fit.rate),
        "amount": (amount, fit.amount),
        "revenue": (whole, fit),
    }
    words = {**PART_WORDS, "revenue": "both"}
    return [Panel(table[MOVES], words[name], part, color) for name, (table, part) in found.items()]


def _fits(fits: Mapping[str, Fit | TwoPartFit], scale: str) -> list[Panel]:
    """Return one panel for each fit of the same data."""
    panels: list[Panel] = []
    for name, fit in fits.items():
        check_fit(fit, "plot_shrinkage")
        require_posterior(fit, "plot_shrinkage")
        if list(fit.data.groups) != list(next(iter(fits.values())).data.groups):
            raise DataError(f"plot_shrinkage: the fit {name!r} is of other groups than the first.")
        own = name == fit.model.name
        title = POOLING_WORDS[fit.model.name] if own else style.literal(name)
        color = style.POOLING_COLORS[fit.model.name]
        table = group_table(fit, check_prob(None), scale)[MOVES]
        panels.append(Panel(table, title, fit, color))
    return panels


def _limit(pairs: list[tuple[Axes, Panel]], scale: str) -> None:
    """Give axes the limits that hold all of these panels, so that they compare."""
    raw = np.concatenate([panel.table["raw"].to_numpy() for _, panel in pairs])
    mean = np.concatenate([panel.table["mean"].to_numpy() for _, panel in pairs])
    raw, mean = raw[np.isfinite(raw)], mean[np.isfinite(mean)]
    log = layout.wants_log(link_of(pairs[0][1].fit), scale, np.r_[raw, mean])
    ends = layout.limits(mean, raw, mean, mean, log)
    for ax, panel in pairs:
        layout.set_limits(ax, *ends, log, most=5)
        name_axis(ax, panel.fit, scale, log)


def _draw(fig: Figure, ax: Axes, panel: Panel, order: pd.Index) -> bool:
    """Draw one panel, and say whether something was cut."""
    lines = panel.table.loc[order]
    ax.set_title(panel.title, color=style.QUIET)
    style.grid_lines(ax)
    draw_moves(fig, ax, lines, panel.color)
    ends = lines["raw"].to_numpy()
    return layout.mark_cut(ax, ends, ends, np.arange(len(ends)), style.RAW)
