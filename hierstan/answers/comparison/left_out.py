"""What changes when a unit is left out: the default priors' numbers and, if need be, the fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from hierstan.answers.comparison.integral import LogRatio, integrated_log_lik
from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.fit.fit import Fit
from hierstan.priors import Prior
from hierstan.programs.program import Program

MAX_FOLD_PRIORS = 2000


def log_lik_of_units(
    fit: Fit,
    hyper: Mapping[str, np.ndarray],
    unit: str,
    *,
    data: GroupedData | None = None,
    log_ratio: LogRatio | None = None,
) -> np.ndarray:
    """Return the log predictive density of each unit at each draw, (S, U), without group means."""
    data = data or fit.data
    if fit.model.name != "complete":
        return integrated_log_lik(
            fit.conditional, fit.priors, data, hyper, unit=unit, log_ratio=log_ratio
        )
    from hierstan.engines.stanli import Evaluator
    from hierstan.sampling.inputs import stan_data

    rows = unit == "observation"
    entries = stan_data(data, fit.priors, rows=rows, pointwise=True)
    log_lik = Evaluator(fit.conditional, entries).written(hyper, ["log_lik"])["log_lik"]
    if rows:
        return log_lik
    totals = np.zeros((len(data.groups), len(log_lik)))
    np.add.at(totals, entries["group"] - 1, log_lik.T)
    return totals.T


def hyper_draws(fit: Fit, size: int) -> dict[str, np.ndarray]:
    """Return at most `size` evenly spaced draws of every parameter but ``theta``."""
    from hierstan.engines.stanli import Evaluator
    from hierstan.sampling.inputs import stan_data

    parameters = Evaluator(fit.conditional, stan_data(fit.data, fit.priors)).parameters
    draws = {name: fit.draws(name) for name in parameters if name != "theta"}
    return {
        name: values[np.linspace(0, len(values) - 1, min(size, len(values))).astype(int)]
        for name, values in draws.items()
    }


@dataclass(frozen=True)
class FoldPriors:
    """The default priors of each fold, whose numbers come from the data without the unit.

    Attributes
    ----------
    full : dict of str to Prior
        Those of the full data, of the parameters whose prior is a default.
    folds : dict of str to list of Prior
        For each parameter, one prior for each unit.
    """

    full: Mapping[str, Prior]
    folds: Mapping[str, list[Prior]]

    def correction(self, hyper: Mapping[str, np.ndarray], U: int) -> np.ndarray | float:
        """Return log prior of the fold minus log prior of the full data, (S, U)."""
        names = [name for name in self.full if name in hyper]
        if not names:
            return 0.0
        result = np.zeros((len(hyper[names[0]]), U))
        for name in names:
            full = self.full[name]
            base = _log_density(full, hyper[name])
            for unit, prior in enumerate(self.folds[name]):
                if prior != full:
                    result[:, unit] += _log_density(prior, hyper[name]) - base
        return result

    def log_ratio(self) -> LogRatio | None:
        """Return the same for ``theta``, at values (S, K) of units (K,); None if it is given."""
        if "theta" not in self.full:
            return None
        full = self.full["theta"]
        location, scale = (
            np.array([prior.numbers()[number] for prior in self.folds["theta"]])
            for number in ("location", "scale")
        )

        def ratio(theta: np.ndarray, units: np.ndarray) -> np.ndarray:
            fold = -0.5 * ((theta - location[units]) / scale[units]) ** 2 - np.log(scale[units])
            return fold - 0.5 * np.log(2 * np.pi) - full.log_density(theta)

        return ratio


def _log_density(prior: Prior, draws: np.ndarray) -> np.ndarray:
    """Return the log density of a parameter of any length at its draws, (S,)."""
    return prior.log_density(draws).reshape(len(draws), -1).sum(axis=1)


def fold_priors(fit: Fit, unit: str) -> FoldPriors:
    """Work out the default priors of each fold.

    With more than 2,000 units the numbers of the full data are kept: leaving one out hardly
    changes them, but for outliers.
    """
    given = set(fit.model.priors or {})
    full = {
        name: prior
        for name, prior in fit.priors.items()
        if name not in given and _is_used(name, prior, fit.conditional)
    }
    U = fit.data.n_rows if unit == "observation" else len(fit.data.groups)
    if not full or U > MAX_FOLD_PRIORS or U < 2:
        return FoldPriors({}, {})
    defaults = _defaults_without(fit.data, unit, U)
    return FoldPriors(full, {name: [fold[name] for fold in defaults] for name in full})


@lru_cache(maxsize=8)
def _defaults_without(data: GroupedData, unit: str, U: int) -> list[dict[str, Prior]]:
    """Return the default priors without each unit; the three poolings share them."""
    family = FAMILIES[data.family]
    frame = data.rows if unit == "observation" else data.cells
    assert frame is not None
    place = np.arange(len(frame)) if unit == "observation" else frame["group"].to_numpy()
    return [family.default_priors(frame[place != left_out]) for left_out in range(U)]


def _is_used(name: str, prior: Prior, program: Program) -> bool:
    """Whether a program uses a prior's numbers: an edited template may have its own instead."""
    numbers = "|".join(f"{name}_{number}" for number in prior.numbers())
    return len(re.findall(rf"\b({numbers})\b", program.code)) > len(prior.numbers())


def refit_without(fit: Fit, unit: str, index: int, size: int) -> tuple[float, float]:
    """Fit again without one unit; return its log predictive density and Monte Carlo error."""
    if unit == "group":
        label = fit.data.groups[index]
        rest = fit.data.without(label)
        mine, column = fit.data.only(label), 0
    else:
        rest = fit.data.without_rows([index])
        assert fit.data.rows is not None
        code = fit.data.rows["group"].to_numpy()
        mine = fit.data.only(fit.data.groups[code[index]])
        column = int((code[:index] == code[index]).sum())
    refit = fit.model.fit(
        rest, **fit.options, seed=fit.seed, engine=fit.engine.split()[0].lower(), progress=False
    )
    log_lik = log_lik_of_units(refit, hyper_draws(refit, size), unit, data=mine)[:, column]
    mean = np.exp(log_lik - log_lik.max())
    error = float(mean.std(ddof=1) / np.sqrt(len(mean)) / mean.mean()) if len(mean) > 1 else 0.0
    return float(np.log(mean.mean()) + log_lik.max()), error


def unit_labels(fit: Fit, unit: str) -> pd.Index:
    """Return the names of the units: group labels, or positions of observations."""
    if unit == "group":
        return fit.data.groups
    if fit.data.rows is fit.data.cells and len(fit.data.groups) == fit.data.n_rows:
        return fit.data.groups[fit.data.cells["group"]]
    return pd.RangeIndex(fit.data.n_rows, name="observation")
