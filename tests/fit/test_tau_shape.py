"""Bayes factors from draws: factors and two arms, against sums over dense normal densities."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import hierstan as hs
from hierstan.fit.tau_evidence import spread_of

FIT = {"engine": "stanli", "progress": False, "seed": 1, "draws": 500}
REGION, DEVICE = np.repeat(range(4), 3), np.tile(range(3), 4)
APART = 0.25  # of a logarithm: a third of what verdicts allow for


def midpoints(top: float, size: int) -> np.ndarray:
    return (np.arange(size) + 0.5) * top / size


def log_density(y: np.ndarray, K: np.ndarray) -> np.ndarray:
    root = np.linalg.cholesky(K)
    z = np.linalg.solve(root, np.broadcast_to(y[:, None], (len(K), len(y), 1)))[..., 0]
    return -0.5 * (z**2).sum(axis=1) - np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)


def evidence(y: np.ndarray, V: np.ndarray, parts: Mapping[str, np.ndarray]) -> float:
    """Log marginal likelihood with a HalfNormal(0.3) of each sd, by a sum over their grid."""
    grid = midpoints(1.2, 16)
    points = np.array(list(itertools.product(grid, repeat=len(parts))))
    K = V + sum(points[:, i, None, None] ** 2 * part for i, part in enumerate(parts.values()))
    prior = stats.halfnorm(0, 0.3).logpdf(points).sum(axis=1) + len(parts) * np.log(grid[1] * 2 / 3)
    return float(logsumexp(log_density(y, K) + prior))


@pytest.mark.parametrize("name", ["tau", "tau_region"])
def test_what_one_factor_leaves_to_the_others_at_0(name: str) -> None:
    """Other sds grow where one is 0: held at their medians they made it five times worse."""
    rng = np.random.default_rng(4)
    se = rng.uniform(0.2, 0.5, 12)
    y = rng.normal(0, 0.3, 4)[REGION] + rng.normal(0, 0.2, 3)[DEVICE] + rng.normal(0, 0.2, 12)
    y = y + rng.normal(0, se)
    frame = pd.DataFrame({"region": REGION, "device": DEVICE, "y": y, "se": se})
    data = hs.GroupedData.from_estimates(
        frame.astype({"region": str, "device": str}),
        group=["region", "device"], estimate="y", se="se",
    )  # fmt: skip
    parts = {"tau": np.eye(12)}
    parts |= {"tau_region": 1.0 * (REGION[:, None] == REGION)}
    parts |= {"tau_device": 1.0 * (DEVICE[:, None] == DEVICE)}
    priors = {"mu": hs.Normal(0, 1), **dict.fromkeys(parts, hs.HalfNormal(0.3))}
    fit = hs.PartialPooling(priors=priors).fit(data, **FIT)
    V = np.diag(se**2) + 1.0
    without = {other: part for other, part in parts.items() if other != name}
    exact = evidence(y, V, parts) - evidence(y, V, without)
    spread = spread_of(fit)
    if name != "tau":
        spread = replace(spread, tau=fit.draws(name), prior=fit.priors[name], name=name)
    assert np.log(spread.bayes_factor) == pytest.approx(exact, abs=APART)


@pytest.mark.parametrize("seed", [83, 84])
def test_baselines_that_go_with_the_effects(seed: int) -> None:
    """Effects of two arms, whose slope and sd of baselines change with tau."""
    rng = np.random.default_rng(seed)
    J, se, n = 8, 0.3, 4000
    effect, baseline = rng.normal(0.3, 0.4, J), rng.normal(0, 0.5, J)
    control, treated = baseline + rng.normal(0, se, J), baseline + effect + rng.normal(0, se, J)
    frame = pd.DataFrame(
        {"g": np.tile(range(J), 2), "arm": np.repeat(["c", "t"], J), "n": n,
         "m": np.append(control, treated), "sd": se * np.sqrt(n)}
    )  # fmt: skip
    data = hs.GroupedData.from_trial(
        frame, group="g", arm="arm", control="c", mean="m", sd="sd", n="n"
    )
    priors = {"mu": hs.Normal(0, 1), "tau": hs.HalfNormal(0.3), "intercept": hs.Normal(0, 1)}
    priors |= {"slope": hs.Normal(0, 0.5), "spread": hs.HalfNormal(0.5)}
    fit = hs.PartialPooling(priors=priors).fit(data, **FIT)
    slope, spread = np.array(list(itertools.product(np.linspace(-2, 2, 21), midpoints(2, 20)))).T
    log_prior = stats.norm(0, 0.5).logpdf(slope) + stats.halfnorm(0, 0.5).logpdf(spread)
    moves, y = np.stack([slope, 1 + slope], axis=1), np.stack([control, treated], axis=1).ravel()

    def of(tau: float) -> float:
        of_effects = tau**2 * np.eye(J) + 1.0  # with the mean effect
        K = np.einsum("sa,jk,sb->sjakb", moves, of_effects, moves) + 1.0  # with the intercept
        K += np.einsum("s,jk,ab->sjakb", spread**2, np.eye(J), np.ones((2, 2)))
        K = K.reshape(len(slope), 2 * J, 2 * J) + se**2 * np.eye(2 * J)
        return float(logsumexp(log_density(y, K) + log_prior))

    grid = midpoints(1.3, 14)
    prior = stats.halfnorm(0, 0.3).logpdf(grid) + np.log(grid[1] - grid[0])
    exact = logsumexp([of(tau) for tau in grid] + prior) - of(0.0)
    assert np.log(spread_of(fit).bayes_factor) == pytest.approx(exact, abs=APART)
