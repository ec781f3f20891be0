"""What the sampler measures group means from, and where it starts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.data.own_estimates import between_variance, raw_estimates, regression
from hierstan.families import FAMILIES
from hierstan.priors import Prior, Uniform

STEPS = 20
LONGEST = 1.0  # step on the link scale, against overshooting
NARROW = 0.05  # variance of a logarithm, below which its posterior is nearly normal


def sampling_scale(data: GroupedData, *, own_data: bool = True) -> dict[str, Any]:
    """Return what a mixed program is told about the groups, as data of the program.

    Given ``tau``, a normal approximation to a group's likelihood puts ``theta[j]`` at the average
    of its own estimate and the population's mean, weighted by their precisions. Measured from
    there, in units of its standard deviation, it hardly depends on the other parameters: centered
    where the data say much, non-centered where they say little, and in between otherwise
    (Papaspiliopoulos, Roberts and Sköld 2007, doi:10.1214/088342307000000014, section 3).

    Parameters
    ----------
    data : GroupedData
    own_data : bool
        False counts the groups' own data for nothing, which makes every group non-centered.

    Returns
    -------
    dict
        ``estimate`` and ``precision``, (J,), on the link scale; ``tiny``, far below any ``tau``
        that the data could tell from 0, and far above rounding.
    """
    estimate, precision = normal_approximation(data)
    tiny = 1e-8 / float(np.sqrt(np.median(precision)))
    if not own_data:
        estimate, precision = np.zeros_like(estimate), np.zeros_like(precision)
    return {"estimate": estimate, "precision": precision, "tiny": tiny}


def normal_approximation(data: GroupedData) -> tuple[np.ndarray, np.ndarray]:
    """Return what each group's own data say about its mean, as estimate and precision, (J,) each.

    Log likelihoods are expanded around where the group's data and the population together put its
    mean, as penalized quasi-likelihood does (Breslow and Clayton 1993,
    doi:10.1080/01621459.1993.10594284): a normal approximation around its own estimate says too
    much where there are few events.
    """
    table = raw_estimates(data)
    raw = {str(name): table[name].to_numpy() for name in table}
    estimate, precision = raw["link"], raw["link_se"] ** -2.0
    family = FAMILIES[data.family]
    if not family.curved:
        return estimate, precision
    tau2 = _typical_variance(data, table)
    mode = None
    for _ in range(STEPS):
        weights = 1 / (1 / precision + tau2)
        center = data.design @ regression(estimate, data.design, weights)
        aim = expected_means(estimate, precision, center, tau2)
        mode = aim if mode is None else mode + np.clip(aim - mode, -LONGEST, LONGEST)
        precision = family.information_near(raw, mode)
        estimate = mode + (raw["raw"] - family.to_response(mode)) / family.slope(mode)
    return estimate, precision


def expected_means(
    estimate: np.ndarray, precision: np.ndarray, center: np.ndarray, tau2: float
) -> np.ndarray:
    """Return where data and population together put the group means, given the variance between."""
    return estimate + (center - estimate) / (1 + tau2 * precision)


def starting_variances(data: GroupedData) -> dict[str, np.ndarray]:
    """Return rough posterior variances of ``mu``, ``beta``, ``log(tau)`` and ``log(sigma)``.

    With many groups they are small. A sampler that has to find that out takes short steps, and many
    of them, for as long.
    """
    _, precision = normal_approximation(data)
    tau2 = _typical_variance(data, raw_estimates(data))
    weights = 1 / (1 / precision + tau2)
    of_mean = np.diag(np.linalg.pinv((data.design.T * weights) @ data.design, hermitian=True))
    with np.errstate(divide="ignore"):
        of_tau = np.minimum(0.5 / np.sum((tau2 * weights) ** 2), 1.0)
    of_sigma = 0.5 / max(data.n_rows - len(data.groups), 1)
    return {"mu": of_mean[:1], "beta": of_mean[1:], "tau": of_tau, "sigma": np.array(of_sigma)}


def nearly_normal(data: GroupedData, names: Collection[str]) -> bool:
    """Whether the data determine `tau` and `sigma`, where they are among these parameters."""
    variances = starting_variances(data)
    return all(variances[name] < NARROW for name in ("tau", "sigma") if name in names)


def starting_points(
    data: GroupedData, priors: Mapping[str, Prior], *, chains: int, seed: int
) -> list[dict[str, Any]]:
    """Return a starting point for each chain, spread out on the scale of the data.

    Group means start near what their own data and the population say together. With many groups, a
    start far from there makes every group pull at `tau`, which can lock a chain at `tau` near zero.
    """
    family = FAMILIES[data.family]
    typical = family.default_priors(data.cells)
    estimate, precision = normal_approximation(data)
    design = data.design
    typical_spread = np.sqrt(_typical_variance(data, raw_estimates(data)))
    points = []
    for chain in range(chains):
        rng = np.random.default_rng([seed, chain])
        point: dict[str, Any] = {
            name: np.maximum(
                typical[name].quantile(rng.uniform(0.25, 0.75)),
                family.lower_bounds.get(name, -np.inf) + 0.5,
            )
            for name in family.parameters
        }
        spread = typical_spread * np.exp(rng.uniform(-0.7, 0.7))
        if "tau" in priors:  # a prior may know better than the data
            spread = np.clip(spread, *priors["tau"].quantile(np.array([0.01, 0.99])))
        slopes = regression(estimate, design, 1 / (1 / precision + spread**2))
        left = 1 / (1 + spread**2 * precision)
        center = design @ slopes
        point["mu"] = slopes[0] + spread * rng.uniform(-0.5, 0.5)
        point["beta"] = slopes[1:] + spread * rng.uniform(-0.5, 0.5, len(slopes) - 1)
        point["tau"] = spread
        noise = spread * np.sqrt(left) * rng.normal(size=len(estimate))
        point["theta"] = estimate + (center - estimate) * left + noise
        if "theta" in priors:  # a parameter where the others are integrated out
            point["theta_new"] = priors["theta"].quantile(rng.uniform(0.25, 0.75))
        for name in set(point) & set(priors):
            point[name] = _inside(point[name], priors[name])
        points.append({name: np.asarray(value).tolist() for name, value in point.items()})
    return points


# internals ------------------------------------------------------------------------------------


def _typical_variance(data: GroupedData, raw: pd.DataFrame) -> float:
    """Return a variance between groups that is plausible, and not 0."""
    freedom = len(raw) - data.design.shape[1]
    found = between_variance(raw, data.design, freedom) if freedom > 0 else 0.0
    return found + 0.1 * float((raw["link_se"] ** 2).median())


def _inside(value: Any, prior: Prior) -> Any:
    if not isinstance(prior, Uniform):
        return value
    margin = 0.1 * (prior.upper - prior.lower)
    return np.clip(value, prior.lower + margin, prior.upper - margin)
