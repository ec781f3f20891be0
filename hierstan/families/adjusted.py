"""Families whose rows differ by covariates: ``eta[n] + z[n] * gamma`` in place of ``eta[n]``.

What the covariates add is no part of a family's file in ``stan/families/``: it is added to `eta` by
``stan/adjustment.stan`` on any page, for any family. Rows collapse where they share all covariates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.families.collapse import Frame
from hierstan.families.family import NOTHING, Draws, Family
from hierstan.priors import Prior

SLOPES = "gamma"  # what programs call the slopes of the covariates, and people too
WIDE = 2.5  # sd of the prior of gamma for one sd of a covariate, in sds of the outcomes
STEPS, SETTLED = 25, 1e-12


class Adjusted(Family):
    """What adjusting adds to a family; comes before it among the bases of a class."""

    adjusted = True
    vectors: ClassVar[tuple[str, ...]] = ("z",)
    parameter_dims: ClassVar[Mapping[str, str]] = {"gamma": "covariate"}

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return those of the family, and that of the covariates' slopes.

        ``Normal(0, 2.5 scale)`` for one standard deviation of a number, or a label against the
        reference, with the scale of the outcomes; ``Normal(0, 2.5)`` where the link is `natural`.
        """
        unit = 1.0 if self.natural else scale
        return {**super().own_priors(scale, cells), "gamma": priors.Normal(0, WIDE * unit)}

    def starts(
        self, typical: Mapping[str, Prior], rng: np.random.Generator, cells: pd.DataFrame
    ) -> dict[str, np.ndarray]:
        """Return where a chain may start."""
        slopes, unit = self.slopes(cells)
        found = super().starts(typical, rng, cells)
        return {**found, "gamma": slopes + unit * rng.uniform(-1, 1, len(slopes))}

    def sizes_of(self, cells: pd.DataFrame) -> dict[str, int]:
        """Return the number of elements of each of the family's vector parameters."""
        return {**super().sizes_of(cells), "gamma": covariates(cells).shape[1]}

    def floats(self, cells: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return the columns of cells, and their covariates (N, C), as `log_lik` takes them."""
        return {**super().floats(cells), "z": covariates(cells)}

    def log_lik(
        self, cells: Mapping[str, np.ndarray], theta: np.ndarray, own: Draws = NOTHING
    ) -> np.ndarray:
        """Return that of the family around means and what the covariates add to them."""
        return super().log_lik(cells, theta + own[SLOPES][:, 0] @ cells["z"].T, own)

    def as_normal(
        self, cells: pd.DataFrame, own: Draws
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return that of the family, less what the covariates add."""
        value, variance, rest = super().as_normal(cells, own)
        return value - own[SLOPES][:, 0] @ covariates(cells).T, variance, rest

    def collapse(self, frame: Frame) -> Frame:
        """Reduce rows to the statistics of each group and each combination of covariates."""
        known = frame.collect_schema().names()
        names = {name: f"group {name}" for name in known if name.split()[0] == "z"}
        found = super().collapse(frame.rename(names))
        return found.rename({new: old for old, new in names.items()})

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Those of the family, moved to where the covariates are average."""
        base: Any = super()
        raw = base.raw_estimates(cells, J)
        slopes = self.slopes(cells)[0]
        offset = covariates(cells) @ slopes
        group, weight = cells["group"].to_numpy(), self._rows(cells)
        total = np.bincount(group, weight, J)
        told = raw["link"].to_numpy()
        target = self.to_response(told)
        moved = told - np.bincount(group, weight * offset, J) / total
        steps = 0 if self.medians else STEPS
        for _ in range(steps):  # so that the mean over the group's rows is what was seen
            at = moved[group] + offset
            mean = np.bincount(group, weight * self.to_response(at), J) / total
            slope = np.bincount(group, weight * self.slope(at), J) / total
            step = np.clip((target - mean) / slope, -1, 1)
            moved = moved + step
            if (np.abs(step) <= SETTLED * (1 + np.abs(moved))).all():
                break
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = self.slope(moved) / self.slope(told)
        return raw.assign(raw=self.to_response(moved), raw_se=raw["raw_se"] * ratio, link=moved)

    def slopes(self, cells: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return about where the covariates' slopes are, (C,), and how unsure that is.

        By iterated weighted least squares, with an intercept for each group.
        """
        base: Any = super()
        single = cells.assign(group=np.arange(len(cells)))
        raw = base.raw_estimates(single, len(cells))
        table = {str(name): raw[name].to_numpy() for name in raw}
        z, group = covariates(cells), cells["group"].to_numpy()
        estimate, precision = table["link"], table["link_se"] ** -2.0
        J = int(group.max()) + 1
        of = base.raw_estimates(cells, J)["link"].to_numpy()
        mode = of[group]
        slopes = np.zeros(z.shape[1])
        for _ in range(STEPS if self.curved else 1):
            if self.curved:
                with np.errstate(divide="ignore", invalid="ignore"):
                    estimate, precision = self.expansion_of_rows(table, mode)
            within = within_groups(np.column_stack([z, estimate]), group, precision)
            products = (within.T * precision) @ within
            C = z.shape[1]
            information = products[:C, :C] + np.eye(C) * 1e-6 * np.trace(products[:C, :C]) / C
            slopes = np.linalg.solve(information, products[:C, C])
            means = np.bincount(group, precision * (estimate - z @ slopes), J)
            intercept = means / np.bincount(group, precision, J)
            step = np.clip(intercept[group] + z @ slopes - mode, -1, 1)
            mode = mode + step
            if (np.abs(step) <= SETTLED).all():
                break
        return slopes, np.sqrt(np.diag(np.linalg.inv(information)))

    def expansion_of_rows(self, raw: Draws, mode: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return estimate and precision of the normal that fits the likelihood of each row."""
        return Family.expansion(self, raw, mode)

    def covariate_products(
        self, cells: pd.DataFrame, within: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Add products up, of what the covariates differ by within some sets of rows."""
        weight, z = self._rows(cells), covariates(cells)
        apart = within_groups(z, within, weight)
        return (apart.T * weight) @ apart, weight @ z**2

    def _rows(self, cells: pd.DataFrame) -> np.ndarray:
        """Return how much each cell says of its group's mean."""
        size = list(self.size)
        return cells[size].to_numpy(float).sum(axis=1) if size else np.ones(len(cells))


def covariates(cells: pd.DataFrame) -> np.ndarray:
    """Return the covariates of each cell, (N, C)."""
    return cells[[name for name in cells if str(name).split()[0] == "z"]].to_numpy(float)


def within_groups(values: np.ndarray, group: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return values (N, K) less their groups' weighted means."""
    total = np.bincount(group, weight)
    means = [np.bincount(group, weight * column) / total for column in values.T]
    return np.asarray(values - np.column_stack(means)[group])


def adjusted_by_rows(base: Family) -> Family:
    """Return a family with covariates of its rows.

    Examples
    --------
    >>> from hierstan.families import FAMILIES
    >>> from hierstan.families.adjusted import adjusted_by_rows
    >>> adjusted_by_rows(FAMILIES["poisson"]).parameters
    ('gamma',)
    """
    attributes: Mapping[str, Any] = {
        "name": f"{base.name}_adjusted",
        "file": base.file or base.name,
        "words": f"{base.words}; rows adjusted for covariates",
        "distribution": base.distribution or base.name,
        "parameters": (*base.parameters, "gamma"),
        "lower_bounds": {**base.lower_bounds, "gamma": -np.inf},
        "marginal": False,
        "one_parameter": False,
        "known": base.known,
        "additive": False,
        "checks": base.checks,
    }
    made: Family = type(
        f"{type(base).__name__}Adjusted", (Adjusted, type(base)), dict(attributes)
    )()
    return made
