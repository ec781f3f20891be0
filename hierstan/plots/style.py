"""The look that all pictures share: colours, type, and texts that render as they are written.

Labels come from users, so nothing in them is markup: mathtext is off, control characters are
replaced, long ones lose their middle. The settings hold inside `quiet` only.
"""

from __future__ import annotations

import textwrap
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Paul Tol's high-contrast scheme: told apart with any colour vision, and in greyscale.
POOLING_COLORS = {"complete": "#DDAA33", "none": "#BB5566", "partial": "#004488"}
RAW = POOLING_COLORS["none"]  # a raw estimate is what no pooling is about
ALERT = "#BB5566"
INK = "#222222"
QUIET = "#6B6B6B"
PRIOR = "#9A9A9A"
BAND = "#EEF1F5"  # where a new group may lie
CORE = "#D8DEE8"  # within one population standard deviation
GRID = "#E6E6E6"

TITLE_SIZE = 12
TEXT_SIZE = 9
SMALL_SIZE = 8
LONGEST_LABEL = 34

# Scripts that matplotlib's own font lacks, where the system has a font for them.
FALLBACK_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans",
    "Hiragino Sans",
    "PingFang SC",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Arial Unicode MS",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Noto Emoji",
    "Segoe UI Emoji",
)


@contextmanager
def quiet() -> Iterator[None]:
    """Draw with hierstan's settings, whatever the user's are, and leave the user's as they were."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_settings())
        yield


def new_figure(width: float, height: float, columns: int = 1, **grid: Any) -> tuple[Figure, Any]:
    """Return a figure and its axes (an array where there are several), sizes in inches."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(
        1, columns, figsize=(width, height), layout="constrained", gridspec_kw=grid or None
    )
    fig.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    return fig, axes


def finish(fig: Figure, title: str, caption: str = "") -> Figure:
    """Write the message above and how to read the picture below, and settle the layout."""
    fig.suptitle(
        _wrapped(fig, title, TITLE_SIZE),
        x=0.01,
        ha="left",
        fontsize=TITLE_SIZE,
        color=INK,
        linespacing=1.25,
    )
    if caption:
        fig.supxlabel(
            _wrapped(fig, caption, SMALL_SIZE),
            x=0.01,
            ha="left",
            fontsize=SMALL_SIZE,
            color=QUIET,
            linespacing=1.35,
        )
    settle(fig)
    return fig


def settle(fig: Figure) -> None:
    """Lay the figure out now, inside `quiet`, so that its ticks keep these settings."""
    with warnings.catch_warnings():
        # a glyph no font has: matplotlib says so, once, when the user draws the figure
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        fig.draw_without_rendering()


def legend(fig: Figure, handles: list[Any]) -> None:
    """Put one row of keys under the title."""
    fig.legend(
        handles=handles,
        loc="outside upper left",
        ncols=len(handles),
        frameon=False,
        fontsize=SMALL_SIZE,
        handletextpad=0.5,
        columnspacing=1.6,
        borderaxespad=0.2,
    )


def grid_lines(ax: Axes, axis: str = "x") -> None:
    """Draw faint lines behind the data, across one axis."""
    ax.grid(visible=True, axis=axis, color=GRID, linewidth=0.7)  # type: ignore[arg-type]
    ax.set_axisbelow(True)


def literal(label: object) -> str:
    """Return a label as text that renders as it stands, on one line, of bounded length."""
    if isinstance(label, tuple):
        return literal(", ".join(map(str, label)))
    if isinstance(label, np.datetime64):
        label = label.astype("datetime64[us]").item()
    if isinstance(label, datetime) and label == datetime.combine(label.date(), datetime.min.time()):
        label = label.date()
    text = "".join(map(_printable, " ".join(str(label).split())))
    if len(text) <= LONGEST_LABEL:
        return text
    tail = LONGEST_LABEL // 3
    return f"{text[: LONGEST_LABEL - tail - 1].rstrip()}…{text[-tail:].lstrip()}"


def number(value: float, decimals: int | None = None) -> str:
    """Return a number with a real minus sign, to some decimals or three significant digits."""
    size = abs(float(value))
    if not np.isfinite(size):
        return "∞" if value > 0 else "−∞" if value < 0 else "–"
    if size and not 1e-5 <= size < 1e7:
        return f"{value:.2e}".replace("-", "−")
    if decimals is None:
        decimals = 0 if size == 0 else max(0, 2 - int(np.floor(np.log10(size))))
    text = f"{value:,.{decimals}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")


def decimals_of(width: float) -> int:
    """Return the decimals that tell values apart that lie within `width` of each other."""
    return max(0, 1 - int(np.floor(np.log10(width)))) if width > 0 and np.isfinite(width) else 2


def span(lower: float, upper: float) -> str:
    """Return a range, in the decimals that its width deserves."""
    decimals = decimals_of(abs(upper - lower))
    return f"{number(lower, decimals)} to {number(upper, decimals)}"


def percent(share: float) -> str:
    """Return a probability as a percentage, without needless digits."""
    return f"{100 * share:.3g}%"


def counted(n: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it needs it."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


# internals ------------------------------------------------------------------------------------


@cache
def _families() -> list[str]:
    """The fonts to look in for a glyph; naming one that is missing would be logged each time."""
    from matplotlib import font_manager

    known = set(font_manager.fontManager.get_font_names())
    return ["DejaVu Sans", *(name for name in FALLBACK_FONTS if name in known)]


def _settings() -> dict[str, Any]:
    return {
        "axes.edgecolor": QUIET,
        "axes.formatter.use_mathtext": False,
        "axes.labelcolor": INK,
        "axes.labelsize": TEXT_SIZE,
        "axes.linewidth": 0.8,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": INK,
        "axes.titlelocation": "left",
        "axes.titlesize": TEXT_SIZE,
        "figure.dpi": 120,
        "font.family": _families(),
        "font.size": TEXT_SIZE,
        "lines.solid_capstyle": "butt",
        "text.color": INK,
        "text.parse_math": False,
        "xtick.color": QUIET,
        "xtick.labelcolor": INK,
        "xtick.labelsize": SMALL_SIZE,
        "ytick.color": QUIET,
        "ytick.labelcolor": INK,
        "ytick.labelsize": SMALL_SIZE,
    }


def _printable(character: str) -> str:
    return "\ufffd" if unicodedata.category(character) in {"Cc", "Cs"} else character


def _wrapped(fig: Figure, text: str, size: float) -> str:
    """Break a text into lines that fit the figure; a character is about 0.56 em wide."""
    width = int(fig.get_figwidth() * 72 / (0.56 * size))
    return "\n".join(textwrap.wrap(text, width, break_on_hyphens=False))
