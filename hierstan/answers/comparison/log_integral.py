"""The logarithm of an integral over a few parameters, by adaptive importance sampling.

Points come from a mixture of distributions with heavy tails that is fitted to the integrand: around
its mode first, then by EM where the points so far have found it (Cappé, Douc, Guillin, Marin and
Robert 2008, doi:10.1007/s11222-008-9059-x), each point weighted against the whole mixture (Veach
and Guibas 1995, doi:10.1145/218380.218498). Several components follow the bends that the integrand
has where sds may be near 0. They are scrambled Sobol points, in two or three dimensions as good as
quadrature; what independent scramblings disagree about is the error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

Target = Callable[[np.ndarray], np.ndarray]  # log density of points (S, d), up to no constant

TAILS = 5.0  # degrees of freedom
WIDER = 3.0  # the mixture's first component is so many times as wide as the mode
HALVINGS = 2  # of the one that is fitted first, along its longest axis
ROUNDS, STEPS = 3, 3  # of refitting the mixture, and of EM
REPEATS = 8  # independent scramblings
FIRST, MOST = 16, 2048  # points of each component
FINE = 0.03  # relative error that is small enough in three dimensions and more
EASY = 0.002  # and in one or two, where points are as good as quadrature
SETTLED = 2.0  # errors that it may differ from what half as many points said
EVEN = 0.3  # effective share of the points from which the mixture is good enough
ENOUGH = 20  # effective points per dimension from which another mixture can be fitted
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
    mixture : list
        What the points were drawn from.
    """

    value: float
    error: float
    points: np.ndarray
    log_weight: np.ndarray
    mixture: list[_Heavy]

    @classmethod
    def of(cls, points: np.ndarray, log_weight: np.ndarray, mixture: list[_Heavy]) -> Integral:
        """Return what weighted points say of it."""
        from scipy.special import logsumexp

        totals = logsumexp(log_weight, axis=1)
        total = logsumexp(totals) - np.log(len(totals))
        if not np.isfinite(total):
            return cls(np.nan, np.nan, points, log_weight, mixture)
        error = float(np.exp(totals - total).std(ddof=1) / np.sqrt(len(totals)))
        return cls(float(total), error, points, log_weight, mixture)

    def times(self, log_factor: np.ndarray) -> Integral:
        """Return the integral of the same times a factor, given at the points, (8, n)."""
        return Integral.of(self.points, self.log_weight + log_factor, self.mixture)

    def over(self, other: Integral) -> tuple[float, float]:
        """Return the log of the ratio to another from the same points, and its error."""
        from scipy.special import logsumexp

        parts = [np.exp(logsumexp(part.log_weight, axis=1) - part.value) for part in (self, other)]
        error = (parts[0] - parts[1]).std(ddof=1) / np.sqrt(REPEATS)
        return self.value - other.value, float(error)


def log_integral(target: Target, draws: np.ndarray, near: Integral | None = None) -> Integral:
    """Integrate a density of a few parameters.

    Parameters
    ----------
    target : callable
        Logarithm of the integrand at points (S, d), shape (S,); minus infinity where it is 0.
    draws : numpy.ndarray
        Points of a density that resembles it, (S, d), from where it is looked for.
    near : Integral, optional
        The same at points that another integral was found from: where enough of them count, it is
        looked for among them.

    Returns
    -------
    Integral
    """
    nothing = Integral(np.nan, np.nan, np.zeros((0, 0, draws.shape[1])), np.zeros((0, 0)), [])
    mixture = [] if near is None else _among(near)
    if not mixture:
        start = _normal(draws)
        mixture = _around_mode(target, start, draws) if start else []
    if not mixture:
        return nothing
    n, seed = FIRST, 1
    for _ in range(ROUNDS if near is None or mixture is near.mixture else 0):
        points, log_weight = _weighted(target, mixture, 8 * n, seed)
        seed += len(mixture)
        mixture, even = _refitted(mixture, points, log_weight)
        if even > EVEN:
            break
    result = nothing
    while True:
        found = []
        for _ in range(REPEATS):
            found.append(_weighted(target, mixture, n, seed))
            seed += len(mixture)
        points, log_weight = (np.array(part) for part in zip(*found, strict=True))
        before, result = result, Integral.of(points, log_weight, mixture)
        apart = abs(result.value - before.value)
        least = fine(draws.shape[1])
        settled = result.error < least and apart < max(SETTLED * before.error, least)
        if not np.isfinite(result.value) or settled or n >= MOST:
            return result
        mixture, _ = _refitted(mixture, points.reshape(-1, points.shape[2]), log_weight.ravel())
        n *= 2


def fine(dimensions: int) -> float:
    """Return the relative error of an integral that is small enough."""
    return FINE if dimensions > 2 else EASY


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

    def halves(self) -> list[_Heavy]:
        """Return two like it, a standard deviation to either side along the longest axis."""
        values, vectors = np.linalg.eigh(self.root @ self.root.T)
        aside = np.sqrt(values[-1]) * vectors[:, -1]
        return [_Heavy(self.center + sign * aside, self.root) for sign in (-1, 1)]


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


def _among(near: Integral) -> list[_Heavy]:
    """Return what resembles weighted points; nothing where too few of them count."""
    points, log_weight = near.points.reshape(-1, near.points.shape[2]), near.log_weight.ravel()
    if not log_weight.size or not np.isfinite(log_weight.max()):
        return []
    mixture, even = _refitted(near.mixture, points, log_weight)
    return mixture if even * len(points) > ENOUGH * points.shape[1] else []


def _refitted(
    mixture: list[_Heavy], points: np.ndarray, log_weight: np.ndarray
) -> tuple[list[_Heavy], float]:
    """Return a mixture fitted to weighted points by EM, and the share of them that counts.

    Its first component stays as it is, wide; of two, the second is what others are made of.
    """
    from scipy.special import logsumexp

    if not np.isfinite(log_weight).any():
        return mixture, 0.0
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    even = float(1 / (weight**2).sum() / len(points))
    wide, *parts = mixture
    if not parts[1:]:
        parts = [_fitted(points, weight, parts[0])]
        for _ in range(HALVINGS):
            parts = [half for part in parts for half in part.halves()]
    for _ in range(STEPS):
        density = np.array([part.log_density(points) for part in (wide, *parts)])
        shares = weight * np.exp(density[1:] - logsumexp(density, axis=0))
        parts = [_fitted(points, *each) for each in zip(shares, parts, strict=True)]
    return [wide, *parts], even


def _fitted(points: np.ndarray, weight: np.ndarray, before: _Heavy) -> _Heavy:
    """Return what resembles weighted points; what was before where too few of them count."""
    total = weight.sum()
    if total**2 <= (2 * points.shape[1] + 2) * (weight**2).sum():
        return before
    weight = weight / total
    center = weight @ points
    covariance = ((points - center) * weight[:, None]).T @ (points - center)
    return _rooted(center, covariance) or before


def _around_mode(target: Target, start: _Heavy, draws: np.ndarray) -> list[_Heavy]:
    """Return what resembles the integrand around its mode, wider and as it is; or nothing."""
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
    return [_Heavy(mode, WIDER * found.root), found] if found else []


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
