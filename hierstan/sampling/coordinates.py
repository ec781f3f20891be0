"""What the sampler measures parameters from, as data of the programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.data.own_estimates import raw_estimates
from hierstan.families import FAMILIES
from hierstan.families.adjusted import SLOPES, Adjusted
from hierstan.families.extra_zeros import ExtraZeros
from hierstan.families.family import Family
from hierstan.families.treatment import Treatment, of_difference
from hierstan.priors import Prior
from hierstan.programs.program import Program
from hierstan.sampling.approximation import (
    arms_near,
    columns,
    expected_means,
    normal_approximation,
    typical_variance,
)
from hierstan.sampling.joint import Entries, as_normal, joint
from hierstan.sampling.means import Arms, Dispersed, of_arms, of_line, of_mean
from hierstan.sampling.structure import rough


def coordinates(
    program: Program,
    data: GroupedData,
    priors: Mapping[str, Prior],
    *,
    own_data: bool = True,
    prior_only: bool = False,
) -> Entries:
    """Return what a program wants to know of where its parameters are, as the data it declares.

    Given ``tau``, a normal approximation to a group's likelihood puts ``theta[j]`` at the average
    of its own estimate and the population's mean, weighted by their precisions. Measured from
    there, in units of its standard deviation, it hardly depends on the other parameters: centered
    where the data say much, non-centered where they say little, and in between otherwise
    (Papaspiliopoulos, Roberts and Sköld 2007, doi:10.1214/088342307000000014, section 3). The mean
    of the population is measured in the same way, and all else from about where it is, in about
    the units of its uncertainty: sampling does not depend on the units of the data, nor on where
    their zero is.

    Parameters
    ----------
    program : Program
    data : GroupedData
    priors : mapping of str to Prior
    own_data : bool
        False counts the groups' own data for nothing, which makes every group non-centered.
    prior_only : bool
        Whether the outcomes are ignored.

    Returns
    -------
    dict
        Those of the entries below that the program declares, on the link scale.
        ``estimate`` and ``precision``, (J,), of the means, ``log_estimate`` and ``log_precision``
        of the logarithms of what else is each group's own; ``tiny``, far below any ``tau`` that the
        data could tell from 0, and far above rounding; ``mu_estimate``, ``mu_noise`` and
        ``mu_share``, (M,); guesses and units of ``mu``, ``beta`` and ``theta``; what `joint`
        returns. Where outcomes may be extra zeros, ``guessed_odds``, and with the ending
        ``_falls`` how far a guess falls for one unit more of ``log1p(zero_odds)``. Where rows vary
        more than their size makes them, the precisions for an endless ``phi``, and what one unit of
        ``1 / phi`` adds to the variances.
    """
    wanted = {name for name in program.data if name.removesuffix(FALLS) in NAMES}
    if not wanted:
        return {}
    together = "near_pull" in wanted
    groups = _Groups(data, priors, together=together, own_data=own_data, prior_only=prior_only)
    estimate, arms = groups.estimate, groups.arms
    dispersed: Dispersed = {}
    found = groups.guesses(estimate, arms, dispersed)
    theta, zeros = np.asarray(found["theta_guess"]), "guessed_odds" in wanted
    odds, falls, arms_fall = _more_zeros(data, theta, arms) if zeros else (0.0, theta, arms)
    if any(name.endswith(ADDED) for name in wanted):
        dispersed = _dispersed(data, theta, arms, odds)
        found = groups.guesses(estimate, arms, dispersed) | groups.noise(dispersed)
    if zeros:
        fewer = groups.guesses(estimate - falls, arms_fall, dispersed)
        found |= {f"{name}{FALLS}": found[name] - fewer[name] for name in LINEAR & set(found)}
    found |= groups.precisions() | {"guessed_odds": odds}
    if data.covariates is not None:
        found |= _of_covariates(data, priors[SLOPES], prior_only=prior_only)
    return {name: found[name] for name in wanted}


NAMES = (
    "estimate", "precision", "tiny", "M", "mu_estimate", "mu_noise", "mu_share",
    "mu_guess", "mu_unit", "beta_guess", "beta_unit", "theta_guess", "theta_unit",
    "control", "control_precision", "treatment", "treatment_precision",
    "precision_most", "noise_added", "control_precision_most", "control_noise_added",
    "treatment_precision_most", "treatment_noise_added", "mu_noise_least", "mu_noise_added",
    "baseline_noise_least", "baseline_noise_added",
    "B", "baseline_estimate", "baseline_noise",
    "baseline_share", "baseline_effect", "slope_guess", "slope_unit",
    "log_estimate", "log_precision",
    "gamma_guess", "gamma_unit", "guessed_odds",
    "P", "E", "near_information", "near_pull", "near_noise", "near_share", "near_noise_least",
    "near_noise_added", "far", "far_mean", "far_weight", "far_noise", "far_share",
    "far_noise_least", "far_noise_added", "X", "together",
    "prior_middle", "prior_width", "factor_of", "place",
)  # fmt: skip
ENDLESS, SOME_PHI = 1e12, 5.0  # between which the variance of an estimate is a line in 1 / phi
ADDED = "noise_added"
FALLS = "_falls"  # what more extra zeros take from a guess
LINEAR = {  # in the estimates of the groups
    "estimate", "mu_estimate", "mu_guess", "beta_guess", "theta_guess", "near_pull", "far_mean",
    "baseline_estimate", "control", "treatment",
}  # fmt: skip


# internals ------------------------------------------------------------------------------------


class _Groups:
    """What the groups' own data say, as far as it counts, and what follows for all means."""

    def __init__(
        self,
        data: GroupedData,
        priors: Mapping[str, Prior],
        *,
        together: bool,
        own_data: bool,
        prior_only: bool,
    ) -> None:
        alike = not {"tau", "theta"} & set(priors)  # the groups differ by what is known, or not
        self._data, self._priors, self._prior_only = data, priors, prior_only
        self._family, self._counts = FAMILIES[data.family], own_data and not prior_only
        self._tau2 = typical_variance(data)
        self._between = 0.0 if alike else self._tau2
        self._rough = rough(data, alike=alike) if together else None
        if self._rough:
            self.estimate, self._precision = self._rough.estimate, self._rough.precision
        else:
            self.estimate, self._precision = normal_approximation(data, self._between)
        nothing = np.zeros_like(self._precision)
        self._said = nothing if prior_only else self._precision
        self._counted = self._precision if self._counts else nothing
        self.arms = arms_near(data) if self._family.treatment else {}

    def guesses(self, estimate: np.ndarray, arms: Arms, dispersed: Dispersed) -> Entries:
        """Return where the means are, were these the estimates of the groups and of their arms."""
        design, said, priors = self._data.design, self._said, self._priors
        found: Entries = {"estimate": np.where(self._counted > 0, estimate, 0.0)}
        of_rows = dispersed.get("", (said, np.zeros_like(said)))
        if "mu" in priors:
            found |= of_line(design, estimate, said, self._between, priors)
            found |= of_mean("M", "mu", estimate, said, self._tau2, priors["mu"], of_rows)
        found |= _of_groups(found, design, estimate, said, self._tau2, priors)
        if self._family.treatment:
            effects = np.asarray(found["theta_guess"]), np.asarray(found["theta_unit"]) ** 2
            found |= of_arms(arms, *effects, priors, dispersed, counts=self._counts)
        if self._rough:
            told = replace(self._rough, estimate=estimate)
            found |= joint(self._data, told, priors, of_rows, prior_only=self._prior_only)
        return found

    def noise(self, dispersed: Dispersed) -> Entries:
        """Return the precisions for an endless ``phi``, and what ``1 / phi`` adds to variances."""
        found: Entries = {}
        for of, (most, added) in dispersed.items():
            found |= {f"{of}precision_most": most * self._counts, f"{of}{ADDED}": added}
        return found

    def precisions(self) -> Entries:
        """Return those of the estimates, and what is said of what else is each group's own."""
        tiny = 1e-8 / float(np.sqrt(np.median(self._precision[self._precision > 0])))
        found: Entries = {"precision": self._counted, "tiny": tiny}
        if self._family.of_group:
            log, known = self._family.log_of_group(self._data.cells, len(self._data.groups))
            found |= {"log_estimate": log, "log_precision": known * self._counts}
        return found


