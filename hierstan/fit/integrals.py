"""Integrals in a few dimensions, many at once, by rules around their modes.

A product of Gauss-Hermite rules (Naylor and Smith 1982, doi:10.2307/2347995), or Laplace's
approximation (Tierney and Kadane 1986, doi:10.1080/01621459.1986.10478240).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

STEPS, SETTLED = 25, 0.05  # of Newton's method, and when it ends, in standard deviations
BENT = 0.1  # by so much may the curvature there still differ from what is thought to be 1
WORSE = 0.01  # log density by which a step may fall
LONGEST = 3.0  # standard deviations at a time
APART = 0.3  # finite differences
FLAT, SHARP = 0.04, 25.0  # curvatures, of what is thought to be 1

LogDensity = Callable[[np.ndarray], np.ndarray]


def log_integrals(
    log_density: LogDensity, center: np.ndarray, root: np.ndarray, count: int, wide: float = 1.0
) -> np.ndarray:
    """Return the logarithms of T integrals over D dimensions, (T,).

    Parameters
    ----------
    log_density : callable
        Takes places (T, K, D), K of each integral, to values (T, K).
    center, root : numpy.ndarray
        About where each integrand is, (T, D), and roots of its covariance, (T, D, D).
    count : int
        Nodes in each dimension; with 1 it is Laplace's approximation.
    wide : float
        How many times as far apart they are as for a normal integrand: tails may be longer.
    """
    center, root = _mode(log_density, center, root)
    d = center.shape[1]
    line, weight = np.polynomial.hermite.hermgauss(count)
    weight = weight * np.exp(line**2) * np.sqrt(2)
    root = wide * root
    grid = np.sqrt(2) * np.stack(np.meshgrid(*[line] * d, indexing="ij"), -1).reshape(-1, d)
    weights = np.stack(np.meshgrid(*[weight] * d, indexing="ij"), -1).reshape(-1, d)
    terms = log_density(center[:, None] + grid @ root.swapaxes(1, 2))
    terms = terms + np.log(weights).sum(axis=1)
    best = terms.max(axis=1, keepdims=True)
    total = np.log(np.exp(terms - best).sum(axis=1)) + best[:, 0]
    return np.asarray(total + np.linalg.slogdet(root)[1])


# internals ------------------------------------------------------------------------------------


def _mode(
    log_density: LogDensity, center: np.ndarray, root: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return each mode, and a root of the covariance there, by Newton's method.

    A step that leads down is taken back, and a shorter one tried.
    """
    T, d = center.shape
    best, known, step = np.full((T, 1), -np.inf), center, np.zeros((T, d))
    for _ in range(STEPS):
        here, slope, curvature = _expansion(log_density, center, root)
        worse = here < best - WORSE
        bend, axes = np.linalg.eigh(np.nan_to_num(curvature))
        axes = axes / np.sqrt(np.clip(bend, FLAT, SHARP))[:, None]
        newton = np.nan_to_num(axes @ (axes.swapaxes(1, 2) @ slope[..., None]))
        newton = (root @ np.clip(newton, -LONGEST, LONGEST))[..., 0]
        step = np.where(worse, step / 4, newton)
        known, best = np.where(worse, known, center), np.where(worse, best, here)
        root = np.where(worse[..., None], root, root @ axes)
        center = known + step
        settled = float(np.abs(np.linalg.solve(root, step[..., None])).max()) < SETTLED
        if settled and not worse.any() and float(np.abs(bend - 1).max()) < BENT:
            break
    return center, root


def _expansion(
    log_density: LogDensity, center: np.ndarray, root: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return value (T, 1), slope (T, D) and minus second derivatives along the columns of roots."""
    T, d = center.shape
    h, unit = APART, np.eye(d)
    pairs = [(j, k) for j in range(d) for k in range(j)]
    signs = [(1, 1), (-1, -1), (1, -1), (-1, 1)]
    mixed = [a * unit[j] + b * unit[k] for j, k in pairs for a, b in signs]
    shifts = h * np.array([np.zeros(d), *unit, *-unit, *mixed])
    values = log_density(center[:, None] + shifts @ root.swapaxes(1, 2))
    here, ahead, behind = values[:, :1], values[:, 1 : d + 1], values[:, d + 1 : 2 * d + 1]
    curvature = np.zeros((T, d, d))
    curvature[:, range(d), range(d)] = (2 * here - ahead - behind) / h**2
    for place, (j, k) in enumerate(pairs):
        four = values[:, 2 * d + 1 + 4 * place : 2 * d + 5 + 4 * place]
        across = -(four[:, 0] + four[:, 1] - four[:, 2] - four[:, 3]) / (4 * h**2)
        curvature[:, j, k] = curvature[:, k, j] = across
    return here, (ahead - behind) / (2 * h), curvature
