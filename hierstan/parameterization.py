"""Which group means to sample centered, which non-centered, and where to start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hierstan.data import GroupedData
from hierstan.families import FAMILIES
from hierstan.priors import Prior, Uniform
from hierstan.raw import between_variance, raw_estimates, regression


def noncentered_groups(data: GroupedData) -> np.ndarray:
    """Whether each group's own data say less about its mean than the population does, shape (J,).

    The population's variance is taken at a low but plausible value, the lower limit of the 95%
    Q-profile interval: centering a group that the population might know better is what makes chains
    diverge.
    """
    from scipy import special

    raw = raw_estimates(data)
    freedom = max(len(raw) - data.design.shape[1], 1)
    low = between_variance(raw, data.design, float(special.chdtri(freedom, 0.025)))
    return (raw["link_se"].to_numpy() ** 2 >= low).astype(float)


def starting_points(
    data: GroupedData, priors: Mapping[str, Prior], *, chains: int, seed: int
) -> list[dict[str, Any]]:
    """Return a starting point for each chain, spread out on the scale of the data.

    Group means start near what their own data and the population say together. With many groups, a
    start far from there makes every group pull at `tau`, which can lock a chain at `tau` near zero.
    """
    family = FAMILIES[data.family]
    typical = family.default_priors(data.cells)
    raw = raw_estimates(data)
    link, variance = raw["link"].to_numpy(), raw["link_se"].to_numpy() ** 2
    J = len(link)
    design = data.design
    freedom = J - design.shape[1]
    tau2 = between_variance(raw, design, freedom) if freedom > 0 else 0.0
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
        spread = np.sqrt(tau2 + 0.1 * np.median(variance)) * np.exp(rng.uniform(-0.7, 0.7))
        if "tau" in priors:  # a prior may know better than the data
            spread = np.clip(spread, *priors["tau"].quantile(np.array([0.01, 0.99])))
        slopes = regression(link, design, 1 / (variance + spread**2))
        own = spread**2 / (spread**2 + variance)
        center = design @ slopes
        point["mu"] = slopes[0] + spread * rng.uniform(-0.5, 0.5)
        point["beta"] = slopes[1:] + spread * rng.uniform(-0.5, 0.5, len(slopes) - 1)
        point["tau"] = spread
        point["theta"] = (
            own * link + (1 - own) * center + spread * np.sqrt(1 - own) * rng.normal(size=J)
        )
        for name in set(point) & set(priors):
            point[name] = _inside(point[name], priors[name])
        points.append({name: np.asarray(value).tolist() for name, value in point.items()})
    return points


# internals ------------------------------------------------------------------------------------


def _inside(value: Any, prior: Prior) -> Any:
    if not isinstance(prior, Uniform):
        return value
    margin = 0.1 * (prior.upper - prior.lower)
    return np.clip(value, prior.lower + margin, prior.upper - margin)
