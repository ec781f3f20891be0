"""Plain JSON and back: strictly read, so that nothing in it can be executed or slip through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hierstan.errors import HierstanError
from hierstan.priors import PRIORS, Prior
from hierstan.programs.program import Program

MAX_LENGTH = 2**28  # characters of JSON


class Damaged(ValueError):
    """A record that `save` cannot have written."""


def parsed(text: object) -> dict[str, Any]:
    """Return the record in a JSON text."""
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        raise Damaged("its description is not a text of sensible length")
    try:
        record = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"its description is not JSON ({error})") from error
    return of_type(record, dict, "its description")


def of_type(value: Any, kind: type | tuple[type, ...], what: str) -> Any:
    """Return a value if it is of a type; true and false are no numbers."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        names = " or ".join(sorted(one.__name__ for one in kinds))
        raise Damaged(f"{what} should be {names}, not {type(value).__name__}")
    return value


def items(values: Any, count: int, what: str) -> list[Any]:
    """Return a list if it has so many items."""
    if len(of_type(values, list, what)) != count:
        raise Damaged(f"{what} should have {count} parts, not {len(values)}")
    return list(values)


def entry(record: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    """Return an entry of a record, of a type."""
    if name not in record:
        raise Damaged(f"the entry {name!r} is missing")
    return of_type(record[name], kind, f"the entry {name!r}")


# priors and programs ----------------------------------------------------------------------------


def from_priors(priors: Mapping[str, Prior] | None) -> dict[str, Any] | None:
    """Record priors."""
    if priors is None:
        return None
    for name, prior in priors.items():
        if PRIORS.get(type(prior).__name__) is not type(prior):
            raise HierstanError(
                f"The prior {prior} of {name!r} cannot be saved: only hierstan's own kinds can."
            )
    return {
        name: {"kind": type(prior).__name__, **prior.numbers()} for name, prior in priors.items()
    }


def to_priors(record: Any) -> dict[str, Prior] | None:
    """Return recorded priors."""
    if record is None:
        return None
    priors = {}
    for name, numbers in of_type(record, dict, "the priors").items():
        numbers = dict(of_type(numbers, dict, f"the prior of {name!r}"))
        kind = numbers.pop("kind", None)
        if not isinstance(kind, str) or kind not in PRIORS:
            raise Damaged(f"{kind!r} is not a kind of prior")
        try:
            priors[name] = PRIORS[kind](**numbers)
        except (TypeError, ValueError) as error:
            raise Damaged(f"the prior of {name!r} is impossible ({error})") from error
    return priors


def from_program(program: Program) -> dict[str, Any]:
    """Record a program."""
    return {
        "name": program.name,
        "code": program.code,
        "origins": [list(origin) for origin in program.origins],
        "edited": program.edited,
        "coordinates": list(program.coordinates),
    }


def to_program(record: Mapping[str, Any]) -> Program:
    """Return a recorded program."""
    origins = []
    for origin in entry(record, "origins", list):
        file, line = items(origin, 2, "a line's origin")
        origins.append((of_type(file, str, "a file"), of_type(line, int, "a line")))
    return Program(
        entry(record, "name", str),
        entry(record, "code", str),
        tuple(origins),
        entry(record, "edited", bool),
        tuple(of_type(name, str, "a name") for name in entry(record, "coordinates", list)),
    )


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")
