"""Words and numbers laid out as text for a terminal and as HTML for a notebook."""

from __future__ import annotations

import html
import math
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hierstan.text.wording import show

WIDTH = 88
LONGEST_LABEL = 32
ROWS_SHOWN = 10
EXACT = 1e15  # up to here doubles have all digits before the decimal point
NUMBER_STYLE = "text-align:right;white-space:pre;font-variant-numeric:tabular-nums"
FIGURE_SPACE = "\u2007"  # as wide as a digit: keeps decimal points in line in HTML


@dataclass(frozen=True)
class Table:
    """A table of finished text.

    Attributes
    ----------
    header : tuple of str
    rows : tuple of tuple of str
        Each as long as `header`; the text of any length and content.
    more : str
        A last line, such as ``… and 40 more``.
    align : str
        One character a column: ``<`` for words at the left, ``>`` for words at the right, ``.`` for
        numbers with their decimal points in line. Words at the left and numbers, unless said.
    longest : int or None
        How many columns words take before they are cut, though never to look like others.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: str = ""
    align: str = ""
    longest: int | None = LONGEST_LABEL

    def text(self, width: int = WIDTH) -> str:
        """Return the table as lines of text, columns two spaces apart, or one to fit a width."""
        columns = self._columns()
        close = sum(len(column[0]) + 1 for column in columns) - 1
        wide = close <= width < close + len(columns) - 1
        lines = [
            (" " if wide else "  ").join(cells).rstrip() for cells in zip(*columns, strict=True)
        ]
        return "\n".join([*lines, self.more] if self.more else lines)

    def html(self) -> str:
        """Return the table as HTML, everything in it escaped."""
        styles = ["text-align:left" if how == "<" else NUMBER_STYLE for how in self._align()]
        head, *rows = (
            [_cell(*cell) for cell in zip(cells, styles, strict=True)]
            for cells in zip(*self._columns(), strict=True)
        )
        if self.more:
            rows.append([f'<td colspan="{len(styles)}">{html.escape(self.more)}</td>'])
        top = _row(*head).replace("<td", "<th").replace("</td", "</th")
        body = "".join(_row(*row) for row in rows)
        return f"<table><thead>{top}</thead><tbody>{body}</tbody></table>"

    def _align(self) -> str:
        return self.align or "<" + "." * (len(self.header) - 1)

    def _columns(self) -> list[list[str]]:
        """Return the columns, header first, every cell as wide as its column."""
        columns = zip(self.header, *self.rows, strict=True)
        return [
            _laid_out(how, column, self.longest)
            for how, column in zip(self._align(), columns, strict=True)
        ]


@dataclass(frozen=True)
class Page:
    """A title, facts with their names, tables, and what they come to."""

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()
    words: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the page as text, at most 88 columns wide but for long labels."""
        parts = [_filled(self.title)] if self.title else []
        if self.facts:
            parts.append("\n".join(self._fact_lines()))
        return "\n\n".join(
            [*parts, *(table.text() for table in self.tables), *map(_filled, self.words)]
        )

    def html(self) -> str:
        """Return the page as HTML."""
        facts = "".join(
            _row(_cell(name, "text-align:left"), _cell(words, "text-align:left"))
            for name, words in self.facts
        )
        facts = f"<table><tbody>{facts}</tbody></table>" if facts else ""
        title = f"<p><b>{html.escape(self.title)}</b></p>" if self.title else ""
        tables = "".join(table.html() for table in self.tables)
        words = "".join(f"<p>{html.escape(text)}</p>" for text in self.words)
        return f"<div>{title}{facts}{tables}{words}</div>"

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


