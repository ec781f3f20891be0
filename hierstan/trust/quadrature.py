"""Exact posteriors by quadrature, in NumPy and SciPy alone.

Nothing here is used for sampling or for leave-one-out, and nothing of theirs is used here: these
are second opinions. All sums are trapezoidal, over ``log(tau)`` and ``log(sigma)`` in even steps
and over means in steps that widen like a hyperbolic sine; for smooth functions that vanish at both
ends such sums converge exponentially (Trefethen and Weideman 2014, doi:10.1137/130932132).
"""

from __future__ import annotations

import numpy as np

from hierstan.trust.scale_grid import Groups as Groups
from hierstan.trust.scale_grid import LogDensity, normalised, over_scales
from hierstan.trust.scale_grid import Moments as Moments

RECENTERINGS = 4


def separate(
    groups: Groups, prior: LogDensity, center: tuple[float, float], sigma: LogDensity | None
) -> Moments:
    """Integrate group means that share nothing but ``sigma``.

    Parameters
    ----------
    groups : Groups
    prior : callable
        Log prior density of each mean.
    center : tuple of float
        Median and a scale of that prior.
    sigma : callable or None
        Log prior density of ``sigma``, where there is one.
    """

    def at(x: np.ndarray, y: np.ndarray, level: float) -> tuple[np.ndarray, ...]:
        s = np.exp(y)[:, None]
        middle, width = _placed(groups, s, np.array(center[0]), np.array(center[1]))
        total, first, second = _inner(groups, s, prior, middle, width, level)
        # a heavy-tailed prior gives way to data that contradict it, far from where one would look
        for _ in range(RECENTERINGS):
            found = first + groups.origin
            between = np.sqrt(width**2 + (found - middle) ** 2) * 2 * _WIDEST_THETA
            between /= _THETA * level
            width = np.sqrt(np.maximum(second - first**2, 0.0) + between**2)
            middle = found
            total, first, second = _inner(groups, s, prior, middle, width, level)
        return total.sum(axis=1), first, second

    return over_scales(groups, at, None, sigma, ("theta",), _THETA)


def population(
    groups: Groups,
    mu: LogDensity,
    center: tuple[float, float],
    tau: LogDensity,
    sigma: LogDensity | None,
) -> Moments:
    """Integrate group means that are ``normal(mu, tau)``, and mu, tau and ``sigma``.

    Parameters
    ----------
    groups : Groups
    mu, tau, sigma : callable
        Log prior densities; no sigma is None.
    center : tuple of float
        Median and a scale of the prior of ``mu``.
    """

    def at(x: np.ndarray, y: np.ndarray, level: float) -> tuple[np.ndarray, ...]:
        """Integrate over mu and theta at log tau `x` and log sigma `y`, both (K,)."""
        z, log_dz = _sinh(_WIDEST_MU, _MU * level)
        t, s = np.exp(x)[:, None], np.exp(y)[:, None]
        middle, scale = _around(groups, t, s, center)
        m = middle + scale * z
        total, first, second = _given_population(groups, m, t, s, level)
        inner = total + mu(m) + log_dz + np.log(scale)
        top, share = normalised(inner, axis=1)
        off = m - groups.origin
        return (
            top,
            (share * off).sum(axis=1),
            (share * off**2).sum(axis=1),
            np.einsum("km,kmj->kj", share, first),
            np.einsum("km,kmj->kj", share, second),
        )

    nodes = _MU * (2 if groups.normal else _THETA)
    return over_scales(groups, at, tau, sigma, ("mu", "theta"), nodes)


# internals ------------------------------------------------------------------------------------

# nodes of each axis at level 1, and how far out they reach (as the inverse hyperbolic sine)
_MU, _WIDEST_MU = 40, 3.6  # 18 standard deviations
_THETA, _WIDEST_THETA = 60, 4.5  # 45 standard deviations


def _sinh(widest: float, nodes: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes that are dense near 0, and the logarithms of their weights."""
    steps = np.linspace(-widest, widest, 2 * round(nodes / 2) + 1)
    return np.sinh(steps), np.log(np.cosh(steps) * (steps[1] - steps[0]))


def _around(
    groups: Groups, t: np.ndarray, s: np.ndarray, center: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return where mu is about, given tau and sigma, and on which scale, both (K, 1)."""
    precision = 1 / (groups.variance(s) + t**2)
    own = 1.2 / precision.sum(axis=1, keepdims=True)
    there = (precision * groups.link).sum(axis=1, keepdims=True) * own / 1.2
    best = 1 / (1 / own + 1 / center[1] ** 2)
    middle = best * (there / own + center[0] / center[1] ** 2)
    return middle, np.sqrt(best + 0.1 * np.minimum(own, (there - center[0]) ** 2))


def _given_population(
    groups: Groups, m: np.ndarray, t: np.ndarray, s: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log p(y | mu, tau, sigma), and the means' first and second moments, at mu (K, M)."""
    if groups.normal:
        v = groups.variance(s)
        total = v + t**2
        own = (t**2 / total)[:, None, :]
        off = groups.link - m[..., None]
        best = groups.log_lik(np.broadcast_to(groups.link, v.shape), s)[:, None, :]
        change = -0.5 * np.log(total / v)[:, None, :] - 0.5 * off**2 / total[:, None, :]
        first = m[..., None] - groups.origin + own * off
        return (best + change).sum(axis=2), first, first**2 + own * v[:, None, :]

    K, M = m.shape
    flat, spread = m.reshape(-1, 1), np.repeat(t, M, axis=0)

    def prior(theta: np.ndarray) -> np.ndarray:
        z = (theta - flat) / spread
        return -0.5 * z**2 - np.log(spread) - 0.5 * np.log(2 * np.pi)

    ones = np.ones((K * M, 1))
    found = _inner(groups, ones, prior, *_placed(groups, ones, flat, spread), level)
    total, first, second = (part.reshape(K, M, -1) for part in found)
    return total.sum(axis=2), first, second


def _placed(
    groups: Groups, s: np.ndarray, at: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return where each mean is about, and on which scale, (K, J); its prior is `at` +- `scale`."""
    v = groups.variance(s)
    best = 1 / (1 / v + 1 / scale**2)
    middle = best * (groups.link / v + at / scale**2)
    # the likelihood is normal in the link only about, so that the integrand may lie beside this
    width = np.minimum(np.sqrt(best) + 0.05 * np.abs(groups.link - at), 3 * np.sqrt(best))
    return middle, np.minimum(width, scale)


def _inner(
    groups: Groups,
    s: np.ndarray,
    prior: LogDensity,
    middle: np.ndarray,
    width: np.ndarray,
    level: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Integrate each mean by itself, on nodes around `middle` of scale `width`; (K, J)."""
    z, log_dz = _sinh(_WIDEST_THETA, _THETA * level)
    values = np.empty((len(z), *middle.shape))
    for k, node in enumerate(z):
        theta = middle + width * node
        values[k] = groups.log_lik(theta, s) + prior(theta) + log_dz[k] + np.log(width)
    total, share = normalised(values, axis=0)
    one, two = np.tensordot(z, share, 1), np.tensordot(z**2, share, 1)
    first = middle - groups.origin + width * one
    return total, first, first**2 + width**2 * (two - one**2)
