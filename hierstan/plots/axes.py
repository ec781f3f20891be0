"""Axes: rows of groups with their names, and value axes that suit what is drawn on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hierstan.plots.style import GRID, QUIET, SMALL_SIZE, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ALL_NAMED = 30  # groups; of more, only the extremes are named
EXTREMES = 6  # named at either end
LOG_FROM = 20.0  # ratio of the largest to the smallest value, from which rates get a log axis
LINE_HEIGHT = 11.0  # points that a name takes


def rows_height(rows: int) -> float:
    """Return the height in inches that rows of groups need."""
    if rows <= ALL_NAMED:
        return max(1.0, 0.25 * rows)
    return min(0.125 * rows + 1.0, 8.0) if rows <= 80 else 8.0


def name_rows(ax: Axes, labels: Sequence[str], height: float, extra: Sequence[str] = ()) -> None:
    """Put the groups on the y axis, first at the top: row j at y = j, `extra` rows after a gap.

    Of more than `ALL_NAMED` groups the first and last few are named, their names pulled apart and
    tied to their rows by thin lines. `height` is that of the axes, in inches.
    """
    rows = len(labels)
    below = extra_rows(rows, extra)
    bottom = (below[-1] if len(below) else rows - 1) + 0.7
    ax.set_ylim(bottom, -0.7)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    named = list(range(rows)) if rows <= ALL_NAMED else []
    ax.set_yticks([*named, *below], labels=[*(labels[j] for j in named), *extra])
    if not named:
        pitch = 72 * height / (bottom + 0.7)
        ends = [*range(EXTREMES), *range(rows - EXTREMES, rows)]
        for row, place in zip(ends, _apart(rows, pitch), strict=True):
            _tie(ax, row, place * pitch, labels[row])


def extra_rows(rows: int, extra: Sequence[str]) -> list[float]:
    """Return where the rows below the groups are: after a gap, however many groups there are."""
    pitch = 1.0 if rows <= ALL_NAMED else max(1.0, rows / 45)
    return [rows - 1 + pitch * (1.5 + k) for k in range(len(extra))]


def wants_log(link: str, scale: str, values: np.ndarray) -> bool:
    """Whether rates and amounts spread so widely that only a log axis shows them all."""
    if link != "log" or scale != "response" or not (values > 0).all():
        return False
    return bool(values.max() / values.min() > LOG_FROM)


def use_log(ax: Axes, axis: str = "x") -> None:
    """Make an axis logarithmic, with ticks that read 0.1, 1, 10 and no mathtext."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    (ax.set_xscale if axis == "x" else ax.set_yscale)("log")
    side = ax.xaxis if axis == "x" else ax.yaxis
    side.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
    side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    side.set_minor_formatter(NullFormatter())


def limits(points: np.ndarray, lower: np.ndarray, upper: np.ndarray, log: bool) -> tuple[Any, Any]:
    """Return limits that hold every point, and as much of the intervals as leaves these legible.

    An interval may reach beyond the points by their whole spread (or a typical interval's length)
    and is cut there.
    """
    forward, back = (np.log, np.exp) if log else (np.asarray, np.asarray)
    tiny = points.min() * 1e-6 if log else -np.inf
    low, high = forward(np.maximum(lower, tiny)), forward(upper)
    points = forward(points)
    spread = max(np.ptp(points), float(np.median(high - low))) or 1.0
    left = max(min(low.min(), points.min()), points.min() - spread)
    right = min(max(high.max(), points.max()), points.max() + spread)
    margin = 0.04 * (right - left)
    return float(back(left - margin)), float(back(right + margin))


def mark_cut(ax: Axes, lower: float, upper: float, y: float, color: str) -> bool:
    """Put an arrowhead where an interval leaves the axes, and say whether it does."""
    left, right = ax.get_xlim()
    cut = [(left, "<")] * (lower < left) + [(right, ">")] * (upper > right)
    for x, marker in cut:
        ax.plot(x, y, marker, color=color, markersize=5, clip_on=False, zorder=4)
    return bool(cut)


def column(ax: Axes, ys: Sequence[float], texts: Sequence[str], header: str, offset: float) -> None:
    """Write a column of figures right of the axes, ending `offset` points from their edge."""
    options: dict[str, Any] = {
        "textcoords": "offset points",
        "ha": "right",
        "fontsize": SMALL_SIZE,
        "annotation_clip": False,
    }
    edge = ax.get_yaxis_transform()
    for y, text in zip(ys, texts, strict=True):
        ax.annotate(text, (1, y), (offset, 0), xycoords=edge, va="center", **options)
    ax.annotate(
        header, (1, 1), (offset, 3), xycoords=ax.transAxes, va="bottom", color=QUIET, **options
    )


def column_width(texts: Sequence[str]) -> float:
    """Return the width in points that a column of such texts takes."""
    return 0.6 * SMALL_SIZE * max(map(len, texts), default=0)


def interval_text(mean: float, lower: float, upper: float, decimals: int) -> tuple[str, str]:
    """Return a mean and its interval as two texts."""
    return number(mean, decimals), f"[{number(lower, decimals)}, {number(upper, decimals)}]"


# internals ------------------------------------------------------------------------------------


def _apart(rows: int, pitch: float) -> np.ndarray:
    """Return places for the names of the extremes, in rows, far enough apart to be read."""
    step = max(1.0, LINE_HEIGHT / pitch)
    top = np.arange(EXTREMES) * step
    return np.concatenate([top, rows - 1 - top[::-1]])


def _tie(ax: Axes, row: int, place: float, label: str) -> None:
    """Write a name left of the axes at a place (in points), tied to its row by a thin line."""
    raise NotImplementedError(ax, row, place, label, GRID)
