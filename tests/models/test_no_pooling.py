"""Without pooling a group's posterior is what its own data say: the default prior moves nothing.

Held against quadrature with densities of scipy, over the group's mean and what all groups share.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import hierstan as hs
from hierstan.families import FAMILIES
from tests.two_arms import FAST

MOST = 0.1  # standard errors by which the prior may move a mean
REACH, NODES = 12, 301  # standard errors around a group's own estimate, and points there
LEAST_EVENTS = 4
Own = dict[str, float]
J = 6


def negative_binomial(y: np.ndarray, mean: np.ndarray, phi: float) -> np.ndarray:
    return stats.nbinom.logpmf(y, phi, phi / (phi + mean))


def extra_zeros(y: np.ndarray, log_other: np.ndarray, odds: float) -> np.ndarray:
    log_other = log_other - np.log1p(odds)
    return np.where(y == 0, np.logaddexp(np.log(odds / (1 + odds)), log_other), log_other)


def rated(y: np.ndarray, theta: np.ndarray, half: float) -> np.ndarray:
    """Three categories, cut at minus and plus `half`."""
    cut = np.array([-np.inf, -half, half, np.inf])
    return np.log(special.expit(theta - cut[y - 1]) - special.expit(theta - cut[y]))


@dataclass(frozen=True)
class Case:
    """A family: its log density, the ranges of what groups share, and how rows are drawn.

    Of rows of `trials` successes are counted. Each group has its own `of_group`, lognormal around
    `<of_group>_typical`.
    """

    log_lik: Callable[[np.ndarray, np.ndarray, Own], np.ndarray]
    draw: Callable[[np.random.Generator, np.ndarray], np.ndarray]
    shared: dict[str, tuple[float, float]]
    counts: bool = False
    trials: int = 0
    of_group: str = ""


def gamma_mixed(rng: np.random.Generator, theta: np.ndarray, phi: float) -> np.ndarray:
    return rng.poisson(3 * np.exp(theta) * rng.gamma(phi, 1 / phi, len(theta)))


CASES = {
    "bernoulli": Case(
        lambda y, t, own: stats.bernoulli.logpmf(y, special.expit(t)),
        lambda rng, t: rng.binomial(1, special.expit(t)), {}, True, 1,
    ),
    "binomial": Case(
        lambda y, t, own: stats.binom.logpmf(y, 2, special.expit(t)),
        lambda rng, t: rng.binomial(2, special.expit(t)), {}, True, 2,
    ),
    "beta_binomial": Case(
        lambda y, t, own: stats.betabinom.logpmf(
            y, 8, own["phi"] * special.expit(t), own["phi"] * special.expit(-t)),
        lambda rng, t: rng.binomial(8, rng.beta(5 * special.expit(t), 5 * special.expit(-t))),
        {"phi": (0.3, 1e5)}, True, 8,
    ),
    "poisson": Case(
        lambda y, t, own: stats.poisson.logpmf(y, np.exp(t)),
        lambda rng, t: rng.poisson(2 * np.exp(t)), {}, True,
    ),
    "neg_binomial": Case(
        lambda y, t, own: negative_binomial(y, np.exp(t), own["phi"]),
        lambda rng, t: gamma_mixed(rng, t, 1.5), {"phi": (0.05, 300)}, True,
    ),
    "zero_inflated_poisson": Case(
        lambda y, t, own: extra_zeros(
            y, stats.poisson.logpmf(y, np.exp(t) * (1 + own["zero_odds"])), own["zero_odds"]),
        lambda rng, t: rng.poisson(3 * np.exp(t)) * rng.binomial(1, 0.7, len(t)),
        {"zero_odds": (1e-3, 100)}, True,
    ),
    "zero_inflated_neg_binomial": Case(
        lambda y, t, own: extra_zeros(
            y, negative_binomial(y, np.exp(t) * (1 + own["zero_odds"]), own["phi"]),
            own["zero_odds"]),
        lambda rng, t: gamma_mixed(rng, t, 2) * rng.binomial(1, 0.7, len(t)),
        {"zero_odds": (1e-3, 100), "phi": (0.05, 300)}, True,
    ),
    "gamma": Case(
        lambda y, t, own: stats.gamma.logpdf(y, own["shape"], scale=np.exp(t) / own["shape"]),
        lambda rng, t: rng.gamma(1.2, np.exp(t) / 1.2), {"shape": (0.05, 300)},
    ),
    "lognormal": Case(
        lambda y, t, own: stats.norm.logpdf(np.log(y), t, own["sigma"]) - np.log(y),
        lambda rng, t: rng.lognormal(t), {"sigma": (0.05, 20)},
    ),
    "normal": Case(
        lambda y, t, own: stats.norm.logpdf(y, t, own["sigma"]),
        lambda rng, t: rng.normal(t), {"sigma": (0.05, 20)},
    ),
    "student_t": Case(
        lambda y, t, own: stats.t.logpdf(y, 1 + own["nu - 1"], t, own["sigma"]),
        lambda rng, t: t + rng.standard_t(4, len(t)), {"sigma": (0.05, 20), "nu - 1": (1e-4, 150)},
    ),
    "ordinal": Case(
        lambda y, t, own: rated(y, t, own["half"]),
        lambda rng, t: 2 + np.sign(rng.logistic(t)).astype(int) * (abs(rng.logistic(t)) > 1),
        {"half": (0.01, 10)},
    ),
    "normal_unequal": Case(
        lambda y, t, own: stats.norm.logpdf(y, t, own["sigma"]),
        lambda rng, t: rng.normal(t, np.where(t > 0, 2.0, 0.7)),
        {"sigma_typical": (0.1, 10), "sigma_sd": (0.02, 4)}, of_group="sigma",
    ),
}  # fmt: skip


def example(family: str, rows: int) -> tuple[hs.GroupedData, np.ndarray]:
    rng = np.random.default_rng(rows)
    y = CASES[family].draw(rng, np.repeat(rng.normal(0, 0.8, J), rows))
    frame = pd.DataFrame({"g": np.repeat(range(J), rows), "y": y})
    if trials := CASES[family].trials * (family != "bernoulli"):
        frame["n"] = trials
        if family == "binomial":  # which takes one line a group
            frame = frame.groupby("g", as_index=False).sum()
        data = hs.GroupedData.from_counts(
            frame, group="g", successes="y", trials="n", family=family
        )
    elif family == "ordinal":
        data = hs.GroupedData.from_ratings(frame, group="g", rating="y", order=[1, 2, 3])
    else:
        data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)
    return data, y.reshape(J, rows)


def log_prior(priors: dict[str, hs.Prior], own: Own) -> float:
    """Return that of what groups share, whose logarithms are on the grid."""
    each: list[Any] = [np.log(list(own.values())).sum() if own else 0.0]
    for name, value in own.items():
        if name == "half":
            each.append(priors["cutpoint"].log_density(np.array([-value, value])).item())
        else:
            whole = value + 1 if name == "nu - 1" else value
            each.append(priors[name.removesuffix(" - 1")].log_density(whole))
    return float(sum(each))


def of_groups(
    case: Case, y: np.ndarray, theta: np.ndarray, grid: list[Own]
) -> Iterator[np.ndarray]:
    """Yield the log likelihood of each group at its means, (J, T), for what groups share."""

    def at(own: Own) -> np.ndarray:
        return case.log_lik(y[:, :, None], theta[:, None], own).sum(axis=1)

    if not case.of_group:
        yield from map(at, grid)
        return
    values = np.geomspace(0.05, 20, 100)
    each = np.array([at({case.of_group: value}) for value in values])
    for own in grid:
        center, sd = own[f"{case.of_group}_typical"], own[f"{case.of_group}_sd"]
        weight = special.log_softmax(stats.norm.logpdf(np.log(values), np.log(center), sd))
        yield special.logsumexp(each + weight[:, None, None], axis=0)


def posteriors(data: hs.GroupedData, y: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return mean and sd of theta, (J,), under the default prior of theta and under a flat one."""
    case, family = CASES[data.family], FAMILIES[data.family]
    priors, raw = family.default_priors(data.cells), family.raw_estimates(data.cells, J)
    width = 30 if len(case.shared) > 1 else 50
    axes = [np.geomspace(*ends, width) for ends in case.shared.values()]
    grid = [dict(zip(case.shared, point, strict=True)) for point in itertools.product(*axes)]
    weight = np.array([log_prior(priors, own) for own in grid])
    link, se = raw[["link", "link_se"]].to_numpy().T
    theta = link[:, None] + se[:, None] * np.linspace(-REACH, REACH, NODES)  # (J, T)
    log_lik = np.array(list(of_groups(case, y, theta, grid)))  # (S, J, T)
    found = {}
    for name, more in {"default": priors["theta"].log_density(theta), "flat": 0.0}.items():
        whole = log_lik + more
        of_group = special.logsumexp(whole + np.log(se)[:, None], axis=2)
        share = special.softmax(weight + of_group.sum(axis=1))
        density = np.einsum("s,sjt->jt", share, special.softmax(whole, axis=2))
        mean = (density * theta).sum(axis=1)
        found[name] = mean, np.sqrt((density * (theta - mean[:, None]) ** 2).sum(axis=1))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("rows", [12, 30])
