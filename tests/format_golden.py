"""Write the golden copies of the rendered programs, formatted by a recent stanc.

    python tests/format_golden.py

A development tool: the wheel of httpstan on PyPI carries a stanc for Linux on x86_64.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"
WHEEL = "httpstan==4.17.0"  # stanc 2.39
WIDTH = 78  # stanc's default, within the style guide's 80


def recent_stanc(folder: Path) -> Path:
    """Return the path of a recent stanc, downloaded into `folder` if it is not there.

    Raises
    ------
    subprocess.CalledProcessError
        If the wheel cannot be had.
    """
    stanc = folder / "stanc"
    if not stanc.exists():
        with tempfile.TemporaryDirectory() as scratch:
            options = "--no-deps --only-binary=:all: --python-version 3.13 --implementation cp"
            platform = "--abi cp313 --platform manylinux2014_x86_64"
            command = [sys.executable, "-m", "pip", "download", "-q", WHEEL, "-d", scratch]
            subprocess.run(command + options.split() + platform.split(), check=True)
            (wheel,) = Path(scratch).glob("httpstan-*.whl")
            stanc.write_bytes(zipfile.ZipFile(wheel).read("httpstan/stanc"))
        stanc.chmod(0o755)
    return stanc


def formatted(code: str, stanc: Path, width: int) -> str:
    """Return a program as `stanc --auto-format` writes it.

    But for the line of two blanks that it puts before a declaration of two lines.
    """
    with tempfile.TemporaryDirectory() as scratch:
        before, after = Path(scratch, "before.stan"), Path(scratch, "after.stan")
        before.write_text(code)
        options = ["--auto-format", f"--max-line-length={width}", f"--o={after}"]
        subprocess.run([stanc, *options, before], check=True)
        return after.read_text().replace("\n  \n", "\n")


def main() -> None:
    """Write the golden copies and say where the templates do not give them."""
    from programs import RENDERED

    GOLDEN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        stanc = recent_stanc(Path(folder))
        for recipe in RENDERED:
            program = recipe.program()
            wanted = formatted(program.code, stanc, WIDTH)
            (GOLDEN / f"{program.name}.stan").write_text(wanted)
            if wanted != program.code:
                print(f"change the templates: {program.name} is not formatted", file=sys.stderr)


if __name__ == "__main__":
    main()
