from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color
from matplotlib.path import Path as Outline
from pictures import check_picture, close, fit_of, words

import hierstan as hs
from hierstan.plots.style import POOLING_COLORS


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


def dots(figure: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return where circles of raw means and dots of pooled ones are, (J, 2) each."""
    raw, pooled = (np.asarray(part.get_offsets()) for part in figure.axes[0].collections[-2:])
    return raw, pooled


@pytest.mark.parametrize(
    ("of", "options"),
    [
        (("vaccines",), {}),
        (("vaccines", "none"), {"scale": "link"}),
        (("two arms of counts",), {"prob": 0.5}),
        (("two arms of counts", "complete"), {}),
        (("two arms of amounts",), {}),
        (("two arms of many",), {}),
    ],
)
def test_every_data_set_gives_a_clean_picture(
    of: tuple[str, ...], options: dict[str, Any], tmp_path: Path
) -> None:
    check_picture(hs.plot_arms(fit_of(*of), **options), tmp_path)


def test_dots_are_both_arms_and_circles_what_each_group_says() -> None:
    fit = fit_of("two arms of counts")
    raw, pooled = dots(hs.plot_arms(fit))
    np.testing.assert_allclose(pooled, hs.arms(fit)[["baseline", "treated"]])
    np.testing.assert_allclose(raw, fit.data.to_frame()[["rate_control", "rate_treatment"]])
    link = hs.plot_arms(fit, scale="link")
    _, pooled = dots(link)
    np.testing.assert_allclose(pooled, hs.arms(fit, scale="link")[["baseline", "treated"]])
    assert link.axes[0].get_xlabel() == "log-odds of bought / users, old"


def test_marks_show_how_much_is_known_of_an_effect() -> None:
    fit = fit_of("vaccines")
    areas = hs.plot_arms(fit).axes[0].collections[-1].get_sizes()
    largest = fit.data.groups[int(np.argmax(areas))]
    assert largest == "TPT Madras 1980"  # 88,391 people in each arm


def test_amounts_are_means_and_a_group_with_one_arm_has_no_circle() -> None:
    fit = fit_of("two arms of amounts")
    figure = hs.plot_arms(fit)
    raw, pooled = dots(figure)
    np.testing.assert_allclose(pooled, hs.arms(fit)[["baseline", "treated"]])
    assert np.isnan(raw).any(axis=1).tolist() == [False] * 4 + [True]
    frame = fit.data.to_frame()
    factor = np.exp(fit.draws("sigma").mean() ** 2 / 2)
    np.testing.assert_allclose(raw[:4, 0], (np.exp(frame["mean_log_control"]) * factor)[:4])
    assert any("1 with one arm only have no circle" in text for text in words(figure))


@pytest.mark.parametrize("scale", ["link", "response"])
@pytest.mark.parametrize("prob", [0.5, 0.9])
def test_the_ellipse_holds_new_groups(scale: str, prob: float) -> None:
    fit = fit_of("vaccines")
    ax = hs.plot_arms(fit, scale=scale, prob=prob).axes[0]
    outline = Outline(ax.patches[0].get_xy())
    new = fit.draws("baseline_new")
    both = np.column_stack([new, new + fit.draws("theta_new")])
    if scale == "response":
        both = 1 / (1 + np.exp(-both))
    # not quite normal: its parameters are uncertain
    assert outline.contains_points(both).mean() == pytest.approx(prob, abs=0.06)


def test_ratings_are_mean_scores() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"shop": np.repeat(list("abcd"), 60), "sign": np.tile(["no", "yes"], 120)})
    frame["stars"] = rng.integers(1, 6, 240)
    data = hs.GroupedData.from_trial(
        frame, group="shop", arm="sign", control="no", outcome="stars", family="ordinal"
    )
    few = {"chains": 2, "warmup": 200, "draws": 200, "engine": "stanli", "progress": False}
    fit = hs.PartialPooling().fit(data, seed=1, **few)
    figure = hs.plot_arms(fit)
    raw, pooled = dots(figure)
    np.testing.assert_allclose(pooled, hs.arms(fit)[["baseline", "treated"]])
    own = frame.groupby(["shop", "sign"])["stars"].mean().unstack()
    np.testing.assert_allclose(raw, own[["no", "yes"]])
    outline = Outline(figure.axes[0].patches[0].get_xy())
    new = fit.draws("baseline_new")
    link = (new, new + fit.draws("theta_new"))
    both = [fit.family.means(values[:, None], fit.own())[:, 0] for values in link]
    assert outline.contains_points(np.column_stack(both)).mean() == pytest.approx(0.9, abs=0.06)


def test_only_partial_pooling_has_a_population() -> None:
    figure = hs.plot_arms(fit_of("two arms of counts", "complete"))
    assert not figure.axes[0].patches
    assert not any("new groups" in text for text in words(figure))


def test_rates_far_apart_have_log_axes_and_the_same_on_both() -> None:
    ax = hs.plot_arms(fit_of("vaccines")).axes[0]
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert ax.get_xlim() == ax.get_ylim()
    assert "10%" in [label.get_text() for label in ax.get_yticklabels()]
    assert ax.get_ylabel() == "vaccinated_positive / vaccinated_total, treatment (log scale)"
    diagonal = ax.lines[0]
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    near = hs.plot_arms(fit_of("two arms of counts")).axes[0]
    assert near.get_xscale() == "linear"


def test_names_and_colours_are_those_of_the_fit() -> None:
    fit = fit_of("two arms of counts")
    figure = hs.plot_arms(fit, labels={"country 3": "Chile"}, title="")
    texts = words(figure)
    assert "country 3" not in texts
    color = figure.axes[0].collections[-1].get_facecolor()[0]
    assert same_color(color, POOLING_COLORS["partial"])


def test_other_fits_are_refused() -> None:
    with pytest.raises(hs.HierstanError, match="plot_arms needs data with two arms"):
        hs.plot_arms(fit_of("schools"))
    with pytest.raises(hs.HierstanError, match="plot_arms needs a posterior"):
        hs.plot_arms(fit_of("two arms of counts", "partial", True))
