"""The likelihood with the group means integrated out, draw by draw, for leave-one-out.

The integrand is the Stan program's own: its ``log_lik`` and ``log_population`` are evaluated at the
nodes of an adaptive Gauss-Hermite rule (Naylor and Smith 1982, doi:10.2307/2347995), so an edited
template is integrated as it was edited. Rows of a group with the same outcome are evaluated once.
As shipped, the likelihoods of most counts and of gamma rows are known to their families too
(`Family.log_lik`), which are asked for all draws at once: many times as quick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hierstan.data import structure
from hierstan.data.grouped_data import GroupedData
from hierstan.data.own_estimates import raw_estimates
from hierstan.errors import HierstanError
from hierstan.families import FAMILIES
from hierstan.fit.centers import centers
from hierstan.fit.nodes import mode_of, nodes_around
from hierstan.priors import Prior, Uniform
from hierstan.programs.program import Program
from hierstan.sampling.inputs import stan_data

if TYPE_CHECKING:
    from hierstan.engines.stanli import Evaluator

BOUNDED = (
    "Leave-one-out cannot integrate theta out, since its prior is bounded (Uniform). "
    "Use a prior on the whole line, such as Normal or StudentT."
)
NODES = 15
OWN_NODES = 31  # of groups without a row that matters much
MANY_NODES = 61  # where they cost next to nothing, since there are no draws
WIDENING = 1.15
DOMINANT = 0.25  # share of its group's information above which a row gets nodes of its own
APART = 0.7  # and how many standard deviations leaving it out may move the mode at most
PROBES = 5  # draws at which that is looked at
LOG_ROOT_2PI = 0.5 * np.log(2 * np.pi)
MAX_VALUES = 4_000_000  # draws x rows that are evaluated at a time

LogRatio = Callable[[np.ndarray, np.ndarray], np.ndarray]


class GroupIntegral:
    """Log predictive density of every unit with the group means integrated out, at any draws.

    Parameters
    ----------
    program : Program
        With ``theta`` among its parameters, and ``log_lik`` and ``log_population`` written.
    priors : mapping of str to Prior
        Whose numbers the program's data hold.
    data : GroupedData
    unit : {"observation", "group"}
        ``"group"``: log p(all of a group's data | hyper). ``"observation"``: log p(an observation |
        the rest of its group, hyper).
    log_ratio : callable, optional
        Added to the log density of the population: takes group means (S, K) and the unit, (K,),
        whose prior each of them has.
    """

    def __init__(
        self,
        program: Program,
        priors: Mapping[str, Prior],
        data: GroupedData,
        unit: str,
        log_ratio: LogRatio | None = None,
    ) -> None:
        self._program, self._priors, self._ratio = program, priors, log_ratio
        self._by_row = unit == "observation"
        # of all of a group's data, which is what its mode is found with
        self._whole = Cells(program, priors, data, data.cells, np.ones(len(data.cells)))
        self._cells = self._whole
        if self._by_row:
            frame, self._place = distinct_rows(data)
            _, self._first, counts = np.unique(self._place, return_index=True, return_counts=True)
            self._cells = Cells(program, priors, data, frame, counts.astype(float))

    def __call__(
        self, hyper: Mapping[str, np.ndarray], some: np.ndarray | slice = slice(None)
    ) -> np.ndarray:
        """Return it for some of the units at draws of every parameter but ``theta``, (S, U)."""
        whole = Integrand(self._whole, hyper)
        mode, scale = whole.mode(*whole.start())
        if not self._by_row:
            return whole.integrate(mode, scale, self._ratio, np.arange(mode.shape[1]))[:, some]
        integrand = Integrand(self._cells, hyper)
        total, rest = integrand.integrate_both(mode, scale * WIDENING, self._ratio, self._first)
        rest[:, self._cells.alone] = 0.0
        size = max(1, MAX_VALUES // (len(mode) * max(1, int(self._cells.group_rows.max()))))
        moved = integrand.moved(mode, scale)
        for left_out in np.split(moved, range(size, len(moved), size)):
            if left_out.size:
                part = Integrand(self._cells.without(left_out), hyper)
                groups = self._cells.group[left_out]
                found = part.mode(mode[:, groups], scale[:, groups])
                rest[:, left_out] = part.integrate(
                    *found, self._ratio, self._first[left_out], OWN_NODES
                )
        return np.asarray((total - rest)[:, self._place[some]])


class Cells:
    """Observations of groups, each so many times, and the program that evaluates them."""

    def __init__(
        self,
        program: Program,
        priors: Mapping[str, Prior],
        data: GroupedData,
        frame: pd.DataFrame,
        times: np.ndarray,
    ) -> None:
        self.program, self.priors, self.times = program, priors, times
        self.data = replace(data, rows=frame)
        self.group = frame["group"].to_numpy()
        self.group_rows = np.bincount(self.group, minlength=len(data.groups))

    @cached_property
    def alone(self) -> np.ndarray:
        """Whether each observation is its group's only one, shape (N,)."""
        return (np.bincount(self.group, self.times)[self.group] == 1) & (self.times == 1)

    @cached_property
    def explicit(self) -> bool:
        """Whether the family itself knows the likelihood, so that no program need be asked."""
        prior = self.priors.get("theta")
        known = FAMILIES[self.data.family].known
        return known and not self.program.edited and not isinstance(prior, Uniform)

    @cached_property
    def evaluator(self) -> Evaluator:
        """The program at these data."""
        from hierstan.engines.stanli import Evaluator

        return Evaluator(
            self.program,
            stan_data(self.data, self.priors, rows=True, pointwise=True, replicate=False),
        )

    @cached_property
    def member(self) -> object:
        """Sparse (J, N) matrix of how often each observation is in each group."""
        from scipy import sparse

        N = len(self.group)
        return sparse.csr_matrix(
            (self.times, (self.group, np.arange(N))), shape=(len(self.data.groups), N)
        )

    def without(self, left_out: np.ndarray) -> Cells:
        """Return what is left of the group of each of some observations without it, F groups."""
        frame, parts, times = self.data.rows, [], []
        assert frame is not None
        for place, index in enumerate(left_out):
            mine = np.flatnonzero(self.group == self.group[index])
            count = self.times[mine] - (mine == index)
            kept = mine[count > 0]
            parts.append(frame.iloc[kept].assign(group=place))
            times.append(count[count > 0])
        groups, at = pd.RangeIndex(len(left_out)), self.group[left_out]
        known, factors = self.data.predictors, self.data.factors
        data = replace(
            self.data,
            groups=groups,
            predictors=None if known is None else known.iloc[at].set_axis(groups),
            factors=None if factors is None else structure.taken(factors, at, groups),
        )
        rest = pd.concat(parts, ignore_index=True)
        return Cells(self.program, self.priors, data, rest, np.concatenate(times))


