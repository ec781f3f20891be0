from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color
from matplotlib.patches import Rectangle
from pictures import OPTIONS, check_picture, close, column, data_of, fit_of, names, segments, words

import hierstan as hs
from hierstan.plots.style import CORE, POOLING_COLORS
from hierstan.text.numbers import share


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


@pytest.mark.parametrize(
    ("of", "control", "options"),
    [
        (("schools",), "C", {"caring": (-1, 1)}),
        (("schools", "complete"), "C", {}),
        (("baseball", "none"), "Clemente", {"relative": True, "caring": (-0.1, 0.1)}),
        (("branches",), "Branch 07", {}),
        (("thousand",), "segment 0500", {"relative": True}),
        (("ugly",), "$x^2$ & $y_1$", {"caring": (-1, 1)}),
    ],
)
def test_every_data_set_gives_a_clean_picture(
    of: tuple[str, ...], control: str, options: dict[str, Any], tmp_path: Path
) -> None:
    check_picture(hs.plot_uplift(fit_of(*of), control, **options), tmp_path)


@pytest.mark.parametrize("larger_is_better", [True, False])
@pytest.mark.parametrize("scale", ["response", "link"])
def test_lines_are_the_intervals_of_uplift_best_first(scale: str, larger_is_better: bool) -> None:
    fit = fit_of("baseball")
    options: dict[str, Any] = {"scale": scale, "larger_is_better": larger_is_better, "prob": 0.8}
    figure = hs.plot_uplift(fit, "Scott", **options)
    table = hs.uplift(fit, "Scott", **options)
    table = table.sort_values("mean", ascending=not larger_is_better, kind="stable")
    assert names(figure) == table.index.tolist()
    drawn = segments(figure.axes[0], POOLING_COLORS["partial"], 1.1)
    np.testing.assert_allclose([line[:, 0] for line in drawn], table[["lower", "upper"]])
    dots = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    np.testing.assert_allclose(dots.get_xdata(), table["mean"])
    zero = [line.get_xdata() for line in figure.axes[0].lines if line.get_marker() == "None"]
    np.testing.assert_array_equal(zero, [[0, 0]])
    assert column(figure, "P(better)") == [f"{100 * p:.0f}%" for p in table["prob_better"]]


def test_relative_differences_and_the_region_are_percentages() -> None:
    fit = fit_of("baseball")
    options: dict[str, Any] = {"relative": True, "caring": (-0.05, 0.1)}
    figure = hs.plot_uplift(fit, "Scott", **options)
    ax = figure.axes[0]
    table = hs.uplift(fit, "Scott", **options).loc[names(figure)]
    drawn = segments(ax, POOLING_COLORS["partial"], 1.1)
    np.testing.assert_allclose([line[:, 0] for line in drawn], 100 * table[["lower", "upper"]])
    band = next(
        patch
        for patch in ax.patches
        if isinstance(patch, Rectangle) and same_color(patch.get_facecolor(), CORE)
    )
    np.testing.assert_allclose([band.get_x(), band.get_x() + band.get_width()], [-5, 10])
    assert ax.get_xlabel() == "hits / at_bats, relative difference (%) from Scott"
    minus = [f"{100 * mean:.0f}%".replace("-", "−") for mean in table["mean"]]
    assert column(figure, "mean") == [text.replace("−0%", "0%") for text in minus]
    for header, name in (
        ("P(better)", "prob_better"),
        ("P(same)", "prob_equivalent"),
        ("P(worse)", "prob_worse"),
    ):
        assert column(figure, header) == [f"{100 * p:.0f}%" for p in table[name]]


def test_the_title_counts_what_is_clear() -> None:
    fit = fit_of("pumps")
    table = hs.uplift(fit, 10, larger_is_better=False)
    better, worse = ((p > 0.95).sum() for p in (table["prob_better"], 1 - table["prob_better"]))
    assert better > 0
    shown = " ".join(words(hs.plot_uplift(fit, 10, larger_is_better=False)))
    assert f"{better}\N{NO-BREAK SPACE}of 9 clearly better, {worse} clearly worse" in shown
    assert "Smaller is better, best on top" in shown


def test_what_is_nearly_certain_is_not_called_so() -> None:
    fit = fit_of("branches")
    figure = hs.plot_uplift(fit, "Branch 19")
    chances = hs.uplift(fit, "Branch 19")["prob_better"].loc[names(figure)]
    nearly = (chances >= 0.995) & (chances < 1)
    assert nearly.any()
    shown = pd.Series(column(figure, "P(better)"), index=names(figure))
    assert set(shown[nearly]) == {">99%"}
    assert (shown[chances == 1] == ">99%").all()  # as far as draws can tell


def test_of_many_groups_the_extremes_are_named() -> None:
    fit = fit_of("thousand")
    figure = hs.plot_uplift(fit, "segment 0500")
    order = hs.uplift(fit, "segment 0500").sort_values("mean", ascending=False, kind="stable")
    shown = [text for text in words(figure) if text in set(order.index)]
    assert shown == [*order.index[:6], *order.index[-6:]]


