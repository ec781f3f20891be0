"""The reference engine: CmdStan through CmdStanPy.

Compiled programs live in the user's cache folder, one folder a program, under a readable name and a
hash of everything that shapes them. A program is built beside its place and renamed into it, so a
killed build leaves nothing that could be mistaken for a program.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hierstan.engines import MAX_TREE_DEPTH, SAMPLE_STATS, Draws, Settings, check_finite
from hierstan.errors import EngineError
from hierstan.program import Program

CACHE_VARIABLE = "HIERSTAN_CACHE"
SIGNIFICANT_FIGURES = 12


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
        data: Mapping[str, Any],
        settings: Settings,
        inits: Sequence[Mapping[str, Any]],
    ) -> Draws:
        """Draw from the posterior by NUTS."""
        import cmdstanpy

        self._require()
        executable = self._compiled(program, settings.progress)
        with tempfile.TemporaryDirectory(prefix="hierstan-") as folder, _quiet():
            model = cmdstanpy.CmdStanModel(exe_file=str(executable))
            try:
                fit = model.sample(
                    data=dict(data),
                    chains=settings.chains,
                    iter_warmup=settings.warmup,
                    iter_sampling=settings.draws,
                    seed=settings.seed,
                    adapt_delta=settings.adapt_delta,
                    max_treedepth=MAX_TREE_DEPTH,
                    inits=[dict(init) for init in inits] or None,
                    output_dir=folder,
                    sig_figs=SIGNIFICANT_FIGURES,
                    show_progress=settings.progress and sys.stderr.isatty(),
                )
            except (RuntimeError, ValueError) as error:
                raise EngineError(
                    f"CmdStan failed on the program {program.name}: {_console(folder, error)}"
                ) from error
            return check_finite(_draws(fit))

    def _require(self) -> None:
        if not self.is_installed():
            raise EngineError(
                "CmdStan is not installed, or not where CmdStanPy looks for it. Install it with "
                "`python -m cmdstanpy.install_cmdstan`, set the environment variable CMDSTAN to its "
                "folder, or use engine='stanli', which needs no installation."
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
            with filelock.FileLock(f"{folder}.lock"):
                if not executable.is_file():
                    _build(program, folder, executable.name, progress)
        except OSError as error:
            raise EngineError(
                f"The compiled program cannot be kept in {folder.parent}: {error}. Free some space, "
                f"or set the environment variable {CACHE_VARIABLE} to a folder that can be written."
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

    from hierstan.engines.stanli import translated

    if progress:
        print(f"compiling {program.name} with CmdStan, once (about 20 s)", file=sys.stderr)
    if folder.exists():
        shutil.rmtree(folder)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
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
        os.replace(inside, folder)


@contextlib.contextmanager
def _quiet() -> Any:
    import logging

    import cmdstanpy

    with cmdstanpy.disable_logging():
        level = logging.getLogger("cmdstanpy").level
        try:
            yield
        finally:
            logging.getLogger("cmdstanpy").setLevel(level)


def _console(folder: str, error: Exception) -> str:
    """Return what CmdStan said, from its console files, before they go with their folder."""
    said: list[str] = []
    for path in sorted(Path(folder).rglob("*-stdout.txt")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if ("rror" in line or "xception" in line or "eject" in line) and line not in said:
                said.append(line.strip())
    return "\n".join(said[-5:]) if said else str(error)


def _draws(fit: Any) -> Draws:
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
