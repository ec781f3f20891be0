"""The front door: quick to open, the same names at run time and for type checkers, real types."""

from __future__ import annotations

import ast
import copy
import importlib
import os
import pickle
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import hierstan as hs

CHECKOUT = Path(__file__).parents[1]
STUB = CHECKOUT / "hierstan" / "__init__.pyi"
SECONDS = 0.35  # that `import hierstan` may take; it takes a hundredth of it

SCRIPT = """import hierstan as hs

frame = hs.load_dataset("eight_schools")
data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
model = hs.PartialPooling(priors={"mu": hs.Normal(0, 10), "tau": hs.HalfNormal(5)})
fit = model.fit(data, seed=1, engine="stanli")
fits = hs.fit_poolings(data, seed=1)
comparison = hs.compare(fits)
reveal_type(frame)  # pandas.DataFrame
reveal_type(data)  # hierstan.data.grouped_data.GroupedData
reveal_type(data.groups)  # pandas.Index
reveal_type(data.without("A").stan_data())  # dict[str, Any]
reveal_type(model)  # hierstan.models.poolings.PartialPooling
reveal_type(model.stan_code(data))  # str
reveal_type(fit)  # hierstan.fit.fit.Fit
reveal_type(fit.seed)  # int
reveal_type(fit.priors["tau"])  # hierstan.priors.Prior
reveal_type(fit.draws("mu"))  # numpy.ndarray
reveal_type(fit.posterior)  # xarray.Dataset
reveal_type(fits)  # hierstan.models.fits.Fits
reveal_type(comparison)  # hierstan.answers.comparison.comparison.Comparison
reveal_type(comparison.verdict)  # str
reveal_type(comparison.preferred)  # str | None
reveal_type(comparison.table)  # pandas.DataFrame
reveal_type(hs.loo(fit).elpd)  # float
reveal_type(hs.summary(fit))  # pandas.DataFrame
reveal_type(hs.diagnose(fit).ok)  # bool
reveal_type(hs.shrinkage(fit))  # pandas.DataFrame
reveal_type(hs.heterogeneity(fit).verdict)  # str
reveal_type(hs.prob_best(fit))  # pandas.Series
reveal_type(hs.load("fit.nc"))  # hierstan.fit.fit.Fit
reveal_type(hs.__version__)  # str
hs.report(fits, "report.html")
try:
    fit.save("fit.nc")
except hs.HierstanError as error:
    reveal_type(error)  # hierstan.errors.HierstanError
"""
MISTAKES = {
    'hs.PartialPooling(priors={"mu": "normal"})': "dict-item",
    "hs.compare(3)": "arg-type",
    'hs.CompletePooling().fit("data")': "arg-type",
    "hs.prob_bets": "attr-defined",
}


def stub_names() -> dict[str, str]:
    """Return the room of every name in the stub; each is exported under its own name."""
    found = {}
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert alias.asname == alias.name, f"`as {alias.name}` exports it from a stub"
                assert alias.name not in found
                found[alias.name] = str(node.module)
    return found


def mypy(tmp_path: Path, **scripts: str) -> str:
    """Check a user's scripts in a folder of its own, and return what mypy says."""
    if os.environ.get("HIERSTAN_REQUIRE_CMDSTAN") != "1":  # a laptop may lack it
        pytest.importorskip("mypy")
    for name, script in scripts.items():
        (tmp_path / f"{name}.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *(f"{name}.py" for name in scripts)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout


def bare(shown: str) -> str:
    """Leave out what libraries change: where a type is defined, and what it is a type of."""
    shown = shown.replace("builtins.", "")
    shown = re.sub(r"Union\[(\w+), None\]", r"\1 | None", shown)
    shown = re.sub(r"pandas(\.core)?[\w.-]*\.(DataFrame|Series|Index)\b", r"pandas.\2", shown)
    shown = re.sub(r"xarray[\w.]*\.Dataset\b", "xarray.Dataset", shown)
    return re.sub(r"(Series|Index|ndarray)\[.*\]", r"\1", shown)


def test_stub_and_front_door_have_the_same_names() -> None:
    names = stub_names()
    lacking = [f"from hierstan.? import {n} as {n}" for n in sorted({*hs.__all__} - {*names})]
    assert lacking == [], "write these lines into hierstan/__init__.pyi"
    assert sorted({*names} - {*hs.__all__}) == []


def test_stub_and_front_door_have_the_same_things() -> None:
    for name, room in stub_names().items():
        assert getattr(importlib.import_module(room), name) is getattr(hs, name), name


def test_names_in_the_stub_are_typed_in_their_room() -> None:
    # a room that loads lazily itself, as plots does, would make all its names Any
    lazy = {
        room
        for room in stub_names().values()
        if "lazy.attach" in Path(str(importlib.import_module(room).__file__)).read_text()
    }
    assert lazy == set()


def test_the_wheel_carries_stub_and_marker() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    assert "hierstan" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    assert STUB.is_file()
    assert (CHECKOUT / "hierstan" / "py.typed").is_file()


def test_the_front_door_opens_quickly() -> None:
    code = "import time; t = time.perf_counter(); import hierstan; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", code]
    times = [
        float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(3)
    ]
    assert min(times) < SECONDS


