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
from typing import TYPE_CHECKING, Any

import numpy as np

from hierstan.plots.glyphs import families, warn_of_glyphs
from hierstan.plots.picture import canvas, new_axes, whole

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
    axes = new_axes(width, height, 1, columns, gridspec_kw=grid or None)[0]
    return axes[0].figure, axes[0] if columns == 1 else axes


def finish(fig: Figure, title: str, caption: str = "") -> Figure:
    """Write the message above and how to read the picture below, and settle the layout.

    What a picture says of itself begins with a capital; a title of the user's is left as it is.
    """
    from matplotlib.text import Text

    here = canvas()
    own = here.take("title")
    title = title[:1].upper() + title[1:] if own is None else own
    warn_of_glyphs(text.get_text() for text in fig.findobj(Text))
    ax = here.take("ax")
    if ax is not None:
        settle(fig)
        _finish_axes(ax, title)
        return settle(fig)
    if title:
        fig.suptitle(
            _balanced(title, _characters(_width(fig), TITLE_SIZE)),
            x=0.01,
            ha="left",
            fontsize=TITLE_SIZE,
            color=INK,
            linespacing=1.25,
        )
    if caption:
        fig.supxlabel(
            textwrap.fill(caption, _characters(_width(fig), SMALL_SIZE), break_on_hyphens=False),
            x=0.01,
            ha="left",
            fontsize=SMALL_SIZE,
            color=QUIET,
            linespacing=1.35,
        )
    _wrap_names(fig)
    return settle(fig)


def settle(fig: Figure) -> Figure:
    """Lay the figure out now, inside `quiet`, so that its ticks keep these settings."""
    fig = whole(fig)
    with warnings.catch_warnings():
        # a glyph no font has: `warn_of_glyphs` names the labels instead
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        fig.draw_without_rendering()
    return fig


def legend(ax: Axes, handles: list[Any]) -> None:
    """Put keys between title and axes, flush right, in one row if there is room for it."""
    needed = [0.55 * SMALL_SIZE * len(str(key.get_label())) + 4 * SMALL_SIZE for key in handles]
    room = 72 * (_width(ax.figure) if canvas().given.get("ax") is None else _width(ax))
    columns = next(
        k for k in range(len(handles), 0, -1) if sum(sorted(needed)[-k:]) < room or k < 2
    )
    ax.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=columns,
        frameon=False,
        fontsize=SMALL_SIZE,
        handletextpad=0.5,
        columnspacing=1.6,
        borderaxespad=0.3,
    )


def show_percent(ax: Axes, sign: str = "%", *, both: bool = False) -> None:
    """Show shares on the value axis, or on both axes, as percentages."""
    from matplotlib.ticker import FuncFormatter

    def shown(value: float, _: float) -> str:
        return f"{100 * value:,.6g}{sign}".replace("-", "−")

    for axis in (ax.xaxis, ax.yaxis)[: 1 + both]:
        axis.set_major_formatter(FuncFormatter(shown))


def grid_lines(ax: Axes, axis: str = "x") -> None:
    """Draw faint lines behind the data, across one axis."""
    ax.grid(visible=True, axis=axis, color=GRID, linewidth=0.7)  # type: ignore[arg-type]
    ax.set_axisbelow(True)


