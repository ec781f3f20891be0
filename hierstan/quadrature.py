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

DROP = 14.0  # natural logarithms below the maximum at which a grid ends: 1e-6
NARROWINGS = 15
BLOCK = 3_000_000  # numbers at a time
LEVELS = (1.0, 2.0, 4.0)  # densities of the grids, one tried after the other
SETTLED = 5e-3  # posterior standard deviations by which the grid before may be off


@dataclass(frozen=True)
class Groups:
    """What the likelihood needs of J groups.

    Attributes
    ----------
    log_lik : callable
        Takes group means (K, J) and ``sigma`` (K, 1) to the groups' log likelihoods (K, J).
    link : numpy.ndarray
        Rough estimates of the means, (J,), around which integrals are centred.
    variance : callable
        Takes ``sigma`` (K, 1) to the estimates' sampling variances (K, J).
    normal : bool
        Whether the likelihood is normal in the means with just these estimates and variances.
    low, high : float
        The smallest standard error, and a scale that all spreads of the data lie below.
    """

    log_lik: Callable[[np.ndarray, np.ndarray], np.ndarray]
    link: np.ndarray
    variance: Callable[[np.ndarray], np.ndarray]
    normal: bool
    low: float
    high: float

    @property
    def origin(self) -> float:
        """A value about which moments of means are taken, which else could cancel."""
        return float(self.link.mean())


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

    def at(_: np.ndarray, y: np.ndarray, level: float) -> tuple[np.ndarray, ...]:
        s, place, scale = np.exp(y)[:, None], np.array(center[0]), np.array(center[1])
        total, first, second = _inner(groups, s, prior, place, scale, level)
        return total.sum(axis=1), first, second

    return _over_scales(groups, at, None, sigma, ("theta",), _THETA)


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
        top, share = _normalised(inner, axis=1)
        off = m - groups.origin
        return (
            top,
            (share * off).sum(axis=1),
            (share * off**2).sum(axis=1),
            np.einsum("km,kmj->kj", share, first),
            np.einsum("km,kmj->kj", share, second),
        )

    nodes = _MU * (2 if groups.normal else _THETA)
    return _over_scales(groups, at, tau, sigma, ("mu", "theta"), nodes)


# internals ------------------------------------------------------------------------------------

# nodes of each axis at level 1, and how far out they reach (as the inverse hyperbolic sine)
_MU, _WIDEST_MU = 40, 3.6  # 18 standard deviations
_THETA, _WIDEST_THETA = 60, 4.5  # 45 standard deviations
_ONE_SCALE, _EACH_OF_TWO_SCALES, _NARROWING = 120, 70, 24

AtScales = Callable[[np.ndarray, np.ndarray, float], tuple[np.ndarray, ...]]


