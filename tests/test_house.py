"""The house rules of DESIGN.md, section 7, read off the imports."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "hierstan"

# Which floor of DESIGN.md, section 7, a room is on. Imports go down, or stay on a floor without
# running in circles; answers (floor 3) never import each other. A new room goes in here.
FLOORS = {
    room: floor
    for floor, rooms in {
        # words, programs, priors, families
        0: "csv_file cures datasets display effect_sizes elpd errors families frames labels "
        "plots.style positive_priors prior prior_support priors program records tags "
        "template_files template_text validation wording",
        # data, templates, engines, measures of convergence
        1: "convergence data engines engines.cmdstan engines.progress engines.stanli "
        "engines.translation intake kept_data portrait predictors reduction storage subsets "
        "templates trust two_part_data",
        # the fit, and what answers and pictures are made of
        2: "choices consistency fit folds forecasts group_draws information integration "
        "intervals moments observed_information outcomes parameterization plots.axes pointwise "
        "plots.density plots.groups plots.marks plots.meta_forest plots.replicated pooling_rules "
        "raw sampling spread spread_words studies subsampling two_part_fit values verdict",
        # answers
        3: "advice arms coefficients comparison decisions diagnostics heterogeneity plots "
        "plots.compare plots.forest plots.funnel plots.khat plots.population plots.ppc "
        "plots.ranks plots.sensitivity plots.shrinkage plots.trace plots.uplift prediction "
        "ranks regret scoring sensitivity shrinkage winners",
        # models
        4: "keeping models pooling two_part",
        # faces
        5: "arguments calibration calibration_plot certificate cli cross_check generator "
        "quadrature report report.again report.answers report.grid report.page "
        "report.pictures report.sections report.whole_file sbc_result scale_grid simulation "
        "uniformity",
    }.items()
    for room in rooms.split()
}
ANSWERS, ATTIC = 3, 9

# The only rooms that import a library.
ENTRANCES = {
    "cmdstanpy": {"engines.cmdstan"},
    "stanli": {"engines.stanli"},
    "bridgestan": {"engines.stanli"},
    "jinja2": {"templates", "report.page"},
}

LONGEST_ROOM = 270  # lines, without docstrings


def rooms() -> dict[str, Path]:
    """Every room but the front door, by its name."""
    found = {}
    for file in sorted(HOUSE.rglob("*.py")):
        parts = file.relative_to(HOUSE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = file
    found.pop("")
    return found


def floor(room: str) -> int:
    """Return a room's floor; of one that is not on the plan, the attic."""
    return FLOORS.get(room, ATTIC)


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


def others_imported(room: str, text: str) -> list[str]:
    """List the rooms that a room imports; a package's own door may open the rooms behind it."""
    return [name for name in sorted(rooms_imported(text)) if not name.startswith(f"{room}.")]


def upward(room: str, text: str) -> list[str]:
    """List the imports of a room that go up, or sideways among the answers."""
    return [
        f"{room} ({floor(room)}) imports {other} ({floor(other)})"
        for other in others_imported(room, text)
        if floor(other) > floor(room) or floor(other) == floor(room) == ANSWERS
    ]


def test_every_room_has_a_floor() -> None:
    assert sorted(set(rooms()) - set(FLOORS)) == []


def test_imports_go_down() -> None:
    wrong = [line for room, file in rooms().items() for line in upward(room, file.read_text())]
    assert wrong == []


def test_imports_never_run_in_circles() -> None:
    graph = {room: others_imported(room, file.read_text()) for room, file in rooms().items()}
    graphlib.TopologicalSorter(graph).prepare()


def test_models_do_not_use_the_answers() -> None:
    used = {
        room: sorted(name for name in rooms_imported(file.read_text()) if floor(name) == ANSWERS)
        for room, file in rooms().items()
        if floor(room) == 4
    }
    assert {room: names for room, names in used.items() if names} == {}


def test_an_import_that_goes_up_or_sideways_is_seen() -> None:
    assert upward("data", "def f():\n    from hierstan.models import PartialPooling") == [
        "data (1) imports models (4)"
    ]
    assert upward("plots", "import hierstan.comparison") == ["plots (3) imports comparison (3)"]
    assert upward("plots", "from hierstan import Fit") == [
        "plots (3) imports the front door (hierstan.Fit) (9)"
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


def lines_of_code(text: str) -> int:
    """Count the lines that are no part of a docstring."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, documented)]
    first = [node.body[0] for node in nodes if ast.get_docstring(node) is not None]
    return text.count("\n") - sum(s.end_lineno - s.lineno + 1 for s in first)


def test_rooms_are_small() -> None:
    lengths = {room: lines_of_code(file.read_text()) for room, file in rooms().items()}
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
