"""The house rules of DESIGN.md, section 7, read off the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "hierstan"

# Which floor a room is on; the whole number is the floor of DESIGN.md. Imports go strictly down.
# A new room goes in here, as low as what it imports allows.
FLOORS = {
    # what errors, data and programs are made of
    "errors": 0.0,
    "wording": 0.0,
    "program": 0.0,
    "datasets": 0.1,
    "csv_file": 0.1,
    "priors": 0.1,
    "frames": 0.1,
    "families": 0.2,
    "labels": 0.2,
    "validation": 0.2,
    "effect_sizes": 0.3,
    # data, templates, engines
    "templates": 1.0,
    "engines": 1.0,
    "engines.stanli": 1.1,
    "engines.cmdstan": 1.2,
    "reduction": 1.0,
    "intake": 1.1,
    "data": 1.2,
    # the fit
    "fit": 2.0,
    "raw": 2.0,
    "sampling": 2.0,
    "elpd": 2.0,
    "integration": 2.1,
    "folds": 2.2,
    "verdict": 2.3,
    "moments": 2.7,
    "outcomes": 2.7,
    "studies": 2.7,
    "forecasts": 2.8,
    "values": 2.8,
    "choices": 2.9,
    # what pictures are made of
    "plots.density": 2.5,
    "plots.style": 2.5,
    "plots.axes": 2.6,
    "plots.groups": 2.6,
    "plots.marks": 2.6,
    "plots.replicated": 2.7,
    # answers: they never import each other
    "diagnostics": 3.0,
    "comparison": 3.0,
    "heterogeneity": 3.0,
    "prediction": 3.0,
    "scoring": 3.0,
    "decisions": 3.0,
    "regret": 3.0,
    "ranks": 3.0,
    "advice": 3.0,
    "winners": 3.0,
    "plots": 3.0,
    "plots.compare": 3.0,
    "plots.forest": 3.0,
    "plots.khat": 3.0,
    "plots.population": 3.0,
    "plots.ppc": 3.0,
    "plots.sensitivity": 3.0,
    "plots.shrinkage": 3.0,
    "plots.trace": 3.0,
    # models
    "models": 4.0,
    # faces
    "calibration": 5.0,
    "report": 5.0,
    "report.again": 5.0,
    "report.grid": 5.0,
    "report.pictures": 5.0,
    "report.whole_file": 5.0,
    "report.answers": 5.1,
    "report.sections": 5.2,
    "report.page": 5.3,
    "arguments": 5.0,
    "cli": 5.1,
}

# The only rooms that import a library.
ENTRANCES = {
    "cmdstanpy": {"engines.cmdstan"},
    "stanli": {"engines.stanli"},
    "bridgestan": {"engines.stanli"},
    "jinja2": {"templates", "report.page"},
}

LONGEST_ROOM = 300  # lines


def rooms() -> dict[str, Path]:
    """Every room but the front door, by its name."""
    found = {}
    for file in sorted(HOUSE.rglob("*.py")):
        parts = file.relative_to(HOUSE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = file
    found.pop("")
    return found


def floor(room: str) -> float:
    """Return a room's floor; of one that is not on the plan, the attic."""
    return FLOORS.get(room, 9.0)


def imported(text: str) -> Iterator[str]:
    """Yield the modules that a file imports, at its top or inside functions."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(text: str) -> set[str]:
    """Name the rooms that a file imports; a name that no room has stands for the front door's."""
    found = set()
    for module in imported(text):
        top, _, inside = module.partition(".")
        if top == "hierstan":
            while inside and inside not in FLOORS:
                inside = inside.rpartition(".")[0]
            found.add(inside or f"the front door ({module})")
    return found


def upward(room: str, text: str) -> list[str]:
    """List the imports of a room that do not go down."""
    # A package's own door may open the rooms behind it, as `hierstan` itself does.
    others = [name for name in sorted(rooms_imported(text)) if not name.startswith(f"{room}.")]
    return [
        f"{room} ({floor(room)}) imports {other} ({floor(other)})"
        for other in others
        if not floor(other) < floor(room)
    ]


def test_every_room_has_a_floor() -> None:
    assert sorted(set(rooms()) - set(FLOORS)) == []


def test_imports_go_strictly_down() -> None:
    wrong = [line for room, file in rooms().items() for line in upward(room, file.read_text())]
    assert wrong == []


@pytest.mark.parametrize("user", [3, 4])
def test_neither_answers_nor_models_use_the_answers(user: int) -> None:
    answers = {room for room in FLOORS if floor(room) // 1 == 3}
    used = {
        room: sorted(rooms_imported(file.read_text()) & answers)
        for room, file in rooms().items()
        if floor(room) // 1 == user
    }
    assert {room: names for room, names in used.items() if names} == {}


def test_an_import_that_goes_up_or_sideways_is_seen() -> None:
    assert upward("data", "def f():\n    from hierstan.models import PartialPooling") == [
        "data (1.2) imports models (4.0)"
    ]
    assert upward("plots", "import hierstan.comparison") == ["plots (3.0) imports comparison (3.0)"]
    assert upward("plots", "from hierstan import Fit") == [
        "plots (3.0) imports the front door (hierstan.Fit) (9.0)"
    ]
    assert upward("data", "from hierstan import families\nimport numpy") == []


@pytest.mark.parametrize("library", ENTRANCES)
def test_a_heavyweight_enters_through_its_own_room(library: str) -> None:
    users = {
        room
        for room, file in rooms().items()
        if library in {module.partition(".")[0] for module in imported(file.read_text())}
    }
    assert users <= ENTRANCES[library]


def test_rooms_are_small() -> None:
    lengths = {room: file.read_text().count("\n") for room, file in rooms().items()}
    assert {room: n for room, n in lengths.items() if n > LONGEST_ROOM} == {}


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = "arviz arviz_base arviz_plots arviz_stats bridgestan cmdstanpy jinja2 joblib matplotlib"
    heavy += " narwhals numpy pandas scipy stanli tqdm xarray"
    code = f"import hierstan, sys; print(*sorted(set({heavy.split()!r}) & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "\n"


def test_every_room_behind_the_front_door_is_there() -> None:
    code = "import hierstan; [getattr(hierstan, name) for name in hierstan.__all__]"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
