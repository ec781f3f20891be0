"""The likelihood of tau against brute force, where likelihoods of counts are hard."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import hierstan as hs
from hierstan.families import FAMILIES
from hierstan.fit.nodes import mode_of
from hierstan.fit.tau_evidence import whereabouts
from hierstan.fit.tau_likelihood import TauLikelihood

COUNTS = {
    "no event in two of four trials": ([0, 0, 5, 1], [20, 30, 40, 25]),
    "no event at all": ([0, 0, 0], [20, 50, 100]),
    "nothing but successes": ([20, 30, 15], [20, 30, 15]),
    "two groups": ([5, 116], [119, 170]),
    "one huge group": ([50_000_000, 3, 1, 2], [1_000_000_000, 40, 30, 20]),
    "groups that are alike": ([3, 3, 3, 7, 7], [20, 20, 20, 20, 20]),
}
LARGE, ROOT = 1e5, 0.5 * np.log(2 * np.pi)
TAU = np.array([0.0, 0.05, 0.4, 1.5, 4.0])


def around(y: np.ndarray, n: np.ndarray, more: np.ndarray) -> np.ndarray:
    """A grid that is dense where any of the likelihoods is narrow."""
    center = np.log((y + 0.5) / (n - y + 0.5))
    width = np.sqrt(1 / (y + 0.5) + 1 / (n - y + 0.5))
    near = center[:, None] + width[:, None] * np.linspace(-9, 9, 61)
    return np.unique(np.concatenate([near.ravel(), more]))


def log_integral(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """By the trapezoidal rule over the last axis."""
    step = np.diff(grid)
    weight = (np.append(step, 0.0) + np.append(0.0, step)) / 2
    return logsumexp(values + np.log(weight), axis=-1)


def brute_force(y: np.ndarray, n: np.ndarray, prior: hs.Normal, tau: float) -> float:
    far = np.log((y + 0.5) / (n - y + 0.5))[:, None] + tau * np.linspace(-9, 9, 91)
    mu = around(y, n, np.append(far, np.linspace(-14, 14, 141)))
    z = np.linspace(-8, 8, 481)
    total = prior.log_density(mu)
    for successes, trials in zip(y, n, strict=True):
        theta = mu[:, None] + tau * z if tau else mu[:, None]
        at = np.log((successes + 0.5) / (trials - successes + 0.5))
        information = successes * (1 - successes / trials)
        if information > LARGE:  # as good as normal, and too narrow for the grid
            variance = tau**2 + 1 / information
            total = total - 0.5 * (mu - at) ** 2 / variance - 0.5 * np.log(variance * information)
            total = total + successes * at - trials * np.logaddexp(0, at)
            continue
        inside = successes * theta - trials * np.logaddexp(0, theta)
        total = total + (log_integral(inside - z**2 / 2, z) - ROOT if tau else inside[:, 0])
    return float(log_integral(total, mu))


@pytest.mark.parametrize("case", COUNTS)
def test_counts_against_brute_force(case: str) -> None:
    y, n = (np.array(column) for column in COUNTS[case])
    frame = pd.DataFrame({"g": range(len(y)), "y": y, "n": n})
    data = hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")
    priors = hs.PartialPooling().resolve_priors(data)
    found = TauLikelihood(data, priors)(TAU)
    exact = np.array([brute_force(y, n, priors["mu"], tau) for tau in TAU])
    np.testing.assert_allclose(found - found[0], exact - exact[0], atol=0.01)


def test_rows_of_a_group_count_as_their_sum() -> None:
    frame = pd.DataFrame({"g": list("aabbc"), "y": [1, 4, 0, 2, 9], "n": [10, 20, 10, 5, 30]})
    rows = hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")
    summed = frame.groupby("g", as_index=False).sum()
    sums = hs.GroupedData.from_counts(summed, group="g", successes="y", trials="n")
    priors = hs.PartialPooling().resolve_priors(sums)
    found = [TauLikelihood(data, priors)(TAU) for data in (rows, sums)]
    np.testing.assert_allclose(found[0] - found[0][0], found[1] - found[1][0], atol=1e-6)


ROWS = {
    "neg_binomial": [0, 2, 1, 5, 9, 3, 12, 4, 0, 1, 1, 7],
    "student_t": [0.1, -0.4, 0.3, 1.9, 2.2, 8.0, 2.5, 1.6, 0.2, 0.0, -0.7, 0.5],
    "normal_unequal": [0.1, -0.4, 0.3, 1.9, 2.2, 5.0, 2.5, 1.6, 0.2, 0.0, -0.1, 0.1],
}
FEW = np.array([0.0, 0.4, 1.5])


def log_lik(family: str, y: np.ndarray, eta: np.ndarray, own: list[np.ndarray]) -> np.ndarray:
    """By scipy."""
    if family == "neg_binomial":
        return stats.nbinom(own[0], own[0] / (own[0] + np.exp(eta))).logpmf(y)
    return stats.t(own[1], eta, own[0]).logpdf(y)


def by_grids(family: str, priors: dict[str, hs.priors.Prior], taus: np.ndarray) -> np.ndarray:
    """Grids over mu, what the family has of its own, and each group's mean."""
    y = np.array(ROWS[family], float).reshape(3, 4)
    names = [name for name in priors if name not in ("mu", "tau", "beta", "theta")]
    mu = np.linspace(-4, 5, 37)
    lows = [FAMILIES[family].lower_bounds.get(name, 0.0) for name in names]
    logs = [np.linspace(-2.5, 4.5, 23) for _ in names]
    mesh = np.meshgrid(mu, *logs, indexing="ij")
    own = [low + np.exp(log) for low, log in zip(lows, mesh[1:], strict=True)]
    total = priors["mu"].log_density(mesh[0])
    for name, log, value in zip(names, mesh[1:], own, strict=True):
        total = total + priors[name].log_density(value) + log
    z = np.linspace(-5, 5, 41)
    found = []
    for tau in taus:
        here = total
        for rows in y:
            if not tau:
                here = here + sum(log_lik(family, one, mesh[0], own) for one in rows)
                continue
            inside = [
                sum(log_lik(family, one, mesh[0] + tau * at, own) for one in rows) - at**2 / 2
                for at in z
            ]
            here = here + logsumexp(inside, axis=0)
            here = here + np.log(z[1] - z[0]) - ROOT
        found.append(logsumexp(here))
    return np.array(found)


