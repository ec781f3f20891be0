"""What every group does to the population: mu and tau without it, from importance weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hierstan.answers.comparison.elpd import GOOD_K
from hierstan.answers.comparison.importance import smoothed
from hierstan.answers.comparison.left_out import fold_priors, hyper_draws
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units
from hierstan.errors import HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.text.tables import percent

MOST = 1000  # groups
NAMES = ("mu", "tau")


def influence(fit: Fit, *, prob: float | None = None) -> pd.DataFrame:
    """Say what the population would be without each group.

    Parameters
    ----------
    fit : Fit
        Of partial or complete pooling, of at most 1,000 groups.
    prob : float, optional
        Probability of the equal-tailed intervals.

    Returns
    -------
    pandas.DataFrame
        One line per group: ``mu, mu_lower, mu_upper`` and ``tau, tau_lower, tau_upper`` (partial
        pooling), the posterior means and intervals without the group, on the link scale;
        ``mu_shift`` and ``tau_shift``, by how much the means differ from those with it, in
        posterior standard deviations; ``pareto_k``, above 0.7 where the weights do not hold and
        only a fit without the group (``data.without(label)``) can tell.

    Raises
    ------
    HierstanError
        For a fit without ``mu``, of the prior only, or of more groups.

    Notes
    -----
    The draws are weighted by ``1 / p(y_j | mu, tau)``, with the group's mean integrated out, times
    the ratio of the default priors without and with the group, and smoothed as in `loo` [1]_.

    References
    ----------
    .. [1] Vehtari, Simpson, Gelman, Yao and Gabry 2024, JMLR 25(72).

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> hs.influence(fit)["mu_shift"].idxmax()
    'E'
    """
    prob = check_prob(prob)
    check_fit(fit, "influence")
    _check(fit)
    draws = hyper_draws(fit)
    weight, k = _weights(fit, draws)
    columns: dict[str, np.ndarray] = {}
    for name in [name for name in NAMES if name in draws]:
        mean = weight.T @ draws[name]
        lower, upper = _quantiles(draws[name], weight, prob)
        columns |= {name: mean, f"{name}_lower": lower, f"{name}_upper": upper}
        columns[f"{name}_shift"] = (mean - draws[name].mean()) / draws[name].std(ddof=1)
    table = pd.DataFrame({**columns, "pareto_k": k}, index=fit.data.groups)
    table.attrs["caption"] = (
        f"The population without each group: posterior means with equal-tailed {percent(prob)} "
        "intervals, and shifts in posterior standard deviations. Above a Pareto k of "
        f"{GOOD_K} the weights do not hold."
    )
    return table


# internals ------------------------------------------------------------------------------------


def _check(fit: Fit) -> None:
    if fit.prior_only or "mu" not in fit.arrays:
        raise HierstanError(
            "influence asks what a group does to the population: it takes a fit of PartialPooling "
            "or CompletePooling that has seen the data."
        )
    if not 2 <= len(fit.data.groups) <= MOST:
        raise HierstanError(
            f"influence takes from 2 to {MOST:,} groups, got {len(fit.data.groups):,}."
        )


def _weights(fit: Fit, draws: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return smoothed weights of the draws without each group, (S, J), and their Pareto k."""
    priors = fold_priors(fit, "group")
    log_lik = log_lik_of_units(fit, draws, "group", shift=priors.shift())
    log_ratio = priors.correction(draws, log_lik.shape[1]) - log_lik
    weight, k = smoothed(np.ascontiguousarray(log_ratio.T))
    return weight.T, k


def _quantiles(draws: np.ndarray, weight: np.ndarray, prob: float) -> np.ndarray:
    """Return the ends of weighted equal-tailed intervals, (2, J)."""
    order = np.argsort(draws)
    values, total = draws[order], np.cumsum(weight[order], axis=0)
    tails = ((1 - prob) / 2, (1 + prob) / 2)
    places = [[int(np.searchsorted(column, tail)) for column in total.T] for tail in tails]
    return values[np.minimum(places, len(values) - 1)]
