"""Names beside points, as many as there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hierstan.plots.glyphs import warn_of_glyphs
from hierstan.plots.picture import whole
from hierstan.plots.style import INK, SMALL_SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ASIDE = 6.0  # points between a point and its name
ACROSS = {1: "left", -1: "right"}
UP = {1: "bottom", -1: "top", 0: "center"}
SIDES = ((1, 1), (1, -1), (-1, 1), (-1, -1), (1, 0), (-1, 0))


def name_points(ax: Axes, points: np.ndarray, texts: Sequence[str], most: int) -> int:
    """Write names beside points, (K, 2), the first ones first, and return how many.

    None is written over another, over a point or beyond the axes; `most` are written at all. The
    figure's layout has to be settled.
    """
    unit = whole(ax.figure).dpi / 72
    places = ax.transData.transform(points)
    inside = ax.get_window_extent()
    taken = [_box(place, 0, 0, 4 * unit, 4 * unit) for place in places]
    written = []
    for place, point, text in zip(places, points, texts, strict=True):
        size = 0.62 * SMALL_SIZE * len(text) * unit, 1.25 * SMALL_SIZE * unit
        for across, up in SIDES:
            box = _box(place, across, up, *size, ASIDE * unit)
            if _fits(box, inside) and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                written.append(text)
                ax.annotate(
                    text, point, (across * ASIDE, up * ASIDE), textcoords="offset points",
                    ha=ACROSS[across], va=UP[up],
                    fontsize=SMALL_SIZE, color=INK, zorder=4, parse_math=False,
                )  # fmt: skip
                break
        if len(written) == most:
            break
    warn_of_glyphs(written)
    return len(written)


# internals ------------------------------------------------------------------------------------

Box = tuple[float, float, float, float]  # left, bottom, right, top


def _box(
    place: np.ndarray, across: int, up: int, width: float, height: float, aside: float = 0.0
) -> Box:
    """Return the box of a text beside a place; with neither, around it."""
    x = place[0] + across * aside + (across - 1) * width / 2
    y = place[1] + up * aside + (up - 1) * height / 2
    return x, y, x + width, y + height


def _fits(box: Box, inside: object) -> bool:
    left, bottom, right, top = inside.extents  # type: ignore[attr-defined]
    return bool(left < box[0] and bottom < box[1] and box[2] < right and box[3] < top)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
