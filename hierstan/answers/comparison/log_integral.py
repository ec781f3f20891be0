"""The logarithm of an integral over a few parameters, by adaptive importance sampling.

Points come from a mixture of distributions with heavy tails that is fitted to the integrand: around
its mode first, then where the points so far have found it (Cappé, Douc, Guillin, Marin and Robert
2008, doi:10.1007/s11222-008-9059-x), each point weighted against the whole mixture (Veach and
Guibas 1995, doi:10.1145/218380.218498). They are scrambled Sobol points, in two or three dimensions
as good as quadrature; what independent scramblings disagree about is the error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

Target = Callable[[np.ndarray], np.ndarray]  # log density of points (S, d), up to no constant

TAILS = 5.0  # degrees of freedom
WIDER = 3.0  # the mixture's second component is so many times as wide
ROUNDS = 3  # of refitting the mixture
REPEATS = 8  # independent scramblings
FIRST, MOST = 64, 4096  # points of each
FINE = 0.02  # relative error that is small enough
EVEN = 0.3  # effective share of the points from which the mixture is good enough
NEAR = 0.1  # distance to the mode, in standard deviations, that is near enough
STEP = 0.05  # of finite differences, in standard deviations


@dataclass(frozen=True)
class Integral:
    """What an integral was found to be.

    Attributes
    ----------
    value, error : float
        Its logarithm and the standard error of that; both NaN where none was found.
    points, log_weight : numpy.ndarray
        Where the integrand was evaluated, (8, n, d), and the logs of weights whose sum in each of
        the 8 is the integral, (8, n).
    """

    value: float
    error: float
    points: np.ndarray
    log_weight: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray, log_weight: np.ndarray) -> Integral:
        """Return what weighted points say of it."""
        from scipy.special import logsumexp

        totals = logsumexp(log_weight, axis=1)
        total = logsumexp(totals) - np.log(len(totals))
        if not np.isfinite(total):
            return cls(np.nan, np.nan, points, log_weight)
        error = float(np.exp(totals - total).std(ddof=1) / np.sqrt(len(totals)))
        return cls(float(total), error, points, log_weight)

    def times(self, log_factor: np.ndarray) -> Integral:
        """Return the integral of the same times a factor, given at the points, (8, n)."""
        return Integral.of(self.points, self.log_weight + log_factor)

    @property
    def fine(self) -> bool:
        """Whether its error is small enough."""
        return self.error < FINE


def log_integral(target: Target, draws: np.ndarray) -> Integral:
    """Integrate a density of a few parameters.

    Parameters
    ----------
    target : callable
        Logarithm of the integrand at points (S, d), shape (S,); minus infinity where it is 0.
    draws : numpy.ndarray
        Points of a density that resembles it, (S, d), from where it is looked for.

    Returns
    -------
    Integral
    """
    nothing = Integral(np.nan, np.nan, np.zeros((0, 0, draws.shape[1])), np.zeros((0, 0)))
    start = _normal(draws)
    if start is None:
        return nothing
    mixture = _around_mode(target, start, draws)
    if not mixture:
        return nothing
    n = FIRST
    seed = 1
    for _ in range(ROUNDS):
        points, log_weight = _weighted(target, mixture, 2 * n, seed)
        seed += len(mixture)
        fitted, even = _fitted(points, log_weight)
        if fitted is None:
            break
        mixture = [*mixture[:2], fitted]
        if even > EVEN:
            break
    while True:
        found = []
        for _ in range(REPEATS):
            found.append(_weighted(target, mixture, n, seed))
            seed += len(mixture)
        points, log_weight = (np.array(part) for part in zip(*found, strict=True))
        result = Integral.of(points, log_weight)
        if not np.isfinite(result.value) or result.fine or n >= MOST:
            return result
        n *= 2


# internals ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Heavy:
    """Independent Student t variables, scaled and rotated."""

    center: np.ndarray
    root: np.ndarray  # lower triangular, (d, d)

    def points(self, n: int, seed: int) -> np.ndarray:
        return np.asarray(self.center + _standard_points(len(self.center), n, seed) @ self.root.T)

    @cached_property
    def _inverse(self) -> np.ndarray:
        return np.linalg.inv(self.root)

    def log_density(self, points: np.ndarray) -> np.ndarray:
        z = (points - self.center) @ self._inverse.T
        kernel = -0.5 * (TAILS + 1) * np.log1p(z**2 / TAILS).sum(axis=1)
        scale = np.log(np.diag(self.root)).sum()
        return np.asarray(kernel + len(self.center) * _constant() - scale)


@lru_cache
def _constant() -> float:
    from scipy.special import gammaln

    return float(gammaln((TAILS + 1) / 2) - gammaln(TAILS / 2) - 0.5 * np.log(TAILS * np.pi))


@lru_cache(maxsize=512)
def _standard_points(d: int, n: int, seed: int) -> np.ndarray:
    """Return scrambled Sobol points of independent Student t variables, (n, d)."""
    from scipy.special import stdtrit
    from scipy.stats import qmc

    sobol = qmc.Sobol(d, scramble=True, rng=np.random.default_rng(seed))
    return np.asarray(stdtrit(TAILS, np.clip(sobol.random(n), 1e-12, 1 - 1e-12)))


def _weighted(
    target: Target, mixture: list[_Heavy], n: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return n points of each component, and the logs of their weights, which sum to the total."""
    from scipy.special import logsumexp

    points = np.vstack([part.points(n, seed + k) for k, part in enumerate(mixture)])
    proposal = logsumexp([part.log_density(points) for part in mixture], axis=0) - np.log(
        len(mixture)
    )
    return points, target(points) - proposal - np.log(len(points))


