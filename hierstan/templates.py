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
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from hierstan.errors import TemplateError
from hierstan.priors import Prior, Uniform
from hierstan.program import Program

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

ENVIRONMENT_VARIABLE = "HIERSTAN_TEMPLATES"
BLOCKS = (
    "functions",
    "data",
    "transformed data",
    "parameters",
    "transformed parameters",
    "model",
    "generated quantities",
)
_OPENING = re.compile(rf"({'|'.join(BLOCKS)})\s*\{{\s*(//.*)?$")
_SLOT = re.compile(r"\{\{ ([a-z_]+)\.([a-zA-Z_]+) \}\}")
_ANY_SLOT = re.compile(r"\{\{ (.*?) \}\}")
_TAG = re.compile(r"\s*//@([^@]+)@(\d+)@")
_POPULATION = re.compile(r"(?<![\w.])theta\s*~\s*([^;]+);")


def packaged_directory() -> Path:
    """Return the folder of the templates that hierstan ships."""
    here = Path(__file__).resolve().parent
    inside = here / "stan"
    return inside if inside.is_dir() else here.parent / "stan"


def copy_templates(directory: str | os.PathLike[str]) -> Path:
    """Write an editable copy of the Stan templates.

    Parameters
    ----------
    directory : path-like
        Where to write; made if need be. Files already there are never overwritten.

    Returns
    -------
    pathlib.Path
        The directory, to be given as ``template_dir=`` or in ``HIERSTAN_TEMPLATES``.

    Raises
    ------
    TemplateError
        If one of the files exists already.

    Examples
    --------
    >>> import tempfile, hierstan as hs
    >>> folder = hs.copy_templates(tempfile.mkdtemp())
    >>> sorted(path.name for path in folder.glob("*_pooling.stan"))
    ['complete_pooling.stan', 'no_pooling.stan', 'partial_pooling.stan']
    """
    target = Path(directory)
    source = packaged_directory()
    files = sorted(path.relative_to(source) for path in source.rglob("*.stan"))
    existing = [str(file) for file in files if (target / file).exists()]
    if existing:
        raise TemplateError(
            f"{target} already holds {existing[0]}"
            + (f" and {len(existing) - 1} more" if len(existing) > 1 else "")
            + ", which may have been edited. Choose another directory or move the files away."
        )
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, target / file)
    return target


