"""Grids of group means, as data of the programs that integrate these out numerically.

The trapezoid rule converges faster than any power of the spacing where the integrand is smooth and
vanishes at both ends: for a normal density of standard deviation s and a spacing of h its error is
``2 exp(-2 (pi s / h)^2)`` (Trefethen and Weideman 2014, doi:10.1137/130932132).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.errors import DataError
from hierstan.families import FAMILIES
from hierstan.families.family import Family
from hierstan.priors import Prior
from hierstan.sampling.coordinates import (
    expected_means,
    normal_approximation,
    typical_variance,
)
from hierstan.sampling.joint import AsNormal, as_normal

WIDEST = 0.45  # distance between means: for likelihoods that are far from normal
FINE = 1.4  # standard deviations of the narrowest likelihood in a distance, at least
LEAST = 1.5  # tau in distances, for which a grid is fine enough
GROWTH = 0.08  # of the distance, for each unit outside of the groups
EDGE = 1.1  # distances between groups are at most so much longer than in the middle
DZ = 0.6  # between means in a population that is no wider than LEAST distances
FAR = 8.2  # standard deviations
MOST_FAR = 40.0  # whose density is still a number
UNLIKELY = 30.0  # fall of the log likelihood, beyond which a narrow population is ruled out
DEGREE = 4  # of polynomials that say where mu is, given tau
LONGEST, MOST = 100_000, 20_000_000  # means, and likelihoods at them, 160 MB
FEW = 100  # groups, which are sampled as quickly themselves
QUICK = 9  # likelihoods, times groups to the power of 3/2: they take more steps the more they are
ANEW = 30  # of those that are tabulated cost as much as one that is not
NEWTON_STEPS = 20
TINY = 1e-300


def grid(data: GroupedData, priors: Mapping[str, Prior]) -> dict[str, Any]:
    """Return the data of ``sampling/grid/partial_pooling.stan``, groups with equal data as one.

    Parameters
    ----------
    data : GroupedData
        Of a family of `one_parameter`.
    priors : mapping of str to Prior
    """
    family = FAMILIES[data.family]
    total, weight = totals(family, data)
    first, alike, _ = distinct(total, weight)
    tau2 = typical_variance(data)
    estimate, precision = normal_approximation(data, tau2)
    says = precision / (1 + tau2 * precision)
    prior = as_normal(priors["mu"])
    mu_sd = (says.sum() + prior.scale**-2) ** -0.5
    mu = mu_sd**2 * (says @ estimate + prior.location * prior.scale**-2)
    mode = expected_means(estimate, precision, mu, tau2)
    sd = 1 / np.sqrt(precision + 1 / tau2)
    low = min(float((mode - 4 * sd).min()), mu - FAR * mu_sd)
    high = max(float((mode + 4 * sd).max()), mu + FAR * mu_sd)
    middle, reach = (low + high) / 2, (high - low) / 2
    sharpest = max(precision.max(), (weight * family.slope(np.full(1, mu))).max())
    h = min(WIDEST, 1 / (FINE * float(np.sqrt(sharpest))))
    with np.errstate(divide="ignore"):
        unsure = min((0.5 / float(np.sum((tau2 * says) ** 2))) ** 0.5, 0.25)  # of log(tau)
    largest = float(priors["tau"].quantile(1 - 1e-6))
    largest = max(largest, 2 * float(np.sqrt(tau2)) * np.exp(FAR * unsure))
    x, dx = spaced(h, reach, reach + FAR * largest)
    if len(x) > LONGEST or len(first) * len(x) > MOST:
        raise DataError(
            f"The likelihoods of {len(first):,} different groups at {len(x):,} means are too many "
            "to integrate theta out numerically. Use parameterization='auto'."
        )
    least = LEAST * EDGE * h
    height = family.log_kernel(total[first], weight[first], mode[first])
    likelihood = np.exp(
        family.log_kernel(total[first, None], weight[first, None], middle + x) - height[:, None]
    )
    given = _GivenTau(likelihood, alike, middle + x, dx, prior)
    unit = float(np.sqrt(tau2)) + least
    # from where the likelihoods are still tabulated about right
    taus: np.ndarray = np.geomspace(
        max(least / 2, unit / 10), min(max(largest, least), 5 * unit), 2 * DEGREE
    )
    best: np.ndarray = np.array([given.best(mu, tau) for tau in taus])
    z: np.ndarray = np.zeros(0)
    if _may_be_narrow(given, mu, priors["tau"], least, max(float(np.sqrt(tau2)), least)):
        # what a group says, d sds from mu, is never more than d / 2 away in units of tau
        ends = FAR + float((np.abs(estimate - mu) * np.sqrt(precision)).max()) / 2
        Q = int(min(ends, MOST_FAR) / DZ) + 1
        z = DZ * np.arange(-Q, Q + 1)
        pooled = family.to_link((total.sum(keepdims=True) + 0.5) / (weight.sum() + 1))
        said = float((weight.sum() * family.slope(pooled))[0])
        known = said + prior.scale**-2
        at_0 = (said * float(pooled[0]) + prior.location * prior.scale**-2) / known
        taus = np.append(taus, 0.0)
        best = np.concatenate([best, [[at_0, known**-0.5, 0]]])
    share = taus**2 / (taus**2 + unit**2)
    where, how_far = best[:, 0], np.log(best[:, 1])
    return {
        "N": len(first),
        "alike": alike.astype(float),
        "y": total[first].astype(np.int32),
        family.per: weight[first].astype(
            np.int32 if family.columns[family.per] == "int" else float
        ),
        "height": height,
        "G": len(x),
        "x": middle + x,
        "dx": dx,
        "Q": len(z),
        "z": z,
        "dz": DZ,
        "x_middle": middle,
        "x_reach": reach,
        "least_tau": least,
        "more_tau": LEAST * GROWTH,
        "unit_tau": unit,
        "D": DEGREE + 1,
        "mu_of_tau": np.polyfit(share, where, DEGREE),
        "mu_ends": np.array([where.min(), where.max()]),
        "unit_of_tau": np.polyfit(share, how_far, DEGREE),
        "unit_ends": np.array([how_far.min(), how_far.max()]),
    }


def quicker(data: GroupedData, priors: Mapping[str, Prior]) -> bool:
    """Whether that takes less time than to sample all group means."""
    J = len(data.groups)
    if J < FEW:
        return False
    try:
        found = grid(data, priors)
    except DataError:
        return False
    return bool(found["N"] * (found["G"] + ANEW * found["Q"]) <= QUICK * J**1.5)


def totals(family: Family, data: GroupedData) -> tuple[np.ndarray, np.ndarray]:
    """Return the outcomes of each group and what they are divided by, added up, (J,) each."""
    J, cells = len(data.groups), data.cells
    group = cells["group"].to_numpy()
    y, weight = (np.bincount(group, cells[name], J) for name in ("y", family.per))
    return y, weight


def distinct(total: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the first of all groups with equal data, how many they are, and each group's place."""
    _, first, place, count = np.unique(
        total + 1j * weight, return_index=True, return_inverse=True, return_counts=True
    )
    return first, count, place


