"""The house rules of DESIGN.md, section 7, read off the imports."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hierstan.families import FAMILIES

HOUSE = Path(__file__).parents[1] / "hierstan"

# The only rooms that import a library.
ENTRANCES = {
    "cmdstanpy": {"engines.cmdstan"},
    "stanli": {"engines.stanli"},
    "bridgestan": {"engines.stanli"},
    "jinja2": {"programs.jinja", "report.page"},
}

LONGEST_ROOM = 270  # lines, without docstrings


def rooms() -> dict[str, Path]:
    """Every room but the front door, by its name."""
    found = {}
    for file in sorted(HOUSE.rglob("*.py")):
        parts = file.relative_to(HOUSE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = file
    found.pop("")
    found.pop("__main__")  # which is the shell's door
    return found


def folders() -> dict[str, set[str]]:
    """Return what each folder may import, as its docstring says: ``Imports from: errors, text.``"""
    found = {}
    for door in sorted(HOUSE.glob("*/__init__.py")):
        said = re.search(
            r"^Imports from: ([^.]*)\.", ast.get_docstring(ast.parse(door.read_text())) or "", re.M
        )
        assert said, f"{door} does not say what may be imported there"
        found[door.parent.name] = {name.strip() for name in said[1].split(",")} - {"nothing"}
    return found


class RunTime(ast.NodeTransformer):
    """Leave out what is imported for annotations alone."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def imported(text: str, *, typed: bool = True) -> Iterator[str]:
    """Yield the modules that a file imports, at its top or inside functions; `typed` for types."""
    tree = ast.parse(text)
    for node in ast.walk(tree if typed else RunTime().visit(tree)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(text: str, *, typed: bool = True) -> set[str]:
    """Name the rooms that a file imports; a name that no room has stands for the front door's."""
    found = set()
    for module in imported(text, typed=typed):
        top, _, inside = module.partition(".")
        if top == "hierstan":
            while inside and inside not in ROOMS:
                inside = inside.rpartition(".")[0]
            found.add(inside or f"the front door ({module})")
    return found


def others_imported(room: str, text: str, *, typed: bool = True) -> list[str]:
    """List the rooms that a room imports; a package's own door may open the rooms behind it."""
    names = sorted(rooms_imported(text, typed=typed))
    return [name for name in names if not name.startswith(f"{room}.")]


def folder(room: str) -> str:
    """Return the folder of a room, or the room itself where it stands in no folder."""
    return room.partition(".")[0]


def forbidden(room: str, text: str) -> list[str]:
    """List the imports of a room that its folder's docstring does not allow.

    The folders of answers never import each other, nor does `answers.diagnose` import any.
    """
    may = {*FOLDERS.get(folder(room), {"errors"}), folder(room)}
    found = []
    for other in others_imported(room, text):
        sideways = folder(room) == folder(other) == "answers" and (
            room.split(".")[1:2] != other.split(".")[1:2]
        )
        if folder(other) not in may or sideways:
            found.append(f"{room} imports {other}")
    return found


ROOMS = rooms()
FOLDERS = folders()


def test_every_room_stands_in_a_folder() -> None:
    loose = {file.stem for file in HOUSE.glob("*.py")}
    assert loose == {"__init__", "__main__", "errors", "priors", "whole_file"}


def test_folders_stand_on_floors() -> None:
    below = {name: may - {name} for name, may in FOLDERS.items()}
    floors = [*graphlib.TopologicalSorter(below).static_order()]
    assert set(floors) == {*FOLDERS, "errors", "priors", "whole_file"}


@pytest.mark.slow
def test_rooms_import_what_their_folder_says() -> None:
    wrong = [line for room, file in ROOMS.items() for line in forbidden(room, file.read_text())]
    assert wrong == []


def test_folders_say_no_more_than_they_import() -> None:
    used: dict[str, set[str]] = {name: set() for name in FOLDERS}
    for room, file in ROOMS.items():
        if folder(room) in used:
            used[folder(room)] |= {folder(other) for other in rooms_imported(file.read_text())}
    assert {name: may - used[name] for name, may in FOLDERS.items() if may - used[name]} == {}


@pytest.mark.slow
def test_imports_never_run_in_circles() -> None:
    graph = {
        room: others_imported(room, file.read_text(), typed=False) for room, file in ROOMS.items()
    }
    graphlib.TopologicalSorter(graph).prepare()


def test_an_import_that_goes_up_or_sideways_is_seen() -> None:
    up = "def f():\n    from hierstan.models.poolings import PartialPooling"
    assert forbidden("data.grouped_data", up) == ["data.grouped_data imports models.poolings"]
    ranks = "import hierstan.answers.decisions.ranks"
    assert forbidden("answers.prediction.score", ranks) == [
        "answers.prediction.score imports answers.decisions.ranks"
    ]
    assert forbidden("answers.decisions.regret", ranks) == []
    assert forbidden("plots.forest", "from hierstan import Fit") == [
        "plots.forest imports the front door (hierstan.Fit)"
    ]
    assert forbidden("data.frames", "from hierstan.families import family\nimport numpy") == []
    for_types = "if TYPE_CHECKING:\n    from hierstan.models.poolings import PartialPooling"
    assert forbidden("data.frames", for_types) == ["data.frames imports models.poolings"]
    assert [*imported(for_types, typed=False)] == []


@pytest.mark.parametrize("library", ENTRANCES)
def test_a_heavyweight_enters_through_its_own_room(library: str) -> None:
    users = {
        room
        for room, file in ROOMS.items()
        if library in {module.partition(".")[0] for module in imported(file.read_text())}
    }
    assert users <= ENTRANCES[library]


def texts(text: str) -> Iterator[str]:
    """Yield the strings of a file; docstrings are among them."""
    nodes = ast.walk(ast.parse(text))
    yield from (n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str))


