"""Importance weights of blocks of units: what ArviZ says of each, and what the exact answer is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats
from scipy import special, stats

import hierstan as hs
from hierstan.answers.comparison import importance


@pytest.mark.parametrize("sd", [1e-9, 0.01, 0.3, 1.5, 10.0])
@pytest.mark.parametrize("S", [40, 225, 226, 1000, 4000])
def test_weights_and_k_are_those_of_arviz(S: int, sd: float) -> None:
    rng = np.random.default_rng(S)
    log_ratio = sd * (rng.normal(0, 1, (30, S)) + rng.uniform(-1, 1, (30, 1)) * rng.gamma(1, 1, S))
    with np.errstate(all="ignore"):
        theirs, their_k = array_stats.psislw(-log_ratio, axis=-1)
    weights, k = importance.smoothed(log_ratio)
    np.testing.assert_allclose(k, their_k, atol=1e-9)
    np.testing.assert_allclose(weights, np.exp(theirs), rtol=1e-9, atol=1e-13)


def test_ratios_that_do_not_vary_are_left_as_they_are() -> None:
    weights, k = importance.smoothed(np.full((2, 400), -3.0))
    assert (k == -np.inf).all()
    np.testing.assert_allclose(weights, 1 / 400)


def test_few_draws_and_numbers_that_are_not_finite_are_hard() -> None:
    rng = np.random.default_rng(1)
    assert importance.joined([importance.psis(rng.normal(0, 0.01, (20, 3)))]).hard.all()
    log_lik = rng.normal(0, 0.01, (1000, 3))
    log_lik[7, 1] = -np.inf
    found = importance.joined([importance.psis(log_lik)])
    assert found.hard.tolist() == [False, True, False]
    assert np.isnan(found.elpd_i).tolist() == [False, True, False]


def test_blocks_and_repeated_units_add_up_to_the_whole() -> None:
    log_lik = np.random.default_rng(2).normal(0, 1, (500, 12)) * np.linspace(0.01, 0.9, 12)
    times = np.arange(12) % 3 + 1
    place = np.repeat(np.arange(12), times)
    whole = importance.joined([importance.psis(log_lik[:, place])])
    assert 0 < whole.hard.sum() < len(place)  # some turn out hard by their error alone
    assert (whole.hard & (whole.pareto_k < importance.HARD_K)).any()
    parts = [importance.psis(log_lik[:, p], 0.0, times[p]) for p in (slice(0, 5), slice(5, 12))]
    both = importance.joined(parts)
    np.testing.assert_allclose(both.influence, whole.influence, atol=1e-12)
    for name in ("elpd_i", "lpd_i", "pareto_k", "mcse_i", "hard"):
        np.testing.assert_allclose(getattr(both, name)[place], getattr(whole, name), atol=1e-12)


@pytest.mark.slow
def test_elpd_varies_with_the_seed_as_its_monte_carlo_error_says() -> None:
    trials = np.array([47, 148, 119, 810, 211, 196, 148, 215, 207, 97, 256, 360])
    deaths = np.array([0, 18, 8, 46, 8, 13, 9, 31, 14, 8, 29, 24])
    frame = pd.DataFrame({"hospital": list("abcdefghijkl"), "y": deaths, "n": trials})
    data = hs.GroupedData.from_counts(frame, group="hospital", successes="y", trials="n")
    model = hs.CompletePooling(priors={"mu": hs.Normal(-2, 1)})
    found = [hs.loo(model.fit(data, seed=seed, engine="stanli")) for seed in range(1, 9)]

    mu = np.linspace(-4, -1, 20_001)
    log_lik = stats.binom.logpmf(deaths, trials, special.expit(mu[:, None]))
    joint = log_lik.sum(axis=1, keepdims=True) + stats.norm.logpdf(mu, -2, 1)[:, None]
    exact = special.logsumexp(joint, axis=0) - special.logsumexp(joint - log_lik, axis=0)
    z = np.array([(one.elpd - exact.sum()) / one.mcse for one in found])
    assert np.abs(z).max() < 4
    assert (z**2).sum() < stats.chi2(len(z)).ppf(0.9999)
    assert max(one.mcse for one in found) < 0.1
    for one in found:
        off = (one.elpd_i - exact) / np.maximum(one.mcse_i, 1e-4)
        assert np.abs(off).max() < 5
