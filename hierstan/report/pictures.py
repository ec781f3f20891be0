"""Pictures inside a page: each a file of its own within the file, with words for it."""

from __future__ import annotations

import base64
import io
import re
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hierstan.plots.picture import narrow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_DRAWN = 300  # groups; of more, points instead of shapes make the smaller file
DPI = 160
SIDES = ("width", "height")
TYPES = {"png": "image/png", "svg": "image/svg+xml"}
NAMELESS: dict[str, dict] = {"png": {"Software": None}, "svg": {"Date": None, "Creator": None}}


@dataclass(frozen=True)
class Image:
    """An image within the page.

    Attributes
    ----------
    source : str
        A ``data:`` address.
    width, height : int
        In CSS pixels.
    """

    source: str
    width: int
    height: int


@dataclass(frozen=True)
class Picture:
    """A picture as a page has it.

    Attributes
    ----------
    title, caption : str
        What it shows and how to read it, as the figure itself would say.
    alt : str
        What there is to see, for those who don't.
    wide, narrow : Image
        For a desk and for a phone.
    """

    title: str
    caption: str
    alt: str
    wide: Image
    narrow: Image


def picture(draw: Callable[[], Figure], alt: str, groups: int) -> Picture:
    """Draw a picture of `hierstan.plots`, its words taken out and given beside it.

    It comes as images of their own, so that nothing in them can reach into the page: no names, no
    styles, no scripts. The same fits give the same bytes.
    """
    figure = draw()
    title, caption = (" ".join(text.split()) for text in (figure.get_suptitle(), _below(figure)))
    wide = _image(figure, groups)
    with narrow():
        return Picture(title, caption, alt, wide, _image(draw(), groups))


# internals ------------------------------------------------------------------------------------


def _image(figure: Figure, groups: int) -> Image:
    """Turn a figure into an image without the words above and below."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    _without_words(figure)
    kind = "png" if groups > MOST_DRAWN else "svg"
    options: dict[str, Any] = {
        "bbox_inches": "tight",
        "pad_inches": 0.05,
        "dpi": DPI,
        "metadata": NAMELESS[kind],
    }
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "hierstan"}), warnings.catch_warnings():
        # a label in a script that no font here has: the tables have it in full
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(buffer, format=kind, **options)
    plt.close(figure)
    content = buffer.getvalue()
    source = f"data:{TYPES[kind]};base64,{base64.b64encode(content).decode()}"
    return Image(source, *_size(content, kind))


def _without_words(figure: Figure) -> None:
    """Take the words above and below out of a figure, and the room for them."""
    width, height = figure.get_size_inches()
    above, below = (text.count("\n") + 1 for text in (figure.get_suptitle(), _below(figure)))
    figure.suptitle("")
    figure.supxlabel("")
    figure.set_size_inches(width, height - 0.21 * above - 0.15 * below)


def _below(figure: Figure) -> str:
    return str(figure.get_supxlabel())


def _size(content: bytes, kind: str) -> tuple[int, int]:
    """Return a file's width and height in CSS pixels."""
    if kind == "png":
        sides = [value / DPI for value in struct.unpack(">II", content[16:24])]
    else:
        head = content[: content.index(b"viewBox")].decode()
        sides = [float(re.findall(rf'{side}="([\d.]+)pt"', head)[0]) / 72 for side in SIDES]
    return round(sides[0] * 96), round(sides[1] * 96)
