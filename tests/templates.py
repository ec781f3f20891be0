"""Edited copies of the templates."""

from __future__ import annotations

from pathlib import Path

import hierstan as hs


def edited(folder: Path, file: str, old: str, new: str) -> Path:
    """Copy the templates and replace a passage of one file."""
    path = hs.copy_templates(folder) / file
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} is in {file} {text.count(old)} times"
    path.write_text(text.replace(old, new))
    return folder
