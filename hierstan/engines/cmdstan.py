"""The reference engine: CmdStan through CmdStanPy.

Compiled programs live in the user's cache folder, one folder a program, under a readable name and a
hash of everything that shapes them. A program is built beside its place and renamed into it, so a
killed build leaves nothing that could be mistaken for a program.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hierstan.engines import (
    MAX_TREE_DEPTH,
    SAMPLE_STATS,
    Draws,
    Settings,
    check_data,
    check_finite,
)
from hierstan.engines.progress import progress_bar
from hierstan.engines.stanli import Evaluator, inverse_metric
from hierstan.engines.translation import translated
from hierstan.errors import EngineError
from hierstan.programs.program import Program

if TYPE_CHECKING:
    from cmdstanpy import CmdStanMCMC

CACHE_VARIABLE = "HIERSTAN_CACHE"
SIGNIFICANT_FIGURES = 12
MINUTE_STEP = 1e-14  # of a chain that stays where it starts
FOREVER = 4e6  # seconds; CmdStanPy gives a chain with a time limit a timer that can end it


class CmdStan:
    """Sample with CmdStan."""

    name = "cmdstan"

    @staticmethod
    def is_installed() -> bool:
        """Whether CmdStanPy finds a CmdStan with its compiler."""
        import cmdstanpy
        from cmdstanpy.utils.cmdstan import stanc_path

        try:
            cmdstanpy.cmdstan_path()
            return Path(stanc_path()).exists()
        except ValueError:
            return False

    def version(self) -> str:
        """Return the engine's name and version, for people."""
        from cmdstanpy import cmdstan_version

        version = cmdstan_version()
        return f"CmdStan {version[0]}.{version[1]}" if version else "CmdStan"

    def sample(
        self,
        program: Program,
        data: Mapping[str, object],
        settings: Settings,
        inits: Sequence[Mapping[str, object]],
        variances: Mapping[str, np.ndarray] | None = None,
    ) -> Draws:
        """Draw from the posterior by NUTS."""
        import cmdstanpy

        self._require()
        checked = check_data(data)
        metric = None
        if variances:
            places = Evaluator(program, data).parameters
            metric = {"inv_metric": inverse_metric(places, variances).tolist()}
        executable = self._compiled(program, settings.progress)
        with (
            _quiet(),
            tempfile.TemporaryDirectory(prefix="hierstan-", ignore_cleanup_errors=True) as folder,
        ):
            model = cmdstanpy.CmdStanModel(exe_file=str(executable))
            try:
                with progress_bar(settings) as refresh:
                    sample = functools.partial(
                        model.sample,
                        data=checked,
                        chains=settings.chains,
                        iter_warmup=settings.warmup,
                        iter_sampling=settings.draws,
                        seed=settings.seed,
                        adapt_delta=settings.adapt_delta,
                        max_treedepth=MAX_TREE_DEPTH,
                        inits=list(inits) or None,
                        metric=metric,
                        output_dir=folder,
                        sig_figs=SIGNIFICANT_FIGURES,
                        show_progress=False,
                        show_console=refresh > 0,
                        refresh=refresh or None,
                        timeout=FOREVER,
                    )
                    fit = _interruptible(sample, folder)
            except (RuntimeError, ValueError) as error:
                raise translated(_console(folder, error, executable), program) from error
            return check_finite(_draws(fit))

    def evaluate(
        self,
        program: Program,
        data: Mapping[str, object],
        points: Sequence[Mapping[str, object]],
    ) -> Draws:
        """Return what the program writes at given parameter values, shape (point, 1, ...).

        CmdStan before 2.31 has no command for it, so each point starts a chain of one draw whose
        step is so small that it stays where it is; ``lp`` is the log density there, without
        constants. The values it wrote are those that it was evaluated at, to the last digit.
        """
        import cmdstanpy

        self._require()
        executable = self._compiled(program, progress=False)
        with _quiet(), tempfile.TemporaryDirectory(prefix="hierstan-") as folder:
            model = cmdstanpy.CmdStanModel(exe_file=str(executable))
            try:
                fit = model.sample(
                    data=check_data(data),
                    chains=len(points),
                    iter_warmup=0,
                    iter_sampling=1,
                    seed=1,
                    adapt_engaged=False,
                    step_size=MINUTE_STEP,
                    max_treedepth=1,
                    inits=list(points),
                    output_dir=folder,
                    sig_figs=18,
                    show_progress=False,
                )
            except (RuntimeError, ValueError) as error:
                raise translated(_console(folder, error, executable), program) from error
            return check_finite(_draws(fit))

    def _require(self) -> None:
        if not self.is_installed():
            raise EngineError(
                "CmdStan is not installed, or not where CmdStanPy looks for it. Install it with "
                "`python -m cmdstanpy.install_cmdstan`, set the environment variable CMDSTAN to "
                "its folder, or use engine='stanli', which needs no installation."
            )

    def _compiled(self, program: Program, progress: bool) -> Path:
        """Return the executable, compiling it once."""
        import filelock

        folder = cache_folder() / f"{program.name}-{self._key(program)}"
        executable = folder / (program.name + (".exe" if os.name == "nt" else ""))
        if executable.is_file():
            return executable
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(folder.with_name(f".{folder.name}.lock")):
                if not executable.is_file():
                    _build(program, folder, executable.name, progress)
        except OSError as error:
            raise EngineError(
                f"The compiled program cannot be kept in {folder.parent}: {error}. Free some "
                f"space, or set the environment variable {CACHE_VARIABLE} to a folder that can be "
                "written."
            ) from error
        return executable

    def _key(self, program: Program) -> str:
        import cmdstanpy

        parts = (program.code, self.version(), cmdstanpy.cmdstan_path())
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def cache_folder() -> Path:
    """Return the folder of compiled programs: ``HIERSTAN_CACHE`` or the user's cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("hierstan"))


# internals ------------------------------------------------------------------------------------


def _build(program: Program, folder: Path, name: str, progress: bool) -> None:
    """Compile in a temporary folder beside `folder` and rename it into place."""
    import cmdstanpy

    if progress:
        print(f"compiling {program.name} with CmdStan, once (about 20 s)", file=sys.stderr)
    for leftover in (folder, *folder.parent.glob(f".{folder.name}-*")):  # of a killed build
        if leftover.exists():
            shutil.rmtree(leftover)
    with tempfile.TemporaryDirectory(
        prefix=f".{folder.name}-", dir=folder.parent, ignore_cleanup_errors=True
    ) as scratch:
        inside = Path(scratch) / folder.name
        inside.mkdir()
        file = inside / f"{program.name}.stan"
        file.write_text(program.code, encoding="utf-8")
        with _quiet():
            try:
                cmdstanpy.CmdStanModel(stan_file=str(file))
            except ValueError as error:
                raise translated(str(error), program) from error
        for leftover in inside.iterdir():
            if leftover.name not in (name, file.name):
                leftover.unlink()
        inside.replace(folder)


def _quiet() -> contextlib.AbstractContextManager[object]:
    import cmdstanpy

    return cmdstanpy.disable_logging()


def _console(folder: str, error: Exception, executable: Path) -> str:
    """Return what CmdStan said, from its console files, before they go with their folder."""
    lines = [
        line.strip()
        for path in sorted(Path(folder).rglob("*-stdout.txt"))
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
    ]
    for sign in ("Exception", "rror", "evaluate"):
        said = list(dict.fromkeys(line for line in lines if line and sign in line))
        if said:
            return "\n".join(said[-3:])
    if not isinstance(error, RuntimeError):
        return str(error)
    return (
        "a chain ended without saying why. Either it was killed (is there enough memory?), or its "
        f"disk is full ({Path(folder).parent}), or its compiled program is damaged: then delete "
        f"{executable.parent}, and it will be compiled again."
    )


def _interruptible(sample: Callable[[], CmdStanMCMC], folder: str) -> CmdStanMCMC:
    """Run CmdStanPy's `sample` so that Ctrl-C stops it at once and leaves no chain running.

    CmdStanPy waits for its chains in a way that an interrupt need not end (not once polars, which
    it imports, has put in its own handler), so it waits in a thread. Chains that wait for their
    turn cannot start without their folder. Those that run are ended the way CmdStanPy ends one
    whose time is up: each has a timer for that.
    """
    before = set(threading.enumerate())
    pool = futures.ThreadPoolExecutor(1)
    future = pool.submit(sample)
    pool.shutdown(wait=False)
    try:
        while not future.done():
            futures.wait([future], timeout=0.1)
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        while not future.done():
            for thread in set(threading.enumerate()) - before:
                if isinstance(thread, threading.Timer):
                    thread.function()
            futures.wait([future], timeout=0.1)
        raise
    return future.result()


def _draws(fit: CmdStanMCMC) -> Draws:
    """Read the draws once and give them the shape (chain, draw, ...)."""
    values = np.asarray(fit.draws(concat_chains=False))
    variables = {
        name: np.ascontiguousarray(np.swapaxes(variable.extract_reshape(values), 0, 1))
        for name, variable in fit.metadata.stan_vars.items()
    }
    columns = list(fit.column_names)
    stats = {
        ours: np.ascontiguousarray(values[:, :, columns.index(theirs)].T)
        for theirs, ours in SAMPLE_STATS.items()
    }
    return Draws(variables, stats)
