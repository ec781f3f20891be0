"""A rendered Stan program, as templates make it and engines run it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hierstan.programs.declarations import Declaration, blocks, declared, identifiers


@dataclass(frozen=True)
class Program:
    """A rendered Stan program, and what it declares.

    Attributes
    ----------
    name : str
        Readable name, used for the compiled program's file.
    code : str
        The Stan program.
    origins : tuple of (str, int)
        For each line of `code`, the template file and the line in it.
    edited : bool
        Whether one of its template files differs from the one hierstan ships.
    coordinates : tuple of str
        Parameters and transformed parameters that only sampling knows: no part of the model.
    data, parameters, transformed, written : mapping of str to Declaration
        What its blocks declare: data, parameters, transformed parameters, generated quantities.
    read : frozenset of str
        The data that anything but their own declarations makes use of.
    """

    name: str
    code: str
    origins: tuple[tuple[str, int], ...] = ()
    edited: bool = False
    coordinates: tuple[str, ...] = ()
    data: Mapping[str, Declaration] = field(init=False, repr=False, compare=False)
    parameters: Mapping[str, Declaration] = field(init=False, repr=False, compare=False)
    transformed: Mapping[str, Declaration] = field(init=False, repr=False, compare=False)
    written: Mapping[str, Declaration] = field(init=False, repr=False, compare=False)
    read: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = declared(self.code)
        for name, block in (
            ("data", "data"),
            ("parameters", "parameters"),
            ("transformed", "transformed parameters"),
            ("written", "generated quantities"),
        ):
            object.__setattr__(self, name, found.get(block, {}))
        start, end = blocks(self.code).get("data", (0, 0))
        used = identifiers(self.code[:start] + self.code[end:])
        object.__setattr__(self, "read", frozenset(used & {*self.data}))

    @property
    def integrates_theta(self) -> bool:
        """Whether the group means are integrated out, to be drawn given all else."""
        return "theta" not in {**self.parameters, **self.transformed, **self.written}

    def origin(self, line: int) -> str:
        """Return the template file and line of a line of the program, counted from 1."""
        if not self.origins:
            return f"{self.name}, line {line}"
        file, number = self.origins[min(max(line, 1), len(self.origins)) - 1]
        return f"{file}, line {number}"