@dataclass(frozen=True)
class Integrand:
    """Log likelihood and log population at group means of our choice."""

    cells: Cells
    hyper: Mapping[str, np.ndarray]

    @cached_property
    def _points(self) -> np.ndarray:
        """Draws in the unconstrained space, where ``theta`` is itself; (S, P)."""
        evaluator = self.cells.evaluator
        theta = np.full(self.size, 0.5)
        points = evaluator.unconstrained({**self.hyper, "theta": theta})
        if not np.allclose(points[:, evaluator.parameters["theta"]], theta):
            raise HierstanError(BOUNDED)
        return points

    @property
    def size(self) -> tuple[int, int]:
        """Number of draws and of groups, (S, J)."""
        S = len(next(iter(self.hyper.values()))) if self.hyper else 1
        return S, len(self.cells.data.groups)

    def at(self, draws: np.ndarray) -> Integrand:
        """Return the same at some of the draws, or itself for all."""
        if len(draws) == self.size[0]:
            return self
        return Integrand(self.cells, {name: values[draws] for name, values in self.hyper.items()})

    def __call__(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the log integrand of each group (S, J) and log_lik (S, N) at `theta` (S, J)."""
        if self.cells.explicit:
            return self._explicitly(theta)
        points = self._points
        points[:, self.cells.evaluator.parameters["theta"]] = theta
        written = self.cells.evaluator.written_at(points, ["log_lik", "log_population"])
        log_lik, population = written["log_lik"], written["log_population"]
        return population + (self.cells.member @ log_lik.T).T, log_lik

    def _explicitly(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cells, family, frame = self.cells, FAMILIES[self.cells.data.family], self.cells.data.rows
        assert frame is not None
        own = {name: self.hyper[name][:, None] for name in family.parameters}
        log_lik = family.log_lik(family.floats(frame), theta[:, cells.group], own)
        if "theta" in cells.priors:
            population = cells.priors["theta"].log_density(theta)
        else:
            center, tau = centers(cells.data, self.hyper), self.hyper["tau"][:, None]
            population = -0.5 * ((theta - center) / tau) ** 2 - np.log(tau) - LOG_ROOT_2PI
        return population + (cells.member @ log_lik.T).T, log_lik

    def start(self) -> tuple[np.ndarray, np.ndarray]:
        """Return a first guess of each group's conditional mean and sd given the draws, (S, J)."""
        raw = raw_estimates(self.cells.data)
        mean = np.tile(raw["link"].to_numpy(), (self.size[0], 1))
        variance = np.tile(raw["link_se"].to_numpy() ** 2, (self.size[0], 1))
        if "mu" in self.hyper and "tau" in self.hyper:
            mu, tau2 = centers(self.cells.data, self.hyper), self.hyper["tau"] ** 2
            share = tau2[:, None] / (tau2[:, None] + variance)
            mean, variance = mu + (mean - mu) * share, variance * share
        return mean, np.sqrt(variance)

    def mode(self, theta: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each integrand's mode and the sd of the normal that fits it there, by Newton."""
        return mode_of(lambda theta, draws: self.at(draws)(theta)[0], theta, scale)

    def integrate(
        self,
        center: np.ndarray,
        scale: np.ndarray,
        log_ratio: LogRatio | None,
        units: np.ndarray,
        nodes: int = NODES,
    ) -> np.ndarray:
        """Return the log integral of each group, (S, J); `units` says whose prior a group gets."""
        total = np.full(center.shape, -np.inf)
        nodes = MANY_NODES if len(center) == 1 else nodes
        for theta, log_weight in nodes_around(center, scale, nodes):
            term = self(theta)[0] + log_weight
            if log_ratio is not None:
                term = term + log_ratio(theta, units)
            total = np.logaddexp(total, term)
        return total

    def integrate_both(
        self,
        center: np.ndarray,
        scale: np.ndarray,
        log_ratio: LogRatio | None,
        units: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return, for each observation, its group's log integral with it and without it, (S, N).

        Both are summed relative to the first node, which is the mode.
        """
        group = self.cells.group
        whole, rest, first = 0.0, 0.0, None
        nodes = MANY_NODES if len(center) == 1 else NODES
        for theta, log_weight in nodes_around(center, scale, nodes):
            log_integrand, log_lik = self(theta)
            term = (log_integrand + log_weight)[:, group]
            if log_ratio is not None:
                term = term + log_ratio(theta[:, group], units)
            if first is None:
                first = [np.where(np.isfinite(at), at, 0.0) for at in (term, log_lik)]
            apart = term - first[0]
            # an observation that its group cannot have at all gets nodes of its own, see `moved`
            with np.errstate(over="ignore", invalid="ignore"):
                whole = whole + np.exp(apart)
                rest = rest + np.exp(apart - (log_lik - first[1]))
        assert first is not None
        with np.errstate(divide="ignore"):
            return first[0] + np.log(whole), first[0] - first[1] + np.log(rest)

    def moved(self, mode: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Return the observations without which their group's integrand is another one.

        Leaving them out moves its mode, or widens it, so that it wants nodes of its own.
        """
        few = np.unique(np.linspace(0, len(mode) - 1, PROBES).astype(int))
        group, theta, step = self.cells.group, mode[few], 0.3 * scale[few]
        probe = self.at(few)
        here, ahead, behind = (probe(theta + shift)[1] for shift in (0, step, -step))
        step, wide = step[:, group], scale[few][:, group]
        slope = (ahead - behind) / (2 * step)
        share = -(ahead - 2 * here + behind) / step**2 * wide**2
        with np.errstate(divide="ignore", invalid="ignore"):
            away = np.abs(slope) * wide / np.sqrt(1 - share)
        changed = ~((share < DOMINANT) & (away < APART)).all(axis=0)
        return np.flatnonzero(changed & ~self.cells.alone)


def distinct_rows(data: GroupedData) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the distinct rows, and the place of each row among them."""
    assert data.rows is not None
    place = data.rows.groupby(list(data.rows.columns), sort=False).ngroup().to_numpy()
    return data.rows.drop_duplicates(ignore_index=True), place