def spaced(h: float, reach: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """Return means from `-end` to `end`, `h` apart, and distances that grow beyond `reach`.

    The k-th is at ``h k + a sinh(GROWTH k)``, `a` so small that the second term matters there only.
    """
    first, ends = reach / h, max(end - reach, h)
    most = int(first + np.log1p(GROWTH * ends / (EDGE - 1) / h) / GROWTH) + 2
    k = np.arange(-most, most + 1)
    up, down = (np.exp(GROWTH * (sign * k - first)) * (EDGE - 1) * h for sign in (1, -1))
    return h * k + (up - down) / GROWTH, h + up + down


# internals ------------------------------------------------------------------------------------


def _may_be_narrow(given: _GivenTau, mu: float, prior: Prior, least: float, typical: float) -> bool:
    """Whether data and prior leave any probability to tau below `least`."""

    def log_prior(tau: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.asarray(prior.log_density(tau) + np.log(tau))

    narrow = given.best(mu, least)[2] + log_prior(np.geomspace(1e-6, 1, 50) * least).max()
    wide = given.best(mu, typical)[2] + log_prior(np.array([typical]))[0]
    return not narrow < wide - UNLIKELY


class _GivenTau:
    """Where mu is given tau, by the tabulated likelihoods and the prior."""

    def __init__(
        self,
        likelihood: np.ndarray,
        alike: np.ndarray,
        x: np.ndarray,
        dx: np.ndarray,
        prior: AsNormal,
    ) -> None:
        self._likelihood, self._alike, self._x, self._dx = likelihood, alike, x, dx
        self._prior = prior

    def best(self, mu: float, tau: float) -> tuple[float, float, float]:
        """Return the likeliest mu, its standard deviation and the log density there."""
        for _ in range(NEWTON_STEPS):
            value, slope, precision = self._at(mu, tau)
            step = float(np.clip(slope / precision, -tau, tau))
            mu += step
            if abs(step) < 0.02 * precision**-0.5:
                break
        return mu, precision**-0.5, value

    def _at(self, mu: float, tau: float) -> tuple[float, float, float]:
        """Return the log density of mu given tau, its slope, and the precision, above 0."""
        off = (self._x - mu) / tau
        density = np.exp(-0.5 * off**2) / tau * self._dx
        moments = self._likelihood @ (density[:, None] * np.stack([off**0, off, off**2], axis=1))
        total = np.maximum(moments[:, 0], TINY)
        first, second = moments[:, 1] / total, moments[:, 2] / total
        location, scale = self._prior
        value = self._alike @ np.log(total) - 0.5 * ((mu - location) / scale) ** 2
        slope = self._alike @ first / tau - (mu - location) / scale**2
        known = self._alike @ np.maximum(1 - second + first**2, 0) / tau**2 + scale**-2
        return float(value), float(slope), float(known)
