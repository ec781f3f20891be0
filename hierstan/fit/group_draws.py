"""Draws of very many group means, made when they are asked for.

Where theta was integrated out, its distribution given the other parameters is known exactly, and
the program draws from it. A million groups times four thousand draws need not be kept for that:
any part of them can be made at any time, the same again for the same seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.priors import Prior
from hierstan.programs.program import Program
from hierstan.sampling.inputs import part_of, stan_data
from hierstan.sampling.theta import TILE, noise_seed, theta_by_rejection, theta_of_tile

if TYPE_CHECKING:
    from hierstan.engines.stanli import Evaluator

CONDITIONALS = 400  # draws of the other parameters over which conditionals are averaged


class GroupDraws:
    """The draws of theta of a fit that does not keep them.

    Parameters
    ----------
    program : Program or None
        That writes ``theta_mean`` and ``theta_sd`` for the other parameters; None where theta was
        integrated out numerically, and is drawn by rejection.
    data : GroupedData
    priors : mapping of str to Prior
    hyper : mapping of str to numpy.ndarray
        Draws of the program's parameters, (S, ...).
    seed : int
    """

    def __init__(
        self,
        program: Program | None,
        data: GroupedData,
        priors: Mapping[str, Prior],
        hyper: Mapping[str, np.ndarray],
        seed: int,
    ) -> None:
        self._program, self._hyper, self._seed = program, dict(hyper), seed
        self._data, self._priors = data, priors
        self._noise_seed = noise_seed(seed, data, priors)
        # groups whose errors go together are made together
        self._width = len(data.groups) if FAMILIES[data.family].correlated else TILE[1]
        self._entries = {**stan_data(data, priors), "describe_theta": 1}
        self.size = len(next(iter(hyper.values()))), len(data.groups)
        self._evaluator = lru_cache(maxsize=256)(self._made_evaluator)

    def at(self, draws: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return theta at some draws, of some groups, (s, K)."""
        result = np.empty((len(draws), len(groups)))
        for tile in np.unique(groups // self._width):
            columns = np.flatnonzero(groups // self._width == tile)
            for part in np.unique(draws // TILE[0]):
                rows = np.flatnonzero(draws // TILE[0] == part)
                made = self._tile(int(part), int(tile))
                inside = np.ix_(draws[rows] % TILE[0], groups[columns] % self._width)
                result[np.ix_(rows, columns)] = made[inside]
        return result

    def conditionals(self, groups: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and sd of theta given the other parameters, (400, K) each."""
        S = self.size[0]
        which = np.unique(np.linspace(0, S - 1, min(S, CONDITIONALS)).astype(int))
        means, sds = [], []
        points = {name: values[which] for name, values in self._hyper.items()}
        for tile in range(groups.start // self._width, -(-groups.stop // self._width)):
            mean, sd = self._described(tile, points)
            first = tile * self._width
            part = slice(max(groups.start - first, 0), groups.stop - first)
            means.append(mean[:, part])
            sds.append(sd[:, part])
        return np.hstack(means), np.hstack(sds)

    # internals --------------------------------------------------------------------------------

    def _tile(self, part: int, tile: int) -> np.ndarray:
        """Draw a tile of theta, always from the same seed."""
        draws = slice(part * TILE[0], (part + 1) * TILE[0])
        points = {name: values[draws] for name, values in self._hyper.items()}
        seed = [self._noise_seed, part, tile]
        if self._program is None:
            groups = slice(tile * self._width, (tile + 1) * self._width)
            return theta_by_rejection(self._data, groups, points["mu"], points["tau"], seed)
        mean, sd = self._described(tile, points)
        return theta_of_tile(self._data, self._priors, mean, sd, points.get("tau"), seed)

    def _described(
        self, tile: int, points: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and sd of theta of the groups of a tile, given the other parameters."""
        assert self._program is not None
        part = slice(tile * self._width, (tile + 1) * self._width)
        of_groups = {name for name, of in self._program.parameters.items() if "J" in of.sizes}
        own = {name: v[:, part] if name in of_groups else v for name, v in points.items()}
        written = self._evaluator(tile).written(own, ["theta_mean", "theta_sd"])
        return written["theta_mean"], written["theta_sd"]

    def _made_evaluator(self, tile: int) -> Evaluator:
        from hierstan.engines.stanli import Evaluator

        assert self._program is not None
        part = slice(tile * self._width, (tile + 1) * self._width)
        entries = part_of(self._program, self._entries, "J", part)
        entries = part_of(self._program, entries, "N", part)  # one observation a group
        return Evaluator(self._program, entries, self._seed)
