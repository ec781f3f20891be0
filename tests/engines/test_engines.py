"""The engines: settings, checks before and after, the cache of programs, and interruption."""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import small_data

import hierstan as hs
from hierstan.engines import Draws, Settings, get_engine, progress
from hierstan.engines.stanli import Evaluator
from hierstan.programs.program import Program

ENGINES = pytest.mark.parametrize(
    "engine", ["stanli", pytest.param("cmdstan", marks=pytest.mark.cmdstan)]
)
TINY = """data {
  int<lower=0> N;
  vector[N] y;
  real limit;
}
parameters {
  real mu;
}
model {
  if (limit < -100) {
    reject("limit is ", limit);
  }
  y ~ normal(mu, 1);
}
generated quantities {
  real low = mu > limit ? not_a_number() : mu;
}
"""
TINY_DATA: dict[str, Any] = {"N": 3, "y": np.array([0.5, 1.0, 1.5]), "limit": 100.0}


def run_tiny(engine: str, code: str = TINY, **data: Any) -> Draws:
    settings = Settings(chains=2, warmup=100, draws=100, progress=False)
    return get_engine(engine).sample(Program("tiny", code), TINY_DATA | data, settings, [])


# settings ---------------------------------------------------------------------------------------

BAD_SETTINGS = {
    "chains": [0, -1, 1001, 2.0, True, "4", None, math.nan],
    "warmup": [0, -5, 10**8, 1e3, np.float64(100)],
    "draws": [0, 10**8, 0.5],
    "seed": [0, -1, 2**31, 1.5, "one", np.array([1, 2])],
    "adapt_delta": [0, 1, 0.0, 1.0, -0.5, math.nan, math.inf, "0.9", True, None],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in BAD_SETTINGS.items() for v in vs])
def test_a_setting_out_of_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(hs.EngineError, match=f"^{name} must be a .*got ") as caught:
        Settings(**{name: value})  # type: ignore[arg-type]
    assert repr(value) in str(caught.value)


def test_numpy_numbers_are_plain_numbers_afterwards() -> None:
    settings = Settings(chains=np.int64(2), seed=np.uint32(2**31 - 1), adapt_delta=np.float32(0.5))
    assert (settings.chains, settings.seed, settings.adapt_delta) == (2, 2**31 - 1, 0.5)
    assert {type(settings.chains), type(settings.seed), type(settings.adapt_delta)} == {int, float}


def test_a_model_checks_the_settings_before_it_does_anything() -> None:
    with pytest.raises(hs.EngineError, match="adapt_delta must be a number in the open interval"):
        hs.NoPooling().fit(small_data("poisson"), adapt_delta=1.5)


# which engine -----------------------------------------------------------------------------------


@pytest.fixture
def no_cmdstan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMDSTAN", str(tmp_path / "nothing-here"))


def test_auto_is_the_embedded_engine_where_cmdstan_is_not(no_cmdstan: None) -> None:
    assert get_engine().name == "stanli"
    fit = hs.CompletePooling().fit(small_data("poisson"), seed=1, warmup=50, draws=50)
    assert re.fullmatch(r"stanli 0\.\d+\.\d+", fit.engine)


@pytest.mark.cmdstan
def test_auto_is_cmdstan_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_engine("auto").name == "cmdstan"
    assert re.fullmatch(r"CmdStan \d+\.\d+", get_engine().version())
    monkeypatch.setenv("HIERSTAN_ENGINE", "stanli")
    assert get_engine("auto").name == "stanli"
    monkeypatch.setenv("HIERSTAN_ENGINE", "auto")
    assert get_engine().name == "cmdstan"


def test_what_is_asked_for_overrules_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIERSTAN_ENGINE", "cmdstan")
    assert get_engine("auto").name == "cmdstan"
    assert get_engine("stanli").name == "stanli"
    monkeypatch.setenv("HIERSTAN_ENGINE", "")
    assert get_engine("cmdstan").name == "cmdstan"


@pytest.mark.parametrize("name", ["stan", "CmdStan", "", None, 3])
def test_an_unknown_engine_lists_the_names(name: Any) -> None:
    with pytest.raises(hs.EngineError) as caught:
        get_engine(name)
    assert str(caught.value) == f"engine must be one of auto, cmdstan, stanli; got {name!r}."


