"""A rendered Stan program, as templates make it and engines run it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """A rendered Stan program.

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
    """

    name: str
    code: str
    origins: tuple[tuple[str, int], ...] = ()
    edited: bool = False

    def origin(self, line: int) -> str:
        """Return the template file and line of a line of the program, counted from 1."""
        if not self.origins:
            return f"{self.name}, line {line}"
        file, number = self.origins[min(max(line, 1), len(self.origins)) - 1]
        return f"{file}, line {number}"
