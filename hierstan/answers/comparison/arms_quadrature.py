"""Integrals over both arms' means, which are normal given the population: quadrature in 2-D.

Adaptive Gauss-Hermite quadrature in two standard normal variables (Naylor and Smith 1982,
doi:10.2307/2347995), one axis of which is the mean of the arm in question.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from hierstan.answers.comparison.curves import Curves, Pair
from hierstan.answers.comparison.integral import LogRatio
from hierstan.priors import Prior

NODES, MORE_NODES = 7, (15, 31)  # in each dimension: more where most differs by more than SETTLED
SETTLED, PROBES = 2e-3, 5  # and how many draws tell
BLOCK = 2**18  # nodes x draws x groups at a time
NEWTON_STEPS = 50
LONGEST, NEAR, SHORTER = 10.0, 0.05, 6  # steps to the mode, in standard deviations
LOG_2PI = np.log(2 * np.pi)


@dataclass(frozen=True)
class Population:
    """What the means of both arms are: ``center + root @ z``, with z standard normal.

    Attributes
    ----------
    center : numpy.ndarray
        Of the control and the treated arm, (2, S, F).
    root : numpy.ndarray
        (2, D, S, F); D is 2, or 1 where the effects follow from other parameters.
    theta : numpy.ndarray
        Center and spread of theta, (2, S, F).
    prior : Prior or None
        Of theta, where that is not normal.
    """

    center: np.ndarray
    root: np.ndarray
    theta: np.ndarray
    prior: Prior | None = None

    def of(self, groups: np.ndarray) -> Population:
        """Return that of some groups."""
        center, root, theta = (v[..., groups] for v in (self.center, self.root, self.theta))
        return Population(center, root, theta, self.prior)

    def log_density(self, z: np.ndarray, ratio: LogRatio | None, units: np.ndarray) -> np.ndarray:
        """Return the log density at z, (S, F); `units` says whose prior of theta a group has."""
        normal = -0.5 * (z**2 + LOG_2PI)
        if self.prior is None and ratio is None:
            return np.asarray(normal.sum(axis=0))
        theta = self.theta[0] + self.theta[1] * z[0]
        total = normal.sum(axis=0)
        if self.prior is not None:
            total = total + self.prior.log_density(theta) - normal[0] + np.log(self.theta[1])
        return np.asarray(total if ratio is None else total + ratio(theta, units))


@dataclass(frozen=True)
class Arms:
    """Integrands of F groups: curves of their arms, one of which may be absent."""

    curves: Pair
    population: Population
    nodes: int = NODES

    @property
    def present(self) -> tuple[bool, bool]:
        """Whether there is a curve of each arm."""
        first, second = (curve is not None for curve in self.curves)
        return first, second

    def nodes_needed(self, ratio: LogRatio | None, units: np.ndarray) -> np.ndarray:
        """Return how many nodes the integral of each group takes, (F,), as a few draws have it."""
        few = self._draws(np.unique(np.linspace(0, self.size - 1, PROBES).astype(int)))
        *fewer, most = MORE_NODES
        exact = replace(few, nodes=most).log_integral(ratio, units)
        needed = np.full(exact.shape[1], most)
        for nodes in (*fewer, NODES):
            apart = replace(few, nodes=nodes).log_integral(ratio, units) - exact
            needed[(np.abs(apart) < SETTLED).all(axis=0)] = nodes
        return needed

    @property
    def size(self) -> int:
        """Number of draws, S."""
        return self.population.center.shape[1]

    def take(self, groups: np.ndarray) -> Arms:
        """Return those of some groups, which may come several times."""
        first, second = (None if curve is None else curve.take(groups) for curve in self.curves)
        return replace(self, curves=(first, second), population=self.population.of(groups))

    def only(self, a: int) -> Arms:
        """Return the same without the other arm: of the two dimensions one is left."""
        first, second = (curve if arm == a else None for arm, curve in enumerate(self.curves))
        return replace(self, curves=(first, second))

    def less(self, a: int, part: Curves) -> Arms:
        """Return the same without some of the data of an arm."""
        first, second = (
            curve.without(part) if arm == a and curve is not None else curve
            for arm, curve in enumerate(self.curves)
        )
        return replace(self, curves=(first, second))

    def log_integral(self, ratio: LogRatio | None, units: np.ndarray) -> np.ndarray:
        """Return the log integral of each group, (S, F); `units` says whose prior a group gets."""
        a = 0 if self.curves[0] is not None else 1
        return log_sum(self.marginal(a, ratio, units)[1])

    def marginal(
        self, a: int, ratio: LogRatio | None, units: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return nodes of an arm's mean, (K, S, F), and logs of their weights, whose sum is all."""
        width = max(1, BLOCK // (self.nodes**2 * self.population.center.shape[2]))
        parts = [
            self._draws(slice(start, start + width))._marginal(a, ratio, units)
            for start in range(0, self.size, width)
        ]
        means, log_weights = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
        return means, log_weights

    # internals ----------------------------------------------------------------------------------

    def _draws(self, some: slice | np.ndarray) -> Arms:
        """Return the same at some of the draws."""
        own, p = self.curves, self.population
        center, root, theta = p.center[:, some], p.root[:, :, some], p.theta[:, some]
        first, second = (None if curve is None else curve.draws(some) for curve in own)
        population = Population(center, root, theta, p.prior)
        return replace(self, curves=(first, second), population=population)

    def _marginal(
        self, a: int, ratio: LogRatio | None, units: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        mode, covariance = self._mode()
        root = self.population.root
        along = np.einsum("desf,esf->dsf", covariance, root[a])
        wide = np.sqrt(_dot(root[a], along))
        along, det = along / wide, _determinant(covariance)
        center, own, other = self.population.center, self.curves[a], self.curves[1 - a]
        plain = other is None and ratio is None and self.population.prior is None
        x, log_x = _rule(self.nodes)
        at = mode[:, None] + along[:, None] * x[:, None, None]
        means = center[a] + _dot(root[a][:, None], at)
        z, log_y = at[:, :, None], np.zeros(1)
        if len(root[a]) == 2:  # at right angles to what moves the arm's mean
            across = np.array([-root[a][1], root[a][0]]) * np.sqrt(det) / wide
            y, log_y = _rule(1 if plain else self.nodes)
            z = z + across[:, None, None] * y[:, None, None]
        terms = self.population.log_density(z, ratio, units) + log_y[:, None, None]
        if other is not None:
            terms = terms + other(center[1 - a] + _dot(root[1 - a][:, None, None], z))
        total = log_sum(terms, axis=1) + log_x[:, None, None] + 0.5 * np.log(det)
        return means, total if own is None else total + own(means)

    def _mode(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mode of each integrand, (D, S, F), and the covariance of the normal there."""
        z, covariance = self._start()
        best, slope, covariance = self._near(z)
        for _ in range(NEWTON_STEPS):
            move = np.einsum("desf,esf->dsf", covariance, slope)
            if float(_dot(move, slope).max()) < NEAR**2:
                break
            move = move * np.minimum(1.0, LONGEST / np.sqrt(np.maximum(_dot(move, move), 1.0)))
            there = self._near(z + move)
            for _ in range(SHORTER):
                worse = there[0] < best - 1e-9 * np.abs(best)
                if not worse.any():
                    break
                move = np.where(worse, move / 3, move)
                there = self._near(z + move)
            z = z + move
            best, slope, covariance = there
        return z, covariance

    def _near(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the log integrand, its slope, and the covariance of the normal that fits it."""
        total, slope, precisions = -0.5 * (z**2).sum(axis=0), -z, []
        for a, curve in enumerate(self.curves):
            if curve is not None:
                value, first, bend = curve.derivatives(self._mean(a, z))
                total, slope = total + value, slope + self.population.root[a] * first
                precisions.append((a, np.maximum(-bend, 0)))
        return total, slope, self._covariance(precisions)

    def _start(self) -> tuple[np.ndarray, np.ndarray]:
        """Return where normal curves, of the arms' centers and widths, would put the mode."""
        known = [(a, curve) for a, curve in enumerate(self.curves) if curve is not None]
        covariance = self._covariance([(a, curve.width**-2.0) for a, curve in known])
        pull = sum(
            self.population.root[a] * (curve.center - self.population.center[a]) / curve.width**2
            for a, curve in known
        )
        return np.einsum("desf,esf->dsf", covariance, pull), covariance

    def _covariance(self, precisions: list[tuple[int, np.ndarray]]) -> np.ndarray:
        """Return that of z, (D, D, S, F), where arms tell of their means with some precision."""
        root = self.population.root
        total = np.zeros((len(root[0]), *root[0].shape))
        for d in range(len(total)):
            total[d, d] = 1.0
        for a, precision in precisions:
            total += root[a][:, None] * root[a][None] * precision
        if len(total) == 1:
            return np.asarray(1 / total)
        adjoint = np.array([[total[1, 1], -total[0, 1]], [-total[0, 1], total[0, 0]]])
        return np.asarray(adjoint / _determinant(total))

    def _mean(self, a: int, z: np.ndarray) -> np.ndarray:
        return self.population.center[a] + _dot(self.population.root[a], z)


def log_sum(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Return the log of the sum over an axis."""
    top = values.max(axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(values - top).sum(axis=axis)) + top.squeeze(axis))


# internals ------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _rule(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes, and the logs of their weights for an integral over the line."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(size)
    return nodes, np.log(weights) + 0.5 * nodes**2


def _dot(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray((one * other).sum(axis=0))


def _determinant(matrix: np.ndarray) -> np.ndarray:
    if len(matrix) == 1:
        return np.asarray(matrix[0, 0])
    return np.asarray(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] ** 2)
