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
from hierstan.families import FAMILIES
from hierstan.families.family import Family
from hierstan.priors import Prior
from hierstan.sampling.coordinates import (
    expected_means,
    normal_approximation,
    typical_variance,
)
from hierstan.sampling.joint import as_normal

WIDEST = 0.45  # distance between means: for likelihoods that are far from normal
FINE = 1.4  # standard deviations of the narrowest likelihood in a distance, at least
LEAST = 1.5  # tau in distances, for which a grid is fine enough
GROWTH = 0.08  # of the distance, for each unit outside of the groups
EDGE = 1.1  # distances between groups are at most so much longer than in the middle
DZ = 0.6  # between means in a population that is no wider than LEAST distances
FAR = 8.2  # standard deviations
MOST_FAR = 40.0  # whose density is still a number


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
        unsure = min(0.5 / float(np.sum((tau2 * says) ** 2)), 1.0) ** 0.5  # of log(tau)
    largest = float(priors["tau"].quantile(1 - 1e-6))
    largest = min(largest, 2 * float(np.sqrt(tau2)) * np.exp(FAR * unsure))
    x, dx = spaced(h, reach, reach + FAR * largest)
    least = LEAST * EDGE * h
    narrow = np.sqrt(tau2) / 2 * np.exp(-FAR * unsure) < least
    # what a group says, d sds from mu, is never more than d / 2 away in units of tau
    ends = FAR + float((np.abs(estimate - mu) * np.sqrt(precision)).max()) / 2
    Q = int(min(ends, MOST_FAR) / DZ) + 1
    z = DZ * np.arange(-Q, Q + 1) if narrow else np.zeros(0)
    return {
        "N": len(first),
        "alike": alike.astype(float),
        "y": total[first].astype(np.int32),
        family.per: weight[first].astype(
            np.int32 if family.columns[family.per] == "int" else float
        ),
        "height": family.log_kernel(total[first], weight[first], mode[first]),
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
    }


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
