"""How a page is sampled: declarations that take the place of the page's.

A file in ``stan/sampling/`` declares parameters of a page anew, with an offset and a multiplier,
and the data that these need. It is no part of the model. A declaration that would change the model
of an edited page, or that does not fit it, stays out, and so do the data that only it needs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hierstan.programs.declarations import (
    Declaration,
    blocks,
    declared,
    identifiers,
    without_comments,
)
from hierstan.programs.pieces import Piece, family_blocks

_COORDINATES = re.compile(r"(offset|multiplier)\s*=")
_WORDS = {"offset", "multiplier"}
Line = tuple[str, tuple[str, int]]  # of a program: its text, and the file and line it comes from


@dataclass(frozen=True)
class _Statement:
    """A declaration of a sampling file, with the lines of comment above it."""

    declaration: Declaration
    lines: list[Line]


def measured(page: list[Line], sampling: Piece, stated: Collection[str] = ()) -> list[Line]:
    """Return a page's lines with the declarations of a sampling file in place of its own.

    They come last in their block, so that they may refer to all other parameters.

    Parameters
    ----------
    page : list of (str, (str, int))
        The lines of a rendered page and where they come from.
    sampling : Piece
        The sampling file.
    stated : collection of str
        Parameters whose declaration in the page stands.
    """
    code = "\n".join(text for text, _ in page)
    own, parts = declared(code), family_blocks(sampling)
    parameters = own.get("parameters", {})
    data = _statements(parts, "data")
    known = {*own.get("data", {}), *parameters, *(one.declaration.name for one in data)}
    kept = [
        one
        for one in _statements(parts, "parameters")
        if one.declaration.name not in stated
        and _takes_the_place(one.declaration, parameters.get(one.declaration.name), known)
    ]
    functions = [one for one in _functions(parts) if one.name in _called(kept)]
    ends = {name: code.count("\n", 0, end) for name, (_, end) in blocks(code).items()}
    if not kept or (functions and not _has_room_for(functions, code)):
        return page
    gone = {line for one in kept for line in range(*parameters[one.declaration.name].lines)}
    added = {
        ends.get("functions", -1): [line for one in functions for line in one.lines],
        ends["data"]: [line for one in _needed(data, kept) for line in one.lines],
        ends["parameters"]: [line for one in kept for line in one.lines],
    }
    result: list[Line] = []
    for number, line in enumerate(page):
        result += added.get(number, [])
        if number not in gone:
            result.append(line)
    return result


# internals ------------------------------------------------------------------------------------


def _takes_the_place(new: Declaration, old: Declaration | None, known: set[str]) -> bool:
    """Whether a declaration says the same of a parameter, and but where it is measured from."""
    return (
        old is not None
        and old.alone
        and old.constraint == ""
        and old.shape == new.shape
        and _COORDINATES.match(new.constraint) is not None
        and identifiers(new.constraint) - _WORDS <= known
    )


def _statements(parts: Mapping[str, Piece], block: str) -> list[_Statement]:
    if block not in parts:
        return []
    lines = _lines(parts[block])
    found = declared(f"{block} {{\n{parts[block].text}\n}}")[block].values()
    result, first = [], 0
    for one in found:
        end = one.lines[1] - 1
        result.append(_Statement(one, lines[first:end]))
        first = end
    return result


@dataclass(frozen=True)
class _Function:
    """A function of a sampling file, with the lines of comment above it."""

    name: str
    lines: list[Line]


def _functions(parts: Mapping[str, Piece]) -> list[_Function]:
    """Return the functions of a sampling file; each ends with a brace indented by two spaces."""
    if "functions" not in parts:
        return []
    result, first = [], 0
    lines = _lines(parts["functions"])
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


def _called(kept: list[_Statement]) -> set[str]:
    return {name for one in kept for name in re.findall(r"(\w+)\s*\(", one.declaration.constraint)}


def _lines(piece: Piece) -> list[Line]:
    origins = [(piece.file, number) for number in piece.numbers]
    return list(zip(piece.lines, origins, strict=True))


def _needed(data: list[_Statement], kept: list[_Statement]) -> list[_Statement]:
    """Return the data that the declarations use, or that these data use."""
    code = " ".join(f"{one.declaration.constraint}" for one in kept)
    needed = identifiers(code)
    needed |= {
        size for one in data if one.declaration.name in needed for size in one.declaration.sizes
    }
    return [one for one in data if one.declaration.name in needed]
