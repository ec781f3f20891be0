"""Pieces of template text that remember the file and the line they came from."""

from __future__ import annotations

import re
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
    first : int
        Number of the first of the lines in the file.
    """

    text: str
    file: str
    first: int = 1

    def place(self, index: int) -> str:
        """Return the file and the number of a line, given its index in `text` from 0."""
        return f"{self.file}, line {self.first + index}"

    @property
    def lines(self) -> list[str]:
        """The lines of `text`."""
        return self.text.split("\n")

    @property
    def tagged(self) -> str:
        """The text with a comment on each line that says where it came from."""
        return "\n".join(
            line
            if not line.strip() or line.lstrip().startswith("//%")
            else f"{line} //@{self.file}@{self.first + index}@"
            for index, line in enumerate(self.lines)
        )


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


def leading_comment(whole: Piece) -> Piece:
    """Return the comment lines at the top of a file."""
    comment = []
    for line in whole.lines:
        if not line.startswith("//"):
            break
        comment.append(line)
    return Piece("\n".join(comment), whole.file)


def family_blocks(whole: Piece) -> dict[str, Piece]:
    """Return the content of each Stan block of a family file.

    Raises
    ------
    TemplateError
        For text outside a block, a block that does not close, or a block that comes twice.
    """
    blocks: dict[str, Piece] = {}
    lines = whole.lines
    index = 0
    while index < len(lines):
        line = lines[index].strip()
        if not line or line.startswith("//"):
            index += 1
            continue
        opening = _OPENING.match(line)
        if opening is None:
            raise TemplateError(
                f"{whole.place(index)}: {line!r} stands outside a block. A family file is written "
                f"in Stan's blocks: {', '.join(BLOCKS)}; each opens with 'name {{' and closes with "
                "a '}' at the start of a line."
            )
        name = opening.group(1)
        if name in blocks:
            raise TemplateError(f"{whole.place(index)}: a second block '{name}'. Merge the two.")
        end = _end_of_block(whole, index, name)
        first = index + 1
        blocks[name] = Piece("\n".join(lines[first:end]), whole.file, whole.first + first)
        index = end + 1
    return blocks


def _end_of_block(whole: Piece, opening: int, name: str) -> int:
    """Return the index of the line that closes the block opened at the line `opening`."""
    for index, line in enumerate(whole.lines[opening + 1 :], opening + 1):
        if _CLOSING.match(line):
            return index
        if _OPENING.match(line):
            break
    raise TemplateError(
        f"{whole.place(opening)}: the block '{name}' is not closed by a '}}' at the start of a "
        "line."
    )
