"""Axes: rows of groups with their names, and value axes that suit what is drawn on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hierstan.plots.picture import height_of, is_narrow
from hierstan.plots.style import INK, QUIET, SMALL_SIZE, decimals_of, number
from hierstan.text.tables import cut_apart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from numpy.typing import ArrayLike

CROWDED = 80  # groups, from which rows are too thin for marks of their own
EXTREMES = 6  # named at either end
LOG_FROM = 20.0  # ratio of the largest to the smallest value, from which rates get a log axis
LOG_TICKS = ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))
LONGEST_ON_PHONE = 22  # columns of a label
LINE_HEIGHT = 11.0  # points that a name takes


def rows_height(rows: int, named: int) -> float:
    """Return the height in inches that rows of groups need, up to `named` of them with names."""
    if rows <= named:
        return max(1.0, (0.25 if rows <= 30 else 0.17) * rows)
    return 0.1 * rows + 1.0 if rows <= CROWDED else 8.0


def name_rows(
    ax: Axes,
    labels: Sequence[str],
    height: float,
    named: int,
    below: Sequence[str] = (),
    headings: Sequence[int] = (),
) -> None:
    """Put groups on the y axis, first at the top: row j at y = j.

    Of more than `named` groups only the `headings` are named, if there are any and room for them;
    else the first and last few, their names pulled apart and tied to their rows by thin lines.
    `height` is that of the axes, in inches; `below` names rows that follow the groups after a gap.
    """
    rows, height = len(labels), height_of(ax, height)
    if is_narrow():
        labels, below = (cut_apart(texts, LONGEST_ON_PHONE) for texts in (labels, below))
    places = rows_below(rows, len(below))
    bottom = leave_unnamed(ax, places[-1] + 1 if places else rows)
    every = list(range(rows)) if rows <= named else list(headings)
    if rows > named and np.diff(every).min(initial=rows) * 72 * height / bottom < LINE_HEIGHT:
        every = []
    ax.set_yticks([*every, *places], labels=[*(labels[j] for j in every), *below])
    if not every:
        points = 72 * height / (bottom + 0.7 * _pitch(rows))
        ends = [*range(EXTREMES), *range(rows - EXTREMES, rows)]
        for row, place in zip(ends, _apart(rows, points), strict=True):
            _tie(ax, row, (row - place) * points, labels[row])
    for row, text in zip(every, ax.get_yticklabels(), strict=False):
        text.set_fontweight("bold" if row in headings else "normal")


def leave_unnamed(ax: Axes, rows: float) -> float:
    """Make room for rows, first at the top, without names; return where the axes end."""
    margin = 0.7 * _pitch(rows)
    bottom = rows - 1 + margin
    ax.set_ylim(bottom, -margin)
    ax.set_yticks([])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return bottom


def rows_below(rows: int, count: int) -> list[float]:
    """Return where the rows below the groups are, however many groups there are."""
    return [rows - 1 + _pitch(rows) * (1.5 + k) for k in range(count)]


def wants_log(link: str, scale: str, values: np.ndarray) -> bool:
    """Whether rates and amounts spread so widely that only a log axis shows them all."""
    if link != "log" or scale != "response" or not (values > 0).all():
        return False
    return bool(values.max() / values.min() > LOG_FROM)


def use_log(ax: Axes, low: float, high: float, most: int = 8) -> None:
    """Make the x axis logarithmic from `low` to `high`, with at most about `most` plain ticks."""
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    _log_ticks(ax.xaxis, low, high, most)


def make_square(ax: Axes, low: float, high: float, log: bool) -> None:
    """Give both axes the same limits and lengths, and make both logarithmic if asked for."""
    set_limits(ax, low, high, log)
    if log:
        ax.set_yscale("log")
        _log_ticks(ax.yaxis, low, high, 8)
    ax.set_ylim(low, high)
    ax.set_aspect("equal", adjustable="box")


def set_limits(ax: Axes, low: float, high: float, log: bool, most: int = 8) -> None:
    """Set the limits of the x axis, and make it logarithmic if asked for."""
    if log:
        use_log(ax, low, high, most=most)
    else:
        ax.set_xlim(low, high)


def limits(
    means: np.ndarray, raw: np.ndarray, lower: np.ndarray, upper: np.ndarray, log: bool
) -> tuple[float, float]:
    """Return limits that hold every mean, and of all else as much as leaves the means legible.

    An interval is cut where it reaches beyond the means by their whole spread (or by the length of
    a typical interval), a raw estimate where it is farther out than three times what has come in.
    Raw estimates and ends may be missing.
    """
    known = ~(np.isnan(lower) | np.isnan(upper))
    raw, lower, upper = raw[~np.isnan(raw)], lower[known], upper[known]
    forward, back = (np.log, np.exp) if log else (np.asarray, np.asarray)
    tiny = means.min() * 1e-6 if log else -np.inf
    low, high = forward(np.maximum(lower, tiny)), forward(upper)
    means, raw = forward(means), forward(raw)
    spread = max(float(np.ptp(means)), float(np.median(high - low))) or 1.0
    left = min(means.min(), max(low.min(), means.min() - spread))
    right = max(means.max(), min(high.max(), means.max() + spread))
    reach = 3 * (right - left)
    left, right = (
        min(left, max(raw.min(initial=left), left - reach)),
        max(right, min(raw.max(initial=right), right + reach)),
    )
    margin = 0.04 * (right - left)
    return float(back(left - margin)), float(back(right + margin))


def mark_cut(ax: Axes, lower: ArrayLike, upper: ArrayLike, ys: ArrayLike, color: str) -> bool:
    """Put arrowheads where something leaves the axes, and say whether anything does."""
    left, right = ax.get_xlim()
    lower, upper, ys = (np.asarray(values, dtype=float) for values in (lower, upper, ys))
    for out, edge, marker in ((lower < left, left, "<"), (upper > right, right, ">")):
        if out.any():
            edges = np.full(int(out.sum()), edge)
            ax.plot(edges, ys[out], marker, color=color, ms=5, clip_on=False, zorder=4)
    return bool(((lower < left) | (upper > right)).any())


def told(cut: bool, rows: int, named: int, by_level: bool = False) -> list[str]:
    """Return what a caption says about things cut off, and about groups without names."""
    if by_level:
        return ["arrowheads mark what goes on beyond the picture"] * cut
    return [
        *(["arrowheads mark what goes on beyond the picture"] if cut else []),
        *([f"of {rows:,} groups the first and last {EXTREMES} are named"] if rows > named else []),
    ]


def write_columns(
    ax: Axes,
    ys: Sequence[float],
    columns: Mapping[str, Sequence[str]],
    *,
    color: str | None = None,
    sizes: Mapping[str, int] | None = None,
) -> None:
    """Write columns of figures right of the axes, each under its header, if there is room for them.

    With the `sizes` (in characters) of columns that are there already: more lines of these.
    """
    if is_narrow():
        return
    options: dict[str, Any] = {
        "textcoords": "offset points",
        "ha": "right",
        "fontsize": SMALL_SIZE,
        "annotation_clip": False,
    }
    edge, offset = ax.get_yaxis_transform(), 4.0
    for header, texts in columns.items():
        size = max(map(len, [header, *texts])) if sizes is None else sizes[header]
        offset += 10 + 0.58 * SMALL_SIZE * size
        for y, text in zip(ys, texts, strict=True):
            ax.annotate(
                text, (1, y), (offset, 0), xycoords=edge, va="center", color=color or INK, **options
            )
        if sizes is not None:
            continue
        ax.annotate(
            header, (1, 1), (offset, 3), xycoords=ax.transAxes, va="bottom", color=QUIET, **options
        )


def figures(
    rows: pd.DataFrame, unit: str = "", decimals: int | None = None
) -> tuple[list[str], list[str]]:
    """Return the means and the intervals of rows as texts, all with the same decimals.

    With a `unit` they are shares: "%" stands behind percentages, nothing behind points.
    """
    if unit:
        rows = 100 * rows[["mean", "lower", "upper"]]
    unit = unit if unit == "%" else ""
    if decimals is None:
        decimals = decimals_of(float((rows["upper"] - rows["lower"]).median()) / 2)
    means = ["" if np.isnan(mean) else f"{number(mean, decimals)}{unit}" for mean in rows["mean"]]
    ends = zip(rows["lower"], rows["upper"], strict=True)
    intervals = [
        "" if np.isnan(low) else f"[{number(low, decimals)}{unit}, {number(high, decimals)}{unit}]"
        for low, high in ends
    ]
    return means, intervals


# internals ------------------------------------------------------------------------------------


def _log_ticks(axis: Axis, low: float, high: float, most: int) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    decades = np.log10(high / low)
    subs = next((s for s in LOG_TICKS if decades * len(s) <= most), LOG_TICKS[-1])
    axis.set_major_locator(LogLocator(subs=subs, numticks=max(4, most)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    axis.set_minor_formatter(NullFormatter())


def _pitch(rows: float) -> float:
    """Return how many groups' rows one row below them takes."""
    return max(1.0, rows / 40)


def _apart(rows: int, pitch: float) -> np.ndarray:
    """Return places for the names of the extremes, in rows, far enough apart to be read."""
    step = max(1.0, LINE_HEIGHT / pitch)
    top = np.arange(EXTREMES) * step
    return np.concatenate([top, rows - 1 - top[::-1]])


def _tie(ax: Axes, row: int, lift: float, label: str) -> None:
    """Write a name left of the axes, `lift` points above its row and tied to it by a thin line."""
    ax.annotate(
        label,
        (0, row),
        (-16, lift),
        xycoords=ax.get_yaxis_transform(),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=SMALL_SIZE,
        annotation_clip=False,
        arrowprops={
            "arrowstyle": "-",
            "color": QUIET,
            "lw": 0.5,
            "shrinkA": 2,
            "shrinkB": 0,
            "relpos": (1, 0.5),
        },
    )
