from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from pictures import OPTIONS, UGLY, check_picture, close, data_of, fit_of, segments, words
from scipy.stats import norm
from two_arms import unpaired

import hierstan as hs
from hierstan.data.own_estimates import raw_estimates
from hierstan.plots.picture import narrow
from hierstan.plots.style import INK, POOLING_COLORS, RAW


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


@pytest.mark.parametrize(
    "name", ["schools", "baseball", "pumps", "branches", "thousand", "ugly", "baskets"]
)
def test_every_data_set_gives_a_clean_picture(name: str, tmp_path: Path) -> None:
    check_picture(hs.plot_forest(fit_of(name)), tmp_path)


@pytest.mark.parametrize("pooling", ["complete", "none", "partial"])
@pytest.mark.parametrize("scale", ["response", "link"])
def test_lines_are_quantiles_of_the_group_means(pooling: str, scale: str, tmp_path: Path) -> None:
    fit = fit_of("baseball", pooling)
    figure = hs.plot_forest(fit, prob=0.8, scale=scale)
    theta = fit.draws("theta")
    theta = theta if scale == "link" else fit.family.to_response(theta)
    for width, tail in ((1.1, 0.1), (3.2, 0.25)):
        drawn = segments(figure.axes[0], POOLING_COLORS[pooling], width)
        wanted = np.quantile(theta, [tail, 1 - tail], axis=0).T
        np.testing.assert_allclose([line[:, 0] for line in drawn], wanted)
    assert "80% interval" in words(figure)
    check_picture(figure, tmp_path)


def test_reference_rows_are_mu_and_a_new_group() -> None:
    fit = fit_of("schools")
    ax = hs.plot_forest(fit).axes[0]
    thin = segments(ax, INK, 1.1)
    for line, name in zip(thin, ("mu", "theta_new"), strict=True):
        np.testing.assert_allclose(line[:, 0], np.quantile(fit.draws(name), [0.05, 0.95]))
    named = [label.get_text() for label in ax.get_yticklabels()]
    assert named == [*"ABCDEFGH", "population mean", "a new school"]
    diamond = next(line for line in ax.lines if line.get_marker() == "D")
    np.testing.assert_allclose(diamond.get_xdata(), [fit.draws("mu").mean()])


def test_off_the_link_scale_mu_is_the_typical_group() -> None:
    assert "typical group" in words(hs.plot_forest(fit_of("pumps")))
    assert "population mean" in words(hs.plot_forest(fit_of("pumps"), scale="link"))


@pytest.mark.parametrize("pooling", ["complete", "none"])
def test_other_poolings_have_no_population(pooling: str) -> None:
    ax = hs.plot_forest(fit_of("schools", pooling)).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == list("ABCDEFGH")


def test_sorting_puts_the_largest_mean_on_top() -> None:
    fit = fit_of("schools")
    names = [label.get_text() for label in hs.plot_forest(fit, sort=True).axes[0].get_yticklabels()]
    order = np.argsort(-fit.draws("theta").mean(axis=0), kind="stable")
    assert names[:8] == list(fit.data.groups[order])


def test_means_and_intervals_are_written_out() -> None:
    fit = fit_of("schools")
    shown = words(hs.plot_forest(fit))
    theta = fit.draws("theta")[:, 0]
    low, high = np.quantile(theta, [0.05, 0.95])
    # how wide intervals are decides whether there is a decimal
    texts = [(f"{theta.mean():.{d}f}", f"[{low:.{d}f}, {high:.{d}f}]") for d in (0, 1)]
    texts = [(mean, interval.replace("[-0,", "[0,").replace("-", "−")) for mean, interval in texts]
    assert any(set(pair) <= set(shown) for pair in texts)


def test_of_many_groups_the_extremes_are_named() -> None:
    fit = fit_of("thousand")
    figure = hs.plot_forest(fit)
    order = np.argsort(-fit.draws("theta").mean(axis=0), kind="stable")
    shown = [text for text in words(figure) if text in set(fit.data.groups)]
    assert len(shown) == 12
    assert {fit.data.groups[order[0]], fit.data.groups[order[-1]]} <= set(shown)
    assert "a new segment" in words(figure)


def test_fifty_groups_are_all_named() -> None:
    assert set(fit_of("branches").data.groups) <= set(words(hs.plot_forest(fit_of("branches"))))


