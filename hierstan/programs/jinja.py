"""Fill the slots of template text: the only room that knows Jinja2.

Slots are all that there is: no statements, no comments of Jinja's, no access to Python.
"""

from __future__ import annotations

import difflib
import re
import traceback
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from hierstan.errors import TemplateError
from hierstan.programs.pieces import Piece
from hierstan.programs.slots import Context, names

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import SandboxedEnvironment

START = "{{ "  # of a slot; a text without one stays as it is
_SLOT = re.compile(r"\{\{ (.*?) \}\}")
_BLOCK_SLOT = re.compile(r"^( +)\{\{ (prior\.data|family\.\w+) \}\}", re.MULTILINE)


def slots(piece: Piece) -> set[str]:
    """Return the names of the slots in a piece."""
    return set(_SLOT.findall(piece.text))


def check_slots(piece: Piece, valid: Iterable[str]) -> None:
    """Refuse slots that nothing fills, naming their line and the nearest valid one."""
    known = sorted(valid)
    for index, line in enumerate(piece.lines):
        for slot in _SLOT.findall(line):
            if slot in known:
                continue
            near = difflib.get_close_matches(slot, known, 1)
            raise TemplateError(
                f"{piece.place(index)}: unknown slot {{{{ {slot} }}}}."
                + (f" Did you mean {{{{ {near[0]} }}}}?" if near else "")
                + f" Valid here: {', '.join(known)}."
            )


def fill(piece: Piece, context: Context) -> str:
    """Fill the slots of a piece and tag its lines, giving every error a file and a line."""
    check_slots(piece, names(context))
    text = _indented(piece.tagged)
    if START not in text:
        return text
    import jinja2

    try:
        return _compiled(text).render(context)
    except jinja2.TemplateSyntaxError as error:
        line, words = error.lineno, error.message or ""
        cause: Exception = error
    except Exception as error:  # whatever the template holds, its line is to blame
        steps = traceback.extract_tb(error.__traceback__)
        inside = [step.lineno for step in steps if step.filename == "<template>"]
        line, words, cause = (inside[-1] or 1) if inside else 1, str(error), error
    raise TemplateError(f"{piece.place(line - 1)}: {words.rstrip('.')}.") from cause


# internals ------------------------------------------------------------------------------------


def _indented(text: str) -> str:
    """Give the lines of a slot on a line of its own that line's indentation."""
    return _BLOCK_SLOT.sub(
        lambda match: f"{match[1]}{{{{ {match[2]}|replace('\\n', '\\n{_extra(match)}') }}}}", text
    )


def _extra(match: re.Match[str]) -> str:
    return match[1] if match[2] == "prior.data" else match[1][2:]


@lru_cache(maxsize=1024)
def _compiled(text: str) -> Template:
    """Compile a text once: many fits of one model render the same texts."""
    return _environment().from_string(text)


@cache
def _environment() -> SandboxedEnvironment:
    """Return Jinja with slots in ``{{ `` and `` }}``, and marks for the rest that no text holds."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        variable_start_string=START,
        variable_end_string=" }}",
        block_start_string="\0{",
        block_end_string="}\0",
        comment_start_string="\0\0{",
        comment_end_string="}\0\0",
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Stan programs, not HTML
    )
