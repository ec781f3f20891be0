"""Where chains start, and on which scale adaptation does."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.data.own_estimates import regression
from hierstan.families import FAMILIES
from hierstan.priors import Prior, Uniform
from hierstan.sampling.approximation import arms_near, normal_approximation, typical_variance
from hierstan.sampling.structure import Rough, level_log_variances, level_of_groups, rough

CLEAR = 8.0  # units of log likelihood
NARROW = 0.05  # variance of a logarithm, below which its posterior is nearly normal


def starting_points(
    data: GroupedData, priors: Mapping[str, Prior], *, chains: int, seed: int
) -> list[dict[str, object]]:
    """Return a starting point for each chain, spread out on the scale of the data.

    Group means start near what their own data and the population say together. With many groups, a
    start far from there makes every group pull at `tau`, which can lock a chain at `tau` near zero.
    """
    family = FAMILIES[data.family]
    typical = family.default_priors(data.cells)
    approximation = normal_approximation(data)
    typical_spread, level_spreads = typical_spreads(data)
    points = []
    for chain in range(chains):
        rng = np.random.default_rng([seed, chain])
        point = {
            name: np.asarray(value)
            for name, value in family.starts(typical, rng, data.cells).items()
        }
        if family.of_group:
            point[family.log_name] = _logs(data, point, rng)
        spread = typical_spread * np.exp(rng.uniform(-0.7, 0.7))
        if "tau" in priors:
            spread = _likely(spread, priors["tau"])
        point |= _means(data.design, *approximation, spread, rng)
        if "theta" in priors:  # a parameter where the others are integrated out
            point["theta_new"] = priors["theta"].quantile(rng.uniform(0.25, 0.75))
        point |= _levels(data, level_spreads, rng)
        if "intercept" in priors:
            point |= _baselines(data, point["theta"], rng)
            point["spread"] = _likely(point["spread"], priors["spread"])
        for name in set(point) & set(priors):
            point[name] = _inside(point[name], priors[name])
        points.append({name: value.tolist() for name, value in point.items()})
    return points


def typical_spreads(data: GroupedData) -> tuple[float, np.ndarray]:
    """Return plausible sds between groups that are alike and between levels of factors, (F,)."""
    found = _structure(data)
    if found:
        return float(np.sqrt(found.tau2)), np.sqrt(found.level_tau2)
    spread = float(np.sqrt(typical_variance(data)))
    return spread, np.full(len(data.levels), spread)


def starting_variances(data: GroupedData) -> dict[str, float | np.ndarray]:
    """Return rough posterior variances of ``log(tau)``, ``log(tau_level)`` and the like.

    With many groups they are small. A sampler that has to find that out takes short steps, and many
    of them, for as long. All else is measured in units of its own uncertainty.
    """
    _, precision = normal_approximation(data)
    found = _structure(data)
    tau2 = found.tau2 if found else typical_variance(data)
    with np.errstate(divide="ignore"):
        of_tau = np.minimum(0.5 / np.sum((tau2 / (1 / precision + tau2)) ** 2), 1.0)
    return {
        "tau": float(of_tau),
        "tau_level": level_log_variances(data, found) if found else np.ones(len(data.levels)),
        "sigma": 0.5 / max(data.n_rows - len(data.groups), 1),
        **FAMILIES[data.family].log_variances(data.cells),
    }


def nearly_normal(data: GroupedData, names: Collection[str], most: float = NARROW) -> bool:
    """Whether the data determine ``tau``, ``tau_level`` and ``sigma``, those among these names.

    The variances of their logarithms are all below `most`.
    """
    return all(
        np.all(variance < most)
        for name, variance in starting_variances(data).items()
        if name in names
    )


def levels_differ(data: GroupedData) -> bool:
    """Whether the levels of each factor differ so clearly that its sd stays away from 0.

    At 0 its log likelihood is `CLEAR` below where it is largest, if levels are about as well known
    as the variance of its logarithm says.
    """
    known = starting_variances(data)["tau_level"]
    free = np.array([len(levels) - 1 for levels in data.levels.values()])
    times = np.maximum(2 * free * known, 1)  # one level may be left, and nothing free
    weight = np.minimum(1 / np.sqrt(times), 1 - 1e-9)  # on a level's own data
    ratio = weight / (1 - weight)
    return bool(np.all(0.5 * free * (ratio - np.log1p(ratio)) > CLEAR))


# internals ------------------------------------------------------------------------------------


def _structure(data: GroupedData) -> Rough | None:
    """Return what groups that have factors say; of two arms the spread of all effects stands in."""
    known = data.factors is not None and not FAMILIES[data.family].treatment
    return rough(data) if known else None


def _logs(
    data: GroupedData, point: Mapping[str, np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Return logarithms of what is each group's own: between what its rows and the others say."""
    family = FAMILIES[data.family]
    middle, sd = family.log_population(point)
    estimate, precision = family.log_of_group(data.cells, len(data.groups))
    left = 1 / (1 + sd**2 * precision)
    noise = sd * np.sqrt(left) * rng.normal(size=len(estimate))
    return np.asarray(estimate + (middle - estimate) * left + noise)