def unequal_by_grids(priors: dict[str, hs.priors.Prior], taus: np.ndarray) -> np.ndarray:
    """Grids over mu, the typical sd, how the logs of the sds differ, and each group's sd."""
    y = np.array(ROWS["normal_unequal"]).reshape(3, 4)
    grids = np.linspace(-4, 5, 46), np.linspace(-4, 3, 29), np.linspace(-6, 1.5, 25)
    mu, typical, apart = np.meshgrid(*grids, indexing="ij")
    total = priors["mu"].log_density(mu) + typical + apart
    total = total + priors["sigma_typical"].log_density(np.exp(typical))
    total = total + priors["sigma_sd"].log_density(np.exp(apart))
    z = np.linspace(-5, 5, 61)
    found = []
    for tau in taus:
        here = total
        for rows in y:
            squares, inside = ((rows - rows.mean()) ** 2).sum(), []
            for at in z:
                log = typical + np.exp(apart) * at
                of_mean = np.exp(2 * log) / 4 + tau**2
                within = -3 * log - squares / (2 * np.exp(2 * log))
                normal = np.log(of_mean) + (rows.mean() - mu) ** 2 / of_mean
                inside.append(within - 0.5 * (normal + at**2))
            here = here + logsumexp(inside, axis=0)
        found.append(logsumexp(here))
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("family", ROWS)
def test_what_a_family_has_of_its_own_is_integrated_out(family: str) -> None:
    frame = pd.DataFrame({"g": np.repeat(list("abc"), 4), "y": ROWS[family]})
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)
    model = hs.PartialPooling(priors={"mu": hs.Normal(0.5, 1)})
    priors = model.resolve_priors(data)
    unequal = bool(FAMILIES[family].of_group)
    exact = unequal_by_grids(priors, FEW) if unequal else by_grids(family, priors, FEW)
    for seed in (1, 2, 3) if unequal else (1,):
        fit = model.fit(data, seed=seed, engine="stanli", progress=False, warmup=300, draws=300)
        found = TauLikelihood(data, priors, whereabouts(fit))(FEW)
        np.testing.assert_allclose(found - found[0], exact - exact[0], atol=0.05)


def test_a_mode_far_from_where_it_was_looked_for_is_found() -> None:
    """Of the log of a standard deviation: Newton's steps alone swing ever farther around it."""
    n, squares, off = 18.0, 9.3, 4.4  # a mean far from the others' makes it ten times as large

    def log_integrand(log: np.ndarray, rows: np.ndarray) -> np.ndarray:
        of_mean = np.exp(2 * log) / n + 0.43**2
        with np.errstate(over="ignore"):
            within = -(n - 1) * log - squares / 2 * np.exp(-2 * log)
        return within - 0.5 * (np.log(of_mean) + off**2 / of_mean) - 0.5 * ((log - 0.7) / 1.15) ** 2

    grid = np.linspace(-3, 4, 70_001)
    truth = grid[np.argmax(log_integrand(grid, grid))]
    starts = np.array([[-0.3], [-2.0], [3.0], [truth]])
    found, scale = mode_of(log_integrand, starts, np.full((4, 1), 0.17))
    assert np.abs(found - truth).max() < 0.3 * scale.min()


def test_what_it_takes() -> None:
    frame = pd.DataFrame({"g": list("abcd"), "y": [1, 4, 0, 2], "n": 10, "r": list("wwee")})
    counts = {"group": "g", "successes": "y", "trials": "n"}
    assert TauLikelihood.takes(hs.GroupedData.from_counts(frame, **counts))
    over = hs.GroupedData.from_counts(frame, **counts, family="beta_binomial")
    assert TauLikelihood.takes(over)
    assert not TauLikelihood.takes(hs.GroupedData.from_counts(frame, **counts, factors=["r"]))
