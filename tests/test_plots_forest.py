from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pictures import UGLY, check_picture, close, fit_of, segments, words

import hierstan as hs
from hierstan.plots.style import INK, POOLING_COLORS


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
    assert named == [*"ABCDEFGH", "population mean (mu)", "a new school"]
    diamond = next(line for line in ax.lines if line.get_marker() == "D")
    np.testing.assert_allclose(diamond.get_xdata(), [fit.draws("mu").mean()])


def test_off_the_link_scale_mu_is_the_typical_group() -> None:
    assert "typical group (mu)" in words(hs.plot_forest(fit_of("pumps")))
    assert "population mean (mu)" in words(hs.plot_forest(fit_of("pumps"), scale="link"))


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
    assert f"{theta.mean():.1f}" in shown
    assert f"[{low:.1f}, {high:.1f}]".replace("-", "−") in shown


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
    with pytest.raises(hs.HierstanError, match=f"prob must lie between 0 and 1, got {prob}"):
        hs.plot_forest(fit_of("schools"), prob=prob)