@pytest.mark.parametrize("family", CASES)
def test_the_default_prior_moves_no_group_that_has_data(family: str, rows: int) -> None:
    data, y = example(family, rows)
    (mean, sd), (flat, flat_sd) = posteriors(data, y).values()
    told = np.ones(J, bool)
    if CASES[family].counts:
        told = y.sum(axis=1) >= LEAST_EVENTS
    if trials := CASES[family].trials:
        told &= (trials - y).sum(axis=1) >= LEAST_EVENTS
    assert told.sum() >= 2
    assert (np.abs(mean - flat)[told] < MOST * flat_sd[told]).all(), (mean - flat) / flat_sd
    fit = hs.NoPooling().fit(data, **FAST)
    error = sd / np.sqrt(hs.summary(fit).loc[[f"theta[{g}]" for g in range(J)], "ess_bulk"])
    assert (np.abs(fit.draws("theta").mean(axis=0) - mean)[told] < 5 * error[told]).all()


def of_arm(y: int, n: int) -> tuple[float, float]:
    """Return mean and variance of log-odds given successes, without any prior."""
    mean = special.digamma(y) - special.digamma(n - y)
    return mean, special.polygamma(1, y) + special.polygamma(1, n - y)


@pytest.mark.slow
def test_effects_without_pooling_know_nothing_of_the_other_trials() -> None:
    control, treated = [12, 25, 8, 30, 15, 40, 6, 22], [18, 20, 14, 45, 9, 60, 9, 30]
    n = [100, 120, 60, 150, 80, 200, 50, 110]
    frame = pd.DataFrame({"t": range(8), "y0": control, "y1": treated, "n0": n, "n1": n})
    data = hs.GroupedData.from_arms(
        frame, group="t", events_treatment="y1", total_treatment="n1",
        events_control="y0", total_control="n0",
    )  # fmt: skip
    fit = hs.NoPooling().fit(data, seed=1, engine="stanli", progress=False)
    (m1, v1), (m0, v0) = (
        np.transpose([of_arm(*pair) for pair in zip(y, n, strict=True)]) for y in (treated, control)
    )
    exact, sd = m1 - m0, np.sqrt(v1 + v0)
    off = np.abs(fit.draws("theta").mean(axis=0) - exact) / sd
    assert (off < MOST + 4 / np.sqrt(hs.diagnose(fit).table["worst"]["bulk ESS"])).all(), off
    odds = hs.shrinkage(fit, scale="link")["raw"]
    assert (np.abs(np.median(fit.draws("theta"), axis=0) - odds) < 2 * MOST * sd).all()


@pytest.mark.slow
@pytest.mark.parametrize("J", [1, 60])
def test_baselines_without_pooling_are_what_their_arms_say(J: int) -> None:
    rng = np.random.default_rng(J)
    site = np.repeat(range(J), 12)
    arm = np.tile([0, 1], 6 * J)
    y = rng.normal(1e6 + 3 * rng.normal(size=J)[site] + 0.5 * arm)
    frame = pd.DataFrame({"site": site, "arm": arm, "y": y})
    data = hs.GroupedData.from_trial(frame, group="site", arm="arm", control=0, outcome="y")
    fit = hs.NoPooling().fit(data, **FAST)
    table = hs.shrinkage(fit)
    off = np.abs(table["mean"] - table["raw"]) / table["raw_se"]
    assert (off < MOST + 5 / np.sqrt(hs.diagnose(fit).table["worst"]["bulk ESS"])).all()
