"""The likelihood with each group's mean and standard deviation integrated out.

Given a group's standard deviation its rows and its mean are normal, so that the mean is integrated
out in closed form, as in `normal_integral`; of two arms baseline and effect, as in `arms_normal`.
Of the logarithm of the standard deviation, which is normal in its population, one integral is left.
It is taken by the trapezoidal rule after a hyperbolic stretch around its mean, which reaches far on
both sides and converges exponentially (Trefethen and Weideman 2014, doi:10.1137/130932132).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.answers.comparison.arms_normal import arms_population
from hierstan.answers.comparison.normal_integral import LOG_2PI, Shift, Sums, population
from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.families.treatment import arm_of
from hierstan.fit.fit import Fit

Given = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
REACH, COARSE, NODES = 4.0, 13, 33  # sinh(4) = 27 widths on both sides
NARROWER = 10.0  # or wider, at most, than looked for at first
VALUES = 30_000  # draws x units at a time, all nodes together


def own_log_lik(
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
        Draws of every parameter that is no group's own, (S, ...).
    unit : {"observation", "arm", "group"}
    shift : Shift, optional
        How the prior of ``theta`` differs in each unit's fold.
    """
    cells, every = data.cells, np.arange(len(data.groups))
    if unit == "group":
        return _Integral(fit, data, hyper, cells, every, shift)()
    group, rest = _left(data, unit)
    left = _Integral(fit, data, hyper, rest, group, shift)()
    if shift is None:
        return np.asarray(_Integral(fit, data, hyper, cells, every)()[:, group] - left)
    whole = _numbered(cells, cells["group"].to_numpy(), group)
    return _Integral(fit, data, hyper, whole, group, shift)() - left


# internals --------------------------------------------------------------------------------------


def _left(data: GroupedData, unit: str) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the group of each unit, (U,), and what is left of it without: cells with its number.

    The other arm whole, and of the unit's own what is left without an observation.
    """
    family, cells = FAMILIES[data.family], data.cells
    frame = cells if unit == "arm" else data.rows
    assert frame is not None
    parts = []
    if unit == "observation":
        own = family.without_each(frame, len(data.groups)).assign(group=np.arange(len(frame)))
        parts.append(own[own["count"] > 0])
    if family.treatment:
        parts.append(_numbered(cells, arm_of(cells), arm_of(frame) ^ 1))
    return frame["group"].to_numpy(), pd.concat([part[list(cells)] for part in parts])


def _numbered(cells: pd.DataFrame, key: np.ndarray, wanted: np.ndarray) -> pd.DataFrame:
    """Return the cells with each of U keys that are wanted, numbered by it."""
    units = pd.DataFrame({"key": wanted, "unit": np.arange(len(wanted))})
    found = units.merge(pd.DataFrame({"key": key, "cell": np.arange(len(key))}), on="key")
    return cells.iloc[found["cell"].to_numpy()].assign(group=found["unit"].to_numpy())


@dataclass(frozen=True)
class _Integral:
    """The integrals of all that is looked at of a group, once or several times.

    Attributes
    ----------
    cells : pandas.DataFrame
        Whose ``group`` is a number below U; nothing may be looked at of some of them.
    group : numpy.ndarray
        Of `data`, to which each of these belongs, (U,).
    """

    fit: Fit
    data: GroupedData
    hyper: Mapping[str, np.ndarray]
    cells: pd.DataFrame
    group: np.ndarray
    shift: Shift | None = None

    def __call__(self) -> np.ndarray:
        """Return the logarithms of the integrals, (S, U)."""
        size = len(next(iter(self.hyper.values())))
        found = np.zeros((size, len(self.group)))
        some, width = np.unique(self.cells["group"]), max(1, VALUES // size)
        for part in (some[first : first + width] for first in range(0, len(some), width)):
            found[:, part] = self._of(part)
        return found

    def _of(self, units: np.ndarray) -> np.ndarray:
        cells, family = self.cells[self.cells["group"].isin(units)], FAMILIES[self.data.family]
        place = np.searchsorted(units, cells["group"])
        cells = cells.assign(group=place)
        own = {name: self.hyper[name][:, None] for name in family.parameters}
        middle, sd = family.log_population(own)
        given = (self._arms if family.treatment else self._means)(cells, units)

        def log_integrand(log: np.ndarray) -> np.ndarray:
            normal = family.as_normal(cells, {**own, family.of_group: np.exp(log)[..., place]})
            found = given(*normal) - 0.5 * ((log - middle) / sd) ** 2 - np.log(sd)
            return np.where(np.isfinite(found), found, -np.inf)  # so far out that it is nothing

        estimate, precision = family.log_of_group(cells, len(units), own)
        known = precision + sd**-2
        start = (precision * estimate + middle * sd**-2) / known
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return _integrated(log_integrand, start, 1 / np.sqrt(known)) - 0.5 * LOG_2PI

    def _means(self, cells: pd.DataFrame, units: np.ndarray) -> Given:
        """Return what makes the log density of units, of one cell each, from these as normals."""
        center, spread2 = population(self.fit, self.data, self.hyper)
        shift = self._shift(units)
        center = center if center.shape[1] == 1 else center[:, self.group[units]]
        if shift is not None:
            center, spread2 = shift.location, shift.scale**2

        def given(value: np.ndarray, variance: np.ndarray, rest: np.ndarray) -> np.ndarray:
            total = variance + spread2
            return rest - 0.5 * (np.log(total) + (value - center) ** 2 / total + LOG_2PI)

        return given

    def _arms(self, cells: pd.DataFrame, units: np.ndarray) -> Given:
        """Return the same of units that have a cell for each arm."""
        group = self.group[units][cells["group"]]
        about = self.fit, self.data, self.hyper, cells, group, self._shift(units)
        center, means = arms_population(*about)
        sums = Sums(arm_of(cells), 2 * len(units))

        def given(value: np.ndarray, variance: np.ndarray, rest: np.ndarray) -> np.ndarray:
            each, precision, mean = means.summed(value - center, variance, rest, sums)
            return np.asarray(each.sum(axis=-1) + means.log_ratio(precision, mean))

        return given

    def _shift(self, units: np.ndarray) -> Shift | None:
        if self.shift is None:
            return None
        return Shift(self.shift.location[units], self.shift.scale[units])


def _integrated(
    log_integrand: Callable[[np.ndarray], np.ndarray], center: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Return the logarithm of the integral over the line, from about where its mass is, (S, K).

    Its mean and standard deviation are found on a coarse grid first, twice.
    """
    for _ in range(2):
        _, weight, nodes = _on_grid(log_integrand, center, scale, COARSE)
        weight /= weight.sum(axis=0)
        at = (weight * nodes).sum(axis=0)
        found = np.sqrt((weight * (nodes - at) ** 2).sum(axis=0))
        center, scale = at, np.clip(found, scale / NARROWER, NARROWER * scale)
    best, weight, _ = _on_grid(log_integrand, center, scale, NODES)
    return np.asarray(best + np.log(weight.sum(axis=0)))


def _on_grid(
    log_integrand: Callable[[np.ndarray], np.ndarray],
    center: np.ndarray,
    scale: np.ndarray,
    count: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the largest term's logarithm (S, K), all terms relative to it, and their places."""
    places, step = np.linspace(-REACH, REACH, count, retstep=True)
    nodes = center + scale * np.sinh(places)[:, None, None]
    terms = (
        log_integrand(nodes)
        + (np.log(step) + np.log(np.cosh(places)))[:, None, None]
        + np.log(scale)
    )
    best = terms.max(axis=0)
    return best, np.exp(terms - best), nodes
