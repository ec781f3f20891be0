"""The population of the group means, read from the statement ``theta ~ ...;``."""

from __future__ import annotations

import re
from types import SimpleNamespace

from hierstan.errors import TemplateError
from hierstan.programs.jinja import fill, slots
from hierstan.programs.pieces import Piece, without_tags
from hierstan.programs.slots import POPULATION_NAMES, Context

_STATEMENT = re.compile(r"(?<![\w.])theta\s*~\s*([^;]+);")
_BY_GROUP = re.compile(r"(?<![\w.])(x|center)(?!\w)")  # of a group: x[j]; of a new one: x_new


def population_slots(page: Piece, context: Context) -> Context:
    """Return what ``{{ population.lpdf }}`` and ``{{ population.rng }}`` stand for in a page.

    Raises
    ------
    TemplateError
        If the page asks for them and does not state the population once.
    """
    if not slots(page) & set(POPULATION_NAMES):
        return {}
    bare = re.sub(r"//.*", "", page.text)
    statements = list(_STATEMENT.finditer(bare))
    index = bare[: statements[-1].start()].count("\n") if statements else 0
    if len(statements) != 1:
        raise TemplateError(
            f"{page.place(index) if statements else page.file}: expected one statement "
            f"'theta ~ distribution(…);', found {len(statements)}. Leave-one-out and new groups "
            "({{ population.lpdf }}, {{ population.rng }}) read the population from it; write "
            "these two out by hand if it cannot be one statement."
        )
    lines = statements[0][1].count("\n") + 1
    piece = Piece(statements[0][1], page.file, page.numbers[index : index + lines])
    statement = " ".join(without_tags(fill(piece, context)).split())
    match = re.fullmatch(r"(\w+)\((.*)\)", statement)
    if match is None:
        raise TemplateError(
            f"{page.place(index)}: 'theta ~ {statement};' is not of the form "
            "'theta ~ distribution(…);'."
        )
    name, arguments = match.groups()
    own, new = (_BY_GROUP.sub(group, arguments) for group in (r"\1[j]", r"\1_new"))
    return {
        "population": SimpleNamespace(
            lpdf=f"{name}_lpdf(theta[j] | {own})", rng=f"{name}_rng({new})"
        )
    }