def test_labels_are_drawn_as_they_are_written() -> None:
    figure = hs.plot_forest(fit_of("ugly"))
    shown = words(figure)
    for label in ("$x^2$ & $y_1$", "a_b_{c}", "<b>bold</b>", "Ελλάδα, Москва", "\\alpha\\$5"):
        assert label in UGLY
        assert label in shown
    assert {"EU, 3", "tab here and newline", "1", "'1'", "''", "2024-03-01"} <= set(shown)
    assert figure.axes[0].get_xlabel() == "e_{x}$2$"
    assert not any(text.get_parse_math() for text in figure.axes[0].get_yticklabels())
    assert max(map(len, (label.get_text() for label in figure.axes[0].get_yticklabels()))) <= 34


def test_a_prior_is_drawn_without_raw_estimates(tmp_path: Path) -> None:
    figure = hs.plot_forest(fit_of("pumps", prior_only=True))
    shown = words(figure)
    assert "median" in shown
    assert not any("raw" in text for text in shown)
    check_picture(figure, tmp_path)


@pytest.mark.parametrize("prob", [0, 1, 90, -0.1])
def test_an_impossible_probability_is_refused(prob: float) -> None:
    with pytest.raises(hs.HierstanError, match=f"must be between 0 and 1, .* got {prob}"):
        hs.plot_forest(fit_of("schools"), prob=prob)


# the style "meta" -----------------------------------------------------------------------------


@cache
def trials() -> hs.Fit:
    """Thirteen trials of a vaccine, as log risk ratios."""
    frame = hs.effect_sizes(
        hs.load_dataset("bcg"),
        group="trial",
        measure="RR",
        events_treatment="vaccinated_positive",
        total_treatment="vaccinated_total",
        events_control="control_positive",
        total_control="control_total",
    )
    data = hs.GroupedData.from_estimates(frame, group="trial", estimate="estimate", se="se")
    return hs.PartialPooling().fit(data, **OPTIONS)


def squares(figure: Figure) -> PathCollection:
    return next(c for c in figure.axes[0].collections if isinstance(c, PathCollection))


def weights(precisions: np.ndarray) -> np.ndarray:
    return (precisions / precisions.sum(axis=1, keepdims=True)).mean(axis=0)


@pytest.mark.parametrize("name", ["schools", "pumps", "branches", "thousand", "ugly", "baskets"])
def test_meta_every_data_set_gives_a_clean_picture(name: str, tmp_path: Path) -> None:
    check_picture(hs.plot_forest(fit_of(name), style="meta"), tmp_path)


def test_meta_areas_of_squares_are_the_weights() -> None:
    fit = fit_of("schools")
    figure = hs.plot_forest(fit, style="meta")
    frame = hs.load_dataset("eight_schools")
    wanted = weights(1 / (frame["se"].to_numpy() ** 2 + fit.draws("tau")[:, None] ** 2))
    marks = squares(figure)
    np.testing.assert_allclose(np.asarray(marks.get_offsets())[:, 0], frame["effect"])
    np.testing.assert_allclose(marks.get_sizes() / marks.get_sizes().sum(), wanted)
    assert [f"{100 * weight:.1f}%" for weight in wanted] == [
        text for text in words(figure) if text.endswith("%") and "." in text
    ]
    assert "100%" in words(figure)


def test_meta_weights_of_counts_are_on_the_link_scale() -> None:
    fit = fit_of("pumps")
    marks = squares(hs.plot_forest(fit, style="meta"))
    hours = hs.load_dataset("pumps")["hours"].to_numpy()
    variance = 1 / (hours * np.exp(fit.draws("theta")))
    wanted = weights(1 / (variance + fit.draws("tau")[:, None] ** 2))
    np.testing.assert_allclose(marks.get_sizes() / marks.get_sizes().sum(), wanted)


def test_meta_weights_do_not_depend_on_how_many_fit_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = fit_of("pumps")
    whole = squares(hs.plot_forest(fit, style="meta")).get_sizes()
    monkeypatch.setattr("hierstan.plots.meta_studies.BLOCK", 3 * len(fit.draws("tau")))
    parts = squares(hs.plot_forest(fit, style="meta")).get_sizes()
    np.testing.assert_allclose(parts, whole)


