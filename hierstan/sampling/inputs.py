"""What a fit will run: its programs and what they are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.priors import HalfNormal, Normal, Prior
from hierstan.programs.program import Program
from hierstan.sampling.coordinates import coordinates
from hierstan.sampling.grid import Grid

# The priors of what a structured page declares and some data do not have: they are of length 0.
ABSENT: dict[str, Prior] = {"beta": Normal(0, 1), "tau_level": HalfNormal(1)}


@dataclass(frozen=True)
class Plan:
    """Everything a run needs: the data, the priors and the programs.

    Attributes
    ----------
    data : GroupedData
    priors : mapping of str to Prior
    program : Program
        What is sampled.
    conditional : Program
        The same model as its page states it, with ``theta`` as a plain parameter; its ``log_lik``
        and ``y_rep`` are evaluated at the draws.
    integrated : Program or None
        Where the sampled program has theta integrated out, that as its page states it; it
        describes ``theta`` given all else.
    parameterization : str or None
    adapt_delta : float
        The target acceptance rate that suits it.
    warmup : int
        And how many draws adaptation takes.
    own_data : bool
        Whether groups are measured from where their own data put them.
    prior_only : bool
    grid : Grid or None
        Where theta is integrated out numerically, the means at which that is done.
    one_mean : bool
        Whether the groups do not differ at all, and are sampled as a single one.
    """

    data: GroupedData
    priors: Mapping[str, Prior]
    program: Program
    conditional: Program
    integrated: Program | None = None
    parameterization: str | None = None
    adapt_delta: float = 0.9
    warmup: int = 1000
    own_data: bool = True
    prior_only: bool = False
    grid: Grid | None = None
    one_mean: bool = False

    def inputs(self, *, pointwise: bool = False, describe: bool = False) -> dict[str, object]:
        """Return the data of the program that is sampled; with `describe` it describes theta."""
        entries = stan_data(self.data, self.priors, pointwise=pointwise)
        entries["describe_theta"] = int(describe)
        entries |= coordinates(
            self.program,
            self.data,
            self.priors,
            own_data=self.own_data,
            prior_only=self.prior_only,
        )
        if self.grid:
            entries |= self.grid.entries()
        if self.one_mean:
            entries |= {"J": 1, "group": np.ones_like(entries["group"])}
        return with_observations(self.program, entries, 0) if self.prior_only else entries


def stan_data(
    data: GroupedData,
    priors: Mapping[str, Prior],
    *,
    rows: bool = False,
    pointwise: bool = False,
    replicate: bool = True,
) -> dict[str, object]:
    """Return the data of a program as its page states it: the groups' and the priors' numbers.

    With `pointwise` it writes ``log_lik`` and, unless `replicate` is False, ``y_rep``: random
    numbers cost the embedded engine many times what densities do.
    """
    J = len(data.groups)
    nothing_known = {
        "K": 0,
        "x": np.zeros((J, 0)),
        "x_new": np.zeros(0),
        "F": 0,
        "L": 0,
        "factor": np.zeros(0, dtype=np.int32),
        "level": np.zeros((0, J), dtype=np.int32),
        "level_new": np.zeros(0, dtype=np.int32),
    }
    numbers: dict[str, object] = {
        f"{name}_{number}": value
        for name, prior in {**ABSENT, **priors}.items()
        for number, value in prior.numbers().items()
    }
    of_levels = [priors[name].numbers() for name in data.tau_names if name in priors]
    for number in (of_levels or [ABSENT["tau_level"].numbers()])[0]:
        numbers[f"tau_level_{number}"] = np.array([each[number] for each in of_levels])
    known = data.stan_data(rows=rows)
    flags = {"pointwise": int(pointwise), "replicate": int(pointwise and replicate)}
    flags["describe_theta"] = 0
    return {**nothing_known, **known, **_counts(known), **numbers, **flags}


def with_observations(
    program: Program, entries: Mapping[str, object], count: int
) -> dict[str, object]:
    """Return a program's data with the first `count` observations; with none, the prior is left."""
    return part_of(program, entries, "N", slice(0, count))


def part_of(
    program: Program, entries: Mapping[str, object], size: str, part: slice
) -> dict[str, object]:
    """Return a program's data with a part of those that are `size` in number, as it declares."""
    kept = len(range(*part.indices(int(np.asarray(entries[size])))))
    found = {**entries, size: kept}
    for name, declared in program.data.items():
        if size in declared.sizes and name in entries:
            index = tuple(part if one == size else slice(None) for one in declared.sizes)
            found[name] = np.asarray(entries[name])[index]
    return found


# internals --------------------------------------------------------------------------------------


def _counts(known: Mapping[str, np.ndarray]) -> dict[str, object]:
    """Return the different counts of rows, and which of them each observation has.

    Their precision is the same, so that logarithms and roots of it are taken once.
    """
    if "count" not in known:
        return {}
    different, which = np.unique(known["count"], return_inverse=True)
    return {"S": len(different), "different": different, "which": (which + 1).astype(np.int32)}
