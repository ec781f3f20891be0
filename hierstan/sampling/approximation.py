"""Normal approximations to what the groups' own data say, and a plausible variance between them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.data.own_estimates import between_variance, raw_estimates, regression
from hierstan.families import FAMILIES
from hierstan.families.family import Family
from hierstan.families.treatment import Treatment

STEPS = 20
LONGEST = 1.0  # step on the link scale, against overshooting


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
    raw = columns(table)
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


def columns(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the columns of raw estimates by name."""
    return {str(name): table[name].to_numpy() for name in table}
