"""How the likelihood of one standard deviation falls and rises, with all others integrated out.

Of normal approximations of the groups' likelihoods, given which only standard deviations remain,
and of two arms the slope of the baselines. Those other than the one that is asked about are summed
over points that are spread as the draws are, and as those are where it is small: at 0 it leaves to
the others what it explains elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hierstan.fit.fit import Fit
from hierstan.fit.normal_likelihood import ArmsLikelihood, NormalLikelihood
from hierstan.sampling.approximation import arms_near, normal_approximation

NODES = 10  # of the standard deviation, between which a spline goes
POINTS = 128  # of the others
WIDER = 1.3  # than the draws
SMALL = 0.1  # of the draws, the smallest, tell where the others are if it is 0

At = Callable[[np.ndarray, dict[str, np.ndarray]], np.ndarray]


def log_likelihood(fit: Fit, name: str, values: np.ndarray) -> np.ndarray:
    """Return the log likelihood of some values of a standard deviation over that of 0, roughly.

    Parameters
    ----------
    fit : Fit
        Of partial pooling.
    name : str
        ``"tau"``, or the standard deviation between the levels of a factor.
    values : numpy.ndarray
        From 0 on, (n,).
    """
    from scipy.interpolate import CubicSpline
    from scipy.special import logsumexp

    at, others = _likelihood(fit, name)
    points, log_weight = _points(fit, name, others)
    nodes = values.max() * np.sin(np.linspace(0, np.pi / 2, NODES)) ** 2
    found = logsumexp(log_weight + at(nodes, points), axis=1)
    return np.asarray(CubicSpline(nodes, found - found[0])(values))


# internals ------------------------------------------------------------------------------------


def _likelihood(fit: Fit, name: str) -> tuple[At, list[str]]:
    """Return the likelihood at values of one (n,) and points of the others, (n, S); their names."""
    data = fit.data
    if fit.family.treatment and data.factors is None:
        arms = ArmsLikelihood(data.design, arms_near(data))

        def of_arms(values: np.ndarray, own: dict[str, np.ndarray]) -> np.ndarray:
            return np.array([arms(float(tau), own["slope"], own["spread"]) for tau in values])

        return of_arms, ["slope", "spread"]
    likelihood = NormalLikelihood(data, *normal_approximation(data))
    factors = data.tau_names

    def at(values: np.ndarray, own: dict[str, np.ndarray]) -> np.ndarray:
        n, S = len(values), len(next(iter(own.values()), np.empty(1)))
        sds = {one: np.tile(value, n) for one, value in own.items()} | {name: values.repeat(S)}
        levels = np.array([sds[one] for one in factors]).reshape(-1, n * S).T
        return likelihood.at(sds["tau"], levels).reshape(n, S)

    return at, [one for one in [*factors, "tau"] if one != name]


def _points(
    fit: Fit, name: str, others: list[str]
) -> tuple[dict[str, np.ndarray], np.ndarray | float]:
    """Return points of the other parameters, and the logs of what each stands for."""
    from scipy.special import logsumexp
    from scipy.stats import multivariate_normal, qmc

    if not others:
        return {}, 0.0
    logs = np.array([one != "slope" for one in others])
    with np.errstate(divide="ignore"):
        drawn = np.column_stack([fit.draws(one) for one in others])
        drawn = np.where(logs, np.log(np.abs(drawn)), drawn)
    small = np.argsort(fit.draws(name))[: max(int(SMALL * len(drawn)), 10 * len(others))]
    parts, found = [], []
    for number, some in enumerate((drawn, drawn[small])):
        spread = WIDER**2 * np.atleast_2d(np.cov(some, rowvar=False))
        part = multivariate_normal(some.mean(axis=0), spread, allow_singular=True)
        normal = qmc.MultivariateNormalQMC(part.mean, part.cov, rng=np.random.default_rng(number))
        parts.append(part)
        found.append(normal.random(POINTS // 2))
    at = np.vstack(found)
    drawn_as = logsumexp([part.logpdf(at) for part in parts], axis=0)
    values = np.where(logs, np.exp(at), at)
    own = {one: values[:, place] for place, one in enumerate(others)}
    log_prior = sum(fit.priors[one].log_density(value) for one, value in own.items())
    return own, np.asarray(log_prior + (at * logs).sum(axis=1) - drawn_as)
