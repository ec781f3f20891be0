"""Render the Stan templates: the only room that knows Jinja2.

A *pooling template* is a Stan program with slots such as ``{{ family.model }}`` and
``{{ prior.tau }}``; a *family file* is written in Stan's own blocks, which fill the slots. Nothing
but these files, a choice of priors and a parameterization reaches the text of a program: data never
does. Every rendered line remembers the template line it came from, so that errors can name it.
"""

from __future__ import annotations

import difflib
import os
import re
import traceback
from collections.abc import Mapping
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING

from hierstan.errors import TemplateError
from hierstan.priors import Prior, Uniform
from hierstan.programs.files import chosen_directory, read
from hierstan.programs.files import copy_templates as copy_templates
from hierstan.programs.files import packaged_directory as packaged_directory
from hierstan.programs.pieces import (
    BLOCKS,
    Piece,
    family_blocks,
    leading_comment,
    numbered,
    untagged,
    whole,
    without_tags,
)
from hierstan.programs.program import Program

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import SandboxedEnvironment

_SLOT = re.compile(r"\{\{ (.*?) \}\}")
_POPULATION = re.compile(r"(?<![\w.])theta\s*~\s*([^;]+);")
_PREDICTORS = re.compile(r"(?<![\w.])x(?!\w)")


def render(
    pooling: str,
    family: str,
    priors: Mapping[str, Prior],
    *,
    lower_bounds: Mapping[str, float],
    parameterization: str | None = None,
    predictors: bool = False,
    template_dir: str | os.PathLike[str] | None = None,
) -> Program:
    """Render one program.

    Parameters
    ----------
    pooling, family : str
        File names without ``.stan``: of the pooling template and of the family.
    priors : mapping of str to Prior
        The prior of each parameter.
    lower_bounds : mapping of str to float
        The lower bound of each parameter that has one.
    parameterization : str, optional
        ``"centered"`` or ``"mixed"``, for templates that ask.
    predictors : bool
        Whether the group means depend on predictors, for templates that ask.
    template_dir : path-like, optional
        Folder of edited templates; else ``HIERSTAN_TEMPLATES``; else the ones hierstan ships.

    Raises
    ------
    TemplateError
        Naming the file and the line.
    """
    directory = chosen_directory(template_dir)
    files = [
        whole(read(directory, file), file)
        for file in (f"{pooling}.stan", f"families/{family}.stan")
    ]
    steering = {"parameterization": parameterization, "predictors": predictors}
    source, part = (_steered(file, steering) for file in files)
    blocks = family_blocks(part)
    context = _prior_context(priors, lower_bounds)
    names = _names(context)
    _check_names(source, sorted([*names, *_FAMILY_NAMES, *_POPULATION_NAMES]))
    _check_slots(source, blocks)
    filled = {
        _attribute(name): _fill(block, context, names).strip("\n").lstrip(" ")
        for name, block in blocks.items()
    }
    context["family"] = SimpleNamespace(
        **dict.fromkeys(map(_attribute, BLOCKS), "")
        | {"comment": leading_comment(part).tagged}
        | filled
    )
    if any(name in source.text for name in _POPULATION_NAMES):
        context["population"] = _population(source, context)
    text = _fill(source, context, _names(context))
    code, origins = untagged(text, source.file)
    name = "_".join(
        filter(None, (pooling, family, parameterization, "predictors" if predictors else None))
    )
    edited = any(
        read(packaged_directory(), piece.file, missing_ok=True) != piece.text for piece in files
    )
    return Program(name, code, origins, edited)


# internals ------------------------------------------------------------------------------------


def _prior_context(
    priors: Mapping[str, Prior], lower_bounds: Mapping[str, float]
) -> dict[str, object]:
    slots = {name: _Slot(prior, name, lower_bounds) for name, prior in priors.items()}
    return {
        "prior": SimpleNamespace(
            data="\n".join(slot.declarations for slot in slots.values()),
            **{name: slot.statement for name, slot in slots.items()},
        ),
        "bounds": SimpleNamespace(**{name: slot.bounds for name, slot in slots.items()}),
    }


class _Slot:
    """What a template can say about one prior."""

    def __init__(self, prior: Prior, name: str, lower_bounds: Mapping[str, float]) -> None:
        self.statement = f"{prior.stan_name}({prior.stan_arguments(name)})"
        self.declarations = "\n".join(
            f"real{_number_bounds(number)} {name}_{number};" for number in prior.numbers()
        )
        if isinstance(prior, Uniform):
            self.bounds = f"<lower={name}_lower, upper={name}_upper>"
        elif name in lower_bounds:
            self.bounds = f"<lower={lower_bounds[name]:g}>"
        else:
            self.bounds = ""


def _number_bounds(number: str) -> str:
    return "" if number in ("location", "lower", "upper") else "<lower=0>"


def _attribute(block: str) -> str:
    return block.replace(" ", "_")


_FAMILY_NAMES = ("family.comment", *(f"family.{_attribute(block)}" for block in BLOCKS))
_POPULATION_NAMES = ("population.lpdf", "population.rng")