class Printed:
    """A result that prints as a page: text in a terminal, HTML in a notebook."""

    def page(self) -> Page:
        """Return what is printed."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.page().text()

    def _repr_html_(self) -> str:
        return self.page().html()


def plain_labels(labels: pd.Index) -> list[str]:
    """Return group labels as text: as people write them, but never the same for two groups.

    Labels of several columns are joined: ``young, web``.
    """
    parts = labels if isinstance(labels, pd.MultiIndex) else ((label,) for label in labels)
    texts = [plain_label(label) for label in parts]
    if len(set(texts)) == len(texts):
        return texts
    return [repr(label) for label in labels]  # 1 and "1", say


def plain_label(label: object) -> str:
    """Return one label, or several of as many columns, as people write it.

    Examples
    --------
    >>> plain_label(("young", 3)), plain_label(pd.Timestamp("2026-03-01"))
    ('young, 3', '2026-03-01')
    """
    return ", ".join(map(_plain, label if isinstance(label, tuple) else (label,)))


def called(label: object) -> str:
    """Return what a sentence calls a group: texts in quotes, everything else as people write it.

    Examples
    --------
    >>> called("B"), called(("young", "web")), called(7), called(pd.Timestamp("2026-03-01"))
    ("'B'", "'young, web'", '7', '2026-03-01')
    """
    if isinstance(label, tuple):
        return called(plain_label(label))
    return show(label) if isinstance(label, (str, bytes)) else _plain(label)


def printable(text: str, limit: int | None = LONGEST_LABEL) -> str:
    """Return text without line breaks and control characters, cut to `limit` columns."""
    clean = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    if limit is None or _width(clean) <= limit:
        return clean
    while _width(clean) > limit - 1:
        clean = clean[:-1]
    return clean + "…"


def cut_apart(texts: Sequence[str], limit: int | None) -> list[str]:
    """Return texts cut to `limit` columns, or to so many more that none looks like another.

    Where their beginnings are the same, the middle is left out.

    Examples
    --------
    >>> cut_apart(["north of the river", "south"], 9), cut_apart(["region one", "region two"], 8)
    (['north of…', 'south'], ['regi…one', 'regi…two'])
    """
    clean = [printable(text, None) for text in texts]
    for width in range(limit, max(map(_width, clean), default=0)) if limit else ():
        for cut in (printable, _middle_out):
            short = [cut(text, width) for text in clean]
            if len(set(short)) == len(set(clean)):
                return short
    return clean


def places(sd: ArrayLike, mcse: ArrayLike | None = None) -> int:
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


def places_of_line(line: Mapping[Any, Any] | pd.Series, mcse: float | None = None) -> int:
    """Return the decimals of ``mean``, ``sd``, ``lower`` and ``upper`` of one quantity.

    Where the standard deviation is infinite, the interval says how far the quantity spreads.

    Examples
    --------
    >>> places_of_line({"mean": 1.2, "sd": float("inf"), "lower": 0.003, "upper": 0.009})
    5
    """
    sd = line["sd"]
    if not math.isfinite(sd) and {"lower", "upper"} <= {*line}:
        sd, mcse = (line["upper"] - line["lower"]) / 4, None
    return places(sd, mcse)


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


def _filled(words: str) -> str:
    return textwrap.fill(words, WIDTH, break_on_hyphens=False)


def _plain(label: object) -> str:
    if isinstance(label, pd.Timestamp) and label == label.normalize() and label.tz is None:
        return label.strftime("%Y-%m-%d")
    return str(label).encode("utf-8", "backslashreplace").decode()  # half of a surrogate pair


def _middle_out(text: str, limit: int) -> str:
    if _width(text) <= limit:
        return text
    tail = text[len(text) - (limit - 1) // 2 :]
    while _width(tail) > (limit - 1) // 2:
        tail = tail[1:]
    return printable(text, limit - _width(tail)) + tail


def _typical(values: ArrayLike | None) -> float | None:
    values = np.atleast_1d(np.asarray(np.nan if values is None else values, dtype=float))
    usable = values[np.isfinite(values) & (values > 0)]
    return float(np.median(usable)) if usable.size else None


def _number(value: float, decimals: int) -> str:
    if not math.isfinite(value):
        return "–" if math.isnan(value) else str(value)
    if decimals > 7 or abs(value) >= EXACT:
        return f"{value:.3g}"
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def _laid_out(how: str, column: Sequence[str], longest: int | None) -> list[str]:
    """Make the cells of a column, header first, printable and equally wide."""
    head, cells = printable(column[0], longest), cut_apart(column[1:], longest)
    if how == ".":  # to stand below each other, decimal points need as much text behind them
        tails = [len(cell) - cell.index(".") if "." in cell else 0 for cell in cells]
        longest = max(tails, default=0)
        cells = [cell + " " * (longest - tail) for cell, tail in zip(cells, tails, strict=True)]
    width = max(map(_width, (head, *cells)))
    gaps = [(cell, " " * (width - _width(cell))) for cell in (head, *cells)]
    return [cell + gap if how == "<" else gap + cell for cell, gap in gaps]


def _width(text: str) -> int:
    """Return how many columns a terminal gives to a text."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _cell(text: str, style: str) -> str:
    if style == NUMBER_STYLE:
        before, after = (len(text) - len(cut) for cut in (text.lstrip(), text.rstrip()))
        text = FIGURE_SPACE * before + text.strip() + FIGURE_SPACE * after
    return f'<td style="{style};padding:0.1em 0.6em">{html.escape(text.rstrip(" "))}</td>'


def _row(*cells: str) -> str:
    return f"<tr>{''.join(cells)}</tr>"
