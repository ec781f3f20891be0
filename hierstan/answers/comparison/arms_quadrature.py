"""Integrals over both arms' means, which are normal given the population: quadrature in 2-D.

Adaptive Gauss-Hermite quadrature in two standard normal variables (Naylor and Smith 1982,
doi:10.2307/2347995), one axis of which is the mean of the arm in question.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hierstan.answers.comparison.curves import Curves
from hierstan.answers.comparison.integral import LogRatio
from hierstan.priors import Prior

NODES = 7
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

    curves: tuple[Curves | None, Curves | None]
    population: Population

    @property
    def size(self) -> int:
        """Number of draws, S."""
        return self.population.center.shape[1]

    def take(self, groups: np.ndarray) -> Arms:
        """Return those of some groups, which may come several times."""
        first, second = (None if curve is None else curve.take(groups) for curve in self.curves)
        return Arms((first, second), self.population.of(groups))

    def only(self, a: int) -> Arms:
        """Return the same without the other arm: of the two dimensions one is left."""
        first, second = (curve if arm == a else None for arm, curve in enumerate(self.curves))
        return Arms((first, second), self.population)

    def less(self, a: int, part: Curves) -> Arms:
        """Return the same without some of the data of an arm."""
        first, second = (
            curve.without(part) if arm == a and curve is not None else curve
            for arm, curve in enumerate(self.curves)
        )
        return Arms((first, second), self.population)

    def log_integral(self, ratio: LogRatio | None, units: np.ndarray) -> np.ndarray:
        """Return the log integral of each group, (S, F); `units` says whose prior a group gets."""
        a = 0 if self.curves[0] is not None else 1
        return log_sum(self.marginal(a, ratio, units)[1])

    def marginal(
        self, a: int, ratio: LogRatio | None, units: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return nodes of an arm's mean, (K, S, F), and logs of their weights, whose sum is all."""
        mode, covariance = self._mode()
        root = self.population.root
        along = np.einsum("desf,esf->dsf", covariance, root[a])
        wide = np.sqrt(_dot(root[a], along))
        along, det = along / wide, _determinant(covariance)
        across = None
        if len(root[a]) == 2:  # at right angles to what moves the arm's mean
            across = np.array([-root[a][1], root[a][0]]) * np.sqrt(det) / wide
        center, own, other = self.population.center, self.curves[a], self.curves[1 - a]
        plain = other is None and ratio is None and self.population.prior is None
        rule = list(zip(*np.polynomial.hermite_e.hermegauss(NODES), strict=True))
        second = [(0.0, np.sqrt(2 * np.pi))] if plain else rule
        means, log_weights = [], []
        for x, weight in rule:
            at = mode + along * x
            mean = center[a] + _dot(root[a], at)
            total = np.full(mean.shape, -np.inf)
            for y, its in second if across is not None else [(0.0, 1.0)]:
                z = at if across is None else at + across * y
                term = self.population.log_density(z, ratio, units)
                if other is not None:
                    term = term + other(center[1 - a] + _dot(root[1 - a], z))
                total = np.logaddexp(total, term + np.log(its) + 0.5 * y**2)
            if own is not None:
                total = total + own(mean)
            means.append(mean)
            log_weights.append(total + np.log(weight) + 0.5 * x**2)
        return np.array(means), np.array(log_weights) + 0.5 * np.log(det)

    def _mode(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mode of each integrand, (D, S, F), and the covariance of the normal there."""
        z, covariance = self._start()
        best = self._at(z)
        for _ in range(NEWTON_STEPS):
            pulls = [
                (a, *curve.derivatives(self._mean(a, z))[1:])
                for a, curve in enumerate(self.curves)
                if curve is not None
            ]
            covariance = self._covariance([(a, np.maximum(-bend, 0)) for a, _, bend in pulls])
            slope = -z + sum(self.population.root[a] * first for a, first, _ in pulls)
            move = np.einsum("desf,esf->dsf", covariance, slope)
            far = np.sqrt(np.maximum(_dot(move, slope), 0))
            move = move * np.minimum(1.0, LONGEST / np.sqrt(np.maximum(_dot(move, move), 1.0)))
            for _ in range(SHORTER):
                there = self._at(z + move)
                worse = there < best - 1e-9 * np.abs(best)
                if not worse.any():
                    break
                move = np.where(worse, move / 3, move)
            z = z + move
            best = self._at(z)
            if float(far.max()) < NEAR:
                break
        return z, covariance

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

    def _at(self, z: np.ndarray) -> np.ndarray:
        total = -0.5 * (z**2).sum(axis=0)
        for a, curve in enumerate(self.curves):
            if curve is not None:
                total = total + curve(self._mean(a, z))
        return np.asarray(total)


def log_sum(values: np.ndarray) -> np.ndarray:
    """Return the log of the sum over the first axis."""
    from scipy.special import logsumexp

    return np.asarray(logsumexp(values, axis=0))


# internals ------------------------------------------------------------------------------------


def _dot(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.asarray((one * other).sum(axis=0))


def _determinant(matrix: np.ndarray) -> np.ndarray:
    if len(matrix) == 1:
        return np.asarray(matrix[0, 0])
    return np.asarray(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] ** 2)
