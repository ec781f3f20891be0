"""Pictures inside a page: each a file of its own within the file, with words for it."""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_DRAWN = 300  # groups; of more, points instead of shapes make the smaller file
INCH = 96  # CSS pixels


@dataclass(frozen=True)
class Picture:
    """A picture as a page has it.

    Attributes
    ----------
    title, caption : str
        What it shows and how to read it, as the figure itself would say.
    alt : str
        What there is to see, for those who don't.
    source : str
        A ``data:`` address.
    width, height : int
        In CSS pixels.
    """

    title: str
    caption: str
    alt: str
    source: str
    width: int
    height: int


def picture(figure: Figure, alt: str, groups: int) -> Picture:
    """Turn a figure of `hierstan.plots` into a picture, its words taken out and given beside it.

    The picture comes as an image of its own, so that nothing in it can reach into the page: no
    names, no styles, no scripts. The same figure gives the same bytes.
    """
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    title, caption = (" ".join(text.split()) for text in (figure.get_suptitle(), _below(figure)))
    width, height = figure.get_size_inches()
    lines = (figure.get_suptitle().count("\n") + 1, _below(figure).count("\n") + 1)
    figure.suptitle("")
    figure.supxlabel("")
    height -= 0.2 + 0.21 * lines[0] + 0.15 * lines[1]
    figure.set_size_inches(width, height)
    kind = "png" if groups > MOST_DRAWN else "svg"
    options = {"dpi": 160, "metadata": {"Software": None}} if kind == "png" else {}
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "hierstan", "svg.fonttype": "path"}):
        with warnings.catch_warnings():
            # a label in a script that no font here has: the tables have it in full
            warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
            figure.savefig(
                buffer, format=kind, **(options or {"metadata": {"Date": None, "Creator": None}})
            )
    plt.close(figure)
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    source = f"data:{mime};base64,{base64.b64encode(buffer.getvalue()).decode()}"
    return Picture(title, caption, alt, source, round(width * INCH), round(height * INCH))


# internals ------------------------------------------------------------------------------------


def _below(figure: Figure) -> str:
    return str(figure.get_supxlabel())