def test_meta_complete_pooling_weighs_by_precision_alone() -> None:
    figure = hs.plot_forest(fit_of("schools", "complete"), style="meta")
    precision = 1 / hs.load_dataset("eight_schools")["se"].to_numpy() ** 2
    sizes = squares(figure).get_sizes()
    np.testing.assert_allclose(sizes / sizes.sum(), precision / precision.sum())
    assert "a new school" not in words(figure)


def test_meta_draws_each_study_alone_and_pooled() -> None:
    fit = fit_of("schools")
    ax = hs.plot_forest(fit, style="meta", prob=0.95).axes[0]
    frame = hs.load_dataset("eight_schools")
    reach = norm.ppf(0.975) * frame["se"]
    alone, pooled = segments(ax, RAW, 1.0), segments(ax, POOLING_COLORS["partial"], 0.8)
    wanted = np.column_stack([frame["effect"] - reach, frame["effect"] + reach])
    np.testing.assert_allclose([line[:, 0] for line in alone], wanted)
    ends = np.quantile(fit.draws("theta"), [0.025, 0.975], axis=0).T
    np.testing.assert_allclose([line[:, 0] for line in pooled], ends)
    for j, (above, below) in enumerate(zip(alone, pooled, strict=True)):
        assert j - 0.5 < above[0, 1] < j < below[0, 1] < j + 0.5


def test_meta_has_a_diamond_and_a_bar_below_the_studies() -> None:
    fit = fit_of("schools")
    ax = hs.plot_forest(fit, style="meta").axes[0]
    low, high = np.quantile(fit.draws("mu"), [0.05, 0.95])
    corners = ax.patches[0].get_path().vertices
    wanted = [low, fit.draws("mu").mean(), high, fit.draws("mu").mean()]
    np.testing.assert_allclose(corners[:4, 0], wanted)
    bar = segments(ax, POOLING_COLORS["partial"], 5.0)
    np.testing.assert_allclose(bar[0][:, 0], np.quantile(fit.draws("theta_new"), [0.05, 0.95]))
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == [*"ABCDEFGH", "overall", "a new school"]
    upright = [line.get_xdata()[0] for line in ax.lines if len(set(line.get_xdata())) == 1]
    np.testing.assert_allclose(sorted(set(upright)), [0, fit.draws("mu").mean()])


def test_meta_writes_estimates_and_intervals_out() -> None:
    shown = words(hs.plot_forest(trials(), style="meta", prob=0.95, exponentiate=False))
    table = raw_estimates(trials().data)
    reach = norm.ppf(0.975) * table["link_se"]
    for estimate, low, high in zip(
        table["link"], table["link"] - reach, table["link"] + reach, strict=True
    ):
        assert f"{estimate:.2f}".replace("-", "−") in shown
        interval = f"[{low:.2f}, {high:.2f}]".replace("-0.00", "0.00")
        assert interval.replace("-", "−") in shown


def test_meta_shows_log_ratios_as_ratios(tmp_path: Path) -> None:
    fit = trials()
    figure = hs.plot_forest(fit, style="meta")
    ax = figure.axes[0]
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "risk ratio (log scale)"
    raw = raw_estimates(fit.data)["link"]
    np.testing.assert_allclose(np.asarray(squares(figure).get_offsets())[:, 0], np.exp(raw))
    low, high = np.exp(np.quantile(fit.draws("mu"), [0.05, 0.95]))
    center = np.exp(fit.draws("mu").mean())
    np.testing.assert_allclose(ax.patches[0].get_path().vertices[:3, 0], [low, center, high])
    upright = [line.get_xdata()[0] for line in ax.lines if len(set(line.get_xdata())) == 1]
    assert 1.0 in upright
    assert f"{center:.2f}" in words(figure)
    check_picture(figure, tmp_path)


def test_meta_leaves_no_effect_out_where_it_is_far_away() -> None:
    ax = hs.plot_forest(fit_of("branches"), style="meta").axes[0]
    assert ax.get_xlim()[0] > 40
    upright = [line.get_xdata() for line in ax.lines if line.get_xdata()[0] == 0]
    assert [list(ends) for ends in upright] == [[0, 1]]  # the rule below the studies


def test_meta_sorts_by_raw_estimate() -> None:
    labels = hs.plot_forest(fit_of("schools"), style="meta", sort=True).axes[0].get_yticklabels()
    assert [label.get_text() for label in labels[:8]] == list("AGHBDFEC")


