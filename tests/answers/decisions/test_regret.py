"""Regret: the probability and the amount of what a choice may lose."""

from __future__ import annotations

import numpy as np
import pytest
from deciding import DRAWS, fit_of, school_fits

import hierstan as hs


def test_by_hand() -> None:
    fit = fit_of(DRAWS, ["a", "b", "c"])
    np.testing.assert_allclose(hs.prob_regret(fit, 1), [0.25, 0.25, 0.0])
    np.testing.assert_allclose(hs.prob_regret(fit, 0), [0.25, 0.25, 0.75])
    remaining = hs.value_remaining(fit, prob=0.99)
    assert remaining.chosen == "b"
    assert remaining.mean == pytest.approx(0.5)
    assert 1.9 < remaining.upper <= 2.0


def test_what_remains_is_the_least_expected_loss() -> None:
    fit = school_fits()["partial"]
    remaining = hs.value_remaining(fit)
    loss = hs.expected_loss(fit)
    assert remaining.chosen == loss.idxmin()
    assert remaining.mean == pytest.approx(loss.min())
    lost = fit.draws("theta").max(axis=1) - fit.draws("theta")[:, loss.argmin()]
    assert remaining.upper == pytest.approx(np.quantile(lost, 0.95))
    least = hs.value_remaining(fit, larger_is_better=False)
    assert least.chosen == hs.expected_loss(fit, larger_is_better=False).idxmin()


def test_a_regret_counts_only_beyond_what_is_cared_for() -> None:
    fit = school_fits()["partial"]
    theta = fit.draws("theta")
    lost = theta.max(axis=1, keepdims=True) - theta
    for caring in (0.0, 3.0, 20.0):
        found = hs.prob_regret(fit, caring)
        np.testing.assert_allclose(found, (lost > caring).mean(axis=0))
