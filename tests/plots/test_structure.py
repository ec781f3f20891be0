"""Pictures of what describes groups: numbers, order, names."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pictures import OPTIONS, check_picture, close, segments, words

import hierstan as hs
from hierstan.plots.style import CORE, INK, POOLING_COLORS, PRIOR


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


@cache
def crossed() -> hs.Fit:
    """Return a fit of twelve cells of ages that differ much and channels that do little."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(itertools.product(["$18$", "35_49", "50+"], "wxyz"), columns=["age", "ch"])
    logit = -1 + np.repeat([-1.0, 0, 1], 4) + rng.normal(0, 0.2, 12)
    frame["seen"] = rng.integers(40, 400, 12)
    frame["sold"] = rng.binomial(frame["seen"], 1 / (1 + np.exp(-logit)))
    data = hs.GroupedData.from_counts(frame, group=["age", "ch"], successes="sold", trials="seen")
    return hs.PartialPooling().fit(data, **OPTIONS, chains=2, warmup=300, draws=250)


@cache
def stores() -> hs.Fit:
    """Return a fit of three hundred stores in twelve regions."""
    rng = np.random.default_rng(5)
    region = np.sort(rng.integers(0, 12, 300))
    y = rng.normal(0, 1, 12)[region] + rng.normal(0, 0.7, 300)
    frame = pd.DataFrame({"store": range(300), "region": region, "y": y, "se": 0.5})
    data = hs.GroupedData.from_estimates(
        frame, group="store", estimate="y", se="se", factors=["region"]
    )
    return hs.PartialPooling().fit(data, **OPTIONS, chains=2, warmup=300, draws=250)


@pytest.mark.slow
def test_components_are_sds_and_shares(tmp_path: Path) -> None:
    fit = crossed()
    figure = hs.plot_components(fit, prob=0.8)
    sds = [fit.draws(name) for name in ("tau_age", "tau_ch", "tau")]
    shares = np.square(sds) / np.square(sds).sum(axis=0)
    for ax, draws in zip(figure.axes, (sds, shares), strict=True):
        drawn = segments(ax, POOLING_COLORS["partial"], 1.1)
        wanted = np.quantile(draws, [0.1, 0.9], axis=1).T
        np.testing.assert_allclose([line[:, 0] for line in drawn], wanted)
    prior = segments(figure.axes[0], PRIOR)[0][:, 0]
    assert prior[0] == pytest.approx(fit.priors["tau_age"].quantile(0.1))
    assert [x.get_text() for x in figure.axes[0].get_yticklabels()] == ["age", "ch", "age × ch"]
    assert any("goes with age" in text for text in words(figure))
    check_picture(figure, tmp_path)


@pytest.mark.parametrize("scale", ["link", "response"])
def test_effects_are_what_levels_add(scale: str, tmp_path: Path) -> None:
    fit = crossed()
    figure = hs.plot_effects(fit, "age", scale=scale, sort=True)
    u = fit.draws("u_age")
    draws = u if scale == "link" else 1 / (1 + np.exp(-(fit.draws("mu")[:, None] + u)))
    drawn = segments(figure.axes[0], POOLING_COLORS["partial"], 1.1)
    wanted = np.quantile(draws, [0.05, 0.95], axis=0).T[::-1]
    np.testing.assert_allclose([line[:, 0] for line in drawn], wanted)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["50+", "35_49", "$18$"]
    check_picture(figure, tmp_path)


def test_a_forest_stands_level_by_level_with_centers(tmp_path: Path) -> None:
    fit = crossed()
    figure = hs.plot_forest(fit, by="ch", sort=True)
    ax = figure.axes[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[:5] == ["ch: w", "50+, w", "35_49, w", "$18$, w", "ch: x"]
    bold = [x.get_text() for x in ax.get_yticklabels() if x.get_fontweight() == "bold"]
    assert bold == [f"ch: {name}" for name in "wxyz"]
    dots = next(line for line in ax.lines if len(line.get_xdata()) == 16)
    theta = hs.group_means(fit)["mean"]
    assert dots.get_xdata()[1] == pytest.approx(theta["50+", "w"])
    assert np.isnan(dots.get_xdata()[0])
    upright = next(c for c in ax.collections if len(c.get_paths()) == 16 and _is_upright(c))
    center = hs.shrinkage(fit)["center"]
    assert upright.get_paths()[1].vertices[0, 0] == pytest.approx(center["50+", "w"])
    check_picture(figure, tmp_path)


def _is_upright(lines: object) -> bool:
    ends = lines.get_paths()[1].vertices  # type: ignore[attr-defined]
    return len(ends) == 2 and ends[0, 0] == ends[1, 0]


def test_shrinkage_is_towards_each_groups_own_center(tmp_path: Path) -> None:
    fit = crossed()
    figure = hs.plot_shrinkage(fit, by="age", scale="link")
    ax = figure.axes[0]
    boxes = [box for box in ax.patches if box.get_facecolor()[:3] == _rgb(CORE)]
    assert len(boxes) == 15  # with those of the headings, which are empty
    width = np.nanmedian([box.get_width() for box in boxes])
    assert width == pytest.approx(2 * np.median(fit.draws("tau")))
    assert any("two thirds of groups" in text for text in words(figure))
    check_picture(figure, tmp_path)


def _rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))


@pytest.mark.parametrize("draw", [hs.plot_forest, hs.plot_shrinkage])
def test_of_many_groups_the_levels_are_named(draw: object, tmp_path: Path) -> None:
    figure = draw(stores(), by="region")  # type: ignore[operator]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names[:12] == [f"region: {level}" for level in range(12)]
    check_picture(figure, tmp_path)


def test_factors_that_are_not_there_are_refused() -> None:
    fit = crossed()
    for draw in (hs.plot_forest, hs.plot_shrinkage):
        with pytest.raises(hs.HierstanError, match="got 'aeg'. Did you mean 'age'"):
            draw(fit, by="aeg")
    plain = hs.GroupedData.from_estimates(
        hs.load_dataset("eight_schools"), group="school", estimate="effect", se="se"
    )
    alone = hs.PartialPooling().fit(plain, **OPTIONS, draws=100)
    with pytest.raises(hs.HierstanError, match="needs factors, and this fit has none"):
        hs.plot_components(alone)
    with pytest.raises(hs.HierstanError, match="has none: give factors="):
        hs.plot_forest(alone, by="region")
    assert not [x for x in hs.plot_forest(alone).axes[0].collections if _upright_in(x, INK)]


def _upright_in(lines: object, color: str) -> bool:
    paths = lines.get_paths()  # type: ignore[attr-defined]
    return len(paths) == 8 and paths[0].vertices[0, 0] == paths[0].vertices[-1, 0]