def families_named(room: str, text: str) -> list[str]:
    """List the families that a room names, outside of their own files.

    `normal` is the name of a population too; priors name Stan's distributions, and `certify` is a
    second opinion.
    """
    if folder(room) in ("families", "priors") or room == "trust.certify":
        return []
    return sorted({name for name in texts(text) if name in {*FAMILIES} - {"normal"}})


def test_a_family_is_named_in_its_own_files_alone() -> None:
    named = {room: families_named(room, file.read_text()) for room, file in ROOMS.items()}
    assert {room: names for room, names in named.items() if names} == {}
    assert families_named("plots.ppc", "if fit.data.family == 'gamma': ...") == ["gamma"]


def test_no_room_asks_for_the_name_of_a_pooling() -> None:
    asked = re.compile(r"model\.name (?:[=!]=|in|not in) ")
    assert [room for room, file in ROOMS.items() if asked.search(file.read_text())] == []


def test_a_family_is_one_python_file_beside_one_stan_file() -> None:
    stan = HOUSE.parent / "stan" / "families"
    own = {name: family for name, family in FAMILIES.items() if not family.file}
    for name, family in own.items():
        assert type(family).__module__ == f"hierstan.families.{name}"
        assert (stan / f"{name}.stan").is_file()


def lines_of_code(text: str) -> int:
    """Count the lines that are no part of a docstring."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, documented)]
    first = [node.body[0] for node in nodes if ast.get_docstring(node) is not None]
    return text.count("\n") - sum(s.end_lineno - s.lineno + 1 for s in first)


def test_rooms_are_small() -> None:
    lengths = {room: lines_of_code(file.read_text()) for room, file in ROOMS.items()}
    assert {room: n for room, n in lengths.items() if n > LONGEST_ROOM} == {}


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = "arviz arviz_base arviz_plots arviz_stats bridgestan cmdstanpy jinja2 joblib matplotlib"
    heavy += " narwhals numpy pandas scipy stanli tqdm xarray"
    code = f"import hierstan, sys; print(*sorted(set({heavy.split()!r}) & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "\n"


@pytest.mark.slow
def test_every_room_behind_the_front_door_is_there() -> None:
    code = "import hierstan; [getattr(hierstan, name) for name in hierstan.__all__]"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