def render(
    pooling: str,
    family: str,
    priors: Mapping[str, Prior],
    *,
    lower_bounds: Mapping[str, float],
    parameterization: str | None = None,
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
        ``"centered"``, ``"noncentered"`` or ``"mixed"``, for templates that ask.
    template_dir : path-like, optional
        Folder of edited templates; else ``HIERSTAN_TEMPLATES``; else the ones hierstan ships.

    Raises
    ------
    TemplateError
        Naming the file and the line.
    """
    directory = _directory(template_dir)
    pooling_file, family_file = f"{pooling}.stan", f"families/{family}.stan"
    source, part = _read(directory, pooling_file), _read(directory, family_file)
    blocks = _blocks(part, family_file)
    _check_slots(source, pooling_file, blocks, family_file)
    numbers = {name: _Slot(prior, name, lower_bounds) for name, prior in priors.items()}
    context: dict[str, object] = {
        "prior": SimpleNamespace(
            data="\n".join(slot.declarations for slot in numbers.values()),
            **{name: slot.statement for name, slot in numbers.items()},
        ),
        "bounds": SimpleNamespace(**{name: slot.bounds for name, slot in numbers.items()}),
        "parameterization": parameterization,
    }
    filled = {
        name.replace(" ", "_"): _fill(tagged, family_file, context).strip("\n").lstrip(" ")
        for name, tagged in blocks.items()
    }
    context["family"] = SimpleNamespace(
        **{block.replace(" ", "_"): "" for block in BLOCKS}
        | {"comment": _leading_comment(part, family_file)}
        | filled
    )
    if "population." in source:
        context["population"] = _population(source, pooling_file, context)
    text = _fill(_tag(source, pooling_file), pooling_file, context)
    code, origins = _untag(text, pooling_file)
    name = "_".join(filter(None, (pooling, family, parameterization)))
    edited = any(
        _read(packaged_directory(), file, missing_ok=True) != read
        for file, read in ((pooling_file, source), (family_file, part))
    )
    return Program(name, code, origins, edited)


# internals ------------------------------------------------------------------------------------


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


def _directory(template_dir: str | os.PathLike[str] | None) -> Path:
    chosen = template_dir or os.environ.get(ENVIRONMENT_VARIABLE)
    if not chosen:
        return packaged_directory()
    directory = Path(chosen)
    if not directory.is_dir():
        raise TemplateError(
            f"The template directory {directory} does not exist. "
            "Make one with hierstan.copy_templates(directory)."
        )
    return directory


def _read(directory: Path, file: str, *, missing_ok: bool = False) -> str:
    try:
        return (directory / file).read_text(encoding="utf-8")
    except FileNotFoundError:
        if missing_ok:
            return ""
        raise TemplateError(
            f"There is no template {file} in {directory}. hierstan.copy_templates(directory) "
            "writes all of them."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"{directory / file} cannot be read: {error}") from error


def _tag(text: str, file: str, first: int = 1) -> str:
    return "\n".join(
        f"{line} //@{file}@{number}@" if line.strip() and not line.lstrip().startswith("//%") else line
        for number, line in enumerate(text.split("\n"), first)
    )


def _untag(text: str, file: str) -> tuple[str, tuple[tuple[str, int], ...]]:
    """Strip the tags; drop the lines that a slot left empty."""
    lines: list[str] = []
    origins: list[tuple[str, int]] = []
    last = (file, 1)
    for line in text.split("\n"):
        tags = _TAG.findall(line)
        bare = _TAG.sub("", line).rstrip()
        if tags and not bare:
            continue
        last = (tags[0][0], int(tags[0][1])) if tags else last
        lines.append(bare)
        origins.append(last)
    return "\n".join(lines), tuple(origins)


def _blocks(text: str, file: str) -> dict[str, str]:
    """Return the tagged content of each block of a family file."""
    blocks: dict[str, str] = {}
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        line = lines[number].strip()
        number += 1
        if not line or line.startswith("//"):
            continue
        opening = _OPENING.match(line)
        if opening is None:
            raise TemplateError(
                f"{file}, line {number}: {line!r} stands outside a block. A family file is written "
                f"in Stan's blocks: {', '.join(BLOCKS)}; each opens with 'name {{' and closes with "
                "a '}' at the start of a line."
            )
        name, start = opening.group(1), number
        if name in blocks:
            raise TemplateError(f"{file}, line {number}: a second block '{name}'. Merge the two.")
        while number < len(lines) and lines[number].rstrip() != "}":
            number += 1
        if number == len(lines):
            raise TemplateError(
                f"{file}, line {start}: the block '{name}' is not closed by a '}}' at the start of "
                "a line."
            )
        blocks[name] = _tag("\n".join(lines[start:number]), file, start + 1)
        number += 1
    return blocks


def _leading_comment(text: str, file: str) -> str:
    comment = []
    for line in text.split("\n"):
        if not line.startswith("//"):
            break
        comment.append(line)
    return _tag("\n".join(comment), file)


def _check_slots(source: str, pooling_file: str, blocks: Mapping[str, str], family_file: str) -> None:
    slots = {attribute for noun, attribute in _SLOT.findall(source) if noun == "family"}
    for name in blocks:
        if name.replace(" ", "_") not in slots:
            raise TemplateError(
                f"{family_file} has a block '{name}', but {pooling_file} has no slot "
                f"{{{{ family.{name.replace(' ', '_')} }}}} for it. Add the slot where the block's "
                "lines belong."
            )


def _population(source: str, file: str, context: Mapping[str, object]) -> SimpleNamespace:
    """Read the population of the group means from the statement ``theta ~ ...;``."""
    bare = re.sub(r"//.*", "", source)
    statements = _POPULATION.findall(bare)
    if len(statements) != 1:
        raise TemplateError(
            f"{file}: expected one statement 'theta ~ distribution(…);', found {len(statements)}. "
            "Leave-one-out and new groups ({{ population.lpdf }}, {{ population.rng }}) read the "
            "population from it; write these two out by hand if it cannot be one statement."
        )
    statement = " ".join(_TAG.sub("", _fill(statements[0], file, context)).split())
    match = re.fullmatch(r"(\w+)\((.*)\)", statement)
    if match is None:
        raise TemplateError(
            f"{file}: 'theta ~ {statement};' is not of the form 'theta ~ distribution(…);'."
        )
    name, arguments = match.groups()
    return SimpleNamespace(
        lpdf=f"{name}_lpdf(theta[j] | {arguments})", rng=f"{name}_rng({arguments})"
    )


def _fill(text: str, file: str, context: Mapping[str, object]) -> str:
    """Fill the slots of a text, giving every error a file and a line."""
    import jinja2

    _check_names(text, file, context)
    try:
        rendered = _environment().from_string(_indent_slots(text)).render(context)
    except jinja2.TemplateSyntaxError as error:
        line = text.split("\n")[error.lineno - 1]
        raise TemplateError(f"{_place(line, file)}: {error.message}.") from error
    except jinja2.TemplateError as error:
        raise TemplateError(f"{file}: {error}.") from error
    return rendered


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


def _check_names(text: str, file: str, context: Mapping[str, object]) -> None:
    valid = sorted(
        f"{noun}.{attribute}"
        for noun, known in context.items()
        if isinstance(known, SimpleNamespace)
        for attribute in vars(known)
    )
    for line in text.split("\n"):
        for slot in _ANY_SLOT.findall(line):
            if slot.strip() in valid:
                continue
            near = difflib.get_close_matches(slot, valid, 1)
            raise TemplateError(
                f"{_place(line, file)}: unknown slot {{{{ {slot} }}}}."
                + (f" Did you mean {{{{ {near[0]} }}}}?" if near else "")
                + f" Valid here: {', '.join(valid)}."
            )


def _place(line: str, file: str) -> str:
    tag = _TAG.search(line)
    return f"{tag[1]}, line {tag[2]}" if tag else file


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        variable_start_string="{{ ",
        variable_end_string=" }}",
        block_start_string="{%% ",
        block_end_string=" %%}",
        comment_start_string="{## ",
        comment_end_string=" ##}",
        line_statement_prefix="//%",
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Stan programs, not HTML
    )
