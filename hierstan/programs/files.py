"""Where the Stan templates are: the ones that hierstan ships and the user's edited copies."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from hierstan.errors import TemplateError
from hierstan.whole_file import as_path

ENVIRONMENT_VARIABLE = "HIERSTAN_TEMPLATES"


def packaged_directory() -> Path:
    """Return the folder of the templates that hierstan ships."""
    here = Path(__file__).resolve().parents[1]
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
        If one of the files exists already, or the directory cannot be written.

    Examples
    --------
    >>> import tempfile, hierstan as hs
    >>> folder = hs.copy_templates(tempfile.mkdtemp())
    >>> (folder / "partial_pooling.stan").is_file(), (folder / "families").is_dir()
    (True, True)
    """
    target = as_path(directory, "copy_templates")
    source = packaged_directory()
    files = sorted(path.relative_to(source) for path in source.rglob("*.stan"))
    existing = [str(file) for file in files if (target / file).exists()]
    if existing:
        raise TemplateError(
            f"{target} already holds {existing[0]}"
            + (f" and {len(existing) - 1} more" if len(existing) > 1 else "")
            + ", which may have been edited. Choose another directory or move the files away."
        )
    try:
        for file in files:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / file, target / file)
    except OSError as error:
        raise TemplateError(
            f"The templates cannot be written to {target}: {error}. Choose another directory."
        ) from error
    return target


def chosen_directory(template_dir: str | os.PathLike[str] | None) -> Path:
    """Return the folder to use: the given one, that of ``HIERSTAN_TEMPLATES`` or the packaged."""
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


def read(directory: Path, file: str, *, missing_ok: bool = False) -> str:
    """Return the text of one template; of a missing one, an error or, if asked, nothing."""
    try:
        return (directory / file).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if missing_ok:
            return ""
        raise TemplateError(
            f"There is no template {file} in {directory}. hierstan.copy_templates(directory) "
            "writes all of them."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"{directory / file} cannot be read: {error}") from error