def _normal(draws: np.ndarray) -> _Heavy | None:
    """Return what resembles the draws; None where they do not vary."""
    if len(draws) < 2 * draws.shape[1] + 2 or not np.isfinite(draws).all():
        return None
    return _rooted(draws.mean(axis=0), np.atleast_2d(np.cov(draws, rowvar=False)))


def _rooted(center: np.ndarray, covariance: np.ndarray) -> _Heavy | None:
    if not np.isfinite(covariance).all():
        return None
    try:
        return _Heavy(center, np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError:
        return None


def _fitted(points: np.ndarray, log_weight: np.ndarray) -> tuple[_Heavy | None, float]:
    """Return what resembles the weighted points, or None; and how even the weights are."""
    if not np.isfinite(log_weight).any():
        return None, 0.0
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    size = float(1 / (weight**2).sum())
    if size < 2 * points.shape[1] + 2:
        return None, 0.0
    center = weight @ points
    covariance = ((points - center) * weight[:, None]).T @ (points - center)
    return _rooted(center, covariance), size / len(points)


def _around_mode(target: Target, start: _Heavy, draws: np.ndarray) -> list[_Heavy]:
    """Return what resembles the integrand around its mode, and the same wider; or nothing."""
    from scipy import optimize

    d = len(start.center)
    some = np.vstack([start.center, draws[np.linspace(0, len(draws) - 1, 50).astype(int)]])
    values = target(some)
    if not np.isfinite(values).any():
        return []
    first = some[np.argmax(values)]
    cross = STEP * np.vstack([np.zeros(d), np.eye(d), -np.eye(d)])

    def loss(z: np.ndarray) -> tuple[float, np.ndarray]:
        values = target(first + (z + cross) @ start.root.T)
        if not np.isfinite(values).all():
            return 1e10, np.zeros(d)
        return -float(values[0]), -(values[1 : d + 1] - values[d + 1 :]) / (2 * STEP)

    z = optimize.minimize(loss, np.zeros(d), jac=True, method="BFGS", options={"gtol": NEAR}).x
    mode = first + start.root @ z
    found = _rooted(mode, _curved(target, mode, start.root))
    return [found, _Heavy(mode, WIDER * found.root)] if found else []


def _curved(target: Target, mode: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Return the covariance that the curvature at the mode tells of.

    Steps are such that the logarithm falls by about a half, whatever scale `root` is of.
    """
    d = len(mode)
    for _ in range(12):
        shifts = np.vstack([np.zeros(d), np.eye(d), -np.eye(d)])
        values = target(mode + shifts @ root.T)
        fall = values[0] - 0.5 * (values[1 : d + 1] + values[d + 1 :])
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(fall > 0, np.sqrt(0.5 / fall), 4.0)
        factor = np.clip(np.nan_to_num(factor, nan=0.25), 0.1, 4.0)
        root = root * factor
        if np.all((factor > 0.7) & (factor < 1.4)):
            break
    pairs = [(j, k) for j in range(d) for k in range(j)]
    hessian = np.eye(d)
    if pairs:
        eye = np.eye(d)
        corners = [s * eye[j] + t * eye[k] for j, k in pairs for s in (1, -1) for t in (1, -1)]
        values = target(mode + np.array(corners) @ root.T).reshape(-1, 4)
        with np.errstate(invalid="ignore"):
            for (j, k), (pp, pm, mp, mm) in zip(pairs, values, strict=True):
                hessian[j, k] = hessian[k, j] = -(pp - pm - mp + mm) / 4
    if not np.isfinite(hessian).all():
        hessian = np.eye(d)
    values, vectors = np.linalg.eigh(hessian)
    inverse = vectors @ np.diag(1 / np.clip(values, 0.05, None)) @ vectors.T
    return np.asarray(root @ inverse @ root.T)
