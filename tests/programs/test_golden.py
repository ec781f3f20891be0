"""Golden copies: what the templates render, in the style guide's form, as both engines take it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from format_golden import GOLDEN, WIDTH, formatted, recent_stanc
from programs import RENDERED, Recipe


@pytest.mark.parametrize("recipe", RENDERED, ids=str)
def test_a_rendered_program_is_its_golden_copy(recipe: Recipe) -> None:
    program = recipe.program()
    assert program.code == (GOLDEN / f"{program.name}.stan").read_text()
    assert not program.edited
    assert len(program.origins) == len(program.code.split("\n"))


@pytest.mark.slow
def test_there_are_no_other_golden_copies() -> None:
    names = {recipe.program().name for recipe in RENDERED}
    assert {path.stem for path in GOLDEN.iterdir()} == names


@pytest.mark.parametrize("file", sorted(GOLDEN.iterdir()), ids=lambda file: file.stem)
def test_a_program_follows_the_style_guide(file: Path) -> None:
    code = file.read_text()
    lines = code.split("\n")
    assert lines[0].startswith("// ")
    assert any("~" in line or " = mu" in line for line in lines if line.startswith("//"))
    assert max(map(len, lines)) <= 80
    assert code.isascii()
    assert code.endswith("}\n")
    assert not any(line != line.rstrip() or "\t" in line for line in lines)
    assert not any(mark in code for mark in ("{{", "}}", "//%", "//@", "<lower=0, >"))


@pytest.mark.slow
@pytest.mark.cmdstan
def test_cmdstan_accepts_every_program(tmp_path: Path) -> None:
    from cmdstanpy.utils.cmdstan import stanc_path

    for file in sorted(GOLDEN.iterdir()):
        command = [stanc_path(), f"--o={tmp_path / 'program.hpp'}", str(file)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), file.name


@pytest.mark.slow
def test_golden_copies_are_formatted_by_a_recent_stanc(pytestconfig: pytest.Config) -> None:
    try:
        stanc = recent_stanc(Path(pytestconfig.cache.mkdir("stanc")))
        subprocess.run([stanc, "--version"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no recent stanc: {error}")
    for file in sorted(GOLDEN.iterdir()):
        assert formatted(file.read_text(), stanc, WIDTH) == file.read_text(), file.name
