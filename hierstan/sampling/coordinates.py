"""What the sampler measures parameters from, as data of the programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.data.own_estimates import between_variance, raw_estimates, regression
from hierstan.families import FAMILIES
from hierstan.families.adjusted import SLOPES, Adjusted
from hierstan.families.extra_zeros import ExtraZeros
from hierstan.families.family import Family
from hierstan.families.treatment import Treatment, of_difference
from hierstan.priors import Prior
from hierstan.programs.program import Program
from hierstan.sampling.joint import Entries, as_normal, joint
from hierstan.sampling.means import Arms, Dispersed, of_arms, of_line, of_mean
from hierstan.sampling.structure import rough

STEPS = 20
LONGEST = 1.0  # step on the link scale, against overshooting


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
    family = FAMILIES[data.family]
    wanted = {name for name in program.data if name.removesuffix(FALLS) in NAMES}
    if not wanted:
        return {}
    alike = not {"tau", "theta"} & set(priors)  # the groups differ by what is known, or not
    tau2 = typical_variance(data)
    estimate, precision = normal_approximation(data, 0.0 if alike else tau2)
    roughly = rough(data, alike=alike) if "near_pull" in wanted else None
    if roughly:
        estimate, precision = roughly.estimate, roughly.precision
    tiny = 1e-8 / float(np.sqrt(np.median(precision[precision > 0])))
    said = np.zeros_like(precision) if prior_only else precision
    counted = said if own_data else np.zeros_like(said)

    def guesses(estimate: np.ndarray, arms: Arms, dispersed: Dispersed) -> Entries:
        found: Entries = {"estimate": np.where(counted > 0, estimate, 0.0)}
        of_rows = dispersed.get("", (said, np.zeros_like(said)))
        if "mu" in priors:
            found |= of_line(data.design, estimate, said, 0.0 if alike else tau2, priors)
            found |= of_mean("M", "mu", estimate, said, tau2, priors["mu"], of_rows)
        found |= _of_groups(found, data.design, estimate, said, tau2, priors)
        if family.treatment:
            counts = own_data and not prior_only
            effects = np.asarray(found["theta_guess"]), np.asarray(found["theta_unit"]) ** 2
            found |= of_arms(arms, *effects, priors, dispersed, counts=counts)
        if roughly:
            told = replace(roughly, estimate=estimate)
            found |= joint(data, told, priors, of_rows, prior_only=prior_only)
        return found

    arms = arms_near(data) if family.treatment else {}
    dispersed: Dispersed = {}
    found = guesses(estimate, arms, dispersed)
    theta, zeros = np.asarray(found["theta_guess"]), "guessed_odds" in wanted
    odds, falls, arms_fall = _more_zeros(data, theta, arms) if zeros else (0.0, theta, arms)
    if any(name.endswith(ADDED) for name in wanted):
        dispersed = _dispersed(data, theta, arms, odds)
        found = guesses(estimate, arms, dispersed)
        for name, (most, added) in dispersed.items():
            found[f"{name}precision_most"] = most * (own_data and not prior_only)
            found[f"{name}{ADDED}"] = added
    if zeros:
        fewer = guesses(estimate - falls, arms_fall, dispersed)
        found |= {f"{name}{FALLS}": found[name] - fewer[name] for name in LINEAR & set(found)}
    found |= {"guessed_odds": odds, "precision": counted, "tiny": tiny}
    if family.of_group:
        log, known = family.log_of_group(data.cells, len(data.groups))
        found |= {"log_estimate": log, "log_precision": known * (own_data and not prior_only)}
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


def normal_approximation(
    data: GroupedData, tau2: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return what each group's own data say about its mean, as estimate and precision, (J,) each.

    Log likelihoods are expanded around where the group's data and the population together put its
    mean, as penalized quasi-likelihood does (Breslow and Clayton 1993,
    doi:10.1080/01621459.1993.10594284): a normal approximation around its own estimate says too
    much where there are few events.

    Parameters
    ----------
    data : GroupedData
    tau2 : float, optional
        Variance between groups; by default one that is plausible.
    """
    tau2 = typical_variance(data) if tau2 is None else tau2
    return expanded(FAMILIES[data.family], raw_estimates(data), data.design, tau2)


def expanded(
    family: Family, table: pd.DataFrame, design: np.ndarray, tau2: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same from raw estimates and the design of the population's mean, (J, P)."""
    raw = _columns(table)
    estimate, precision = raw["link"], raw["link_se"] ** -2.0
    if not family.curved:
        return estimate, precision
    mode = None
    for _ in range(STEPS):
        weights = precision / (1 + tau2 * precision)
        center = design @ regression(estimate, design, weights)
        aim = expected_means(estimate, precision, center, tau2)
        mode = aim if mode is None else mode + np.clip(aim - mode, -LONGEST, LONGEST)
        estimate, precision = family.expansion(raw, mode)
    return estimate, precision


def expected_means(
    estimate: np.ndarray, precision: np.ndarray, center: np.ndarray | float, tau2: float
) -> np.ndarray:
    """Return where data and population together put the group means, given the variance between."""
    return estimate + (center - estimate) / (1 + tau2 * precision)


def typical_variance(data: GroupedData) -> float:
    """Return a variance between groups that is plausible, and not 0."""
    return plausible_variance(raw_estimates(data), data.design)


def plausible_variance(raw: pd.DataFrame, design: np.ndarray) -> float:
    """Return the same from raw estimates, of which some may say nothing."""
    says = np.isfinite(raw["link_se"].to_numpy())
    raw, design = raw[says], design[says]
    freedom = len(raw) - design.shape[1]
    found = between_variance(raw, design, freedom) if freedom > 0 else 0.0
    return found + 0.1 * float((raw["link_se"] ** 2).median())


def arms_near(data: GroupedData) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return what each arm's own data say about its mean, as estimate and precision, (J,) each.

    Precision 0 for an arm that a group lacks.
    """
    family, ones = FAMILIES[data.family], np.ones((len(data.groups), 1))
    assert isinstance(family, Treatment)
    found = {}
    for arm, table in family.raw_arms(data.cells, len(data.groups)).items():
        has = np.isfinite(table["link_se"].to_numpy())
        estimate, precision = np.zeros(len(has)), np.zeros(len(has))
        if has.any():
            part = table[has]
            tau2 = plausible_variance(part, ones[has])
            estimate[has], precision[has] = expanded(family.base, part, ones[has], tau2)
        found[arm] = estimate, precision
    return found


# internals ------------------------------------------------------------------------------------


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
        raw = _columns(raw_estimates(data))
        return float(raw["odds"][0]), family.falls(raw, theta), {}
    assert isinstance(family, Treatment)
    assert isinstance(family.base, ExtraZeros)
    left, odds = {}, []
    for arm, table in family.raw_arms(data.cells, J).items():
        estimate, precision = arms[arm]
        has, falls = precision > 0, np.zeros(J)
        raw = _columns(table[has])
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
                at[has] = family.information_seen(_columns(table[has]), theta[has], given)
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


def _columns(table: pd.DataFrame) -> dict[str, np.ndarray]:
    return {str(name): table[name].to_numpy() for name in table}


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
