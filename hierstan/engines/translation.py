"""What Stan's compilers and samplers say, in terms of the templates."""

from __future__ import annotations

import re

from hierstan.errors import EngineError, TemplateError
from hierstan.programs.program import Program

_COMPILER = re.compile(r"error in.*?line (\d+)", flags=re.DOTALL | re.IGNORECASE)
_UNKNOWN_DATA = re.compile(
    r"unknown data variable (\w+)|variable does not exist;.*?variable name=(\w+)", flags=re.DOTALL
)
_PLACE = re.compile(r"\(in '[^']*', line (\d+), column[^)]*\)")
_FILE = re.compile(r" in '[^']*',")


def translated(message: str, program: Program) -> EngineError | TemplateError:
    """Return the error for what a Stan compiler or sampler said, with the template's lines."""
    compiler = _COMPILER.search(message)
    if compiler:
        detail = _FILE.sub(" in the program,", message[compiler.start() :].strip(), count=1)
        line = int(compiler[1])
        place = program.origin(line)
        if "parsing error" in detail and line > 1:  # a missing semicolon is noticed too late
            place += f" (or just before it: {program.origin(line - 1)})"
        return TemplateError(
            f"{place}: the Stan compiler refuses the program {program.name}:\n{detail}"
        )
    unknown = _UNKNOWN_DATA.search(message)
    if unknown:
        return TemplateError(
            f"The program {program.name} declares the data {unknown[1] or unknown[2]!r}, which "
            "hierstan does not supply. An edited template can use the data of its family and its "
            "priors' numbers."
        )
    said = _PLACE.sub(lambda match: f"({program.origin(int(match[1]))})", message.strip())
    return EngineError(
        f"The program {program.name} failed: {said}\nLook at the program with .stan_code(data)."
    )
