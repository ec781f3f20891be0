"""Fonts for labels in any script, and a warning of characters that none of them has."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from hierstan.errors import warn
from hierstan.text.wording import listed

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


def warn_of_glyphs(texts: Iterable[str]) -> None:
    """Warn of labels with characters that no font here has, naming them."""
    lacking = [text for text in dict.fromkeys(texts) if not text.isascii() and _lacks(text)]
    if lacking:
        warn(
            f"No font on this machine has all characters of {listed(lacking)}; boxes are drawn "
            "instead. Install a font that has them, such as Noto Emoji or Noto Sans CJK, or give "
            "other names with labels=."
        )


@cache
def families() -> list[str]:
    """Return the fonts to look in for a glyph; one that is missing would be logged each time."""
    from matplotlib import font_manager

    known = set(font_manager.fontManager.get_font_names())
    return ["DejaVu Sans", *(name for name in FALLBACK_FONTS if name in known)]


# internals ------------------------------------------------------------------------------------


def _lacks(text: str) -> bool:
    return any(ord(character) not in _glyphs() and character.isprintable() for character in text)


@cache
def _glyphs() -> frozenset[int]:
    """Return the characters that the fonts in use have, and those that are not drawn at all."""
    from matplotlib import font_manager

    fonts = [font_manager.get_font(font_manager.findfont(name)) for name in families()]
    return frozenset(
        {0x200D, *range(0xFE00, 0xFE10)}.union(*(font.get_charmap() for font in fonts))
    )
