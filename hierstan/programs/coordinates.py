"""How a page is sampled: declarations that take the place of the page's.

A file in ``stan/sampling/`` declares parameters of a page anew, with an offset and a multiplier, or
as transformed parameters of others with what that does to the density, and the data that these
need. It is no part of the model. A declaration that would change the model of an edited page, or
that does not fit it, stays out, and so does what only it needs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hierstan.programs.declarations import (
    Declaration,
    blocks,
    declared,
    identifiers,
    statements,
    without_comments,
)
from hierstan.programs.pieces import Piece, family_blocks

_COORDINATES = re.compile(r"(offset|multiplier)\s*=")
_WORDS = {"offset", "multiplier"}
_TRANSFORMED = "transformed parameters"
Parts = Sequence[Mapping[str, Piece]]  # the blocks of sampling files
Line = tuple[str, tuple[str, int]]  # of a program: its text, and the file and line it comes from


class Measured(NamedTuple):
    """A page's lines with those of a sampling file.

    And the page's parameters that are measured anew, and the names that only sampling knows.
    """

    lines: list[Line]
    replaced: Collection[str] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Statement:
    """A statement of a sampling file, with the lines of comment above it."""

    lines: list[Line]
    declaration: Declaration | None = None

    @property
    def name(self) -> str:
        """What it declares."""
        return self.declaration.name if self.declaration else ""

    @property
    def code(self) -> str:
        """Its text without comments."""
        return without_comments("\n".join(text for text, _ in self.lines))


def measured(page: list[Line], *sampling: Piece, empty: Collection[str] = ()) -> Measured:
    """Return a page's lines with the declarations of sampling files in place of its own.

    They come last in their block, so that they may refer to all other parameters; transformed ones
    come first, so that the page's own may refer to them.

    Parameters
    ----------
    page : list of (str, (str, int))
        The lines of a rendered page and where they come from.
    *sampling : Piece
        Of several declarations of a name, the last counts, in the place of the first.
    empty : collection of str
        Parameters of length 0, which would be NaN in any units.
    """
    code = "\n".join(text for text, _ in page)
    own, parts = declared(code), [family_blocks(file) for file in sampling]
    parameters = own.get("parameters", {})
    data = _statements(parts, "data")
    known = {*own.get("data", {}), *parameters, *(one.name for one in data)}
    redeclared = [
        one
        for one in _statements(parts, "parameters")
        if one.name not in empty
        and _takes_the_place(one.declaration, parameters.get(one.name), known)
    ]
    raw, transformed = _changes(parts, parameters, known)
    kept = redeclared + raw + transformed
    needed = _needed(data, kept)
    there = known - {one.name for one in data} | {one.name for one in needed + kept}
    corrections = [
        one for one in _statements(parts, "model") if identifiers(one.code) - {"target"} <= there
    ]
    functions = _called(_functions(parts), kept + corrections)
    if not kept or (functions and not _has_room_for(functions, code)):
        return Measured(page)
    replaced = {one.name for one in redeclared + transformed} & set(parameters)
    gone = {line for name in replaced for line in range(*parameters[name].lines)}
    added = {
        "functions": [line for one in functions for line in one.lines],
        "data": _lines_of(needed),
        "parameters": _lines_of(redeclared + raw),
        _TRANSFORMED: _lines_of(transformed),
        "model": _lines_of(corrections),
    }
    names = tuple(one.name for one in raw + transformed if one.name not in parameters)
    return Measured(_with(page, code, gone, added), replaced, names)


# internals ------------------------------------------------------------------------------------


def _with(
    page: list[Line], code: str, gone: Collection[int], added: Mapping[str, list[Line]]
) -> list[Line]:
    """Return a page without some of its lines, and with others in its blocks."""
    at: dict[int, list[Line]] = {}
    found = blocks(code)
    for name, lines in added.items():
        if name == _TRANSFORMED and lines and name not in found:
            after = code.count("\n", 0, found["parameters"][1]) + 1
            origin = lines[0][1]
            at[after] = [(f"{name} {{", origin), *lines, ("}", origin)]
        elif name in found:
            first, end = found[name]
            place = code.count("\n", 0, first) + 1 if name == _TRANSFORMED else None
            at[code.count("\n", 0, end) if place is None else place] = lines
    result: list[Line] = []
    for number, line in enumerate(page):
        result += at.get(number, [])
        if number not in gone:
            result.append(line)
    return result


def _changes(
    parts: Parts, parameters: Mapping[str, Declaration], known: Collection[str]
) -> tuple[list[_Statement], list[_Statement]]:
    """Return new parameters and what transforms them to the page's, where these fit.

    A change of variables needs as many of the one as of the other: new parameters stay out, with
    all that is made of them, where the page does not declare every parameter they stand for, or
    where these are measured from something that the program does not know.
    """
    new = [one for one in _statements(parts, "parameters") if one.name not in parameters]
    transformed = _statements(parts, _TRANSFORMED)
    there = {*known, *(one.name for one in new)}
    for one in transformed:  # each may use those above it
        there |= {one.name} if _used(one) <= there else set()
    raw, kept = [], []
    for one in new:
        names, made = {one.name}, []
        for other in transformed:
            if identifiers(other.code) & names:
                made.append(other)
                names |= {other.name} - set(parameters)
        replaced = [other for other in made if other.name in parameters]
        fits = all(_same(other.declaration, parameters[other.name]) for other in replaced)
        fits = fits and all(_used(other) <= there for other in made)
        if fits and _count([one]) == _count(replaced):
            raw.append(one)
            kept += made
    return raw, _with_steps(transformed, kept, parameters)


def _with_steps(
    transformed: list[_Statement], kept: list[_Statement], parameters: Collection[str]
) -> list[_Statement]:
    """Return the kept ones in order, with the steps between that these use and no page declares."""
    found, used = [], {name for one in kept for name in _used(one)}
    for one in reversed(transformed):
        if one in kept or (one.name in used and one.name not in parameters):
            found.append(one)
            used |= _used(one)
    return found[::-1]


def _used(one: _Statement) -> set[str]:
    """Return the names that a declaration uses."""
    own = {one.declaration.type, one.name} if one.declaration else set()
    return identifiers(one.code) - own


def _count(those: Iterable[_Statement]) -> list[str]:
    """Return the terms of how many numbers some declarations hold together."""
    sizes = [one.declaration.sizes or ("1",) for one in those if one.declaration]
    return sorted(term.strip() for (size,) in sizes for term in size.split("+"))


def _same(new: Declaration | None, old: Declaration) -> bool:
    """Whether a declaration says the same of a parameter without bounds."""
    return new is not None and old.alone and old.constraint == "" and old.shape == new.shape


def _takes_the_place(
    new: Declaration | None, old: Declaration | None, known: Collection[str]
) -> bool:
    """Whether a declaration says the same of a parameter, and but where it is measured from."""
    return (
        new is not None
        and old is not None
        and _same(new, old)
        and _COORDINATES.match(new.constraint) is not None
        and identifiers(new.constraint) - _WORDS <= set(known)
    )


def _statements(parts: Parts, block: str) -> list[_Statement]:
    """Return the statements of a block, each with the comment above it and beside it.

    Of several declarations of a name, the last counts, in the place of the first; steps that only a
    later file has come before, so that the others may use them. Of several files that add to the
    density, the last counts.
    """
    result: dict[str | tuple[str, int], _Statement] = {}
    pieces = [part[block] for part in parts if block in part]
    for piece in pieces[-1:] if block == "model" else pieces:
        lines = _lines(piece)
        code = f"{block} {{\n{piece.text}\n}}"
        known = declared(code).get(block, {})
        mine: dict[str | tuple[str, int], _Statement] = {}
        first = 0
        for last in statements(code, block):
            end = last - 1  # the block opens a line above
            here = next((one for one in known.values() if one.lines[1] == last), None)
            mine[here.name if here else (piece.file, first)] = _Statement(lines[first:end], here)
            first = end
        steps = set(mine) - set(result) if block == _TRANSFORMED else set()
        result = {name: one for name, one in mine.items() if name in steps} | result | mine
    return list(result.values())


@dataclass(frozen=True)
class _Function:
    """A function of a sampling file, with the lines of comment above it."""

    name: str
    lines: list[Line]


def _functions(parts: Parts) -> list[_Function]:
    """Return the functions of sampling files; each ends with a brace indented by two spaces."""
    result = []
    for piece in (part["functions"] for part in parts if "functions" in part):
        first, lines = 0, _lines(piece)
        for end, (text, _) in enumerate(lines, 1):
            if text.rstrip() == "  }":
                body = without_comments("\n".join(line for line, _ in lines[first:end]))
                name = re.search(r"(\w+)\s*\(", body)
                result.append(_Function(name[1] if name else "", lines[first:end]))
                first = end
    return result


def _has_room_for(functions: list[_Function], code: str) -> bool:
    """Whether a page has a block of functions, and none of these in it."""
    first, end = blocks(code).get("functions", (0, 0))
    own = set(re.findall(r"(\w+)\s*\(", without_comments(code)[first:end]))
    return end > 0 and not own & {one.name for one in functions}


def _called(functions: list[_Function], by: list[_Statement]) -> list[_Function]:
    names = {name for one in by for name in re.findall(r"(\w+)\s*\(", one.code)}
    return [one for one in functions if one.name in names]


def _lines(piece: Piece) -> list[Line]:
    origins = [(piece.file, number) for number in piece.numbers]
    return list(zip(piece.lines, origins, strict=True))


def _lines_of(those: list[_Statement]) -> list[Line]:
    return [line for one in those for line in one.lines]


def _needed(data: list[_Statement], kept: list[_Statement]) -> list[_Statement]:
    """Return the data that the declarations use, or that these data use."""
    needed = {name for one in kept for name in identifiers(one.code)}
    for one in data:
        if one.name in needed:
            needed |= identifiers(one.code)
    return [one for one in data if one.name in needed]
