"""Posteriors by quadrature, in numpy and scipy alone: what the samplers are held against."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

LogDensity = Callable[[np.ndarray], np.ndarray]

# Nodes of standardised group means: dense near 0, and out to 200 for populations with long tails.
_S = np.linspace(-6, 6, 301)
Z, LOG_DZ = np.sinh(_S), np.log(np.cosh(_S) * (_S[1] - _S[0]))


@dataclass
class Posterior:
    """Means and standard deviations, and the log of the data's marginal likelihood."""

    mean: dict[str, np.ndarray]
    sd: dict[str, np.ndarray]
    log_marginal: float

    def log_predictive(self, without: Posterior) -> float:
        """Log density of what the posterior `without` has not seen."""
        return self.log_marginal - without.log_marginal


def partial(
    log_lik: LogDensity,
    *,
    mu: tuple[LogDensity, float, float],
    tau: tuple[LogDensity, float],
    population: LogDensity = stats.norm.logpdf,
    nodes: int = 48,
) -> Posterior:
    """Integrate over mu, tau and every theta.

    `log_lik` takes group means of shape (..., 1) to the groups' log likelihoods (..., J); `mu` is a
    log prior and a range that holds all of the posterior, `tau` a log prior and an upper end;
    `population` the log density of (theta - mu) / tau.
    """
    mus, mu_weights = _legendre(mu[1], mu[2], nodes)
    taus, tau_weights = _legendre(0.0, tau[1], nodes)
    log_weight = np.empty((nodes, nodes))
    first, second = [], []
    for t in range(nodes):
        theta = (mus[:, None] + taus[t] * Z)[..., None]  # (mu, z, 1)
        log_density = log_lik(theta) + (population(Z) + LOG_DZ)[:, None]  # (mu, z, J)
        of_group = special.logsumexp(log_density, axis=1)  # (mu, J)
        share = np.exp(log_density - of_group[:, None, :])
        first.append((share * theta).sum(axis=1))
        second.append((share * theta**2).sum(axis=1))
        log_weight[:, t] = of_group.sum(axis=1)
    log_weight += (mu[0](mus) + np.log(mu_weights))[:, None] + tau[0](taus) + np.log(tau_weights)
    log_marginal = float(special.logsumexp(log_weight))
    weight = np.exp(log_weight - log_marginal)
    edge = max(weight[0].sum(), weight[-1].sum(), weight[:, -1].sum())
    assert edge < 1e-6, f"the grid cuts the posterior off: {edge:.1e} at its edge"

    theta_1 = np.einsum("mt,tmj->j", weight, np.array(first))
    theta_2 = np.einsum("mt,tmj->j", weight, np.array(second))
    moments = {
        "mu": _moments(mus, weight.sum(axis=1)),
        "tau": _moments(taus, weight.sum(axis=0)),
        "theta": (theta_1, np.sqrt(theta_2 - theta_1**2)),
    }
    return _posterior(moments, log_marginal)


def known_normal(
    y: np.ndarray, se: np.ndarray, *, mu: tuple[float, float], tau: tuple[LogDensity, float]
) -> Posterior:
    """Known-se normal data, `mu` ~ normal(*mu): closed form given tau, one dimension left.

    BDA3, section 5.4.
    """
    taus, weights = _legendre(0.0, tau[1], 400)
    total = 1 / (taus[:, None] ** 2 + se**2)  # (tau, J)
    precision = total.sum(axis=1) + 1 / mu[1] ** 2
    mu_mean = (total @ y + mu[0] / mu[1] ** 2) / precision
    # p(tau | y) is prior * p(y | mu, tau) p(mu) / p(mu | y, tau) at any mu; here at its mean
    log_weight = (
        tau[0](taus)
        + np.log(weights)
        + stats.norm.logpdf(y, mu_mean[:, None], 1 / np.sqrt(total)).sum(axis=1)
        + stats.norm.logpdf(mu_mean, *mu)
        - stats.norm.logpdf(0, 0, 1 / np.sqrt(precision))
    )
    log_marginal = float(special.logsumexp(log_weight))
    weight = np.exp(log_weight - log_marginal)
    own = taus[:, None] ** 2 * total  # share of a group's own estimate
    theta_mean = own * y + (1 - own) * mu_mean[:, None]
    theta_var = own * se**2 + (1 - own) ** 2 / precision[:, None]
    moments = {
        "mu": _mixture(weight, mu_mean, 1 / precision),
        "tau": _moments(taus, weight),
        "theta": _mixture(weight, theta_mean, theta_var),
        "theta_new": _mixture(weight, mu_mean, 1 / precision + taus**2),
    }
    return _posterior(moments, log_marginal)


def one(log_density: LogDensity, low: float, high: float, nodes: int = 300) -> Posterior:
    """Return the moments of one parameter with this log density, under the name ``x``."""
    x, weights = _legendre(low, high, nodes)
    log_weight = log_density(x) + np.log(weights)
    log_marginal = float(special.logsumexp(log_weight))
    return _posterior({"x": _moments(x, np.exp(log_weight - log_marginal))}, log_marginal)