def test_a_group_without_events_and_two_groups(tmp_path: Path) -> None:
    frame = pd.DataFrame({"arm": ["a", "b"], "sales": [0, 9], "visits": [40, 60]})
    data = hs.GroupedData.from_counts(frame, group="arm", successes="sales", trials="visits")
    fit = hs.PartialPooling().fit(data, **OPTIONS)
    figure = hs.plot_uplift(fit, "a")
    assert names(figure) == ["b"]
    check_picture(figure, tmp_path)


def test_limits_out_of_sight_are_marked() -> None:
    frame = pd.DataFrame({"g": list("abcd"), "e": [0.0, 1, 2, 3], "se": [1, 1, 1, 4000]})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="e", se="se")
    fit = hs.NoPooling(priors={"theta": hs.Normal(0, 1e4)}).fit(data, **OPTIONS)
    figure = hs.plot_uplift(fit, "a")
    assert np.isfinite(figure.axes[0].get_xlim()).all()
    assert any("arrowheads mark what goes on" in text for text in words(figure))


def test_of_amounts_their_mean_or_median_is_compared() -> None:
    model = hs.PartialPooling(priors={"sigma": hs.HalfNormal(0.8)})  # of a finite mean
    fit = model.fit(data_of("baskets"), **OPTIONS)
    axes = [hs.plot_uplift(fit, "a", scale=scale).axes[0] for scale in ("response", "mean")]
    words_of = [ax.get_xlabel() for ax in axes]
    assert words_of == ["median of basket, difference from a", "mean of basket, difference from a"]


def test_a_prior_is_said_to_be_one() -> None:
    shown = words(hs.plot_uplift(fit_of("schools", prior_only=True), "A"))
    assert any("the prior, before any data" in text for text in shown)


def test_what_cannot_be_compared_is_refused() -> None:
    fit = fit_of("baseball")
    with pytest.raises(hs.DataError, match=r"no group 'Clement'. Did you mean 'Clemente'\?"):
        hs.plot_uplift(fit, "Clement")
    with pytest.raises(hs.HierstanError, match="control="):
        hs.plot_uplift(fit)
    with pytest.raises(hs.HierstanError, match="may be 0 or below"):
        hs.plot_uplift(fit_of("schools"), "C", relative=True)
    with pytest.raises(hs.HierstanError, match="lower number first"):
        hs.plot_uplift(fit, "Scott", caring=(1, -1))


@pytest.mark.parametrize("name", ["vaccines", "two arms of counts", "two arms of amounts"])
@pytest.mark.parametrize("options", [{}, {"relative": True, "caring": 0.1}])
def test_a_treatment_has_an_uplift_in_every_group(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    fit = fit_of(name)
    figure = hs.plot_uplift(fit, prob=0.8, **options)
    check_picture(figure, tmp_path)
    relative = "relative" in options
    measure = fit.family.ratio if relative else fit.family.difference
    found = hs.absolute_effects(fit, measure=measure, prob=0.8)
    table = found.table.sort_values("mean", ascending=False, kind="stable")
    assert names(figure) == [*table.index, "all, as in the data"]
    drawn = segments(figure.axes[0], POOLING_COLORS["partial"], 1.1)
    left, right = figure.axes[0].get_xlim()
    times = 100 if relative else 1
    expected = times * (table[["lower", "upper"]] - relative)
    expected = expected.clip(2 * left - right, 2 * right - left)
    np.testing.assert_allclose([line[:, 0] for line in drawn], expected)
    diamond = next(line for line in figure.axes[0].lines if line.get_marker() == "D")
    assert diamond.get_xdata()[0] == pytest.approx(times * (found.overall["mean"] - relative))
    if not relative:
        told = column(figure, "P(better)")
        shares = [*table["prob_positive"], found.overall["prob_positive"]]
        assert told == [share(part) for part in shares]
        treated = fit.data.arms[1]
        assert len(column(figure, treated)) == len(table) + 1
    else:
        draws = found.draws.to_numpy().reshape(-1, len(found.table)) - 1
        same = pd.Series((np.abs(draws) <= 0.1).mean(axis=0), found.table.index)[table.index]
        assert column(figure, "P(same)")[:-1] == [share(part) for part in same]


def test_the_uplift_of_a_treatment_is_absolute() -> None:
    fit = fit_of("two arms of counts")
    figure = hs.plot_uplift(fit)
    control, treated = fit.data.arms
    assert f", {treated} against {control}:" in " ".join(figure.get_suptitle().split())
    axis = figure.axes[0]
    assert axis.get_xlabel() == "bought / users, difference from control (percentage points)"
    with pytest.raises(hs.HierstanError, match="on the outcome's own scale; plot_forest"):
        hs.plot_uplift(fit, scale="link")
    # which country has more of an effect than another is another question
    assert "log odds ratio" in hs.plot_uplift(fit, "country 3").axes[0].get_xlabel()
