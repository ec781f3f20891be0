"""The likelihood of two arms with baselines and effects integrated out, of an edited page.

Where a template says otherwise what the means of arms are, or how they vary over the groups, the
integrand is the Stan program's own: ``log_lik`` and ``log_population`` at nodes of an adaptive
Gauss-Hermite rule in both dimensions, as `integral` has it in one. Of a population with tails as
heavy as those of Student's t with 3 degrees of freedom they are good to about 0.03.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hierstan.answers.comparison.arm_means import whereabouts
from hierstan.answers.comparison.arms_integral import LATENT
from hierstan.answers.comparison.integral import (
    APART,
    BOUNDED,
    DOMINANT,
    PROBES,
    WIDENING,
    Cells,
    LogRatio,
    distinct_rows,
)
from hierstan.data.grouped_data import GroupedData
from hierstan.errors import HierstanError
from hierstan.families.treatment import TREATED, arm_of
from hierstan.fit.nodes import NEWTON_STEPS
from hierstan.priors import Prior, Uniform
from hierstan.programs.program import Program

NODES, MORE_NODES = 7, 21  # in each dimension; more where these disagree by more than SETTLED
SETTLED = 2e-3
STEP = 0.3  # of finite differences, in standard deviations
NEAR, SHORTER = 0.2, 6  # steps to the mode, in standard deviations
FLATTEST = 0.04  # precision that a step finds, in units of that before it


class PageIntegral:
    """Log predictive density of every unit of two arms, at any draws; as `ArmsIntegral`."""

    def __init__(
        self,
        program: Program,
        priors: Mapping[str, Prior],
        data: GroupedData,
        unit: str,
        log_ratio: LogRatio | None = None,
    ) -> None:
        if isinstance(priors.get("theta"), Uniform):
            raise HierstanError(BOUNDED)
        self._ratio, self._by_row, self._nodes = log_ratio, unit == "observation", 0
        self._arms = np.unique(arm_of(data.cells)) if unit == "arm" else None
        self._others: dict[int, Cells] = {}
        frame, times = data.cells, np.ones(len(data.cells))
        if self._by_row:
            frame, self._place = distinct_rows(data)
            _, self._first, counts = np.unique(self._place, return_index=True, return_counts=True)
            times = counts.astype(float)
        self._cells = Cells(program, priors, data, frame, times)
        for a in (0, 1) if unit == "arm" else ():
            other = frame[frame[TREATED] == 1 - a].reset_index(drop=True)
            self._others[a] = Cells(program, priors, data, other, np.ones(len(other)))

    def __call__(self, hyper: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return it at draws of every parameter but those of groups, (S, ...): (S, units)."""
        if self._arms is not None:
            return self._of_arms(hyper, self._arms)
        integrand = _Integrand(self._cells, hyper)
        normal = integrand.mode(integrand.start())
        if not self._nodes:
            self._nodes = integrand.nodes_needed(normal)
        if not self._by_row:
            every = np.arange(integrand.size[1])
            return integrand.integrate(normal, self._nodes, self._ratio, every)[0]
        group = self._cells.group
        whole, rest = integrand.integrate(
            _Normal(normal.center, normal.root * WIDENING),
            self._nodes,
            self._ratio,
            self._first,
            group,
        )
        rest[:, self._cells.alone] = 0.0
        moved = integrand.moved(normal)
        if moved.size:
            part = _Integrand(self._cells.without(moved), hyper)
            its = part.mode(_Normal(normal.center[:, group[moved]], normal.root[:, group[moved]]))
            nodes = part.nodes_needed(its)
            rest[:, moved] = part.integrate(its, nodes, self._ratio, self._first[moved])[0]
        return np.asarray((whole - rest)[:, self._place])

    # internals ----------------------------------------------------------------------------------

    def _of_arms(self, hyper: Mapping[str, np.ndarray], code: np.ndarray) -> np.ndarray:
        """Return the log density of all rows of an arm given those of the other one."""
        found = np.empty((len(hyper["intercept"]), len(code)))
        for a, other in self._others.items():
            mine = np.flatnonzero(code % 2 == a)
            units = np.zeros(len(self._cells.data.groups), dtype=int)
            units[code[mine] // 2] = mine
            whole, rest = (self._of_groups(cells, hyper, units) for cells in (self._cells, other))
            rest[:, other.group_rows == 0] = 0.0
            found[:, mine] = (whole - rest)[:, code[mine] // 2]
        return found

    def _of_groups(
        self, cells: Cells, hyper: Mapping[str, np.ndarray], units: np.ndarray
    ) -> np.ndarray:
        integrand = _Integrand(cells, hyper)
        normal = integrand.mode(integrand.start())
        return integrand.integrate(normal, integrand.nodes_needed(normal), self._ratio, units)[0]


# internals ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Normal:
    """What an integrand is like: ``center + root @ z``, (S, J, D) and (S, J, D, D)."""

    center: np.ndarray
    root: np.ndarray

    def at(self, z: tuple[float, ...]) -> np.ndarray:
        return np.asarray(self.center + self.root @ np.array(z))


@dataclass(frozen=True)
class _Integrand:
    """Log likelihood and log population at baselines and effects of our choice."""

    cells: Cells
    hyper: Mapping[str, np.ndarray]

    @cached_property
    def latent(self) -> list[str]:
        """The parameters that are integrated out, the baseline first."""
        return [name for name in LATENT if name in self.cells.program.parameters]

    @property
    def size(self) -> tuple[int, int]:
        """Number of draws and of groups, (S, J)."""
        return len(next(iter(self.hyper.values()))), len(self.cells.data.groups)

    @cached_property
    def _points(self) -> np.ndarray:
        zero = {name: np.zeros(self.size) for name in self.latent}
        return self.cells.evaluator.unconstrained({**self.hyper, **zero})

    def __call__(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the log integrand of each group (S, J) and log_lik (S, N) at values (S, J, D)."""
        points, evaluator = self._points, self.cells.evaluator
        for d, name in enumerate(self.latent):
            points[:, evaluator.parameters[name]] = values[..., d]
        written = evaluator.written_at(points, ["log_lik", "log_population"])
        log_lik = written["log_lik"]
        return written["log_population"] + (self.cells.member @ log_lik.T).T, log_lik

    def start(self) -> _Normal:
        """Return where the arms' own data have their means."""
        center, width = (part.reshape(-1, 2).T for part in whereabouts(self.cells.data))
        D = len(self.latent)
        mean = np.stack([center[0], center[1] - center[0]], axis=-1)[..., :D]
        root = np.zeros((len(mean), 2, 2))
        root[:, 0, 0], root[:, 1, 0], root[:, 1, 1] = width[0], -width[0], width[1]
        S = self.size[0]
        return _Normal(np.tile(mean, (S, 1, 1)), np.tile(root[:, :D, :D], (S, 1, 1, 1)))

    def mode(self, normal: _Normal) -> _Normal:
        """Return the mode of each integrand and the normal that fits it there, by Newton."""
        for _ in range(NEWTON_STEPS):
            slope, precision = self._bent(normal)
            lost = ~np.isfinite(slope).all(axis=-1) | ~np.isfinite(precision).all(axis=(-2, -1))
            slope[lost], precision[lost] = 0.0, 4 * np.eye(len(self.latent))
            values, vectors = np.linalg.eigh(precision)
            values = np.maximum(values, FLATTEST)
            along = np.einsum("sjdk,sjd->sjk", vectors, slope)
            move = np.einsum("sjdk,sjk->sjd", vectors, along / values)
            move = self._shortened(normal, np.einsum("sjdk,sjk->sjd", normal.root, move))
            root = normal.root @ (vectors / np.sqrt(values)[..., None, :])
            normal = _Normal(normal.center + move, root)
            if float((along**2 / values).sum(axis=-1).max()) < NEAR**2:
                break
        return normal

    def _shortened(self, normal: _Normal, move: np.ndarray) -> np.ndarray:
        """Return steps that lead uphill."""
        best = self(normal.center)[0]
        for _ in range(SHORTER):
            there = self(normal.center + move)[0]
            worse = ~(there >= best - 1e-9 * np.abs(best))
            if not worse.any():
                break
            move = np.where(worse[..., None], move / 3, move)
        return move

    def _bent(self, normal: _Normal) -> tuple[np.ndarray, np.ndarray]:
        """Return slope and minus the curvature of the integrand, in units of a normal."""
        D = len(self.latent)
        eye = STEP * np.eye(D)
        here = self(normal.center)[0]
        ahead, behind = (
            np.stack([self(normal.at(tuple(s * e)))[0] for e in eye], axis=-1) for s in (1, -1)
        )
        slope = (ahead - behind) / (2 * STEP)
        precision = np.zeros((*here.shape, D, D))
        for d in range(D):
            precision[..., d, d] = (2 * here - ahead[..., d] - behind[..., d]) / STEP**2
        if D == 2:
            both = sum(self(normal.at((s * STEP, s * STEP)))[0] for s in (1, -1))
            sides = (ahead + behind).sum(axis=-1)
            cross = (sides - both - 2 * here) / (2 * STEP**2)
            precision[..., 0, 1] = precision[..., 1, 0] = cross
        return slope, precision

    @property
    def _single(self) -> np.ndarray:
        """Whether each observation is the only one of its arm, (N,)."""
        frame, times = self.cells.data.rows, self.cells.times
        assert frame is not None
        arm = 2 * self.cells.group + frame[TREATED].to_numpy().astype(int)
        return np.asarray((np.bincount(arm, times)[arm] == 1) & (times == 1))

    def nodes_needed(self, normal: _Normal) -> int:
        """Return how many nodes the integrals want, as a few draws have it."""
        few, part = self._few(normal)
        every = np.arange(self.size[1])
        one, other = (few.integrate(part, n, None, every)[0] for n in (NODES, MORE_NODES))
        return NODES if float(np.abs(one - other).max()) < SETTLED else MORE_NODES

    def _few(self, normal: _Normal) -> tuple[_Integrand, _Normal]:
        some = np.unique(np.linspace(0, self.size[0] - 1, PROBES).astype(int))
        hyper = {name: values[some] for name, values in self.hyper.items()}
        return _Integrand(self.cells, hyper), _Normal(normal.center[some], normal.root[some])

    def integrate(
        self,
        normal: _Normal,
        count: int,
        log_ratio: LogRatio | None,
        units: np.ndarray,
        group: np.ndarray | slice = slice(None),
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log integrals of the groups, and without an observation where these are asked for.

        `units` says whose prior a group gets; `group`, for each observation, its group.
        """
        by_row = not isinstance(group, slice)
        S, J = self.size
        whole = np.full((S, len(units) if by_row else J), -np.inf)
        rest = whole.copy() if by_row else np.empty((S, 0))
        nodes, weights = np.polynomial.hermite_e.hermegauss(count)
        log_weights = np.log(weights) + 0.5 * nodes**2
        size = np.log(np.abs(np.linalg.det(normal.root)))
        for index in itertools.product(range(count), repeat=len(self.latent)):
            values = normal.at(tuple(nodes[list(index)]))
            log_integrand, log_lik = self(values)
            term = (log_integrand + log_weights[list(index)].sum() + size)[:, group]
            if log_ratio is not None:
                term = term + log_ratio(values[:, group, self.latent.index("theta")], units)
            whole = np.logaddexp(whole, term)
            if by_row:
                rest = np.logaddexp(rest, term - log_lik)
        return whole, rest

    def moved(self, normal: _Normal) -> np.ndarray:
        """Return the observations without which their group's integrand is another one."""
        probe, its = self._few(normal)
        here, square, share = probe(its.center)[1], 0.0, 0.0
        for step in STEP * np.eye(len(self.latent)):
            ahead, behind = (probe(its.at(tuple(s * step)))[1] for s in (1, -1))
            square = square + ((ahead - behind) / (2 * STEP)) ** 2
            share = share + np.abs(2 * here - ahead - behind) / STEP**2
        with np.errstate(divide="ignore", invalid="ignore"):
            away = np.sqrt(square / (1 - share))
        changed = ~((share < DOMINANT) & (away < APART)).all(axis=0) | self._single
        return np.flatnonzero(changed & ~self.cells.alone)