@pytest.mark.slow
def test_a_users_script_has_real_types_and_its_mistakes_are_seen(tmp_path: Path) -> None:
    wrong = "\n".join(["import hierstan as hs", *MISTAKES, ""])
    said = mypy(tmp_path, user=SCRIPT, wrong=wrong)
    found = [bare(shown) for shown in re.findall(r'Revealed type is "(.*)"', said)]
    assert found == re.findall(r"^ *reveal_type.*  # (.*)$", SCRIPT, re.MULTILINE)
    errors = re.findall(r"^(\w+)\.py:(\d+): error: .*\[([\w-]+)\]$", said, re.MULTILINE)
    assert errors == [
        ("wrong", str(line), code) for line, code in enumerate(MISTAKES.values(), start=2)
    ]


def best_group(seed: int) -> str:
    """What a user sends to workers: it says `hs`, which comes from where it was defined."""
    frame = hs.load_dataset("eight_schools")
    data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    fit = hs.PartialPooling().fit(data, seed=seed, engine="stanli", progress=False)
    return str(hs.prob_best(fit).idxmax())


def test_the_front_door_is_copied_by_name() -> None:
    assert copy.deepcopy(hs) is hs
    assert pickle.loads(pickle.dumps(hs)) is hs


@pytest.mark.slow
def test_a_function_that_uses_hs_is_sent_to_workers(tmp_path: Path) -> None:
    # as cloudpickle sends what a script or notebook defines: by value, the module by its name
    joblib = pytest.importorskip("joblib")
    cloudpickle = pytest.importorskip("cloudpickle")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        (tmp_path / "sent").write_bytes(cloudpickle.dumps(best_group))
        code = f"import pickle; print(pickle.load(open({str(tmp_path / 'sent')!r}, 'rb'))(1))"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True
        )
        results = joblib.Parallel(2)(joblib.delayed(best_group)(seed) for seed in (1, 1))
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    assert done.stdout.split() == results[:1] == results[1:] == ["A"]


@pytest.mark.slow
def test_results_come_back_from_workers() -> None:
    frame = hs.load_dataset("baseball")
    data = hs.GroupedData.from_counts(frame, group="player", successes="hits", trials="at_bats")
    fits = hs.fit_poolings(data, seed=1, engine="stanli", progress=False)
    partial = fits["partial"]
    results = {
        "data": data, "fits": fits, "comparison": hs.compare(fits, progress=False),
        "prediction": hs.predict(partial), "heterogeneity": hs.heterogeneity(partial),
        "diagnosis": hs.diagnose(partial), "curse": hs.winners_curse(partial),
        "decisions": hs.decision_table(partial), "shrinkage": hs.shrinkage(partial),
    }  # fmt: skip
    for name, result in results.items():
        assert str(pickle.loads(pickle.dumps(result))) == str(result), name


@pytest.mark.slow
def test_a_first_comparison_imports_no_scipy_xarray_or_arviz() -> None:
    code = (
        "import sys, hierstan as hs; frame = hs.load_dataset('eight_schools');"
        "data = hs.GroupedData.from_estimates(frame, group='school', estimate='effect', se='se');"
        "print(hs.compare(hs.fit_poolings(data, seed=1, engine='stanli', progress=False)));"
        "heavy = 'scipy.special scipy.stats arviz_base arviz_stats matplotlib xarray tqdm'.split();"
        "print(*sorted(set(heavy) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == ""