def _of_covariates(data: GroupedData, prior: Prior, *, prior_only: bool) -> Entries:
    """Return where the slopes of the rows' covariates are."""
    family = FAMILIES[data.family]
    assert isinstance(family, Adjusted | Treatment)
    (location, scale), (slopes, error) = as_normal(prior), family.slopes(data.cells)
    share = np.ones_like(slopes) if prior_only else error**2 / (error**2 + scale**2)
    guess = slopes + share * (location - slopes)
    return {"gamma_guess": guess, "gamma_unit": scale * np.sqrt(share)}


def _more_zeros(
    data: GroupedData, theta: np.ndarray, arms: Arms
) -> tuple[float, np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Return a guess of ``zero_odds``, and what one unit more of its ``log1p`` does to estimates.

    How far those of the groups fall, (J,), and what is left of those of their arms.
    """
    family, J = FAMILIES[data.family], len(data.groups)
    if isinstance(family, ExtraZeros):
        raw = columns(raw_estimates(data))
        return float(raw["odds"][0]), family.falls(raw, theta), {}
    assert isinstance(family, Treatment)
    assert isinstance(family.base, ExtraZeros)
    left, odds = {}, []
    for arm, table in family.raw_arms(data.cells, J).items():
        estimate, precision = arms[arm]
        has, falls = precision > 0, np.zeros(J)
        raw = columns(table[has])
        falls[has] = family.base.falls(raw, estimate[has])
        left[arm] = estimate - falls, precision
        odds += raw["odds"].tolist()
    return float(np.median(odds)), np.zeros(J), left


def _dispersed(data: GroupedData, theta: np.ndarray, arms: Arms, odds: float) -> Dispersed:
    """Return how precise each estimate is for an endless ``phi``, and what ``1 / phi`` adds.

    To its variance, that is, which is about a line in ``1 / phi``; of groups and of their arms.
    """
    family = FAMILIES[data.family]
    weights, own = family.weights(data.cells, len(data.groups)), {"zero_odds": np.array([[odds]])}

    def of(
        family: Family, table: pd.DataFrame, theta: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        has = np.isfinite(table["link_se"].to_numpy())
        most, some, added = np.zeros((3, len(theta)))
        for at, phi in ((most, ENDLESS), (some, SOME_PHI)):
            given = own | {"phi": np.array([[phi]])}
            if isinstance(family, ExtraZeros):
                at[has] = family.information_seen(columns(table[has]), theta[has], given)
            else:
                at[has] = family.information(theta[None, has], weights[has], given)[0]
        says = some > 0
        added[says] = SOME_PHI * np.maximum(1 / some[says] - 1 / most[says], 0.0)
        return most, added

    if not isinstance(family, Treatment):
        return {"": of(family, raw_estimates(data), theta, weights)}
    tables = family.raw_arms(data.cells, len(data.groups))
    found = {
        f"{arm}_": of(family.base, tables[arm], near, weights[:, k])
        for k, (arm, (near, _)) in enumerate(arms.items())
    }
    (most, added), (other, also) = found.values()
    return found | {"": (of_difference(most, other), added + also)}


def _of_groups(
    line: Mapping[str, np.ndarray | float],
    design: np.ndarray,
    estimate: np.ndarray,
    precision: np.ndarray,
    tau2: float,
    priors: Mapping[str, Prior],
) -> dict[str, np.ndarray]:
    """Return where the group means are: between their estimates and their prior or population."""
    if "theta" in priors:
        middle, scale = as_normal(priors["theta"])
        center, variance = np.full(len(estimate), middle), scale**2
    else:
        center = design @ np.append(line["mu_guess"], line["beta_guess"])
        variance = tau2
    return {
        "theta_guess": expected_means(estimate, precision, center, variance),
        "theta_unit": 1 / np.sqrt(precision + 1 / variance),
    }
