"""The log predictive density of each unit of some data, without the groups' own parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hierstan.answers.comparison.arms_integral import ArmsIntegral
from hierstan.answers.comparison.arms_normal import arms_log_lik
from hierstan.answers.comparison.arms_page import PageIntegral
from hierstan.answers.comparison.correlated_integral import correlated_log_lik
from hierstan.answers.comparison.integral import GroupIntegral, distinct_rows
from hierstan.answers.comparison.normal_integral import Shift, has_closed_form, normal_log_lik
from hierstan.answers.comparison.own_integral import own_log_lik
from hierstan.data.grouped_data import GroupedData
from hierstan.errors import HierstanError
from hierstan.families.treatment import arm_of
from hierstan.fit.centers import centers, with_levels
from hierstan.fit.fit import Fit

if TYPE_CHECKING:
    from hierstan.engines.stanli import Evaluator

NOT_NORMAL = (
    "Errors that are correlated go with theta and its population all being normal: leave-one-out "
    "has no other closed form for them. Use a Normal prior of theta, and the templates as shipped; "
    "or combine the estimates of each study before, with from_estimates without within=."
)
NOT_NORMAL_OWN = (
    "Leaving units out where each group has a standard deviation of its own takes a normal "
    "population or prior of the means, and the templates as shipped: it has no other closed form. "
    "Use a Normal prior of theta and the shipped templates, or hs.check to judge an edited one."
)


class UnitLikelihood:
    """Log predictive density of each unit, without group means; what it takes is made once.

    Parameters
    ----------
    fit : Fit
        Whose pooling, program and priors these are.
    unit : {"observation", "arm", "group"}
    data : GroupedData, optional
        Whose units; by default those of the fit.
    shift : Shift, optional
        How the prior of ``theta`` differs in each unit's fold.
    """

    def __init__(
        self,
        fit: Fit,
        unit: str,
        *,
        data: GroupedData | None = None,
        shift: Shift | None = None,
    ) -> None:
        self._fit, self._unit, self._shift = fit, unit, shift
        self._data = with_levels(fit, data or fit.data)
        if fit.family.correlated and not has_closed_form(fit):
            raise HierstanError(NOT_NORMAL)
        if fit.family.of_group and not has_closed_form(fit):
            raise HierstanError(NOT_NORMAL_OWN)

    def together(self, hyper: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the log density of all data at the same draws, (S,)."""
        if self._fit.family.correlated:
            return correlated_log_lik(self._fit, self._data, hyper, "all")[:, 0]
        return self(hyper).sum(axis=1)

    def __call__(
        self, hyper: Mapping[str, np.ndarray], some: np.ndarray | slice = slice(None)
    ) -> np.ndarray:
        """Return it for some units, at draws of every parameter that is no group's own, (S, U)."""
        if has_closed_form(self._fit):
            found = self._closed_form(self._fit, self._data, hyper, self._unit, self._shift)
            return found[:, some]
        found = self._integrated(hyper, some)
        return found + self._of_rows[some] if self._of_rows.size else found

    @cached_property
    def _of_rows(self) -> np.ndarray:
        """What the density of rows has over that of the sums they are kept as, (U,).

        A constant: three events in each of two hours are fewer ways to have six than all there are.
        Empty where nothing was summed.
        """
        rows, cells = self._data.rows, self._data.cells
        if self._unit == "observation" or rows is None or len(rows) == len(cells):
            return np.zeros(0)

        def ways(frame: pd.DataFrame) -> np.ndarray:
            code = frame["group"].to_numpy()
            if self._unit == "arm":
                code = np.unique(arm_of(frame), return_inverse=True)[1]
            own = self._fit.family.log_ways(frame)
            return np.bincount(code, own, minlength=len(self._data.groups))

        return np.asarray(ways(rows) - ways(cells))

    def _integrated(self, hyper: Mapping[str, np.ndarray], some: np.ndarray | slice) -> np.ndarray:
        if self._fit.family.treatment or {"tau", "theta"} & set(self._fit.priors):
            integral = self._integral
            if isinstance(integral, GroupIntegral):
                return integral(hyper, some)
            return integral(hyper)[:, some]
        return self._given_center(hyper)[:, some]

    def _given_center(self, hyper: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return it where nothing else is any group's own."""
        if self._unit == "observation" and self._explicit:
            frame, place = distinct_rows(self._data)
            center = centers(self._data, hyper)
            center = center if center.shape[1] == 1 else center[:, frame["group"].to_numpy()]
            family = self._fit.family
            own = {name: hyper[name][:, None] for name in family.parameters}
            return family.log_lik(family.floats(frame), center, own)[:, place]
        log_lik = self._evaluator.written(hyper, ["log_lik"])["log_lik"]
        if self._unit == "observation":
            return log_lik
        totals = np.zeros((len(self._data.groups), len(log_lik)))
        np.add.at(totals, self._data.cells["group"].to_numpy(), log_lik.T)
        return totals.T

    @property
    def _closed_form(self) -> Callable[..., np.ndarray]:
        family = self._fit.family
        if family.correlated:
            return correlated_log_lik
        if family.of_group:
            return own_log_lik
        return arms_log_lik if family.treatment else normal_log_lik

    @property
    def _explicit(self) -> bool:
        return self._fit.family.known and not self._fit.conditional.edited

    @cached_property
    def _integral(self) -> GroupIntegral | ArmsIntegral | PageIntegral:
        fit, shift = self._fit, self._shift
        ratio = None if shift is None else shift.log_ratio(fit.priors["theta"])
        of: type[GroupIntegral | ArmsIntegral | PageIntegral] = GroupIntegral
        if fit.family.treatment:
            of = PageIntegral if fit.conditional.edited else ArmsIntegral
        return of(fit.conditional, fit.priors, self._data, self._unit, ratio)

    @cached_property
    def _evaluator(self) -> Evaluator:
        from hierstan.engines.stanli import Evaluator
        from hierstan.sampling.inputs import stan_data

        rows = self._unit == "observation"
        entries = stan_data(
            self._data, self._fit.priors, rows=rows, pointwise=True, replicate=False
        )
        return Evaluator(self._fit.conditional, entries)


def log_lik_of_units(
    fit: Fit,
    hyper: Mapping[str, np.ndarray],
    unit: str,
    *,
    data: GroupedData | None = None,
    shift: Shift | None = None,
    some: np.ndarray | slice = slice(None),
) -> np.ndarray:
    """Return the log predictive density of each unit at each draw, (S, U), without group means."""
    return UnitLikelihood(fit, unit, data=data, shift=shift)(hyper, some)


def log_lik_together(
    fit: Fit, hyper: Mapping[str, np.ndarray], data: GroupedData | None = None
) -> np.ndarray:
    """Return the log density of all data, or of others, at each draw, (S,), without group means."""
    return UnitLikelihood(fit, "group", data=data).together(hyper)
