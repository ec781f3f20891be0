"""What pages show as printed output, held against what the code prints today.

In README.md, examples/guide.md and examples/README.md a ``text`` block after a ``python`` block, or
after a script's name, is that code's output. Run this file to write those blocks, and the pictures,
anew:

    python tests/printed.py

With the word ``pages`` it leaves the scripts out.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
GUIDE = ROOT / "examples" / "guide.md"
GALLERY = ROOT / "examples" / "README.md"
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PICTURES = ROOT / "examples" / "pictures"
LAST_DIGITS = 2  # units of the last digit printed by which numbers may differ between machines

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NUMBER = re.compile(r"(?<![\w.])[-+−]?\d[\d,]*(?:\.\d+)?(?![\w])")


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the language and the content of every fenced block."""
    return [match.groups() for match in _BLOCK.finditer(page)]  # type: ignore[misc]


def differences(shown: str, printed: str) -> list[str]:
    """List the lines that differ by more than spaces and the last digits of numbers."""
    old, new = ([line for line in text.split("\n") if line.strip()] for text in (shown, printed))
    if len(old) != len(new):
        return [f"{len(old)} lines are shown, {len(new)} are printed:\n{printed}"]
    return [
        f"shown:   {before}\nprinted: {after}"
        for before, after in zip(old, new, strict=True)
        if not _alike(before, after)
    ]


def run_python_blocks(page: str, folder: Path) -> Iterator[tuple[str, str | None, str]]:
    """Run a page's ``python`` blocks in order; yield each with what is shown, and printed."""
    names: dict[str, Any] = {}
    found = blocks(page)
    with contextlib.chdir(folder):
        for (language, code), (following, shown) in zip(found, [*found[1:], ("", "")], strict=True):
            if language != "python":
                continue
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(code, "page", "exec"), names)
            yield code, shown if following == "text" else None, output.getvalue()


def run_example(script: Path, folder: Path) -> str:
    """Run a copy of a script in a folder of its own; return what it prints."""
    copy = shutil.copy(script, folder)
    done = subprocess.run(
        [sys.executable, "-W", "error", copy],
        cwd=folder,
        env={**os.environ, "HIERSTAN_ENGINE": "stanli", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def shown_in_gallery(script: Path) -> str:
    """Return the output of a script as the gallery shows it: the block after its name."""
    section = GALLERY.read_text(encoding="utf-8").split(f"({script.name})", 1)[1]
    return next(text for language, text in blocks(section) if language == "text")


# internals ------------------------------------------------------------------------------------


def _alike(before: str, after: str) -> bool:
    words = [" ".join(_NUMBER.sub("0", line).split()) for line in (before, after)]
    numbers = [_NUMBER.findall(line) for line in (before, after)]
    return words[0] == words[1] and all(map(_close, *numbers))


def _close(before: str, after: str) -> bool:
    decimals = max(len(text.partition(".")[2]) for text in (before, after))
    old, new = (float(text.replace(",", "").replace("−", "-")) for text in (before, after))
    return abs(old - new) <= (LAST_DIGITS + 0.01) * 10.0**-decimals


def _tidy(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return lines.strip("\n") + "\n"


def _rewrite_page(file: Path) -> None:
    page = file.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for code, shown, printed in run_python_blocks(page, Path(folder)):
            old = f"```python\n{code}```\n\n```text\n{shown}```"
            printed = _tidy(printed)
            if shown is not None:
                page = page.replace(old, f"```python\n{code}```\n\n```text\n{printed}```")
    file.write_text(page, encoding="utf-8")


def _rewrite_gallery() -> None:
    for script in EXAMPLES:
        with tempfile.TemporaryDirectory() as folder:
            printed = _tidy(run_example(script, Path(folder)))
            for picture in Path(folder).glob("output/*.png"):
                shutil.copy(picture, PICTURES)
        page = GALLERY.read_text(encoding="utf-8")
        before, after = page.split(f"({script.name})", 1)
        after = _BLOCK.sub(lambda _, text=printed: f"```text\n{text}```", after, count=1)
        GALLERY.write_text(f"{before}({script.name}){after}", encoding="utf-8")


if __name__ == "__main__":
    os.environ["HIERSTAN_ENGINE"] = "stanli"
    os.environ["MPLBACKEND"] = "Agg"
    warnings.simplefilter("error")
    PICTURES.mkdir(exist_ok=True)
    if sys.argv[1:] != ["pages"]:
        _rewrite_gallery()
    for file in (README, GUIDE):
        _rewrite_page(file)
