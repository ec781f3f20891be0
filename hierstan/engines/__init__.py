"""The engines that run a Stan program, behind one small protocol.

Imports from: errors, programs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hierstan.errors import EngineError
from hierstan.programs.program import Program

ENVIRONMENT_VARIABLE = "HIERSTAN_ENGINE"
NAMES = ("cmdstan", "stanli")
MAX_INT = 2**31 - 1
MAX_SEED = 2**31 - 1  # what CmdStan 2.27 takes
SAMPLE_STATS = {
    "lp__": "lp",
    "accept_stat__": "acceptance_rate",
    "stepsize__": "step_size",
    "treedepth__": "tree_depth",
    "n_leapfrog__": "n_steps",
    "divergent__": "diverging",
    "energy__": "energy",
}
MAX_TREE_DEPTH = 10


@dataclass(frozen=True)
class Settings:
    """How to sample. Checked here, since an engine may trust its caller."""

    chains: int = 4
    warmup: int = 1000
    draws: int = 1000
    seed: int = 1
    adapt_delta: float = 0.9
    progress: bool = True

    def __post_init__(self) -> None:
        for name, low, high in (
            ("chains", 1, 1000),
            ("warmup", 1, 10**7),
            ("draws", 1, 10**7),
            ("seed", 1, MAX_SEED),
        ):
            value = getattr(self, name)
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if not whole or not low <= value <= high:
                raise EngineError(
                    f"{name} must be a whole number from {low} to {high}, got {value!r}."
                )
            object.__setattr__(self, name, int(value))
        number = isinstance(self.adapt_delta, (float, np.floating))
        if not number or not 0 < self.adapt_delta < 1:
            raise EngineError(
                "adapt_delta must be a number in the open interval (0, 1), "
                f"got {self.adapt_delta!r}."
            )
        object.__setattr__(self, "adapt_delta", float(self.adapt_delta))


@dataclass(frozen=True)
class Draws:
    """What an engine returns: variables of shape (chain, draw, ...) and sampler statistics."""

    variables: dict[str, np.ndarray]
    stats: dict[str, np.ndarray]


class Engine(Protocol):
    """What an engine must be able to do."""

    name: str

    def version(self) -> str:
        """Return the engine's name and version, for people."""
        ...

    def sample(
        self,
        program: Program,
        data: Mapping[str, object],
        settings: Settings,
        inits: Sequence[Mapping[str, object]],
        variances: Mapping[str, np.ndarray] | None = None,
    ) -> Draws:
        """Draw from the posterior by NUTS.

        `variances` of parameters on the unconstrained scale are what adaptation starts from; those
        not named start from 1.
        """
        ...


def get_engine(name: str = "auto") -> Engine:
    """Return an engine by name; ``"auto"`` is CmdStan where it is installed, else Stanli.

    ``HIERSTAN_ENGINE`` stands in for ``"auto"``.
    """
    from hierstan.engines.cmdstan import CmdStan
    from hierstan.engines.stanli import Stanli

    chosen = name
    if name == "auto":
        chosen = os.environ.get(ENVIRONMENT_VARIABLE) or "auto"
    if chosen == "auto":
        return CmdStan() if CmdStan.is_installed() else Stanli()
    if chosen == "cmdstan":
        return CmdStan()
    if chosen == "stanli":
        return Stanli()
    origin = "engine" if name != "auto" else ENVIRONMENT_VARIABLE
    raise EngineError(f"{origin} must be one of auto, {', '.join(NAMES)}; got {chosen!r}.")


def check_data(data: Mapping[str, object]) -> dict[str, np.ndarray]:
    """Return a program's data as arrays, refusing what an engine would scramble or truncate."""
    arrays = {name: np.asarray(value) for name, value in data.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "iuf":
            raise EngineError(f"The data entry {name!r} must hold numbers, got {array.dtype}.")
        if array.ndim > 2:
            raise EngineError(
                f"The data entry {name!r} must be a number, a vector or a matrix, got the shape "
                f"{array.shape}."
            )
        if (
            array.dtype.kind in "iu"
            and array.size
            and not -MAX_INT <= array.min() <= array.max() <= MAX_INT
        ):
            raise EngineError(f"The data entry {name!r} does not fit Stan's 32-bit integers.")
        if not np.isfinite(array).all():
            raise EngineError(f"The data entry {name!r} holds values that are not finite.")
    return arrays


def check_finite(draws: Draws) -> Draws:
    """Refuse draws that hold NaN, which an engine may return for a failed computation."""
    for name, values in draws.variables.items():
        if np.isnan(values).any():
            share = float(np.isnan(values).mean())
            raise EngineError(
                f"{share:.0%} of the values of {name!r} are NaN: a computation in the Stan program "
                "failed at some draws, most often in generated quantities (an overflow, or a "
                "random number with an invalid argument). Guard it in the template."
            )
    return draws