def averaged(
    name: str,
    given: Callable[[float], Posterior],
    *,
    log_prior: LogDensity,
    low: float,
    high: float,
    nodes: int = 24,
) -> Posterior:
    """Integrate over one more positive parameter, by its logarithm from `low` to `high`.

    `given` takes a value of it to the posterior of all else.
    """
    logs, weights = _legendre(np.log(low), np.log(high), nodes)
    parts = [given(float(value)) for value in np.exp(logs)]
    log_weight = np.array([part.log_marginal for part in parts]) + log_prior(np.exp(logs)) + logs
    log_weight += np.log(weights)
    log_marginal = float(special.logsumexp(log_weight))
    weight = np.exp(log_weight - log_marginal)
    assert max(weight[0], weight[-1]) < 1e-3, "the grid cuts the posterior off"
    moments = {
        key: _mixture(
            weight,
            np.array([part.mean[key] for part in parts]),
            np.array([part.sd[key] ** 2 for part in parts]),
        )
        for key in parts[0].mean
    }
    return _posterior({**moments, name: _moments(np.exp(logs), weight)}, log_marginal)


@functools.cache
def _legendre(low: float, high: float, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    x, weights = np.polynomial.legendre.leggauss(nodes)
    half = (high - low) / 2
    return low + half * (x + 1), half * weights


def _moments(x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = np.tensordot(weight, x, 1)
    return mean, np.sqrt(np.tensordot(weight, (x - mean) ** 2, 1))


def _mixture(
    weight: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    overall = np.tensordot(weight, mean, 1)
    return overall, np.sqrt(np.tensordot(weight, variance + (mean - overall) ** 2, 1))


def _posterior(moments: dict[str, tuple[np.ndarray, np.ndarray]], log_marginal: float) -> Posterior:
    return Posterior(
        {name: np.asarray(pair[0]) for name, pair in moments.items()},
        {name: np.asarray(pair[1]) for name, pair in moments.items()},
        log_marginal,
    )


def structured(
    y: np.ndarray,
    se: np.ndarray,
    levels: list[np.ndarray],
    *,
    mu: tuple[float, float],
    scales: list[float],
    nodes: int = 24,
) -> Posterior:
    """Integrate normal data of crossed or nested factors over their sds; the rest is normal.

    `levels` has the codes of each factor, (J,); `mu` the mean and sd of its normal prior; `scales`
    those of the half-normal priors of the factors' sds and, last, of tau. Means of the sds are
    named ``sd``, all else ``mu``, ``u`` and ``theta``.
    """
    J, sizes = len(y), [int(codes.max()) + 1 for codes in levels]
    Z = np.hstack([np.eye(size)[codes] for size, codes in zip(sizes, levels, strict=True)])
    design = np.hstack([np.ones((J, 1)), Z, np.eye(J)])
    at, width = zip(*(_legendre(0.0, 5.5 * scale, nodes) for scale in scales), strict=True)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(*at, indexing="ij")], axis=1)
    weight = np.prod(np.meshgrid(*width, indexing="ij"), axis=0).ravel()
    log_weight, means, variances = [], [], []
    for sds in grid:
        prior = np.concatenate([[mu[1] ** 2], np.repeat(sds**2, [*sizes, J])])
        cross = design * prior
        covariance = cross @ design.T + np.diag(se**2)
        root = np.linalg.cholesky(covariance)
        rest = np.linalg.solve(root, y - mu[0])
        gain = np.linalg.solve(root, cross)
        log_weight.append(-0.5 * rest @ rest - np.log(np.diag(root)).sum())
        center = gain.T @ rest + np.eye(len(prior))[0] * mu[0]
        whole = np.vstack([np.eye(1 + sum(sizes), len(prior)), design])
        means.append(whole @ center)
        spread = np.diag(prior) - gain.T @ gain
        variances.append(np.einsum("ip,pq,iq->i", whole, spread, whole))
    density = stats.halfnorm.logpdf(grid, scale=scales).sum(axis=1) + np.log(weight)
    log_weight = np.array(log_weight) - J / 2 * np.log(2 * np.pi) + density
    log_marginal = float(special.logsumexp(log_weight))
    share = np.exp(log_weight - log_marginal)
    first = share @ np.array(means)
    sd = np.sqrt(share @ (np.array(variances) + np.array(means) ** 2) - first**2)
    of_sd = share @ grid, np.sqrt(share @ grid**2 - (share @ grid) ** 2)
    parts = {"mu": slice(0, 1), "u": slice(1, 1 + sum(sizes)), "theta": slice(1 + sum(sizes), None)}
    return Posterior(
        {**{name: first[part] for name, part in parts.items()}, "sd": of_sd[0]},
        {**{name: sd[part] for name, part in parts.items()}, "sd": of_sd[1]},
        log_marginal,
    )


def grid_over_tau(
    y: np.ndarray,
    se: np.ndarray,
    mu: tuple[float, float],
    tau: LogDensity | None,
    around: np.ndarray,
) -> float:
    """Return log p(y) of estimates with known se: mu in closed form, tau by a sum over its log.

    `mu` is location and scale of its normal prior. Without `tau` the groups do not differ. The
    grid reaches over all of `around`, from which `y` may be a part.
    """
    location, scale = mu
    t = np.zeros(1)
    log_weight = np.zeros(1)
    if tau is not None:
        widest = 1e3 * max(float(np.ptp(around)), float(se.max()), 1e-9)
        u = np.linspace(np.log(1e-6 * float(se.min())), np.log(widest), 8000)
        t = np.exp(u)
        log_weight = tau(t) + u + np.log(u[1] - u[0])
    weight = 1 / (se**2 + t[:, None] ** 2)
    off = y - location
    precision = weight.sum(axis=1) + 1 / scale**2
    center = (weight * off).sum(axis=1) / precision
    total = (
        0.5 * (np.log(weight) - np.log(2 * np.pi)).sum(axis=1)
        - 0.5 * np.log(precision * scale**2)
        - 0.5 * (weight * (off - center[:, None]) ** 2).sum(axis=1)
        - 0.5 * (center / scale) ** 2
    )
    return float(special.logsumexp(total + log_weight))
