"""A refit without a unit serves all fits that differ in the prior of tau alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hierstan as hs
from hierstan.answers.comparison.refits import like, log_mean_and_error, refit_without

QUICK: dict[str, Any] = {"seed": 1, "engine": "stanli", "progress": False}
OWN = hs.HalfNormal(10)


def fitted(prior: hs.Prior, draws: int = 1000) -> hs.Fit:
    frame = hs.load_dataset("eight_schools")
    data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    priors = {"mu": hs.Normal(0, 10), "tau": prior}
    return hs.PartialPooling(priors=priors).fit(data, draws=draws, **QUICK)


@pytest.mark.parametrize("prior", [hs.HalfNormal(6), hs.HalfStudentT(4, 8), hs.HalfCauchy(5)])
def test_draws_of_another_prior_say_the_same_as_a_refit(prior: hs.Prior) -> None:
    kin = like(fitted(prior), fitted(OWN))
    of_weights, error = refit_without(kin, "group", 0)
    assert not kin._kept  # no refit of its own
    refit, its_error = refit_without(fitted(prior), "group", 0)
    assert of_weights == pytest.approx(refit, abs=4 * np.hypot(error, its_error))
    assert 0 < error < 3 * its_error


def test_a_prior_that_leaves_few_of_the_draws_has_its_own_refit() -> None:
    prior = hs.HalfNormal(0.5)
    kin = like(fitted(prior, 100), fitted(OWN, 100))
    assert refit_without(kin, "group", 0) == refit_without(fitted(prior, 100), "group", 0)


def test_weights_that_are_whole_numbers_repeat_draws() -> None:
    rng = np.random.default_rng(1)
    log_lik, times = rng.normal(size=400), rng.integers(0, 3, 400)
    value, _ = log_mean_and_error(log_lik, 2, times / times.mean())
    assert value == pytest.approx(log_mean_and_error(np.repeat(log_lik, times), 1)[0])


def test_the_error_under_weights_is_that_of_runs_repeated() -> None:
    rng = np.random.default_rng(2)
    log_lik = rng.normal(size=(2000, 400))
    weights = np.exp(0.5 * rng.normal(size=(2000, 400)))
    found = [
        log_mean_and_error(one, 4, w / w.mean())
        for one, w in zip(log_lik, weights, strict=True)
    ]  # fmt: skip
    values, errors = np.transpose(found)
    assert np.mean(errors) == pytest.approx(values.std(), rel=0.15)
