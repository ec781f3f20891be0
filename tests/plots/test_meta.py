"""Pictures of a meta-analysis: numbers beside studies, sides, subgroups, influence, contours."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bcg_trials import trials
from pictures import check_picture, close, fit_of, words

import hierstan as hs
from hierstan.plots.style import ALERT


@functools.cache
def bcg() -> hs.Fit:
    table = trials().assign(allocation=["a", "b"] * 6 + ["a"])
    data = hs.GroupedData.from_estimates(
        table, group="trial", estimate="estimate", se="se", factors=["allocation"]
    )
    return hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


@pytest.mark.slow
def test_a_forest_for_a_journal(tmp_path: Path) -> None:
    arm = hs.load_dataset("bcg").set_index("trial").filter(regex="^vaccinated").astype(str)
    beside = (arm["vaccinated_positive"] + "/" + arm["vaccinated_total"]).to_frame("vaccine")
    figure = hs.plot_forest(
        bcg(), style="meta", by="allocation", columns=beside[::-1], favours=("vaccine", "control")
    )
    shown = words(figure)
    check_picture(figure, tmp_path)
    assert {"← favours vaccine", "favours control →", "4/123", "allocation: a"} <= set(shown)
    assert "505/88391" in shown
    first = np.exp(bcg().draws("theta").mean(axis=0)[0])
    assert f"{first:.2f}" in shown  # the pooled estimate beside its bar
    caption = figure.get_supxlabel().replace("\n", " ")
    tau = hs.heterogeneity(bcg()).tau
    assert f"tau {tau['mean']:.2f} [{tau['lower']:.2f}, {tau['upper']:.2f}], I²" in caption
    assert "90% prediction interval [" in caption
    level = np.exp((bcg().draws("mu") + bcg().draws("u_allocation")[:, 0]).mean())
    assert f"{level:.2f}" in shown


def test_raw_numbers_of_counts_stand_beside_them_and_rates_are_percentages() -> None:
    shown = words(hs.plot_forest(fit_of("baseball"), style="meta"))
    assert {"18/45", "hits/at_bats", "40.0%"} <= set(shown)
    rows = pd.DataFrame({"g": list("abc"), "m": [1.0, 2, 4], "s": [1.0, 2, 1.5], "n": [5, 16, 9]})
    data = hs.GroupedData.from_means(rows, group="g", mean="m", sd="s", n="n")
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    assert {"mean", "sd", "n", "16"} <= set(words(hs.plot_forest(fit, style="meta")))


@pytest.mark.slow
def test_rows_of_events_are_counted_beside_them() -> None:
    frame = pd.DataFrame({"shop": list("aaabbbccc"), "sold": [1, 0, 0, 1, 1, 0, 0, 0, 1]})
    data = hs.GroupedData.from_rows(frame, group="shop", outcome="sold", family="bernoulli")
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    assert {"sold/n", "2/3"} <= set(words(hs.plot_forest(fit, style="meta")))


@pytest.mark.slow
def test_numbers_of_both_arms_stand_beside_the_studies(tmp_path: Path) -> None:
    figure = hs.plot_forest(fit_of("vaccines"), style="meta")
    check_picture(figure, tmp_path)
    assert {"treatment", "control", "62/13,598", "248/12,867", "odds ratio (log scale)"} <= set(
        words(figure)
    )
    spent = hs.plot_forest(fit_of("two arms of amounts"), style="meta")
    check_picture(spent, tmp_path)
    raw = fit_of("two arms of amounts").data.to_frame()["mean_log_control"].iloc[0]
    assert f"{np.exp(raw):.3g}, 20" in words(spent)
    assert "ratio of means (log scale)" in words(spent)
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"site": list("abc") * 4, "arm": ["old"] * 6 + ["new"] * 6})
    frame["score"], frame["days"] = rng.normal(5, 1, 12), 30.0
    arms = {"group": "site", "arm": "arm", "control": "old"}
    few = {"chains": 2, "warmup": 200, "draws": 100, "engine": "stanli", "progress": False}
    data = hs.GroupedData.from_trial(frame, outcome="score", **arms)
    fit = hs.PartialPooling().fit(data, seed=1, **few)
    own = frame.loc[(frame["site"] == "a") & (frame["arm"] == "new"), "score"]
    shown = words(hs.plot_forest(fit, style="meta"))
    assert {"new: mean (sd), n", "old: mean (sd), n"} <= set(shown)
    assert f"{own.mean():.3g} ({own.std():.3g}), 2" in shown
    frame["falls"] = rng.poisson(3, 12)
    data = hs.GroupedData.from_trial(frame, events="falls", exposure="days", **arms)
    fit = hs.PartialPooling().fit(data, seed=1, **few)
    falls = frame.loc[(frame["site"] == "b") & (frame["arm"] == "old"), "falls"].sum()
    assert f"{falls}/60" in words(hs.plot_forest(fit, style="meta"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"columns": 3}, "columns= takes a DataFrame"),
        ({"columns": {"x": [1]}}, "columns= has 1 values of 'x' for 8 groups"),
        ({"favours": "left"}, "favours= must be a pair"),
        ({"by": "region"}, "by= takes a factor"),
    ],
)
def test_what_cannot_be_is_refused(given: dict, message: str) -> None:
    with pytest.raises(hs.HierstanError, match=message):
        hs.plot_forest(fit_of("schools"), style="meta", **given)
    if "by" not in given:
        with pytest.raises(hs.HierstanError, match='style="meta"'):
            hs.plot_forest(fit_of("schools"), **given)


def test_contours_mark_what_is_significant() -> None:
    figure = hs.plot_funnel(fit_of("schools"), contours=True)
    assert {"p = 0.1", "p = 0.05", "p = 0.01"} <= set(words(figure))
    red = [line for line in figure.axes[0].lines if line.get_color() == ALERT]
    lines = [line for line in red if len(line.get_xdata()) == 2]
    slopes = sorted(float(line.get_xdata()[1] / line.get_ydata()[1]) for line in lines)
    np.testing.assert_allclose(slopes, [-2.576, -1.96, -1.645, 1.645, 1.96, 2.576])
    with pytest.raises(hs.HierstanError, match="contours=True"):
        hs.plot_funnel(fit_of("baseball"), contours=True)