def test_an_unknown_engine_in_the_environment_is_traced_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HIERSTAN_ENGINE", "pymc")
    with pytest.raises(hs.EngineError, match=r"^HIERSTAN_ENGINE must be one of auto, .* 'pymc'\.$"):
        hs.CompletePooling().fit(small_data("poisson"))


def test_a_missing_cmdstan_says_what_to_do(no_cmdstan: None) -> None:
    with pytest.raises(hs.EngineError) as caught:
        hs.CompletePooling().fit(small_data("poisson"), engine="cmdstan")
    for cure in ("cmdstanpy.install_cmdstan", "CMDSTAN", "engine='stanli'"):
        assert cure in str(caught.value)


# checks before and after a run ------------------------------------------------------------------


@ENGINES
def test_draws_come_by_chain_and_name(engine: str) -> None:
    draws = run_tiny(engine)
    assert {name: values.shape for name, values in draws.variables.items()} == {
        "mu": (2, 100),
        "low": (2, 100),
    }
    assert sorted(draws.stats) == [
        "acceptance_rate", "diverging", "energy", "lp", "n_steps", "step_size", "tree_depth",
    ]  # fmt: skip
    assert all(values.shape == (2, 100) for values in draws.stats.values())
    np.testing.assert_array_equal(draws.variables["mu"], draws.variables["low"])
    assert not np.array_equal(draws.variables["mu"][0], draws.variables["mu"][1])


@ENGINES
def test_the_same_seed_gives_the_same_draws(engine: str) -> None:
    program = Program("tiny", TINY)
    runs = [
        get_engine(engine).sample(
            program, TINY_DATA, Settings(warmup=50, draws=50, seed=seed, progress=False), []
        )
        for seed in (2**31 - 1, 2**31 - 1, 7)
    ]
    same, other = (runs[i].variables["mu"] for i in (1, 2))
    np.testing.assert_array_equal(runs[0].variables["mu"], same)
    assert not np.isin(other, same).any()


@ENGINES
def test_nan_in_generated_quantities_is_refused(engine: str) -> None:
    with pytest.raises(hs.EngineError, match=r"% of the values of '(low|mu)' are NaN: a comput"):
        run_tiny(engine, limit=1.0)


@ENGINES
def test_a_chain_that_cannot_start_says_why(engine: str) -> None:
    with pytest.raises(hs.EngineError) as caught:
        run_tiny(engine, limit=-1000.0)
    assert "The program tiny failed: " in str(caught.value)
    assert "limit is -1000" in str(caught.value)
    assert "Look at the program with .stan_code(data)." in str(caught.value)


BAD_DATA = {
    "three dimensions": ({"y": np.zeros((1, 1, 3))}, "'y' must be a number, a vector or a matrix"),
    "truth values": ({"y": np.array([True, False, True])}, "'y' must hold numbers, got bool"),
    "words": ({"y": ["a", "b", "c"]}, "'y' must hold numbers, got <U1"),
    "objects": ({"y": np.array([1.0, None, 2.0])}, "'y' must hold numbers, got object"),
    "not a number": ({"y": np.array([1.0, np.nan, 2.0])}, "'y' holds values that are not finite"),
    "infinity": ({"limit": math.inf}, "'limit' holds values that are not finite"),
    "a large integer": ({"N": 2**31}, "'N' does not fit Stan's 32-bit integers"),
    "a small integer": ({"N": -(2**63)}, "'N' does not fit Stan's 32-bit integers"),
}


@ENGINES
@pytest.mark.parametrize("case", BAD_DATA)
def test_data_that_would_be_scrambled_are_refused(engine: str, case: str) -> None:
    data, words = BAD_DATA[case]
    with pytest.raises(hs.EngineError, match=f"^The data entry {words}"):
        run_tiny(engine, **data)


@ENGINES
@pytest.mark.parametrize("size", [2, 4])
def test_data_of_the_wrong_length_are_refused(engine: str, size: int) -> None:
    with pytest.raises(hs.EngineError, match="The program tiny failed: .*y"):
        run_tiny(engine, y=np.zeros(size))