def _means(
    design: np.ndarray,
    estimate: np.ndarray,
    precision: np.ndarray,
    spread: float | np.ndarray,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Return the population's mean and slopes, ``tau`` and the group means."""
    left = 1 / (1 + spread**2 * precision)
    slopes = regression(estimate, design, precision / (1 + spread**2 * precision))
    center = design @ slopes
    found = {
        "mu": slopes[0] + spread * rng.uniform(-0.5, 0.5),
        "beta": slopes[1:] + spread * rng.uniform(-0.5, 0.5, len(slopes) - 1),
        "tau": np.asarray(spread),
    }
    noise = spread * np.sqrt(left) * rng.normal(size=len(estimate))
    return {**found, "theta": estimate + (center - estimate) * left + noise}


def _levels(
    data: GroupedData, typical: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return the sds of factors and what their levels add; and the coordinates of all means."""
    factor = level_of_groups(data)[1]
    spreads = typical * np.exp(rng.uniform(-0.7, 0.7, len(typical)))
    return {
        "tau_level": spreads,
        "u": 0.5 * spreads[factor] * rng.normal(size=len(factor)),
        "z": rng.normal(size=data.design.shape[1] + len(factor)),
        "z_theta": rng.normal(size=len(data.groups)),
    }


def _baselines(
    data: GroupedData, theta: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return baselines between what the arms say of them, given the effects, and their mean."""
    arms = arms_near(data)
    (control, first), (treated, second) = arms["control"], arms["treatment"]
    mean = float(np.average(control, weights=first)) if first.any() else float(treated.mean())
    both = first + second
    least = 0.01 / float(np.median(both[both > 0])) if both.any() else 1e-4
    variance = max(float(np.var(control[first > 0])) if first.any() else 0.0, least)
    precision = both + 1 / variance
    baseline = (first * control + second * (treated - theta) + mean / variance) / precision
    sd = np.sqrt(variance)
    found = {
        "intercept": mean + 0.5 * sd * rng.uniform(-1, 1),
        "slope": rng.uniform(-0.5, 0.5),
        "spread": sd * np.exp(rng.uniform(-0.7, 0.7)),
        "baseline": baseline + rng.normal(size=len(baseline)) / np.sqrt(precision),
    }
    return {name: np.asarray(value) for name, value in found.items()}


def _likely(value: float | np.ndarray, prior: Prior) -> np.ndarray:
    """Return a value within what a prior allows, which may know better than the data."""
    return np.clip(value, *prior.quantile(np.array([0.01, 0.99])))


def _inside(value: np.ndarray, prior: Prior) -> np.ndarray:
    if not isinstance(prior, Uniform):
        return value
    margin = 0.1 * (prior.upper - prior.lower)
    return np.clip(value, prior.lower + margin, prior.upper - margin)
