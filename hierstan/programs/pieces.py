"""Pieces of template text that remember the file and the line they came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hierstan.errors import TemplateError

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
_CLOSING = re.compile(r"\}\s*(//.*)?$")
_TAG = re.compile(r"\s*//@([^@]+)@(\d+)@")


@dataclass(frozen=True)
class Piece:
    """Some lines of a template file.

    Attributes
    ----------
    text : str
    file : str
        Path of the file inside the template directory.
    numbers : sequence of int
        The number of each of the lines in the file.
    """

    text: str
    file: str
    numbers: Sequence[int]

    def place(self, index: int) -> str:
        """Return the file and the number of a line, given its index in `text` from 0."""
        number = self.numbers[index] if index >= 0 else self.numbers[0] + index
        return f"{self.file}, line {number}"

    def part(self, first: int, end: int) -> Piece:
        """Return the lines from index `first` up to `end`."""
        return Piece("\n".join(self.lines[first:end]), self.file, self.numbers[first:end])

    @property
    def lines(self) -> list[str]:
        """The lines of `text`."""
        return self.text.split("\n")

    @property
    def tagged(self) -> str:
        """The text with a comment on each line that says where it came from."""
        return "\n".join(
            line if not line.strip() else f"{line} //@{self.file}@{number}@"
            for line, number in zip(self.lines, self.numbers, strict=True)
        )


def whole(text: str, file: str) -> Piece:
    """Return a file as a piece."""
    return Piece(text, file, range(1, text.count("\n") + 2))


def untagged(text: str, file: str) -> tuple[str, tuple[tuple[str, int], ...]]:
    """Strip the tags and drop the lines that a slot left empty; return code and origins."""
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


def without_tags(text: str) -> str:
    """Return the text without the comments of `Piece.tagged`."""
    return _TAG.sub("", text)


def leading_comment(file: Piece) -> Piece:
    """Return the comment lines at the top of a file."""
    below = (index for index, line in enumerate(file.lines) if not line.startswith("//"))
    return file.part(0, next(below, len(file.lines)))


def family_blocks(file: Piece) -> dict[str, Piece]:
    """Return the content of each Stan block of a family file.

    Raises
    ------
    TemplateError
        For text outside a block, a block that does not close, or a block that comes twice.
    """
    blocks: dict[str, Piece] = {}
    lines = file.lines
    index = 0
    while index < len(lines):
        line = lines[index].strip()
        if not line or line.startswith("//"):
            index += 1
            continue
        opening = _OPENING.match(line)
        if opening is None:
            raise TemplateError(
                f"{file.place(index)}: {line!r} stands outside a block. A family file is written "
                f"in Stan's blocks: {', '.join(BLOCKS)}; each opens with 'name {{' and closes with "
                "a '}' at the start of a line."
            )
        name = opening.group(1)
        if name in blocks:
            raise TemplateError(f"{file.place(index)}: a second block '{name}'. Merge the two.")
        end = _end_of_block(file, index, name)
        first = index + 1
        blocks[name] = file.part(first, end)
        index = end + 1
    return blocks


def _end_of_block(file: Piece, opening: int, name: str) -> int:
    """Return the index of the line that closes the block opened at the line `opening`."""
    for index, line in enumerate(file.lines[opening + 1 :], opening + 1):
        if _CLOSING.match(line):
            return index
        if _OPENING.match(line):
            break
    raise TemplateError(
        f"{file.place(opening)}: the block '{name}' is not closed by a '}}' at the start of a line."
    )
