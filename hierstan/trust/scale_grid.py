"""Integration over ``log(tau)`` and ``log(sigma)`` on a grid that finds its own range.

For `hierstan.quadrature` alone; nothing here is used for sampling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LogDensity = Callable[[np.ndarray], np.ndarray]
AtScales = Callable[[np.ndarray, np.ndarray, float], tuple[np.ndarray, ...]]

DROP = 14.0  # natural logarithms below the maximum at which a grid ends: 1e-6
NARROWINGS = 15
BLOCK = 3_000_000  # numbers at a time
LEVELS = (1.0, 2.0, 4.0)  # densities of the grids, one tried after the other
SETTLED = 5e-3  # posterior standard deviations by which the grid before may be off
_ONE_SCALE, _EACH_OF_TWO_SCALES, _NARROWING = 120, 70, 24  # nodes


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


def over_scales(
    groups: Groups,
    at: AtScales,
    tau: LogDensity | None,
    sigma: LogDensity | None,
    names: tuple[str, ...],
    nodes: int,
) -> Moments:
    """Integrate over ``log(tau)`` and ``log(sigma)``, those there are.

    Parameters
    ----------
    groups : Groups
    at : callable
        Takes log tau and log sigma, (K,), and the density of the grid to the log density of the
        data, (K,), and for each of `names` the first and second moment about ``groups.origin``.
    tau, sigma : callable or None
        Log prior densities.
    names : tuple of str
    nodes : int
        How many numbers `at` holds at a time for each point and group.
    """

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
        _, weight = normalised(total, axis=0)
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


def normalised(log_values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the logarithm of the sum, and each value's share of it."""
    top = log_values.max(axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    share = np.exp(log_values - top)
    mass = share.sum(axis=axis, keepdims=True)
    with np.errstate(divide="ignore"):
        total = (top + np.log(mass)).squeeze(axis)
    return total, share / np.maximum(mass, np.finfo(float).tiny)


# internals ------------------------------------------------------------------------------------


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
        if not (sd > 0).all():  # all on one node
            return np.inf
        for ours, theirs in ((fine.mean, coarse.mean), (fine.sd, coarse.sd)):
            worst = max(worst, float(np.max(np.abs(ours[name] - theirs[name]) / sd)))
    return worst
