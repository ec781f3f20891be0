"""Words and numbers laid out as text for a terminal and as HTML for a notebook."""

from __future__ import annotations

import html
import math
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

WIDTH = 88
LONGEST_LABEL = 32
ROWS_SHOWN = 10
FIGURE_SPACE = "\u2007"  # as wide as a digit: keeps decimal points in line in HTML


@dataclass(frozen=True)
class Table:
    """A table of finished text; the first column holds labels, the others numbers or words.

    Attributes
    ----------
    header : tuple of str
    rows : tuple of tuple of str
        Each as long as `header`; a label of any length and content.
    more : str
        A last line, such as ``… and 40 more``.
    words : bool
        Whether the last column is words, to stand at the left.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: str = ""
    words: bool = False

    def text(self) -> str:
        """Return the table as lines of text, columns two spaces apart."""
        columns = [_padded(column) for column in self._columns()]
        lines = ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
        return "\n".join([*lines, self.more] if self.more else lines)

    def html(self) -> str:
        """Return the table as HTML, everything in it escaped."""
        first, *others = self._columns()
        width = len(others)
        styles = ["text-align:left"] + ["text-align:right;white-space:pre"] * width
        if self.words:
            styles[-1] = "text-align:left"
        padded = [first, *([cells[0], *_padded(cells)[1:]] for cells in others)]
        rows = [
            "<tr>" + "".join(_cell(*cell) for cell in zip(cells, styles, strict=True)) + "</tr>"
            for cells in zip(*padded, strict=True)
        ]
        rows[0] = rows[0].replace("<td", "<th").replace("</td", "</th")
        more = f'<tr><td colspan="{width + 1}">{html.escape(self.more)}</td></tr>'
        body = "".join([*rows[1:], more] if self.more else rows[1:])
        return f"<table><thead>{rows[0]}</thead><tbody>{body}</tbody></table>"

    def _columns(self) -> list[list[str]]:
        """Return the columns, header first: labels made printable, numbers aligned."""
        first, *others = ([*column] for column in zip(self.header, *self.rows, strict=True))
        first = [first[0], *(printable(label) for label in first[1:])]
        words = [others.pop()] if self.words else []
        numbers = [[column[0], *_aligned(column[1:])] for column in others]
        wide = [
            [*map(str.rjust, column, [max(map(len, column))] * len(column))] for column in numbers
        ]
        return [first, *wide, *words]


@dataclass(frozen=True)
class Page:
    """A title, facts with their names, and tables."""

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()

    def text(self) -> str:
        """Return the page as text, at most 88 columns wide but for long labels."""
        parts = [textwrap.fill(self.title, WIDTH)]
        if self.facts:
            parts.append("\n".join(self._fact_lines()))
        return "\n\n".join([*parts, *(table.text() for table in self.tables)])

    def html(self) -> str:
        """Return the page as HTML."""
        facts = "".join(
            _row(_cell(name, "text-align:left;white-space:pre"), _cell(words, "text-align:left"))
            for name, words in self.facts
        )
        facts = f"<table><tbody>{facts}</tbody></table>" if facts else ""
        tables = "".join(table.html() for table in self.tables)
        return f"<div><p><b>{html.escape(self.title)}</b></p>{facts}{tables}</div>"

    def _fact_lines(self) -> list[str]:
        indent = max(len(name) for name, _ in self.facts) + 2
        return [
            textwrap.fill(
                printable(words, None),
                WIDTH,
                initial_indent=name.ljust(indent),
                subsequent_indent=" " * indent,
                break_on_hyphens=False,
            )
            for name, words in self.facts
        ]


def plain_labels(labels: pd.Index) -> list[str]:
    """Return group labels as text: as people write them, but never the same for two groups."""
    texts = [_plain(label) for label in labels]
    if len(set(texts)) == len(texts):
        return texts
    return [repr(label) for label in labels]  # 1 and "1", say


def printable(text: str, limit: int | None = LONGEST_LABEL) -> str:
    """Return text without line breaks and control characters, cut to `limit` columns."""
    clean = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    if limit is None or _width(clean) <= limit:
        return clean
    while _width(clean) > limit - 1:
        clean = clean[:-1]
    return clean + "…"


def places(sd: Any, mcse: Any = None) -> int:
    """Return how many decimals numbers deserve that share a unit.

    Up to the first digit of the typical Monte Carlo standard error, which leaves two to three
    significant digits of the typical standard deviation; three where the error is not known.

    Examples
    --------
    >>> places(5.13, 0.08), places(5.13, 0.3), places(5.13, 4), places(0.0321), places(4000)
    (2, 1, 1, 4, 0)
    """
    spread, error = _typical(sd), _typical(mcse)
    if spread is None:
        return 2
    digits = -math.floor(math.log10(spread))
    wanted = digits + 2 if error is None else -math.floor(math.log10(error))
    return max(min(max(wanted, digits + 1), digits + 2), 0)


def numbers(values: Sequence[float] | np.ndarray, decimals: int) -> list[str]:
    """Return numbers with so many decimals, in powers of ten where they would be unwieldy."""
    return [_number(float(value), decimals) for value in np.asarray(values, dtype=float)]


def percent(probability: float) -> str:
    """Return a probability as a percentage, without needless digits.

    Examples
    --------
    >>> percent(0.05), percent(0.975), percent(0.005)
    ('5%', '97.5%', '0.5%')
    """
    return f"{100 * probability:.6g}%"


# internals --------------------------------------------------------------------------------------


def _plain(label: object) -> str:
    if isinstance(label, pd.Timestamp) and label == label.normalize() and label.tz is None:
        return label.strftime("%Y-%m-%d")
    return str(label)


def _typical(values: Any) -> float | None:
    values = np.atleast_1d(np.asarray(np.nan if values is None else values, dtype=float))
    usable = values[np.isfinite(values) & (values > 0)]
    return float(np.median(usable)) if usable.size else None


def _number(value: float, decimals: int) -> str:
    if not math.isfinite(value):
        return "–" if math.isnan(value) else str(value)
    if decimals > 7 or abs(value) >= 1e9:
        return f"{value:.3g}"
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def _aligned(cells: Sequence[str]) -> list[str]:
    """Pad numbers on the right so that their decimal points stand below each other."""
    tails = [len(cell) - cell.index(".") if "." in cell else 0 for cell in cells]
    longest = max(tails, default=0)
    return [cell + " " * (longest - tail) for cell, tail in zip(cells, tails, strict=True)]


def _width(text: str) -> int:
    """Return how many columns a terminal gives to a text."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _padded(column: Sequence[str]) -> list[str]:
    width = max(map(_width, column))
    return [cell + " " * (width - _width(cell)) for cell in column]


def _cell(text: str, style: str) -> str:
    if "pre" in style:
        text = text.replace(" ", FIGURE_SPACE)
    return f'<td style="{style}">{html.escape(text)}</td>'


def _row(*cells: str) -> str:
    return f"<tr>{''.join(cells)}</tr>"