def tint(color: str, share: float) -> str:
    """Return a colour mixed with white, `share` of it left."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = (1 - share * (1 - part) for part in to_rgb(color))
    return to_hex((red, green, blue))


def literal(label: object) -> str:
    """Return a label as text that renders as it stands, on one line, of bounded length."""
    if isinstance(label, tuple):
        return literal(", ".join(map(str, label)))
    if isinstance(label, np.datetime64):
        label = label.astype("datetime64[us]").item()
    if isinstance(label, datetime) and label == datetime.combine(label.date(), datetime.min.time()):
        label = label.date()
    text = "".join(map(_printable, " ".join(str(label).split()))) or repr(label)
    if len(text) <= LONGEST_LABEL:
        return text
    tail = LONGEST_LABEL // 3
    return f"{text[: LONGEST_LABEL - tail - 1].rstrip()}…{text[-tail:].lstrip()}"


def number(value: float, decimals: int | None = None) -> str:
    """Return a number with a real minus sign, to some decimals or three significant digits."""
    size = abs(float(value))
    if not np.isfinite(size):
        return "∞" if value > 0 else "−∞" if value < 0 else "–"
    if size >= 1e7 or (decimals is None and 0 < size < 1e-5):
        return f"{value:.2e}".replace("-", "−")
    if decimals is None:
        decimals = 0 if size == 0 else max(0, 2 - int(np.floor(np.log10(size))))
    text = f"{value:,.{decimals}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")


def decimals_of(width: float) -> int:
    """Return the decimals that tell values apart that lie within `width` of each other."""
    return max(0, 1 - int(np.floor(np.log10(width)))) if width > 0 and np.isfinite(width) else 2


def span(lower: float, upper: float, *, relative: bool = False, unit: str = "") -> str:
    """Return a range, in the decimals that its width deserves; if `relative`, in two digits.

    With the `unit` "%" it is a range of shares.
    """
    if unit:
        lower, upper = 100 * lower, 100 * upper
    if relative and lower > 0 and upper / lower > 5:
        texts = [number(x, max(0, 1 - int(np.floor(np.log10(x))))) for x in (lower, upper)]
    else:
        decimals = decimals_of(abs(upper - lower)) if upper > lower else None
        texts = [number(x, decimals if x else 0) for x in (lower, upper)]
    return " to ".join(f"{text}{unit}" for text in dict.fromkeys(texts))


# internals ------------------------------------------------------------------------------------


def _settings() -> dict[str, Any]:
    return {
        "axes.edgecolor": QUIET,
        "axes.formatter.limits": (-4, 7),
        "axes.formatter.use_mathtext": False,
        "axes.formatter.useoffset": False,
        "axes.labelcolor": INK,
        "axes.labelsize": TEXT_SIZE,
        "axes.linewidth": 0.8,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": INK,
        "axes.titlelocation": "left",
        "axes.titlesize": TEXT_SIZE,
        "figure.dpi": 120,
        "font.family": families(),
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


def _finish_axes(ax: Axes, title: str) -> None:
    """Write the title above axes that stand among the user's own, and no markup in any text."""
    from matplotlib.text import Text

    words = _balanced(title, _characters(_width(ax), TEXT_SIZE)) if title else ""
    keys, dpi = ax.get_legend(), whole(ax.figure).dpi
    pad = 6.0 + 13.0 * bool(ax.texts)  # over keys and headers of columns
    if keys:
        pad = 6.0 + 72 * float(keys.get_window_extent().height) / dpi
    ax.set_title(words, loc="left", fontsize=TEXT_SIZE, color=INK, pad=pad)
    for text in ax.findobj(Text):
        text.set_parse_math(False)


def _wrap_names(fig: Figure) -> None:
    """Break names of value axes that are longer than the axes are wide."""
    long = [ax for ax in fig.axes if len(ax.get_xlabel()) > _characters(_width(fig), TEXT_SIZE) / 3]
    if not long:
        return
    settle(fig)
    for ax in long:
        widest = max(20, _characters(1.1 * _width(ax), TEXT_SIZE))
        lines = ax.get_xlabel().split("\n")
        ax.set_xlabel("\n".join(part for line in lines for part in _broken(line, widest)))


def _broken(text: str, widest: int) -> list[str]:
    return textwrap.wrap(text, widest, break_on_hyphens=False)


def _width(part: Any) -> float:
    """Return the width in inches of a figure, a part of one, or axes."""
    box = part.bbox if hasattr(part, "dpi") else part.get_window_extent()
    return float(box.width / whole(part.figure).dpi)


def _characters(width: float, size: float) -> int:
    """Return how many characters fit beside each other; one takes about 0.55 em."""
    return max(10, int(width * 72 / (0.55 * size)))


def _balanced(text: str, widest: int) -> str:
    """Break a text into as few lines as it needs, of like length."""
    needed = len(_broken(text, widest))
    for width in range(max(1, len(text) // max(needed, 1)), widest):
        lines = _broken(text, width)
        if len(lines) <= needed:
            return "\n".join(lines)
    return textwrap.fill(text, widest, break_on_hyphens=False)
