"""What a Stan program declares, block by block."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from hierstan.programs.pieces import BLOCKS

_NAME = re.compile(r"(?<![\w.])[A-Za-z]\w*")
_ARRAY = re.compile(r"\s*array\s*(?=\[)")
_TYPE = re.compile(
    r"\s*(int|real|complex|vector|row_vector|matrix|simplex|unit_vector|ordered|positive_ordered"
    r"|cov_matrix|corr_matrix|cholesky_factor_cov|cholesky_factor_corr)(?!\w)\s*"
)
_OPENING = re.compile(rf"\b({'|'.join(BLOCKS)})\s*\{{")
_CLOSERS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Declaration:
    """A variable that a block of a program declares.

    Attributes
    ----------
    name, type : str
    sizes : tuple of str
        As written, those of an array before those of the type.
    constraint : str
        What stands between ``<`` and ``>``; nothing where there are none.
    lines : tuple of int
        The first line of the statement in the program and the line after its last, from 0.
    alone : bool
        Whether no other statement stands on these lines.
    """

    name: str
    type: str
    sizes: tuple[str, ...]
    constraint: str
    lines: tuple[int, int]
    alone: bool = True

    @property
    def shape(self) -> tuple[str, tuple[str, ...]]:
        """Type and sizes, which two declarations of one variable must share."""
        return self.type, self.sizes


@lru_cache(maxsize=256)
def declared(code: str) -> Mapping[str, Mapping[str, Declaration]]:
    """Return the declarations at the top of each block of a program, by block and name."""
    bare = without_comments(code)
    return {
        block: {found.name: found for found in _declarations(bare, *place)}
        for block, place in blocks(code).items()
        if block not in ("functions", "model")
    }


def blocks(code: str) -> dict[str, tuple[int, int]]:
    """Return where the content of each block of a program begins and ends."""
    bare = without_comments(code)
    found: dict[str, tuple[int, int]] = {}
    at = 0
    while opening := _OPENING.search(bare, at):
        end = _closing(bare, opening.end() - 1)
        found[opening[1]] = opening.end(), end
        at = end
    return found


def statements(code: str, block: str) -> list[int]:
    """Return the line after each statement at the top of a block, from 0."""
    bare = without_comments(code)
    ends = (last for _, last in _statements(bare, *blocks(code)[block]))
    return [bare.count("\n", 0, last) + 1 for last in ends]


def identifiers(code: str) -> set[str]:
    """Return the names of variables in some code: those that are not called as functions."""
    bare = without_comments(code)
    return {name[0] for name in _NAME.finditer(bare) if not re.match(r"\s*\(", bare[name.end() :])}


@lru_cache(maxsize=256)
def without_comments(code: str) -> str:
    """Return a program with its comments blanked out, of the same length."""
    return re.sub(
        r"//[^\n]*|/\*.*?\*/|\"[^\"\n]*\"",
        lambda match: re.sub(r"[^\n]", " ", match[0]),
        code,
        flags=re.DOTALL,
    )


# internals ------------------------------------------------------------------------------------


def _closing(bare: str, opening: int) -> int:
    """Return where the bracket that opens at a place closes, or the end of the text."""
    waiting: list[str] = []
    for index in range(opening, len(bare)):
        if bare[index] in _CLOSERS:
            waiting.append(_CLOSERS[bare[index]])
        elif waiting and bare[index] == waiting[-1]:
            waiting.pop()
            if not waiting:
                return index
    return len(bare)


def _statements(bare: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where the statements at the top of a block begin and end."""
    first = at = start
    while at < end:
        if bare[at] in _CLOSERS:
            at = min(_closing(bare, at), end)
        if at < end and bare[at] in ";}":
            yield first, at
            first = at + 1
        at += 1


def _declarations(bare: str, start: int, end: int) -> Iterator[Declaration]:
    spans = list(_statements(bare, start, end))
    for first, last in spans:
        first += len(bare[first:last]) - len(bare[first:last].lstrip())
        parts = _parts(bare[first:last])
        if parts is None:
            continue
        lines = bare.count("\n", 0, first), bare.count("\n", 0, last) + 1
        whole = "\n".join(bare.split("\n")[slice(*lines)]).strip()
        yield Declaration(*parts, lines, alone=whole == bare[first : last + 1])


def _parts(statement: str) -> tuple[str, str, tuple[str, ...], str] | None:
    """Return name, type, sizes and constraint of a statement, if it is a declaration."""
    sizes: list[str] = []
    rest, array = statement, _ARRAY.match(statement)
    if array:
        inside, rest = _inside(statement[array.end() :])
        sizes += inside
    kind = _TYPE.match(rest)
    if not kind:
        return None
    rest, constraint = rest[kind.end() :], ""
    if rest.startswith("<"):
        constraint, rest = _constraint(rest)
    own: list[str] = []
    if rest.lstrip().startswith("["):
        own, rest = _inside(rest.lstrip())
    name = _NAME.match(rest.lstrip())
    if not name:
        return None
    after = rest.lstrip()[name.end() :].lstrip()
    old = _inside(after)[0] if after.startswith("[") else []  # int y[N]
    return name[0], kind[1], (*sizes, *old, *own), constraint


def _constraint(text: str) -> tuple[str, str]:
    """Return what stands in the angle brackets that a text begins with, and what follows."""
    at = 1
    while at < len(text) and text[at] != ">":
        at = _closing(text, at) + 1 if text[at] in _CLOSERS else at + 1
    return " ".join(text[1:at].split()), text[at + 1 :]


def _inside(text: str) -> tuple[list[str], str]:
    """Return the sizes in the square brackets that a text begins with, and what follows."""
    end = _closing(text, 0)
    sizes, at, first = [], 1, 1
    while at <= end:
        if at == end or text[at] == ",":
            sizes.append(" ".join(text[first:at].split()))
            first = at + 1
        at = _closing(text, at) + 1 if at < end and text[at] in _CLOSERS else at + 1
    return sizes, text[end + 1 :]
