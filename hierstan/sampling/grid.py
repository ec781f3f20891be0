"""Grids of group means, as data of the programs that integrate these out numerically.

The trapezoid rule converges faster than any power of the spacing where the integrand is smooth and
vanishes at both ends: for a normal density of standard deviation s and a spacing of h its error is
``2 exp(-2 (pi s / h)^2)`` (Trefethen and Weideman 2014, doi:10.1137/130932132).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.errors import DataError
from hierstan.families import FAMILIES
from hierstan.families.family import Family
from hierstan.priors import Prior
from hierstan.sampling.approximation import (
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
MOST_UNSURE = 0.5  # of the logarithm of tau, as first guessed
WIDER = 4.0  # times as wide is the population, until that is ruled out
MOST_FAR = 40.0  # whose density is still a number
UNLIKELY = 30.0  # fall of the log likelihood, beyond which a narrow population is ruled out
DEGREE = 6  # of polynomials that say where mu is, given tau
MOST = 20_000_000  # likelihoods, 160 MB
FEW = 100  # groups, which are sampled as quickly themselves
QUICK = 9  # likelihoods, times groups to the power of 3/2: they take more steps the more they are
ANEW = 30  # of those that are tabulated cost as much as one that is not
NEWTON_STEPS = 20
TINY = 1e-300


class Grid:
    """Means at which likelihoods are tabulated, groups with equal data as one.

    Parameters
    ----------
    data : GroupedData
        Of a family of `one_parameter`.
    priors : mapping of str to Prior
    """

    def __init__(self, data: GroupedData, priors: Mapping[str, Prior]) -> None:
        self._family, self._J = FAMILIES[data.family], len(data.groups)
        self._prior, self._prior_tau = as_normal(priors["mu"]), priors["tau"]
        self._total, self._weight = totals(self._family, data)
        self._first, self._alike, _ = distinct(self._total, self._weight)
        tau2 = typical_variance(data)
        self._tau = float(np.sqrt(tau2))
        self._estimate, self._precision = normal_approximation(data, tau2)
        says = self._precision / (1 + tau2 * self._precision)
        self._mu, self._mu_sd = _together(says, self._estimate, self._prior)
        self._mode = expected_means(self._estimate, self._precision, self._mu, tau2)
        h = self._distance()
        self._least = LEAST * EDGE * h
        self._middle, self._reach = self._between()
        with np.errstate(divide="ignore"):
            unsure = min((0.5 / float(np.sum((tau2 * says) ** 2))) ** 0.5, MOST_UNSURE)
        wide = 2 * self._typical
        largest = float(self._prior_tau.quantile(1 - 1e-6))
        reach = max(wide, min(wide * float(np.exp(FAR * unsure)), largest))
        while not self._reaches(reach, h) and reach < largest:
            reach = min(WIDER * reach, largest)

    @property
    def quick(self) -> bool:
        """Whether sampling takes less time with them than with all group means."""
        N, G, most = len(self._first), len(self._x), QUICK * self._J**1.5
        if min(most, MOST) < N * G:
            return False
        return N * (G + ANEW * len(self._z)) <= most

    @property
    def wide(self) -> bool:
        """Whether data and prior rule out that the population is narrow."""
        return not len(self._z)

    def entries(self) -> dict[str, Any]:
        """Return the data of ``sampling/grid/partial_pooling.stan``."""
        per = self._family.per
        kind = np.int32 if self._family.columns[per] == "int" else float
        found = {
            "N": len(self._first),
            "alike": self._alike.astype(float),
            "y": self._total[self._first].astype(np.int32),
            per: self._weight[self._first].astype(kind),
            "height": self._heights,
            "G": len(self._x),
            "x": self._x,
            "dx": self._dx,
            "Q": len(self._z),
            "z": self._z,
            "dz": DZ,
            "x_middle": self._middle,
            "x_reach": self._reach,
            "least_tau": self._least,
            "more_tau": LEAST * GROWTH,
            **self._mu_given_tau(),
        }
        self._forget()
        return found

    # internals --------------------------------------------------------------------------------

    def _reaches(self, tau: float, h: float) -> bool:
        """Take means for populations as wide as `tau`; return whether wider ones are ruled out."""
        x, self._dx = spaced(h, self._reach, self._reach + FAR * tau)
        self._x, self._largest = self._middle + x, tau
        self._forget()
        return self._ruled_out(tau)

    def _forget(self) -> None:
        """Give the memory of the likelihoods back."""
        self.__dict__.pop("_likelihoods", None)

    def _distance(self) -> float:
        """Return the distance between means, at least."""
        slope = self._family.slope(np.full(1, self._mu))
        sharpest = max(self._precision.max(), (self._weight * slope).max())
        return min(WIDEST, 1 / (FINE * float(np.sqrt(sharpest))))

    def _between(self) -> tuple[float, float]:
        """Return the middle of what mu and the group means may be, and how far they may be off."""
        sd, far = 1 / np.sqrt(self._precision + self._tau**-2), FAR * self._mu_sd
        low = min(float((self._mode - 4 * sd).min()), self._mu - far)
        high = max(float((self._mode + 4 * sd).max()), self._mu + far)
        return (low + high) / 2, (high - low) / 2

    def _log_likelihoods(self, theta: np.ndarray) -> np.ndarray:
        total, weight = self._total[self._first, None], self._weight[self._first, None]
        return self._family.log_kernel(total, weight, theta)

    @cached_property
    def _heights(self) -> np.ndarray:
        return self._log_likelihoods(self._mode[self._first, None])[:, 0]

    @cached_property
    def _likelihoods(self) -> np.ndarray:
        if len(self._first) * len(self._x) > MOST:
            raise DataError(
                f"The likelihoods of {len(self._first):,} different groups at {len(self._x):,} "
                "means are too many to integrate theta out numerically. "
                "Use parameterization='auto'."
            )
        return np.exp(self._log_likelihoods(self._x) - self._heights[:, None])

    @cached_property
    def _z(self) -> np.ndarray:
        """Means in a narrow population, in units of tau; none where that is ruled out."""
        if not self._may_be_narrow():
            return np.zeros(0)
        # what a group says, d sds from mu, is never more than d / 2 away in units of tau
        most = float((np.abs(self._estimate - self._mu) * np.sqrt(self._precision)).max())
        Q = int(min(FAR + most / 2, MOST_FAR) / DZ) + 1
        return DZ * np.arange(-Q, Q + 1)

    def _may_be_narrow(self) -> bool:
        """Whether data and prior leave any probability to tau below `least`."""
        return not self._ruled_out(self._least, np.geomspace(1e-6, 1, 50) * self._least)

    def _ruled_out(self, tau: float, taus: np.ndarray | None = None) -> bool:
        """Whether data, at `tau`, and prior, there or at `taus`, have something far likelier."""

        def log_prior(tau: np.ndarray) -> float:
            with np.errstate(divide="ignore"):
                return float((self._prior_tau.log_density(tau) + np.log(tau)).max())

        there = self._best(tau)[2] + log_prior(np.array([tau]) if taus is None else taus)
        likelier = self._best(self._typical)[2] + log_prior(np.array([self._typical]))
        return there < likelier - UNLIKELY

    @property
    def _typical(self) -> float:
        return max(self._tau, self._least)

    def _mu_given_tau(self) -> dict[str, Any]:
        """Return polynomials that say about where mu is, and how far off."""
        unit = self._tau + self._least
        # from where the likelihoods are still tabulated about right
        lowest, highest = max(self._least / 2, unit / 10), max(self._largest, self._least)
        taus: np.ndarray = np.geomspace(lowest, min(highest, 5 * unit), 2 * DEGREE)
        found = [self._best(tau)[:2] for tau in taus]
        if len(self._z):
            pooled = self._family.to_link((self._total.sum() + 0.5) / (self._weight.sum() + 1))
            said = self._weight.sum() * self._family.slope(pooled)
            taus = np.append(taus, 0.0)
            found.append(_together(said, pooled, self._prior))
        share = taus**2 / (taus**2 + unit**2)
        where, how_far = np.array(found).T
        how_far = np.log(how_far)
        return {
            "unit_tau": unit,
            "D": DEGREE + 1,
            "mu_of_tau": np.polyfit(share, where, DEGREE, w=np.exp(-how_far)),
            "mu_ends": np.array([where.min(), where.max()]),
            "unit_of_tau": np.polyfit(share, how_far, DEGREE),
            "unit_ends": np.array([how_far.min(), how_far.max()]),
        }

    def _best(self, tau: float) -> tuple[float, float, float]:
        """Return the likeliest mu given tau, its standard deviation and the log density there."""
        mu = self._mu
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
        moments = self._likelihoods @ (density[:, None] * np.stack([off**0, off, off**2], axis=1))
        total = np.maximum(moments[:, 0], TINY)
        first, second = moments[:, 1] / total, moments[:, 2] / total
        location, scale = self._prior
        value = self._alike @ np.log(total) - 0.5 * ((mu - location) / scale) ** 2
        slope = self._alike @ first / tau - (mu - location) / scale**2
        known = self._alike @ np.maximum(1 - second + first**2, 0) / tau**2 + scale**-2
        return float(value), float(slope), float(known)


def quicker(data: GroupedData, priors: Mapping[str, Prior]) -> bool:
    """Whether that takes less time than to sample all group means."""
    return len(data.groups) >= FEW and Grid(data, priors).quick


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


def _together(precision: np.ndarray, estimate: np.ndarray, prior: AsNormal) -> tuple[float, float]:
    """Return where estimates and the prior put mu together, and its standard deviation."""
    known = float(np.sum(precision)) + prior.scale**-2
    pull = float(np.sum(precision * estimate)) + prior.location * prior.scale**-2
    return pull / known, known**-0.5
