"""Options: what is set once for every answer."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest

import hierstan as hs
from hierstan.fit.settings import check_prob

SCHOOLS = hs.load_dataset("eight_schools")
DATA = hs.GroupedData.from_estimates(SCHOOLS, group="school", estimate="effect", se="se")


def test_options_hold_for_good_or_in_a_block_and_are_checked() -> None:
    with hs.options(prob=0.8):
        with hs.options(prob=0.5):
            assert check_prob(None) == 0.5
        assert check_prob(None) == 0.8
        assert check_prob(0.6) == 0.6
    assert check_prob(None) == 0.9
    with pytest.raises(hs.HierstanError, match="between 0 and 1"):
        hs.options(prob=95)
    assert check_prob(None) == 0.9


def test_every_answer_takes_the_probability_that_is_set() -> None:
    fit = hs.PartialPooling().fit(DATA, seed=1, engine="stanli", progress=False)
    for answer in (hs.summary, hs.group_means, hs.shrinkage):
        with hs.options(prob=0.5):
            table = answer(fit)
            assert "50%" in table.attrs["caption"]
            assert "equal-tailed 50% intervals" in str(fit)
        pd.testing.assert_frame_equal(table, answer(fit, prob=0.5))
        assert (answer(fit)["upper"] > table["upper"]).all()


def test_no_public_function_has_a_probability_of_intervals_of_its_own() -> None:
    own = {
        name: inspect.signature(getattr(hs, name)).parameters["prob"].default
        for name in hs.__all__
        if inspect.isfunction(getattr(hs, name))
        and "prob" in inspect.signature(getattr(hs, name)).parameters
    }
    other = {"plot_sbc", "value_remaining"}  # a band of a test, a quantile
    assert {name for name, default in own.items() if default is not None} <= other


@pytest.mark.parametrize(("measure", "words"), [("OR", "odds ratio"), ("MD", "mean difference")])
def test_an_effect_is_called_what_it_is(measure: str, words: str) -> None:
    data = hs.GroupedData.from_estimates(
        SCHOOLS, group="school", estimate="effect", se="se", measure=measure
    )
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    assert words in str(fit)
    table, link = hs.summary(fit, scale="response"), hs.summary(fit)
    draws = fit.draws("mu")
    shown = np.exp(draws) if measure == "OR" else draws
    assert table.loc["mu", "mean"] == pytest.approx(shown.mean())
    assert table.loc["mu", "prob_positive"] == pytest.approx((draws > 0).mean())
    assert link.loc["mu", "mean"] == pytest.approx(draws.mean())
    assert np.isnan(table.loc["tau", "prob_positive"])
    axes = hs.plot_forest(fit, style="meta").axes[0]
    assert axes.get_xlabel() == words + " (log scale)" * (measure == "OR")
    assert axes.get_xscale() == ("log" if measure == "OR" else "linear")
    assert hs.plot_forest(fit).axes[0].get_xlabel().endswith(words)
    if measure == "MD":
        with pytest.raises(hs.HierstanError, match="estimates are of a mean difference"):
            hs.plot_forest(fit, style="meta", exponentiate=True)
