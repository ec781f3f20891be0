"""Every public name has an example, and every example of the package runs as it is printed.

The doctests of a room are one test, run as a user would: with warnings as errors, without a screen,
in an empty folder that has to be empty afterwards. Spaces do not count, since pandas puts some at
the end of lines.
"""

from __future__ import annotations

import doctest
import importlib
import inspect
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import hierstan

HOUSE = Path(hierstan.__file__).parent


def rooms() -> list[str]:
    """Every module of the package, by its full name."""
    found = []
    for file in sorted(HOUSE.rglob("*.py")):
        parts = ("hierstan", *file.relative_to(HOUSE).with_suffix("").parts)
        found.append(".".join(part for part in parts if part != "__init__"))
    return found


def public() -> Iterator[tuple[str, str]]:
    """Yield what users call, and where its example is to be.

    That is the front door's names, and of its classes the public methods and properties; a property
    may be shown in its class's example.
    """
    for name in sorted(hierstan.__all__):
        thing = getattr(hierstan, name)
        yield name, str(thing.__doc__)
        for member, found in inspect.getmembers_static(thing) if inspect.isclass(thing) else []:
            function = getattr(found, "fget", None) or getattr(found, "__func__", found)
            ours = str(getattr(function, "__module__", "")).startswith("hierstan")  # not Python's
            if member.startswith("_") or not inspect.isfunction(function) or not ours:
                continue
            shown = isinstance(found, property) and f".{member}" in str(thing.__doc__)
            yield f"{name}.{member}", str(thing.__doc__ if shown else function.__doc__)


def has_example(text: str) -> bool:
    """Whether a docstring has a section of examples, and runs something in it."""
    before, found, examples = text.partition("Examples\n")
    return bool(before and found and ">>> " in examples)


def skipped(module: ModuleType) -> list[str]:
    """Name the doctests of a module that hold an example which is never run."""
    return [
        test.name
        for test in doctest.DocTestFinder(exclude_empty=True).find(module)
        if any(doctest.SKIP in example.options for example in test.examples)
    ]


def test_every_public_name_has_an_example() -> None:
    assert [name for name, text in public() if not has_example(text)] == []


def test_methods_are_looked_at_too() -> None:
    names = [name for name, _ in public()]
    assert {"GroupedData.from_rows", "Fit.draws", "Fit.stan_code", "PartialPooling.fit"} <= {*names}
    assert "DataError.add_note" not in names


def test_a_docstring_without_an_example_is_seen() -> None:
    assert not has_example("None")
    assert not has_example("Say something.\n\n    Examples\n    --------\n    Sometimes.\n")
    assert not has_example("Say something.\n\n    >>> 1\n    1\n")
    assert has_example(str(test_a_docstring_that_says_too_much.__doc__))


@pytest.mark.parametrize("room", rooms())
def test_examples_run_as_printed(
    room: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # for examples that make a folder
    module = importlib.import_module(room)
    assert skipped(module) == []
    try:
        failed, _ = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    finally:
        close_figures()
    assert failed == 0, capsys.readouterr().out
    assert list(here.iterdir()) == []


def close_figures() -> None:
    """Close the pictures that examples drew, if any did."""
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def test_a_docstring_that_says_too_much() -> None:
    """Say what is not so.

    Examples
    --------
    >>> 1 + 1
    3
    """
    test = doctest.DocTestFinder().find(test_a_docstring_that_says_too_much)[0]
    assert doctest.DocTestRunner().run(test, out=lambda _: None).failed == 1
