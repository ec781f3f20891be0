"""The likelihood with each group's mean and standard deviation integrated out.

Given a group's standard deviation its rows and its mean are normal, so that the mean is integrated
out in closed form, as in `normal_integral`. Of the logarithm of the standard deviation, which is
normal in its population, one integral is left. It is taken by the trapezoidal rule after a
hyperbolic stretch around its mean, which reaches far on both sides and converges exponentially
(Trefethen and Weideman 2014, doi:10.1137/130932132).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.answers.comparison.normal_integral import (
    LOG_2PI,
    Shift,
    population,
)
from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.fit.fit import Fit

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
    unit : {"observation", "group"}
    shift : Shift, optional
        How the prior of ``theta`` differs in each unit's fold.
    """
    whole = _Integral(fit, data, hyper, data.cells, shift)
    if unit == "group":
        return whole()
    assert data.rows is not None
    rest = FAMILIES[data.family].without_each(data.rows, len(data.groups))
    alone = rest["count"].to_numpy() == 0
    code = data.rows["group"].to_numpy()
    left = np.zeros((whole.size, len(rest)))
    left[:, ~alone] = _Integral(fit, data, hyper, rest, shift)(np.flatnonzero(~alone))
    if shift is None:
        return np.asarray(whole()[:, code] - left)
    every = data.cells.iloc[code].reset_index(drop=True)
    return _Integral(fit, data, hyper, every, shift)() - left


# internals --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Integral:
    """The integrals of some cells, each all that is looked at of its group."""

    fit: Fit
    data: GroupedData
    hyper: Mapping[str, np.ndarray]
    cells: pd.DataFrame
    shift: Shift | None

    @property
    def size(self) -> int:
        """Number of draws."""
        return len(next(iter(self.hyper.values())))

    def __call__(self, some: np.ndarray | None = None) -> np.ndarray:
        """Return the logarithms of the integrals of some of the cells, (S, K)."""
        some = np.arange(len(self.cells)) if some is None else some
        width = max(1, VALUES // self.size)
        parts = [self._of(some[first : first + width]) for first in range(0, len(some), width)]
        return np.hstack(parts) if parts else np.zeros((self.size, 0))

    def _of(self, some: np.ndarray) -> np.ndarray:
        cells, family = self.cells.iloc[some], FAMILIES[self.data.family]
        own = {name: self.hyper[name][:, None] for name in family.parameters}
        middle, sd = family.log_population(own)
        center, spread2 = population(self.fit, self.data, self.hyper)
        center = center if center.shape[1] == 1 else center[:, cells["group"].to_numpy()]
        if self.shift is not None:
            center, spread2 = self.shift.location[some], self.shift.scale[some] ** 2

        def log_integrand(log: np.ndarray) -> np.ndarray:
            value, variance, rest = family.as_normal(cells, {**own, family.of_group: np.exp(log)})
            total = variance + spread2
            of_mean = np.log(total) + (value - center) ** 2 / total
            found = rest - 0.5 * (of_mean + ((log - middle) / sd) ** 2) - np.log(sd)
            return np.where(np.isfinite(found), found, -np.inf)  # so far out that it is nothing

        alone = cells.assign(group=np.arange(len(cells)))
        estimate, precision = family.log_of_group(alone, len(cells), own)
        known = precision + sd**-2
        start = (precision * estimate + middle * sd**-2) / known
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return _integrated(log_integrand, start, 1 / np.sqrt(known)) - LOG_2PI


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
