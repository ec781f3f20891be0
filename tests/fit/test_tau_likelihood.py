"""The likelihood of tau against brute force, where likelihoods of counts are hard."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp

import hierstan as hs
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
    found = TauLikelihood(data, priors, {})(TAU)
    exact = np.array([brute_force(y, n, priors["mu"], tau) for tau in TAU])
    np.testing.assert_allclose(found - found[0], exact - exact[0], atol=0.01)


def test_rows_of_a_group_count_as_their_sum() -> None:
    frame = pd.DataFrame({"g": list("aabbc"), "y": [1, 4, 0, 2, 9], "n": [10, 20, 10, 5, 30]})
    rows = hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")
    summed = frame.groupby("g", as_index=False).sum()
    sums = hs.GroupedData.from_counts(summed, group="g", successes="y", trials="n")
    priors = hs.PartialPooling().resolve_priors(sums)
    found = [TauLikelihood(data, priors, {})(TAU) for data in (rows, sums)]
    np.testing.assert_allclose(found[0] - found[0][0], found[1] - found[1][0], atol=1e-6)


def test_what_it_takes() -> None:
    frame = pd.DataFrame({"g": list("abcd"), "y": [1, 4, 0, 2], "n": 10, "r": list("wwee")})
    counts = {"group": "g", "successes": "y", "trials": "n"}
    assert TauLikelihood.takes(hs.GroupedData.from_counts(frame, **counts))
    over = hs.GroupedData.from_counts(frame, **counts, family="beta_binomial")
    assert not TauLikelihood.takes(over)
    assert not TauLikelihood.takes(hs.GroupedData.from_counts(frame, **counts, factors=["r"]))