def test_a_matrix_keeps_its_rows_and_columns() -> None:
    code = TINY.replace("  real limit;\n", "  real limit;\n  matrix[2, 3] x;\n", 1)
    code = code.replace("real low = mu", "row_vector[3] second = x[2];\n  real low = mu")
    draws = run_tiny("stanli", code, x=np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(draws.variables["second"][0, 0], [3.0, 4.0, 5.0])


@ENGINES
def test_missing_data_are_named(engine: str) -> None:
    entries = {name: value for name, value in TINY_DATA.items() if name != "limit"}
    with pytest.raises(
        hs.TemplateError, match="declares the data 'limit', which hierstan does not"
    ):
        get_engine(engine).sample(Program("tiny", TINY), entries, Settings(progress=False), [])


def test_what_the_embedded_engine_cannot_do_is_an_error() -> None:
    code = TINY.replace("mu > limit ? not_a_number() : mu", "quantile([mu, 1, 2]', 0.5)")
    with pytest.raises(hs.EngineError) as caught:
        run_tiny("stanli", code)
    assert "The embedded engine cannot run all of the program tiny" in str(caught.value)
    assert "quantile" in str(caught.value)
    assert "Use engine='cmdstan'" in str(caught.value)


def test_draws_that_would_not_fit_into_memory_are_refused() -> None:
    code = TINY.replace("real low = mu > limit ? not_a_number() : mu;", "vector[N] low;")
    settings = Settings(chains=1000, draws=10**6, progress=False)
    with pytest.raises(hs.EngineError, match=r"x 4 columns need 32 GB\. Ask for fewer draws"):
        get_engine("stanli").sample(Program("tiny", code), TINY_DATA, settings, [])


# evaluating written quantities ------------------------------------------------------------------

WRITER = """data {
  int<lower=1> J;
  real limit;
}
parameters {
  real<lower=0> tau;
  vector[J] theta;
}
model {
  tau ~ exponential(1);
  theta ~ normal(0, tau);
}
generated quantities {
  matrix[J, 2] both = append_col(theta, theta * tau);
  vector[J] bad = theta[1] > limit ? rep_vector(not_a_number(), J) : theta;
}
"""


def test_the_evaluator_writes_what_the_program_says() -> None:
    rng = np.random.default_rng(1)
    draws = {"tau": rng.uniform(1, 2, 5), "theta": rng.normal(size=(5, 3))}
    evaluator = Evaluator(Program("writer", WRITER), {"J": 3, "limit": 100.0})
    both = evaluator.written(draws, ["both"])["both"]
    np.testing.assert_allclose(both[:, :3], draws["theta"], rtol=1e-12)
    np.testing.assert_allclose(both[:, 3:], draws["theta"] * draws["tau"][:, None], rtol=1e-12)
    points = evaluator.unconstrained(draws)
    np.testing.assert_allclose(points[:, 0], np.log(draws["tau"]))
    np.testing.assert_array_equal(points[:, evaluator.parameters["theta"]], draws["theta"])
    tau, theta = draws["tau"], draws["theta"]
    expected = -tau - 3 * np.log(tau) - (theta**2).sum(axis=1) / (2 * tau**2) + np.log(tau)
    np.testing.assert_allclose(evaluator.log_density(draws), expected)


def test_the_evaluator_refuses_nan_and_what_is_not_there() -> None:
    evaluator = Evaluator(Program("writer", WRITER), {"J": 2, "limit": 0.0})
    draws = {"tau": np.ones(2), "theta": np.array([[-1.0, 0.0], [1.0, 0.0]])}
    with pytest.raises(hs.EngineError, match="50% of the values of 'bad' are NaN"):
        evaluator.written(draws, ["bad"])
    with pytest.raises(hs.TemplateError, match=r"writes no log_lik, y_rep\. An edited template"):
        evaluator.written(draws, ["y_rep", "log_lik", "both"])
    with pytest.raises(hs.EngineError, match="No draws of theta to evaluate"):
        evaluator.written({"tau": np.ones(2)}, ["both"])


# progress ---------------------------------------------------------------------------------------


@ENGINES
def test_only_a_long_run_shows_a_bar(
    engine: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_tiny(engine)  # compiled, if need be
    program = Program("tiny", TINY)
    settings = Settings(warmup=400, draws=400, progress=True)
    capfd.readouterr()
    get_engine(engine).sample(program, TINY_DATA, settings, [])
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    get_engine(engine).sample(program, TINY_DATA, settings, [])
    out, err = capfd.readouterr()
    assert out == ""
    assert "sampling:   0%|" in err
    assert "/3200" in err
    quiet = Settings(warmup=400, draws=400, progress=False)
    get_engine(engine).sample(program, TINY_DATA, quiet, [])
    assert capfd.readouterr() == ("", "")


# the cache of compiled programs -----------------------------------------------------------------


def in_cache(cache: Path) -> list[str]:
    """List what is in the cache, but for the empty files that processes lock."""
    return sorted(
        p.name for p in cache.glob("*") if not (p.suffix == ".lock" and p.stat().st_size == 0)
    )


def compile_in_new_process(cache: Path, code: str = TINY) -> subprocess.Popen[str]:
    """Start a process that samples the program with CmdStan."""
    script = (
        "import sys, numpy as np\n"
        "from hierstan.engines import Settings, get_engine\n"
        "from hierstan.programs.program import Program\n"
        "data = {'N': 1, 'y': np.zeros(1), 'limit': 100.0}\n"
        "settings = Settings(warmup=50, draws=50)\n"
        "draws = get_engine('cmdstan').sample(Program('tiny', sys.argv[1]), data, settings, [])\n"
        "print(draws.variables['mu'].shape)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, code],
        env=os.environ | {"HIERSTAN_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(condition: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.cmdstan
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_compilation_cut_short_leaves_nothing_usable(how: signal.Signals, tmp_path: Path) -> None:
    process = compile_in_new_process(tmp_path)
    wait_for(lambda: list(tmp_path.glob(".tiny-*/tiny-*/tiny.hpp")))
    os.killpg(process.pid, how)
    process.communicate(timeout=20)
    assert process.returncode != 0
    left = in_cache(tmp_path)
    assert not [name for name in left if not name.startswith(".")]
    if how == signal.SIGINT:
        assert left == []
        return
    # The next two come at once: one compiles, clears up and lets the other use it.
    both = [compile_in_new_process(tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert [out for out, _ in said] == ["(4, 50)\n"] * 2
    line = "compiling tiny with CmdStan, once (about 20 s)\n"
    assert sorted(err for _, err in said) == ["", line]
    (name,) = in_cache(tmp_path)
    assert re.fullmatch(r"tiny-[0-9a-f]{16}", name)
    assert sorted(path.stem for path in (tmp_path / name).iterdir()) == ["tiny", "tiny"]
    assert (tmp_path / name / "tiny.stan").read_text() == TINY


@pytest.mark.cmdstan
def test_a_program_that_does_not_compile_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIERSTAN_CACHE", str(tmp_path / "new"))
    with pytest.raises(hs.TemplateError, match="tiny, line 8 .*: the Stan compiler refuses"):
        run_tiny("cmdstan", TINY.replace("real mu;\n}", "real mu;"))
    assert in_cache(tmp_path / "new") == []


@pytest.mark.cmdstan
def test_a_cache_that_cannot_be_written_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HIERSTAN_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(hs.EngineError) as caught:
        run_tiny("cmdstan")
    assert f"cannot be kept in {tmp_path / 'file' / 'cache'}" in str(caught.value)
    assert "Free some space, or set the environment variable HIERSTAN_CACHE" in str(caught.value)


@pytest.mark.cmdstan
def test_a_full_disk_says_what_to_do(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    code = (
        "import resource\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (64, {resource.RLIM_INFINITY}))\n"
        "from hierstan.engines import Settings, get_engine\n"
        "from hierstan.programs.program import Program\n"
        f"get_engine('cmdstan').sample(Program('tiny', {TINY!r}), {{}}, Settings(), [])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"HIERSTAN_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert "EngineError: The compiled program cannot be kept in" in done.stderr
    assert "Free some space, or set the environment variable HIERSTAN_CACHE" in done.stderr
    assert in_cache(tmp_path) == []


@pytest.mark.cmdstan
def test_new_data_and_numbers_never_recompile(capfd: pytest.CaptureFixture[str]) -> None:
    from hierstan.engines.cmdstan import cache_folder

    def fit(priors: dict[str, hs.Normal], without: list[str]) -> hs.Fit:
        data = small_data("binomial")
        for label in without:
            data = data.without(label)
        model = hs.PartialPooling(priors=priors, parameterization="noncentered")
        return model.fit(data, seed=1, engine="cmdstan", warmup=100, draws=100)

    first = fit({}, [])
    before = {path: path.stat().st_mtime_ns for path in cache_folder().rglob("*")}
    capfd.readouterr()
    second = fit({"mu": hs.Normal(3, 0.5)}, ["a", "f"])
    assert {path: path.stat().st_mtime_ns for path in cache_folder().rglob("*")} == before
    assert capfd.readouterr() == ("", "")
    assert second.draws("mu").mean() > first.draws("mu").mean() + 0.5


# interruption -----------------------------------------------------------------------------------

LONG = """
import sys
import numpy as np, pandas as pd, hierstan as hs

def data(J):
    frame = pd.DataFrame({"g": np.arange(J), "y": np.arange(J) % 40, "n": 50})
    return hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")

model = hs.PartialPooling(parameterization="noncentered")
options = {"seed": 1, "engine": sys.argv[1], "progress": False}
model.fit(data(9), warmup=50, draws=50, **options)
print("ready", flush=True)
try:
    model.fit(data(1000), warmup=50_000, draws=50_000, **options)
except KeyboardInterrupt:
    print("stopped", flush=True)
fit = model.fit(data(9), warmup=50, draws=50, **options)
print("still works", fit.draws("mu").shape)
"""


def processes_with(word: str) -> list[str]:
    """List the command lines of running processes that hold a word."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # it has ended
            continue
    return [line for line in lines if word in line]


@pytest.mark.slow
@ENGINES
@pytest.mark.parametrize("whom", ["group", "process"])
def test_an_interrupt_stops_at_once_and_leaves_nothing(
    engine: str, whom: str, tmp_path: Path
) -> None:
    # Ctrl-C in a terminal goes to all processes of the group, a notebook's to Python alone.
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", LONG, engine],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    if engine == "cmdstan":
        wait_for(lambda: list(tmp_path.glob("hierstan-*/*.csv")))
    time.sleep(1)
    start = time.monotonic()
    (os.killpg if whom == "group" else os.kill)(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "stopped\nstill works (200,)\n", "")
    assert time.monotonic() - start < 30
    assert list(tmp_path.glob("*")) == []
    assert processes_with(str(tmp_path)) == []


# a cache and a machine that misbehave -------------------------------------------------------------

Y2100 = 4_102_444_800.0  # seconds since 1970


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own with the tiny program in it, copied from the tests' cache; its folder."""
    from hierstan.engines.cmdstan import CmdStan, cache_folder

    run_tiny("cmdstan")
    name = f"tiny-{CmdStan()._key(Program('tiny', TINY))}"
    folder = tmp_path / "cache" / name
    shutil.copytree(cache_folder() / name, folder)
    monkeypatch.setenv("HIERSTAN_CACHE", str(folder.parent))
    return folder


def times(folder: Path) -> dict[str, int]:
    """When the files of a folder were last written."""
    return {path.name: path.stat().st_mtime_ns for path in (folder, *folder.iterdir())}


@pytest.mark.cmdstan
@pytest.mark.parametrize("program", [0.0, Y2100], ids=["1970", "2100"])
@pytest.mark.parametrize("source", [0.0, Y2100], ids=["1970", "2100"])
def test_a_wrong_clock_changes_nothing(program: float, source: float, compiled: Path) -> None:
    expected = run_tiny("cmdstan")
    for path, when in ((compiled / "tiny", program), (compiled / "tiny.stan", source)):
        os.utime(path, (when, when))
    os.utime(compiled, (Y2100, Y2100))
    before = times(compiled)
    draws = run_tiny("cmdstan")
    np.testing.assert_array_equal(draws.variables["mu"], expected.variables["mu"])
    assert times(compiled) == before  # nothing was compiled again
    assert in_cache(compiled.parent) == [compiled.name]


@pytest.mark.slow
@pytest.mark.cmdstan
def test_cmdstan_that_was_moved_or_upgraded_compiles_anew(
    compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cmdstanpy

    old = Path(cmdstanpy.cmdstan_path())
    moved = tmp_path / "cmdstan-9.87.0"
    moved.mkdir()
    for part in old.iterdir():
        if part.name != "makefile":
            (moved / part.name).symlink_to(part)
    makefile = re.sub(
        r"(?m)^(CMDSTAN_VERSION *:?=).*", r"\1 9.87.0", (old / "makefile").read_text()
    )
    (moved / "makefile").write_text(makefile)
    before = times(compiled)
    monkeypatch.setenv("CMDSTAN", str(moved))
    assert get_engine("cmdstan").version() == "CmdStan 9.87"

    # what a killed build of the new one would have left, by a clock that was ahead
    key = get_engine("cmdstan")._key(Program("tiny", TINY))  # type: ignore[attr-defined]
    leftover = compiled.parent / f".tiny-{key}-left"
    leftover.mkdir()
    lock = compiled.parent / f".tiny-{key}.lock"
    lock.touch()
    for path in (leftover, lock):
        os.utime(path, (Y2100, Y2100))
    start = time.monotonic()
    assert run_tiny("cmdstan").variables["mu"].shape == (2, 100)
    assert in_cache(compiled.parent) == sorted([compiled.name, f"tiny-{key}"])
    assert time.monotonic() - start < 300  # did not wait for the clock

    monkeypatch.setenv("CMDSTAN", str(old))
    run_tiny("cmdstan")
    assert times(compiled) == before  # the old one is still there, and in use


@pytest.mark.cmdstan
def test_cmdstan_that_was_removed_says_so(compiled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CMDSTAN", str(compiled / "cmdstan-2.27.0"))
    with pytest.raises(hs.EngineError, match="^CmdStan is not installed, or not where CmdStanPy"):
        run_tiny("cmdstan")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda program: program.write_bytes(b""),
    "another file": lambda program: program.write_bytes(b"\x7fELF, or so it says" * 99),
    "cut off": lambda program: os.truncate(program, program.stat().st_size // 2),
    "not to be run": lambda program: program.chmod(0o644),
}


@pytest.mark.cmdstan
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_program_is_an_error_of_ours(how: str, compiled: Path) -> None:
    DAMAGE[how](compiled / "tiny")
    with pytest.raises(hs.EngineError, match="^The program tiny failed: "):
        run_tiny("cmdstan")
    assert in_cache(compiled.parent) == [compiled.name]


@pytest.mark.slow
@pytest.mark.cmdstan
def test_a_folder_that_lost_its_program_is_built_again(compiled: Path) -> None:
    (compiled / "tiny").unlink()
    assert run_tiny("cmdstan").variables["mu"].shape == (2, 100)
    assert sorted(times(compiled)) == sorted(["tiny", "tiny.stan", compiled.name])


@pytest.mark.cmdstan
def test_a_cache_that_is_only_for_reading_will_do(compiled: Path) -> None:
    before = times(compiled)
    for path in (compiled / "tiny.stan", compiled, compiled.parent):
        path.chmod(0o444 if path.suffix else 0o555)
    try:
        assert run_tiny("cmdstan").variables["mu"].shape == (2, 100)
        assert in_cache(compiled.parent) == [compiled.name]
        assert not list(compiled.parent.glob(".*"))  # not even a lock
        assert times(compiled) == before
    finally:
        for path in (compiled.parent, compiled):
            path.chmod(0o755)


# in a process of its own: engine, largest file, draws
ALONE = f"""
import resource, sys
import numpy as np
from hierstan.engines import Settings, get_engine
from hierstan.programs.program import Program

engine, limit, draws = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
settings = Settings(chains=2, warmup=50, draws=draws, progress=False)
data = {{"N": 1, "y": np.zeros(1), "limit": 100.0}}
try:
    found = get_engine(engine).sample(Program("tiny", {TINY!r}), data, settings, [])
    print(found.variables["mu"].shape)
except Exception as error:
    print(type(error).__name__, error)
"""


def alone(
    engine: str, folder: Path, limit: int = 0, draws: int = 50, **environment: str
) -> subprocess.Popen[str]:
    """Start a process that samples the tiny program, with temporary files in `folder`."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", ALONE, engine, str(limit), str(draws)],
        env=os.environ | {"TMPDIR": str(folder)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.slow
@pytest.mark.cmdstan
def test_a_disk_that_fills_up_while_sampling_is_an_error_of_ours(
    compiled: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    out, err = alone("cmdstan", folder, limit=3000, draws=2000).communicate(timeout=120)
    assert out.startswith("EngineError The program tiny failed: ")
    assert err == ""
    assert list(folder.iterdir()) == []
    assert run_tiny("cmdstan").variables["mu"].shape == (2, 100)


@pytest.mark.slow
@pytest.mark.cmdstan
def test_a_chain_that_is_killed_is_an_error_of_ours(compiled: Path, tmp_path: Path) -> None:
    # as the kernel does when memory runs out
    folder = tmp_path / "tmp"
    folder.mkdir()
    process = alone("cmdstan", folder, draws=400_000)
    wait_for(lambda: len(list(folder.glob("hierstan-*/*.csv"))) == 2)
    chain = Path(f"/proc/{process.pid}/task").glob("*/children")
    children = [int(pid) for file in chain for pid in file.read_text().split()]
    os.kill(children[0], signal.SIGKILL)
    out, err = process.communicate(timeout=240)
    assert out.startswith("EngineError The program tiny failed: ")
    assert err == ""
    assert list(folder.iterdir()) == []
    assert processes_with(str(folder)) == []


@pytest.mark.slow
@pytest.mark.cmdstan
def test_a_fit_killed_while_sampling_leaves_a_cache_that_works(
    compiled: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    before = times(compiled)
    process = alone("cmdstan", folder, draws=10_000_000)
    wait_for(lambda: list(folder.glob("hierstan-*/*.csv")))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    wait_for(lambda: processes_with(str(folder)) == [])
    assert run_tiny("cmdstan").variables["mu"].shape == (2, 100)
    assert times(compiled) == before
    assert in_cache(compiled.parent) == [compiled.name]


@pytest.mark.slow
@ENGINES
def test_without_a_home_folder(engine: str, tmp_path: Path) -> None:
    nowhere = {"HOME": "/dev/null/home", "XDG_CACHE_HOME": "", "HIERSTAN_CACHE": ""}
    out, err = alone(engine, tmp_path, **nowhere).communicate(timeout=120)
    if engine == "stanli":  # which keeps nothing
        assert (out, err) == ("(2, 50)\n", "")
        return
    assert out.startswith("EngineError The compiled program cannot be kept in /dev/null/home")
    assert "set the environment variable HIERSTAN_CACHE to a folder that can be written" in out
    assert err == ""


# templates with other parameters ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mu", "tau"])
def test_a_template_that_renames_a_parameter_ends_in_errors_that_name_it(
    name: str, tmp_path: Path
) -> None:
    hs.copy_templates(tmp_path / "templates")
    file = tmp_path / "templates" / "partial_pooling.stan"
    file.write_text(re.sub(rf"(?<![.\w]){name}\b", f"my_{name}", file.read_text()))
    model = hs.PartialPooling(template_dir=tmp_path / "templates")
    fit = model.fit(small_data("binomial"), seed=1, engine="stanli", warmup=200, draws=200)
    assert f"my_{name}" in fit.posterior
    assert f"my_{name}" in str(hs.summary(fit).index)
    assert hs.group_means(fit).index.tolist() == list("abcdef")
    for answer in (hs.heterogeneity, hs.predict, hs.winners_curse):
        with pytest.raises(hs.HierstanError, match=rf"no variable '{name}'\. It has .*my_{name}"):
            answer(fit)


@pytest.mark.slow
def test_fits_in_threads_leave_standard_output_alone() -> None:
    data = hs.GroupedData.from_estimates(
        hs.load_dataset("eight_schools"), group="school", estimate="effect", se="se"
    )
    before, model = sys.stdout, hs.PartialPooling()
    with ThreadPoolExecutor(2) as pool:
        fits = list(pool.map(lambda seed: model.fit(data, seed=seed, engine="stanli"), range(1, 7)))
    assert sys.stdout is before
    again = model.fit(data, seed=3, engine="stanli")
    assert fits[2].draws("tau").tolist() == again.draws("tau").tolist()
