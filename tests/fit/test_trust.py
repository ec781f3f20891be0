"""No answer speaks from a fit that is not trusted without saying so first."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hierstan as hs
from hierstan.fit.checks import misleading

SAYS = "Do not rely on this yet: the draws cannot be trusted"
MISSES = "Do not rely on this: the model misses something. "


@functools.cache
def schools(draws: int) -> hs.Fit:
    frame = hs.load_dataset("eight_schools")
    data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    return hs.PartialPooling().fit(data, seed=1, engine="stanli", draws=draws, progress=False)


ANSWERS: dict[str, Callable[[hs.Fit], Any]] = {
    "heterogeneity": lambda fit: hs.heterogeneity(fit).verdict,
    "compare": lambda fit: hs.compare({"a": fit, "b": fit}, progress=False).verdict,
    "decision_table": lambda fit: hs.decision_table(fit, control="C").attrs["advice"],
    "its caption": lambda fit: hs.decision_table(fit).attrs["caption"],
    "prob_best": hs.prob_best,
    "prob_greater": lambda fit: hs.prob_greater(fit, than=0.0),
    "expected_loss": hs.expected_loss,
    "uplift": lambda fit: hs.uplift(fit, control="C"),
    "rank_probabilities": hs.rank_probabilities,
    "rank_intervals": hs.rank_intervals,
    "prob_top": lambda fit: hs.prob_top(fit, 2),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_says_so_first(name: str) -> None:
    fit = schools(40)
    assert not hs.diagnose(fit).ok
    with pytest.warns(hs.HierstanWarning, match=re.escape(SAYS)) as caught:
        answer = ANSWERS[name](fit)
    assert caught[0].filename == __file__
    if isinstance(answer, str):
        assert answer.startswith(SAYS)


@pytest.mark.parametrize("name", ANSWERS)
def test_trusted_draws_need_no_word(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = ANSWERS[name](schools(1000))
    assert SAYS not in str(answer)


def test_the_table_of_decisions_says_so_in_every_line() -> None:
    with pytest.warns(hs.HierstanWarning, match=re.escape(SAYS)):
        verdicts = hs.decision_table(schools(40), caring=1)["verdict"]
    assert verdicts.str.startswith("untrusted: ").all()


def test_a_comparison_names_the_fit() -> None:
    fits = {"short": schools(40), "long": schools(1000)}
    with pytest.warns(hs.HierstanWarning, match=r"trusted \(short: .*R-hat"):
        found = hs.compare(fits, progress=False)
    assert "long:" not in found.verdict.split(")")[0]


def test_two_parts_are_both_looked_at() -> None:
    frame = pd.DataFrame({"v": list("AAAABBBB"), "paid": [0, 12.0, 9, 0, 30, 0, 0, 8]})
    fit = hs.TwoPart("gamma").fit(
        frame, group="v", outcome="paid", seed=1, engine="stanli", draws=40, progress=False
    )
    with pytest.warns(hs.HierstanWarning, match=r"rate: .*amount: "):
        hs.prob_best(fit)


def days(family: str, extra: float) -> hs.Fit:
    """Fit variants without any difference whose days differ by `extra` sd of their rates."""
    rng = np.random.default_rng(7)
    variant = np.repeat(["A", "B", "C"], 14)
    rate = np.clip(rng.normal(0.05, extra, variant.size), 0.001, 1)
    frame = pd.DataFrame({"v": variant, "y": rng.binomial(500, rate), "n": 500})
    data = hs.GroupedData.from_counts(frame, group="v", successes="y", trials="n", family=family)
    return hs.PartialPooling().fit(data, seed=1, engine="stanli", draws=500, progress=False)


@pytest.mark.parametrize("name", ["heterogeneity", "its caption", "prob_best"])
def test_a_model_that_misses_the_variance_says_so_first(name: str) -> None:
    fit = days("binomial", 0.02)
    assert hs.diagnose(fit).ok
    with pytest.warns(hs.HierstanWarning, match=re.escape(MISSES) + ".*beta_binomial"):
        answer = ANSWERS[name](fit)
    if isinstance(answer, str):
        assert answer.startswith(MISSES)


@pytest.mark.parametrize(("family", "extra"), [("binomial", 0.0), ("beta_binomial", 0.02)])
def test_a_model_that_misses_nothing_does_not(family: str, extra: float) -> None:
    assert MISSES not in hs.heterogeneity(days(family, extra)).verdict


@pytest.mark.slow
def test_a_comparison_of_families_names_the_one_that_misses_it() -> None:
    fits = {name: days(name, 0.02) for name in ("binomial", "beta_binomial")}
    with pytest.warns(hs.HierstanWarning, match=re.escape(MISSES) + "binomial: "):
        found = hs.compare(fits, progress=False)
    assert "beta_binomial: " not in found.verdict.split("Use family=")[0]


@pytest.mark.slow
def test_standard_deviations_that_differ_a_little_are_not_worth_the_words() -> None:
    rng = np.random.default_rng(2)
    shop = np.repeat(list("abcdefgh"), 400)
    for ratio, said in ((0.1, False), (0.6, True)):
        sd = np.repeat(np.exp(ratio * rng.permutation(np.linspace(-1, 1, 8))), 400)
        frame = pd.DataFrame({"shop": shop, "y": rng.normal(0, sd)})
        data = hs.GroupedData.from_rows(frame, group="shop", outcome="y")
        fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", draws=500, progress=False)
        assert any("vary by different amounts" in text for text in fit.missed())
        assert bool(misleading(fit)) == said