def _sinh(widest: float, nodes: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes that are dense near 0, and the logarithms of their weights."""
    steps = np.linspace(-widest, widest, 2 * round(nodes / 2) + 1)
    return np.sinh(steps), np.log(np.cosh(steps) * (steps[1] - steps[0]))


def _normalised(log_values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the logarithm of the sum, and each value's share of it."""
    top = log_values.max(axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    share = np.exp(log_values - top)
    mass = share.sum(axis=axis, keepdims=True)
    with np.errstate(divide="ignore"):
        total = (top + np.log(mass)).squeeze(axis)
    return total, share / np.maximum(mass, np.finfo(float).tiny)


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

    found = _inner(groups, np.ones((K * M, 1)), prior, flat, spread, level)
    total, first, second = (part.reshape(K, M, -1) for part in found)
    return total.sum(axis=2), first, second


def _inner(
    groups: Groups,
    s: np.ndarray,
    prior: LogDensity,
    at: np.ndarray,
    scale: np.ndarray,
    level: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Integrate each mean by itself, (K, J); `prior` is centred `at` with `scale`, (K, 1) or ()."""
    z, log_dz = _sinh(_WIDEST_THETA, _THETA * level)
    v = groups.variance(s)
    best = 1 / (1 / v + 1 / scale**2)
    middle = best * (groups.link / v + at / scale**2)
    # the likelihood is normal in the link only about, so that the integrand may lie beside this
    width = np.minimum(np.sqrt(best) + 0.05 * np.abs(groups.link - at), 3 * np.sqrt(best))
    width = np.minimum(width, scale)
    values = np.empty((len(z), *middle.shape))
    for k, node in enumerate(z):
        theta = middle + width * node
        values[k] = groups.log_lik(theta, s) + prior(theta) + log_dz[k] + np.log(width)
    total, share = _normalised(values, axis=0)
    one, two = np.tensordot(z, share, 1), np.tensordot(z**2, share, 1)
    first = middle - groups.origin + width * one
    return total, first, first**2 + width**2 * (two - one**2)


def _over_scales(
    groups: Groups,
    at: AtScales,
    tau: LogDensity | None,
    sigma: LogDensity | None,
    names: tuple[str, ...],
    nodes: int,
) -> Moments:
    """Integrate over ``log(tau)`` and ``log(sigma)``, those there are."""

    def evaluated(x: np.ndarray, y: np.ndarray, level: float) -> list[np.ndarray]:
        size = max(1, int(BLOCK / (nodes * level**2 * len(groups.link))))
        blocks = [at(x[k : k + size], y[k : k + size], level) for k in range(0, len(x), size)]
        total, *moments = (np.concatenate(part) for part in zip(*blocks, strict=True))
        for prior, axis in ((tau, x), (sigma, y)):
            if prior is not None:
                total = total + prior(np.exp(axis)) + axis  # the axis is a logarithm
        return [total, *moments]

    lowest, highest = np.log(groups.low) - 25, np.log(groups.high) + 14
    ranges = [(lowest, highest) if prior is not None else (0.0, 0.0) for prior in (tau, sigma)]
    x_range, y_range = _narrowed(lambda x, y: evaluated(x, y, 0.5)[0], ranges)
    both = tau is not None and sigma is not None

    def found(level: float) -> Moments:
        count = round((_EACH_OF_TWO_SCALES if both else _ONE_SCALE) * level) + 1
        x, y = _mesh(x_range, y_range, count)
        total, *moments = evaluated(x, y, level)
        _, weight = _normalised(total, axis=0)
        pairs = dict(zip(names, zip(moments[::2], moments[1::2], strict=True), strict=True))
        for name, prior, axis in (("tau", tau, x), ("sigma", sigma, y)):
            if prior is not None:
                pairs[name] = (np.exp(axis), np.exp(2 * axis))
        mean = {name: weight @ first for name, (first, _) in pairs.items()}
        sd = {
            name: np.sqrt(np.maximum(weight @ second - mean[name] ** 2, 0.0))
            for name, (_, second) in pairs.items()
        }
        for name in names:
            mean[name] = mean[name] + groups.origin
        return Moments(mean, sd, 0.0)

    result = found(LEVELS[0] / 2)
    for level in LEVELS:
        coarse, fine = result, found(level)
        result = Moments(fine.mean, fine.sd, _distance(fine, coarse))
        if result.error <= SETTLED:
            break
    return result


def _narrowed(
    log_density: Callable[[np.ndarray, np.ndarray], np.ndarray],
    ranges: list[tuple[float, float]],
) -> list[tuple[float, float]]:
    """Narrow the ranges of two axes down to where the density is not negligible."""
    for _ in range(NARROWINGS):
        x, y = _mesh(ranges[0], ranges[1], _NARROWING + 1)
        values = log_density(x, y)
        kept = values > values.max() - DROP
        before = ranges
        ranges = [
            _span(axis[kept], low, high) for axis, (low, high) in zip((x, y), before, strict=True)
        ]
        if all(
            new[1] - new[0] >= 0.8 * (old[1] - old[0])
            for new, old in zip(ranges, before, strict=True)
        ):
            break
    return ranges


def _span(kept: np.ndarray, low: float, high: float) -> tuple[float, float]:
    step = (high - low) / _NARROWING
    return max(low, float(kept.min()) - step), min(high, float(kept.max()) + step)


def _mesh(
    x_range: tuple[float, float], y_range: tuple[float, float], count: int
) -> tuple[np.ndarray, np.ndarray]:
    axes = [
        np.linspace(*span, count) if span[1] > span[0] else np.array([span[0]])
        for span in (x_range, y_range)
    ]
    x, y = np.meshgrid(*axes, indexing="ij")
    return x.ravel(), y.ravel()


def _distance(fine: Moments, coarse: Moments) -> float:
    """Return the largest difference of two results, in standard deviations."""
    worst = 0.0
    for name, sd in fine.sd.items():
        for ours, theirs in ((fine.mean, coarse.mean), (fine.sd, coarse.sd)):
            worst = max(worst, float(np.max(np.abs(ours[name] - theirs[name]) / sd)))
    return worst
