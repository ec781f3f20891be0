"""The likelihood with the group means integrated out, where both are normal: closed forms.

A group's observations given ``theta`` are normal around it (`Family.as_normal`), and ``theta`` is
``normal(center, spread)``. With complete pooling the spread is 0. Nothing here subtracts large
numbers of each other: squares are taken around the groups' own means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hierstan.answers.comparison.integral import LogRatio
from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.fit.centers import centers
from hierstan.fit.fit import Fit
from hierstan.priors import Normal, Prior

LOG_2PI = np.log(2 * np.pi)


@dataclass(frozen=True)
class Shift:
    """How the prior of each unit's group mean differs from that of the full data.

    Attributes
    ----------
    location, scale : numpy.ndarray
        Of the normal prior of ``theta`` in each unit's fold, (U,).
    """

    location: np.ndarray
    scale: np.ndarray

    def log_ratio(self, full: Prior) -> LogRatio:
        """Return log prior of the fold minus that of the full data, at means (S, K) of units."""

        def ratio(theta: np.ndarray, units: np.ndarray) -> np.ndarray:
            location, scale = self.location[units], self.scale[units]
            fold = -0.5 * ((theta - location) / scale) ** 2 - np.log(scale) - 0.5 * LOG_2PI
            return np.asarray(fold - full.log_density(theta))

        return ratio


def has_closed_form(fit: Fit) -> bool:
    """Whether group means and observations are normal, as in the templates hierstan ships."""
    normal = isinstance(fit.priors.get("theta", Normal(0, 1)), Normal)
    return fit.family.gaussian and normal and not fit.conditional.edited


def normal_log_lik(
    fit: Fit,
    data: GroupedData,
    hyper: Mapping[str, np.ndarray],
    unit: str,
    shift: Shift | None = None,
) -> np.ndarray:
    """Return the log predictive density of every unit at every draw, (S, U).

    Parameters
    ----------
    fit : Fit
        Whose pooling, family and priors these are.
    data : GroupedData
        Whose units.
    hyper : mapping of str to numpy.ndarray
        Draws of every parameter but ``theta``, (S, ...). Empty where there are none.
    unit : {"observation", "group"}
    shift : Shift, optional
    """
    frame = data.cells if unit == "group" else data.rows
    assert frame is not None
    own = {name: hyper[name][:, None] for name in FAMILIES[data.family].parameters}
    value, variance, rest = FAMILIES[data.family].as_normal(frame, own)
    groups = Sums(frame["group"].to_numpy(), len(data.groups))
    center, spread2 = population(fit, data, hyper)
    off = value - (center if center.shape[1] == 1 else center[:, groups.of])
    if "tau" not in fit.priors and "theta" not in fit.priors:
        each = rest - 0.5 * (LOG_2PI + np.log(variance) + off**2 / variance)
        return each if unit == "observation" else groups(each)
    location, scale2 = np.zeros(1), spread2
    if shift is not None:
        location, scale2 = (
            shift.location - fit.priors["theta"].numbers()["location"],
            shift.scale**2,
        )
    weight = 1 / variance
    if unit == "observation":
        return rest + _of_rows(groups, off, variance, weight, location, scale2)
    total = groups(np.broadcast_to(weight, np.broadcast_shapes(weight.shape, off.shape)))
    mean = groups(weight * off) / total
    within = groups(
        rest - 0.5 * (np.log(variance) + LOG_2PI + weight * (off - mean[:, groups.of]) ** 2)
    )
    apart = (mean - location) ** 2 * total / (1 + scale2 * total)
    return within - 0.5 * (np.log1p(scale2 * total) + apart)


def population(
    fit: Fit, data: GroupedData, hyper: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (S, 1) or (S, J) and variance (S, 1) of the population of each group."""
    if "theta" in fit.priors:
        numbers = fit.priors["theta"].numbers()
        return np.array([[numbers["location"]]]), np.array([[numbers["scale"] ** 2]])
    tau = hyper.get("tau", np.zeros(1))
    return centers(data, hyper), tau[:, None] ** 2


class Sums:
    """Sums over the observations of each of J groups, of arrays (..., N).

    Attributes
    ----------
    of : numpy.ndarray
        The group of each observation, (N,).
    sizes : numpy.ndarray
        Number of observations in each group, (J,).
    alone : numpy.ndarray
        Whether it is the only one there, (N,).
    """

    def __init__(self, of: np.ndarray, J: int) -> None:
        self.of, self._J = of, J
        self._single = len(of) == J and bool((of == np.arange(J)).all())
        self.sizes = np.bincount(of, minlength=J)
        self.alone = self.sizes[of] == 1

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the sums, (..., J)."""
        if self._single:
            return values
        from scipy import sparse

        N = len(self.of)
        member = sparse.csr_matrix((np.ones(N), (self.of, np.arange(N))), shape=(self._J, N))
        return np.asarray((member @ values.reshape(-1, N).T).T.reshape(*values.shape[:-1], self._J))


# internals ------------------------------------------------------------------------------------


def _of_rows(
    groups: Sums,
    off: np.ndarray,
    variance: np.ndarray,
    weight: np.ndarray,
    location: np.ndarray,
    scale2: np.ndarray,
) -> np.ndarray:
    """Return the log density of each row given the others of its group, without what is constant.

    What the others say of theta is normal, with their weight and around their mean, so that the
    density is a parabola of the row. Where all rows weigh the same, it is the same for each row of
    a group.
    """
    if weight.shape[1] == location.shape[-1] == 1:
        others = weight * np.maximum(groups.sizes - 1, 0)
        shared = weight * (groups.sizes > 1)
        told = shared * groups(off)
        of = groups.of
    else:
        weight = np.broadcast_to(weight, np.broadcast_shapes(weight.shape, off.shape))
        others = np.where(groups.alone, 0.0, groups(weight)[:, groups.of] - weight)
        others = np.maximum(others, 0.0)
        shared = np.where(groups.alone, 0.0, weight)
        told = np.where(groups.alone, 0.0, groups(weight * off)[:, groups.of])
        of = np.arange(len(groups.of))
    left = scale2 / (1 + scale2 * others)  # variance of theta given the others
    total = variance + left
    steep = np.sqrt(0.5 / total)
    slope = steep * (1 + left * shared)
    middle = steep * (location - left * location * others + left * told)
    apart = np.take(slope, of, axis=1) * off
    apart -= np.take(middle, of, axis=1)  # in place, here and below: these are large
    apart *= apart
    constant = np.take(-0.5 * (LOG_2PI + np.log(total)), of, axis=1)
    return np.subtract(constant, apart, out=apart)
