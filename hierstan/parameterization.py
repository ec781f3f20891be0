"""Which group means to sample centered, and which non-centered."""

from __future__ import annotations

import numpy as np

from hierstan.data import GroupedData
from hierstan.raw import raw_estimates


def noncentered_groups(data: GroupedData) -> np.ndarray:
    """Whether each group's own data say less about its mean than the population does, shape (J,).

    The population's variance is taken at a low but plausible value, the lower limit of the 95%
    Q-profile interval (Viechtbauer 2007, doi:10.1002/sim.2514): centering a group that the
    population might know better is what makes chains diverge.
    """
    from scipy import optimize, stats

    raw = raw_estimates(data)
    link, variance = raw["link"].to_numpy(), raw["link_se"].to_numpy() ** 2

    def profile(tau2: float) -> float:
        weights = 1 / (variance + tau2)
        return float((weights * (link - np.average(link, weights=weights)) ** 2).sum())

    limit = float(stats.chi2.ppf(0.975, len(raw) - 1))
    if profile(0.0) <= limit:
        return np.ones(len(raw))
    top = 2 * profile(0.0) * float(variance.max()) / limit + float(np.ptp(link)) ** 2 / limit
    low = optimize.brentq(lambda tau2: profile(tau2) - limit, 0.0, top)
    return (variance >= low).astype(float)
