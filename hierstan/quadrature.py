"""Exact posteriors by quadrature, in NumPy and SciPy alone.

Nothing here is used for sampling or for leave-one-out, and nothing of theirs is used here: these
are second opinions. All sums are trapezoidal, over ``log(tau)`` and ``log(sigma)`` in even steps
and over means in steps that widen like a hyperbolic sine; for smooth functions that vanish at both
ends such sums converge exponentially (Trefethen and Weideman 2014, doi:10.1137/130932132).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LogDensity = Callable[[np.ndarray], np.ndarray]

DROP = 20.0  # natural logarithms below the maximum at which a grid ends: 2e-9
NARROWINGS = 12
BLOCK = 4_000_000  # numbers at a time


@dataclass(frozen=True)
class Groups:
    """What the likelihood needs of each group, every array of shape (J,).

    Attributes
    ----------
    log_lik : callable
        Takes group means (..., J) and ``sigma`` (broadcast against them) to the groups' log
        likelihoods.
    link, variance : callable
        Take ``sigma`` (..., 1) to rough estimates of the means and of their sampling variances,
        where the integrals are centred.
    normal : bool
        Whether the likelihood is normal in the means with just these estimates and variances.
    """

    log_lik: Callable[[np.ndarray, np.ndarray], np.ndarray]
    link: np.ndarray
    variance: Callable[[np.ndarray], np.ndarray]
    normal: bool


@dataclass(frozen=True)
class Moments:
    """Posterior means and standard deviations by parameter, and how far a coarser grid is off."""

    mean: dict[str, np.ndarray]
    sd: dict[str, np.ndarray]
    error: float


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

    def at(log_sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        s = np.exp(log_sigma)[:, None]
        total, first, second = _inner(groups, s, prior, np.array(center[0]), np.array(center[1]))
        return total.sum(axis=1), first, second

    if sigma is None:
        _, first, second = at(np.zeros(1))
        return Moments({"theta": first[0]}, {"theta": _sd(first[0], second[0])}, 0.0)

    def log_density(x: np.ndarray) -> np.ndarray:
        return at(x)[0] + sigma(np.exp(x)) + x

    x = _narrowed(lambda axes: log_density(axes[0]), [_start(groups)], 161)[0]
    weight = _weights(log_density(x))
    _, first, second = at(x)

    def found(every: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        w = weight[::every] / weight[::every].sum()
        scale, theta = np.exp(x[::every]), w @ first[::every]
        mean = {"sigma": np.array(w @ scale), "theta": theta}
        spread = {"sigma": w @ scale**2, "theta": w @ second[::every]}
        return mean, {name: _sd(mean[name], spread[name]) for name in mean}

    return _settled(found)


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
    z, log_dz = _sinh(_STEPS_OF_MU)

    def at(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, ...]:
        """Integrate over mu and theta at log tau `x` and log sigma `y`, both (K,)."""
        t, s = np.exp(x)[:, None], np.exp(y)[:, None]
        precision = 1 / (groups.variance(s) + t**2)
        own = 1 / precision.sum(axis=1) * 1.2
        there = (precision @ groups.link) / precision.sum(axis=1)
        best = 1 / (1 / own + 1 / center[1] ** 2)
        middle = best * (there / own + center[0] / center[1] ** 2)
        scale = np.sqrt(best + 0.1 * np.minimum(own, (there - center[0]) ** 2))
        m = middle[:, None] + scale[:, None] * z
        total, first, second = _given_population(groups, m, t, s)
        inner = total + mu(m) + log_dz + np.log(scale)[:, None]
        top = inner.max(axis=1, keepdims=True)
        share = np.exp(inner - top)
        mass = share.sum(axis=1)
        share /= mass[:, None]
        return (
            top[:, 0] + np.log(mass),
            (share * m).sum(axis=1),
            (share * m**2).sum(axis=1),
            np.einsum("km,kmj->kj", share, first),
            np.einsum("km,kmj->kj", share, second),
        )

    return _over_scales(groups, at, tau, sigma)


# internals ------------------------------------------------------------------------------------

_STEPS_OF_MU = np.linspace(-3.6, 3.6, 49)  # out to 18 standard deviations
_STEPS_OF_THETA = np.linspace(-4.5, 4.5, 73)  # out to 45


def _sinh(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.sinh(steps), np.log(np.cosh(steps) * (steps[1] - steps[0]))


def _given_population(
    groups: Groups, m: np.ndarray, t: np.ndarray, s: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log p(y | mu, tau, sigma), and the means' first and second moments, at mu (K, M)."""
    if groups.normal:
        v = groups.variance(s)
        total = v + t**2
        own = (t**2 / total)[:, None, :]
        off = groups.link - m[..., None]
        log_lik = groups.log_lik(np.broadcast_to(groups.link, v.shape), s)  # at its maximum
        change = -0.5 * np.log(total / v)[:, None, :] - 0.5 * off**2 / total[:, None, :]
        first = m[..., None] + own * off
        return (log_lik[:, None, :] + change).sum(axis=2), first, first**2 + own * v[:, None, :]

    K, M = m.shape
    flat, spread = m.reshape(-1, 1), np.repeat(t, M, axis=0)

    def prior(theta: np.ndarray) -> np.ndarray:
        z = (theta - flat) / spread
        return -0.5 * z**2 - np.log(spread) - 0.5 * np.log(2 * np.pi)

    found = _inner(groups, np.ones((K * M, 1)), prior, flat, spread)
    total, first, second = (part.reshape(K, M, -1) for part in found)
    return total.sum(axis=2), first, second


def _inner(
    groups: Groups, s: np.ndarray, prior: LogDensity, at: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Integrate each mean by itself, (K, J); `prior` is centred `at` with `scale`, (K, 1) or ()."""
    z, log_dz = _sinh(_STEPS_OF_THETA)
    v = groups.variance(s)
    middle = (groups.link / v + at / scale**2) / (1 / v + 1 / scale**2)
    # where data and prior disagree, the integrand may lie anywhere between them
    width = np.sqrt(1 / (1 / v + 1 / scale**2)) + 0.05 * np.abs(groups.link - at)
    width = np.minimum(width, np.maximum(scale, np.sqrt(v)))
    values = np.empty((len(z), *middle.shape))
    for k, node in enumerate(z):
        theta = middle + width * node
        values[k] = groups.log_lik(theta, s) + prior(theta) + log_dz[k] + np.log(width)
    top = values.max(axis=0)
    share = np.exp(values - top)
    mass = share.sum(axis=0)
    share /= mass
    one, two = np.tensordot(z, share, 1), np.tensordot(z**2, share, 1)
    first = middle + width * one
    return top + np.log(mass), first, first**2 + width**2 * (two - one**2)
