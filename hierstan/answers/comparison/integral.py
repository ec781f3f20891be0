"""The likelihood with the group means integrated out, draw by draw, for leave-one-out.

The integrand is the Stan program's own: its ``log_lik`` and ``log_population`` are evaluated at the
nodes of an adaptive Gauss-Hermite rule (Naylor and Smith 1982, doi:10.2307/2347995), so an edited
template is integrated as it was edited. Where their logarithm is a parabola in theta, three points
give the integral exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.data.own_estimates import raw_estimates
from hierstan.errors import HierstanError
from hierstan.priors import Prior
from hierstan.programs.program import Program
from hierstan.sampling.inputs import stan_data

if TYPE_CHECKING:
    from hierstan.engines.stanli import Evaluator

NODES = 15
NEWTON_STEPS = 30  # mostly two or three do; more where a group's own data are far from the mode
WIDENING = 1.15
DOMINANT = 0.25  # share of its group's information above which an observation gets nodes of its own

LogRatio = Callable[[np.ndarray, np.ndarray], np.ndarray]


def integrated_log_lik(
    program: Program,
    priors: Mapping[str, Prior],
    data: GroupedData,
    hyper: Mapping[str, np.ndarray],
    *,
    unit: str,
    log_ratio: LogRatio | None = None,
) -> np.ndarray:
    """Return the log predictive density of every unit at every draw, group means integrated out.

    Parameters
    ----------
    program : Program
        With ``theta`` among its parameters, and ``log_lik`` and ``log_population`` written.
    priors : mapping of str to Prior
        Whose numbers the program's data hold.
    data : GroupedData
    hyper : mapping of str to numpy.ndarray
        Draws of every parameter but ``theta``, each (S, ...). Empty when there are none.
    unit : {"observation", "group"}
        ``"group"``: log p(all of a group's data | hyper). ``"observation"``: log p(an observation |
        the rest of its group, hyper).
    log_ratio : callable, optional
        Added to the log density of the population: takes group means (S, K) and the unit, (K,),
        whose prior each of them has.

    Returns
    -------
    numpy.ndarray
        Of shape (S, J) or (S, N).
    """
    by_row = unit == "observation"
    integrand = Integrand(program, priors, data, hyper, rows=by_row)
    if integrand.some_draws().parabolic(log_ratio):
        return integrand.under_parabolas(log_ratio)
    mode, scale = integrand.mode(*integrand.start())
    J = len(data.groups)
    if not by_row:
        return integrand.integrate(mode, scale, log_ratio, np.arange(J))
    whole, rest = integrand.integrate_both(mode, scale * WIDENING, log_ratio)
    rest[:, integrand.alone] = 0.0
    for left_out in integrand.dominant(mode, scale):
        part = integrand.without(left_out)
        groups = integrand.group[left_out]
        units = np.zeros(J, dtype=int)
        units[groups] = left_out
        rest[:, left_out] = part.integrate(*part.mode(mode, scale), log_ratio, units)[:, groups]
    return whole - rest


@dataclass(frozen=True)
class Integrand:
    """Log likelihood and log population at group means of our choice."""

    program: Program
    priors: Mapping[str, Prior]
    data: GroupedData
    hyper: Mapping[str, np.ndarray]
    rows: bool
    left_out: tuple[int, ...] = ()

    @cached_property
    def group(self) -> np.ndarray:
        """Group of each observation, from 0, shape (N,)."""
        frame = self.data.rows if self.rows else self.data.cells
        assert frame is not None
        return frame["group"].to_numpy()

    @cached_property
    def alone(self) -> np.ndarray:
        """Whether each observation is its group's only one, shape (N,)."""
        return np.bincount(self.group)[self.group] == 1

    @cached_property
    def _evaluator(self) -> Evaluator:
        from hierstan.engines.stanli import Evaluator

        return Evaluator(
            self.program, stan_data(self.data, self.priors, rows=self.rows, pointwise=True)
        )

    @cached_property
    def _points(self) -> np.ndarray:
        """Draws in the unconstrained space, where ``theta`` is itself; (S, P)."""
        draws = {**self.hyper, "theta": self.start()[0]}
        points = self._evaluator.unconstrained(draws)
        if not np.allclose(points[:, self._evaluator.parameters["theta"]], draws["theta"]):
            raise HierstanError(
                "Leave-one-out cannot integrate theta out, since its prior is bounded (Uniform). "
                "Use a prior on the whole line, such as Normal or StudentT."
            )
        return points

    @property
    def size(self) -> tuple[int, int]:
        """Number of draws and of groups, (S, J)."""
        S = len(next(iter(self.hyper.values()))) if self.hyper else 1
        return S, len(self.data.groups)

    def without(self, left_out: np.ndarray) -> Integrand:
        """Return the integrand without some observations, at most one of a group."""
        part = Integrand(
            self.program, self.priors, self.data, self.hyper, self.rows, tuple(left_out)
        )
        part.__dict__.update(
            _evaluator=self._evaluator,
            _points=self._points,
            group=self.group,
            _member=self._member,
        )
        return part

    def __call__(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the log integrand of each group (S, J) and log_lik (S, N) at `theta` (S, J)."""
        points = self._points
        points[:, self._evaluator.parameters["theta"]] = theta
        written = self._evaluator.written_at(points, ["log_lik", "log_population"])
        log_lik, population = written["log_lik"], written["log_population"]
        if self.left_out:
            log_lik = log_lik.copy()
            log_lik[:, list(self.left_out)] = 0.0
        return population + (self._member @ log_lik.T).T, log_lik

    @cached_property
    def _member(self) -> object:
        """Sparse (J, N) matrix of which observation belongs to which group."""
        from scipy import sparse

        N = len(self.group)
        return sparse.csr_matrix(
            (np.ones(N), (self.group, np.arange(N))), shape=(len(self.data.groups), N)
        )

    def start(self) -> tuple[np.ndarray, np.ndarray]:
        """Return a first guess of each group's conditional mean and sd given the draws, (S, J)."""
        raw = raw_estimates(self.data)
        mean = np.tile(raw["link"].to_numpy(), (self.size[0], 1))
        variance = np.tile(raw["link_se"].to_numpy() ** 2, (self.size[0], 1))
        if "mu" in self.hyper and "tau" in self.hyper:
            mu, tau2 = population_means(self.data, self.hyper), self.hyper["tau"][:, None] ** 2
            mean = (mean * tau2 + mu * variance) / (tau2 + variance)
            variance = variance * tau2 / (tau2 + variance)
        return mean, np.sqrt(variance)

    def mode(self, theta: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each integrand's mode and the sd of the normal that fits it there, by Newton."""
        move = np.zeros_like(theta)
        for _ in range(NEWTON_STEPS):
            step = 0.3 * scale
            here, ahead, behind = (self(theta + shift)[0] for shift in (0, step, -step))
            slope = (ahead - behind) / (2 * step)
            curvature = (ahead - 2 * here + behind) / step**2
            with np.errstate(divide="ignore", invalid="ignore"):
                newton = np.where(curvature < 0, 1 / np.sqrt(-curvature), 1.5 * scale)
            newton = np.clip(newton, scale / 5, scale * 5)
            reach = np.maximum(3 * newton, 2 * np.abs(move))
            move = np.clip(slope * newton**2, -reach, reach)
            theta, scale = theta + move, newton
            if float(np.abs(move / newton).max()) < 0.2:
                break
        return theta, scale

    def integrate(
        self, center: np.ndarray, scale: np.ndarray, log_ratio: LogRatio | None, units: np.ndarray
    ) -> np.ndarray:
        """Return the log integral of each group, (S, J); `units` says whose prior a group gets."""
        total = np.full(center.shape, -np.inf)
        for theta, log_weight in _nodes(center, scale):
            term = self(theta)[0] + log_weight
            if log_ratio is not None:
                term = term + log_ratio(theta, units)
            total = np.logaddexp(total, term)
        return total

    def integrate_both(
        self, center: np.ndarray, scale: np.ndarray, log_ratio: LogRatio | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return, for each observation, its group's log integral with it and without it, (S, N)."""
        whole = np.full((center.shape[0], len(self.group)), -np.inf)
        rest = whole.copy()
        everyone = np.arange(len(self.group))
        for theta, log_weight in _nodes(center, scale):
            log_integrand, log_lik = self(theta)
            term = (log_integrand + log_weight)[:, self.group]
            if log_ratio is not None:
                term = term + log_ratio(theta[:, self.group], everyone)
            whole = np.logaddexp(whole, term)
            rest = np.logaddexp(rest, term - log_lik)
        return whole, rest

    def some_draws(self) -> Integrand:
        """Return the integrand at the first, the middle and the last draw."""
        few = sorted({0, self.size[0] // 2, self.size[0] - 1})
        hyper = {name: values[few] for name, values in self.hyper.items()}
        return Integrand(self.program, self.priors, self.data, hyper, self.rows)

    def parabolic(self, log_ratio: LogRatio | None) -> bool:
        """Whether the logarithm of each unit's integrands is a parabola in theta."""
        theta, scale = self.start()
        points = [self._terms(theta + by * scale, log_ratio) for by in (-2, 0, 2, 1)]
        return all(
            np.allclose(here + (ahead - behind) / 4 + (ahead - 2 * here + behind) / 8, between,
                        rtol=1e-12, atol=1e-8)
            for behind, here, ahead, between in zip(*points, strict=True)
        )  # fmt: skip

    def under_parabolas(self, log_ratio: LogRatio | None) -> np.ndarray:
        """Return what `integrated_log_lik` does, for integrands that are `parabolic`."""
        theta, scale = self.start()
        step = 2 * scale[:, self.group] if self.rows else 2 * scale
        points = [self._terms(theta + by * scale, log_ratio) for by in (-2, 0, 2)]
        integrals = []
        for behind, here, ahead in zip(*points, strict=True):
            slope = (ahead - behind) / (2 * step)
            precision = -(ahead - 2 * here + behind) / step**2
            with np.errstate(divide="ignore", invalid="ignore"):  # an observation on its own
                integrals.append(
                    here + slope**2 / (2 * precision) + np.log(2 * np.pi / precision) / 2
                )
        if not self.rows:
            return np.asarray(integrals[0])
        whole, rest = integrals
        return np.asarray(np.where(self.alone, whole, whole - rest))

    def _terms(self, theta: np.ndarray, log_ratio: LogRatio | None) -> tuple[np.ndarray, ...]:
        """Return the log integrand of each unit's group, and for rows also that without the row."""
        log_integrand, log_lik = self(theta)
        if self.rows:
            log_integrand, theta = log_integrand[:, self.group], theta[:, self.group]
        if log_ratio is not None:
            log_integrand = log_integrand + log_ratio(theta, np.arange(theta.shape[1]))
        if not self.rows:
            return (log_integrand,)
        return log_integrand, np.where(self.alone, 0.0, log_integrand - log_lik)

    def dominant(self, mode: np.ndarray, scale: np.ndarray) -> list[np.ndarray]:
        """Return the observations that hold much of their group's information.

        Their group's integrand without them is another one, which wants its own nodes. Sets of
        observations with at most one of each group, so that a set is integrated at once.
        """
        middle = mode.shape[0] // 2
        pick = Integrand(
            self.program, self.priors, self.data,
            {name: values[middle : middle + 1] for name, values in self.hyper.items()},
            self.rows,
        )  # fmt: skip
        theta, step = mode[middle : middle + 1], 0.3 * scale[middle : middle + 1]
        here, ahead, behind = (pick(theta + shift)[1] for shift in (0, step, -step))
        information = -(ahead - 2 * here + behind)[0] / step[0, self.group] ** 2
        share = information * scale[middle, self.group] ** 2
        left = np.flatnonzero((share > DOMINANT) & ~self.alone)
        sets: list[list[int]] = []
        taken: dict[int, int] = {}
        for index in left:
            turn = taken.get(self.group[index], 0)
            taken[self.group[index]] = turn + 1
            if turn == len(sets):
                sets.append([])
            sets[turn].append(int(index))
        return [np.array(chosen) for chosen in sets]


def population_means(data: GroupedData, draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the mean of the population each group is from, (S, J), or (S, 1) for one and all."""
    mu = draws["mu"][:, None]
    return mu + draws["beta"] @ data.design[:, 1:].T if "beta" in draws else mu


# internals ------------------------------------------------------------------------------------


def _nodes(center: np.ndarray, scale: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the nodes of the rule around `center`, and the logs of their weights."""
    for node, weight in zip(*np.polynomial.hermite.hermgauss(NODES), strict=True):
        wide = np.sqrt(2) * scale
        yield center + wide * node, np.log(weight) + node**2 + np.log(wide)
