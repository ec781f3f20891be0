"""Render the Stan templates.

A *page* is a Stan program with slots such as ``{{ family.model }}`` and ``{{ prior.tau }}``; a
*family file* is written in Stan's own blocks, which fill the slots. Nothing but these files, a
choice of priors and of coordinates reaches the text of a program: data never does. Every rendered
line remembers the template line it came from, so that errors can name it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from types import SimpleNamespace

from hierstan.errors import TemplateError
from hierstan.priors import Prior
from hierstan.programs.coordinates import Measured, measured
from hierstan.programs.files import chosen_directory, packaged_directory, read
from hierstan.programs.jinja import check_slots, fill, slots
from hierstan.programs.pieces import (
    BLOCKS,
    Piece,
    family_blocks,
    leading_comment,
    untagged,
    whole,
)
from hierstan.programs.population import population_slots
from hierstan.programs.program import Program
from hierstan.programs.slots import (
    FAMILY_NAMES,
    POPULATION_NAMES,
    attribute,
    names,
    prior_slots,
)

COORDINATES = {  # of several, the one that fits most of a page's parameters
    "measured": (
        ("sampling", "sampling/extra_zeros", "sampling/extra_zeros/overdispersed"),
        ("sampling", "sampling/extra_zeros"),
        ("sampling", "sampling/overdispersed"),
        ("sampling",),
        ("sampling/stepwise",),
    ),
    "centered": (("sampling/centered",),),
    "grid": (("sampling/grid/measured",),),
}
ADJUSTMENT = "adjustment"
SUFFIX = "_adjusted"
WRITTEN = "generated quantities"
Part = tuple[Mapping[str, Piece], Piece]  # the blocks of a file, and the comment at its top


def render(
    page: str,
    family: str,
    priors: Mapping[str, Prior],
    *,
    lower_bounds: Mapping[str, float],
    marginal: str = "",
    coordinates: str | None = None,
    empty: Collection[str] = (),
    adjusted: bool = False,
    template_dir: str | os.PathLike[str] | None = None,
) -> Program:
    """Render one program.

    Parameters
    ----------
    page, family : str
        File names without ``.stan``: of the page and of the family.
    priors : mapping of str to Prior
        The prior of each parameter.
    lower_bounds : mapping of str to float
        The lower bound of each parameter that has one.
    marginal : {"", "marginal", "grid"}
        The folder of ``sampling/`` in which the group means are integrated out: in closed form or
        numerically. By default they are not.
    coordinates : {"measured", "centered"}, optional
        How the page is sampled, as the files in ``sampling/`` and ``sampling/centered/`` have it.
        By default as it stands.
    empty : collection of str
        Parameters of length 0.
    adjusted : bool
        Whether `eta` is adjusted for covariates of rows, as ``adjustment.stan`` has it.
    template_dir : path-like, optional
        Folder of edited templates; else ``HIERSTAN_TEMPLATES``; else the ones hierstan ships.

    Raises
    ------
    TemplateError
        Naming the file and the line.
    """
    directory = chosen_directory(template_dir)
    folder = f"sampling/{marginal}/" if marginal else ""
    source = _file(directory, f"{folder}{page}.stan")
    files = [source, _file(directory, f"families/{family}.stan")]
    if marginal:
        files.append(_file(directory, f"{folder}families/{family}.stan"))
    estimates = "family.estimates" in slots(source)
    of_file = _with_estimates if estimates else _family
    parts: list[Part] = [(of_file(files[1:]), leading_comment(files[-1 - estimates]))]
    if adjusted:
        added = [_file(directory, f"{ADJUSTMENT}.stan")]
        if marginal:
            added.append(_file(directory, f"{folder}{ADJUSTMENT}.stan"))
        parts.insert(0, (of_file(added), leading_comment(added[0])))
        files += added
    lines = _filled(source, parts, priors, lower_bounds)
    ways = [
        [_file(directory, f"{folder}/{page}.stan", missing_ok=True) for folder in folders]
        for folders in (
            COORDINATES["grid" if marginal == "grid" else coordinates] if coordinates else ()
        )
    ]
    common = _file(directory, "sampling/functions.stan")
    found = [measured(lines, common, *way, empty=empty) for way in ways] or [Measured(lines)]
    best = max(found, key=lambda one: len(one.replaced))
    files += [common, *(file for way in ways for file in way)]
    lines = best.lines
    if coordinates:
        files.append(_file(directory, f"sampling/families/{family}.stan", missing_ok=True))
        lines = measured(lines, common, files[-1]).lines
    if coordinates and adjusted:
        files.append(_file(directory, f"sampling/{ADJUSTMENT}.stan", missing_ok=True))
        lines = measured(lines, common, files[-1]).lines
    named = family if not adjusted or family.endswith(SUFFIX) else f"{family}{SUFFIX}"
    edited = any(
        read(packaged_directory(), piece.file, missing_ok=True) != piece.text for piece in files
    )
    return Program(
        "_".join(filter(None, (page, named, "marginal" if marginal else "", coordinates))),
        "\n".join(text for text, _ in lines),
        tuple(origin for _, origin in lines),
        edited,
        best.names,
    )


# internals ------------------------------------------------------------------------------------


def _file(directory: Path, file: str, *, missing_ok: bool = False) -> Piece:
    return whole(read(directory, file, missing_ok=missing_ok), file)


def _family(files: list[Piece]) -> dict[str, Piece]:
    """Return the blocks of a family; of two files, the second has the model and what it writes."""
    first, *rest = map(family_blocks, files)
    if not rest:
        return first
    inherited = {name: piece for name, piece in first.items() if name in ("data", "parameters")}
    return {**inherited, **rest[0]}


def _with_estimates(files: list[Piece]) -> dict[str, Piece]:
    """Return the blocks of a family, and what its marginal file says of each observation."""
    first, second = map(family_blocks, files)
    own = {name: piece for name, piece in first.items() if name != WRITTEN}
    return {**own, **({"estimates": second[WRITTEN]} if WRITTEN in second else {})}


def _filled(
    page: Piece,
    parts: list[Part],
    priors: Mapping[str, Prior],
    lower_bounds: Mapping[str, float],
) -> list[tuple[str, tuple[str, int]]]:
    """Return the lines of a page with its slots filled, and where each comes from."""
    context = prior_slots(priors, lower_bounds)
    check_slots(page, [*names(context), *FAMILY_NAMES, *POPULATION_NAMES])
    filled: dict[str, list[str]] = {attribute(block): [] for block in (*BLOCKS, "estimates")}
    for blocks, _ in parts:
        _check_places(page, blocks)
        for name, block in blocks.items():
            filled[attribute(name)].append(fill(block, context).strip("\n"))
    texts = {name: "\n".join(texts).lstrip(" ") for name, texts in filled.items()}
    comment = "\n//\n".join(comment.tagged for _, comment in parts)
    context["family"] = SimpleNamespace(**texts, comment=comment)
    context |= population_slots(page, context)
    code, origins = untagged(fill(page, context), page.file)
    return list(zip(code.split("\n"), origins, strict=True))


def _check_places(page: Piece, blocks: Mapping[str, Piece]) -> None:
    found = slots(page)
    for name, block in blocks.items():
        slot = f"family.{attribute(name)}"
        if slot not in found:
            raise TemplateError(
                f"{block.place(-1)}: the block '{name}' has no place in {page.file}. Add the "
                f"slot {{{{ {slot} }}}} there, where the block's lines belong."
            )
