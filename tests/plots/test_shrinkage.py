from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from pictures import OPTIONS, check_picture, close, data_of, fit_of, segments, words

import hierstan as hs
from hierstan.data.own_estimates import raw_estimates
from hierstan.plots.style import BAND, CORE, POOLING_COLORS, QUIET, RAW


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


@pytest.mark.parametrize("name", ["schools", "baseball", "pumps", "branches", "thousand", "ugly"])
def test_every_data_set_gives_a_clean_picture(name: str, tmp_path: Path) -> None:
    check_picture(hs.plot_shrinkage(fit_of(name)), tmp_path)


@pytest.mark.parametrize("scale", ["response", "link"])
@pytest.mark.parametrize("name", ["schools", "pumps", "branches"])
def test_arrows_run_from_raw_estimates_to_posterior_means(name: str, scale: str) -> None:
    fit = fit_of(name)
    ax = hs.plot_shrinkage(fit, scale=scale).axes[0]
    raw = raw_estimates(fit.data)["raw" if scale == "response" else "link"].to_numpy()
    theta = fit.draws("theta")
    mean = (theta if scale == "link" else fit.family.to_response(theta)).mean(axis=0)
    order = np.argsort(-raw, kind="stable")
    arrows = segments(ax, QUIET)
    assert len(arrows) == len(raw)
    np.testing.assert_allclose([arrow[:, 0] for arrow in arrows], np.c_[raw, mean][order])
    np.testing.assert_array_equal([arrow[0, 1] for arrow in arrows], np.arange(len(raw)))


def test_groups_are_ordered_and_named_by_the_users_labels() -> None:
    ax = hs.plot_shrinkage(fit_of("schools")).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == list("AGHBDFEC")
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row is on top
    assert ax.get_xlabel() == "effect"


@pytest.mark.parametrize("name", ["branches", "thousand"])
def test_of_many_groups_the_extremes_are_named(name: str) -> None:
    figure = hs.plot_shrinkage(fit_of(name))
    raw = raw_estimates(data_of(name))["raw"].sort_values(ascending=False, kind="stable")
    shown = [text for text in words(figure) if text in set(raw.index)]
    assert sorted(shown) == sorted([*raw.index[:6], *raw.index[-6:]])
    assert any(f"{len(raw):,} groups the first and last 6 are named" in x for x in words(figure))


def test_bands_are_the_population() -> None:
    fit = fit_of("pumps")
    ax = hs.plot_shrinkage(fit).axes[0]
    mu, tau, new = (fit.draws(name) for name in ("mu", "tau", "theta_new"))
    spans = {mpl.colors.to_hex(patch.get_facecolor()): patch for patch in ax.patches}
    for color, ends in (
        (CORE, np.exp([np.median(mu - tau), np.median(mu + tau)])),
        (BAND, np.exp(np.quantile(new, [0.05, 0.95]))),
    ):
        patch = spans[color.lower()]
        drawn = patch.get_x(), patch.get_x() + patch.get_width()
        np.testing.assert_allclose(drawn, ends, rtol=0.01)
    center = [line for line in ax.lines if line.get_linestyle() == "--"]
    np.testing.assert_allclose(center[0].get_xdata()[0], np.exp(mu).mean())


def test_more_precise_groups_have_larger_marks() -> None:
    fit = fit_of("schools")
    ax = hs.plot_shrinkage(fit).axes[0]
    raw = raw_estimates(fit.data)
    se = raw["link_se"].to_numpy()[np.argsort(-raw["raw"], kind="stable")]
    marks = [marks for marks in ax.collections if isinstance(marks, PathCollection)]
    assert len(marks) == 2
    for points in marks:
        assert (np.diff(points.get_sizes()[np.argsort(se)]) <= 0).all()
    assert mpl.colors.same_color(marks[0].get_edgecolor()[0], RAW)
    assert mpl.colors.same_color(marks[1].get_facecolor()[0], POOLING_COLORS["partial"])


def test_a_raw_estimate_far_out_is_cut_and_the_caption_says_so(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"g": list("abcdef"), "y": [0, 1, 2, 3, 4, 1e6], "se": [1e-6, 1, 1, 10, 1e6, 1e6]}
    )
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    model = hs.PartialPooling(priors={"mu": hs.Normal(0, 10), "tau": hs.HalfNormal(5)})
    figure = hs.plot_shrinkage(model.fit(data, **OPTIONS))
    assert figure.axes[0].get_xlim()[1] < 100
    assert any("arrowheads mark what goes on" in text for text in words(figure))
    check_picture(figure, tmp_path)


@pytest.mark.slow
def test_rates_over_a_wide_range_get_a_log_axis() -> None:
    ax = hs.plot_shrinkage(fit_of("pumps")).axes[0]
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "failures / hours (log scale)"
    assert hs.plot_shrinkage(fit_of("baseball")).axes[0].get_xscale() == "linear"


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda: fit_of("schools", "none"), "needs a fit of PartialPooling: no pooling"),
        (lambda: fit_of("schools", "complete"), "needs a fit of PartialPooling: complete"),
        (lambda: fit_of("schools", prior_only=True), "the prior only"),
    ],
)
def test_only_a_posterior_of_partial_pooling_has_shrinkage(fit, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(hs.HierstanError, match=message):
        hs.plot_shrinkage(fit())


def test_an_unknown_scale_is_refused() -> None:
    with pytest.raises(hs.HierstanError, match="scale must be one of response, link, got 'log'"):
        hs.plot_shrinkage(fit_of("schools"), scale="log")
