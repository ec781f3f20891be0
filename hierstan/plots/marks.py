"""Names beside points, where they cover neither each other nor other points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hierstan.plots.glyphs import warn_of_glyphs
from hierstan.plots.style import INK, SMALL_SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

MOST = 8  # names in one picture
DOT = 5.0  # pixels that a dot reaches beyond its center
# Where a name may stand from its point: offset in points, and how it is aligned there.
PLACES = (
    (6, 0, "left", "center"),
    (-6, 0, "right", "center"),
    (0, 7, "center", "bottom"),
    (0, -7, "center", "top"),
    (7, 9, "left", "bottom"),
    (-7, 9, "right", "bottom"),
    (7, -9, "left", "top"),
    (-7, -9, "right", "top"),
)


def name_points(ax: Axes, points: np.ndarray, labels: Sequence[str], others: np.ndarray) -> None:
    """Name points (K, 2), the most important first; a name without a free place is left out.

    Names keep off each other and off the `others` (M, 2). The figure's layout must be settled:
    places are chosen by where things are on it.
    """
    crowd = ax.transData.transform(np.concatenate([points, others]))
    crowd = crowd[np.isfinite(crowd).all(axis=1)]
    taken: list[Bbox] = []
    warn_of_glyphs(labels[:MOST])
    for (x, y), label in zip(points[:MOST].tolist(), labels, strict=False):
        note = _placed(ax, x, y, label, taken, crowd)
        if note is not None:
            taken.append(note.get_window_extent())


# internals ------------------------------------------------------------------------------------


def _placed(
    ax: Axes, x: float, y: float, label: str, taken: Sequence[Bbox], points: np.ndarray
) -> Annotation | None:
    """Write a name at the first place where it is inside the axes and free, or not at all."""
    from matplotlib.patheffects import withStroke

    room = ax.get_window_extent()
    for across, up, ha, va in PLACES:
        note = ax.annotate(
            label,
            (x, y),
            (across, up),
            textcoords="offset points",
            ha=ha,
            va=va,
            fontsize=SMALL_SIZE,
            color=INK,
            zorder=5,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )
        box = note.get_window_extent()
        inside = room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 and box.y1 <= room.y1
        free = not any(box.overlaps(other) for other in taken) and not box.padded(
            DOT
        ).count_contains(points)
        if inside and free:
            note.set_in_layout(False)
            return note
        note.remove()
    return None