def _check_slots(source: Piece, blocks: Mapping[str, Piece]) -> None:
    slots = set(_SLOT.findall(source.text))
    for name, block in blocks.items():
        slot = f"family.{_attribute(name)}"
        if slot not in slots:
            raise TemplateError(
                f"{block.place(-1)}: the block '{name}' has no place in {source.file}. Add the "
                f"slot {{{{ {slot} }}}} there, where the block's lines belong."
            )


def _population(source: Piece, context: Mapping[str, object]) -> SimpleNamespace:
    """Read the population of the group means from the statement ``theta ~ ...;``."""
    bare = re.sub(r"//.*", "", source.text)
    statements = list(_POPULATION.finditer(bare))
    index = bare[: statements[-1].start()].count("\n") if statements else 0
    if len(statements) != 1:
        raise TemplateError(
            f"{source.place(index) if statements else source.file}: expected one statement "
            f"'theta ~ distribution(…);', found {len(statements)}. Leave-one-out and new groups "
            "({{ population.lpdf }}, {{ population.rng }}) read the population from it; write "
            "these two out by hand if it cannot be one statement."
        )
    lines = statements[0][1].count("\n") + 1
    piece = Piece(statements[0][1], source.file, source.numbers[index : index + lines])
    statement = " ".join(without_tags(_fill(piece, context, _names(context))).split())
    match = re.fullmatch(r"(\w+)\((.*)\)", statement)
    if match is None:
        raise TemplateError(
            f"{source.place(index)}: 'theta ~ {statement};' is not of the form "
            "'theta ~ distribution(…);'."
        )
    name, arguments = match.groups()
    own, new = (_PREDICTORS.sub(row, arguments) for row in ("x[j]", "x_new"))
    return SimpleNamespace(lpdf=f"{name}_lpdf(theta[j] | {own})", rng=f"{name}_rng({new})")


def _names(context: Mapping[str, object]) -> list[str]:
    return sorted(
        f"{noun}.{attribute}"
        for noun, known in context.items()
        if isinstance(known, SimpleNamespace)
        for attribute in vars(known)
    )


def _check_names(piece: Piece, names: list[str]) -> None:
    for index, line in enumerate(piece.lines):
        for slot in _SLOT.findall(line):
            if slot in names:
                continue
            near = difflib.get_close_matches(slot, names, 1)
            raise TemplateError(
                f"{piece.place(index)}: unknown slot {{{{ {slot} }}}}."
                + (f" Did you mean {{{{ {near[0]} }}}}?" if near else "")
                + f" Valid here: {', '.join(names)}."
            )


def _steered(file: Piece, steering: Mapping[str, object]) -> Piece:
    """Return the lines of a file that its line statements choose."""
    return numbered(_rendered(file, file.tagged, steering, _environment("\0", "\0\0")), file.file)


def _fill(piece: Piece, context: Mapping[str, object], names: list[str]) -> str:
    """Fill the slots of a piece, giving every error a file and a line."""
    _check_names(piece, names)
    return _rendered(piece, _indent_slots(piece.tagged), context, _environment("{{ ", " }}"))


def _rendered(
    piece: Piece, text: str, context: Mapping[str, object], environment: SandboxedEnvironment
) -> str:
    import jinja2

    try:
        return _compiled(environment, text).render(context)
    except jinja2.TemplateSyntaxError as error:
        line, words = error.lineno, error.message or ""
        cause: Exception = error
    except Exception as error:  # whatever steering the template holds, its line is to blame
        steps = traceback.extract_tb(error.__traceback__)
        inside = [step.lineno for step in steps if step.filename == "<template>"]
        line, words, cause = (inside[-1] or 1) if inside else 1, str(error), error
    raise TemplateError(f"{piece.place(line - 1)}: {words.rstrip('.')}.") from cause


def _indent_slots(text: str) -> str:
    """Give the lines of a slot on a line of its own that line's indentation."""
    return re.sub(
        r"^( +)\{\{ (prior\.data|family\.\w+) \}\}",
        lambda match: f"{match[1]}{{{{ {match[2]}|replace('\\n', '\\n{_extra(match)}') }}}}",
        text,
        flags=re.MULTILINE,
    )


def _extra(match: re.Match[str]) -> str:
    return match[1] if match[2] == "prior.data" else match[1][2:]


@lru_cache(maxsize=1024)
def _compiled(environment: SandboxedEnvironment, text: str) -> Template:
    """Compile a text once: many fits of one model render the same texts."""
    return environment.from_string(text)


@cache
def _environment(opening: str, closing: str) -> SandboxedEnvironment:
    """Return Jinja with slots between these; steering is in lines that open with ``//%``."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        variable_start_string=opening,
        variable_end_string=closing,
        block_start_string="{%% ",
        block_end_string=" %%}",
        comment_start_string="{## ",
        comment_end_string=" ##}",
        line_statement_prefix="//%",
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # Stan programs, not HTML
    )
