"""A text file that is written as a whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

from hierstan.errors import HierstanError


def as_path(path: object, verb: str) -> Path:
    """Return a path, or refuse what is none."""
    if isinstance(path, (str, os.PathLike)):
        return Path(path)
    raise HierstanError(f"{verb} takes the path of a file or folder, got a {type(path).__name__}.")


def target_of(path: str | os.PathLike[str]) -> Path:
    """Return the file that a path stands for, symbolic links followed, if there can be one.

    Raises
    ------
    HierstanError
        If it is a folder, or in a folder that does not exist.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise HierstanError(f"{path} is a folder. Give the name of a file, such as report.html.")
    if not target.parent.is_dir():
        raise HierstanError(f"The folder {target.parent} does not exist. Make it first.")
    return target


def write_whole(target: Path, text: str) -> None:
    """Write beside the target, then put the file in its place in one step.

    Raises
    ------
    HierstanError
        If that fails; a file that was there before is unchanged.
    """
    temporary = target.with_name(f".{target.name[:100]}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    except OSError as error:
        raise HierstanError(
            f"{target} could not be written: {error.strerror or error}. A file that was there "
            "before is unchanged. Check the free space and the folder's permissions."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