@pytest.mark.slow
def test_meta_of_many_groups_the_extremes_are_named() -> None:
    figure = hs.plot_forest(fit_of("thousand"), style="meta")
    raw = raw_estimates(data_of("thousand"))["raw"].sort_values(ascending=False, kind="stable")
    shown = [text for text in words(figure) if text in set(raw.index)]
    assert sorted(shown) == sorted([*raw.index[:6], *raw.index[-6:]])
    assert "weight" not in words(figure)


def test_meta_takes_groups_without_events(tmp_path: Path) -> None:
    frame = pd.DataFrame({"arm": list("ab"), "sales": [0, 9], "visits": [40, 60]})
    data = hs.GroupedData.from_counts(frame, group="arm", successes="sales", trials="visits")
    fit = hs.PartialPooling().fit(data, **OPTIONS)
    for scale in ("response", "link"):
        figure = hs.plot_forest(fit, style="meta", scale=scale)
        column = "raw" if scale == "response" else "link"
        raw = raw_estimates(data)[column]
        np.testing.assert_allclose(np.asarray(squares(figure).get_offsets())[:, 0], raw)
        check_picture(figure, tmp_path)


def test_meta_survives_ratios_beyond_all_bounds() -> None:
    frame = pd.DataFrame({"g": list("abc"), "e": [800.0, 2, 1], "se": [300, 0.5, 0.4]})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="e", se="se")
    fit = hs.PartialPooling().fit(data, **OPTIONS)
    figure = hs.plot_forest(fit, style="meta", exponentiate=True)
    assert np.isfinite(figure.axes[0].get_xlim()).all()


def test_meta_refuses_what_it_cannot_draw() -> None:
    with pytest.raises(hs.HierstanError, match="PartialPooling or CompletePooling"):
        hs.plot_forest(fit_of("schools", "none"), style="meta")
    with pytest.raises(hs.HierstanError, match="prior only"):
        hs.plot_forest(fit_of("schools", prior_only=True), style="meta")
    with pytest.raises(hs.HierstanError, match="logs of ratios"):
        hs.plot_forest(fit_of("pumps"), style="meta", exponentiate=True)
    with pytest.raises(hs.HierstanError, match='needs style="meta"'):
        hs.plot_forest(trials(), exponentiate=True)
    with pytest.raises(hs.HierstanError, match="style must be one of groups, meta, got 'Meta'"):
        hs.plot_forest(fit_of("schools"), style="Meta")


def test_effects_stand_beside_what_was_seen_in_both_arms(tmp_path: Path) -> None:
    figure = hs.plot_forest(unpaired(), sort=True)
    check_picture(figure, tmp_path)
    shown = words(figure)
    assert {"new", "old", "12/118", "20/120"} <= set(shown)
    assert "11/72" in shown, "of the site that has the control arm alone"
    assert len([text for text in shown if re.fullmatch(r"\d+/\d+", text)]) == 15
    assert any("seen in either arm, bought / users" in text for text in shown)
    ax = figure.axes[0]
    places = [text.get_text() for text in ax.get_yticklabels()]
    by_row = {text.get_text(): text.xy[1] for text in ax.texts}
    assert by_row["20/120"] == by_row["12/118"] == places.index("a")
    ring = next(line for line in ax.lines if line.get_color() == RAW)
    drawn = np.isfinite(np.asarray(ring.get_xdata(), dtype=float))
    assert [name for name, there in zip(places, drawn, strict=False) if not there] == ["c"]
    with narrow():
        assert not any("arm" in text for text in words(hs.plot_forest(unpaired())))


def test_rows_of_both_arms_stand_as_means(tmp_path: Path) -> None:
    figure = hs.plot_forest(fit_of("two arms of amounts"))
    check_picture(figure, tmp_path)
    raw = fit_of("two arms of amounts").data.to_frame()["mean_log_control"].iloc[0]
    assert {"old: median, n", f"{np.exp(raw):.3g}, 20"} <= set(words(figure))


def test_groups_of_one_arm_move_nowhere(tmp_path: Path) -> None:
    for figure in (hs.plot_shrinkage(unpaired()), hs.plot_forest(unpaired(), style="meta")):
        check_picture(figure, tmp_path)
        assert not any("nan" in text or "e+" in text for text in words(figure))
