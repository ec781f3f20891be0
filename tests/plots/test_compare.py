from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from pictures import OPTIONS, check_picture, close, data_of, fit_of, words

import hierstan as hs
from hierstan.answers.comparison.comparison import Comparison
from hierstan.plots.style import POOLING_COLORS


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


@cache
def comparison_of(name: str) -> Comparison:
    poolings = ("complete", "none", "partial")
    return hs.compare({pooling: fit_of(name, pooling) for pooling in poolings}, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["schools", "baseball", "pumps", "branches"])
def test_every_comparison_gives_a_clean_picture(name: str, tmp_path: Path) -> None:
    check_picture(hs.plot_compare(comparison_of(name)), tmp_path)


def test_points_are_the_table_best_on_top() -> None:
    comparison = comparison_of("branches")
    left, right = hs.plot_compare(comparison).axes
    for ax, name, error in ((left, "elpd", "se"), (right, "elpd_diff", "dse")):
        table = comparison.table
        points = next(marks for marks in ax.collections if hasattr(marks, "get_sizes"))
        value, width = table[name].to_numpy(), table[error].to_numpy()
        np.testing.assert_allclose(points.get_offsets()[:, 0], value)
        two, one = ax.collections[:2]
        for lines, times in ((two, 2), (one, 1)):
            ends = [segment[:, 0] for segment in lines.get_segments()]
            np.testing.assert_allclose(ends, np.c_[value - times * width, value + times * width])
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == [f"{name} pooling".replace("none", "no") for name in comparison.table.index]


def test_poolings_have_their_colours_and_weights() -> None:
    from matplotlib.colors import same_color

    comparison = comparison_of("branches")
    figure = hs.plot_compare(comparison)
    points = next(marks for marks in figure.axes[0].collections if hasattr(marks, "get_sizes"))
    for name, color in zip(comparison.table.index, points.get_facecolor(), strict=True):
        assert same_color(color, POOLING_COLORS[name])
    assert f"{comparison.table['weight'].iloc[0]:.2f}" in words(figure)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["schools", "branches", "pumps"])
def test_the_title_is_the_verdicts_first_clause(name: str) -> None:
    comparison = comparison_of(name)
    title = hs.plot_compare(comparison).get_suptitle().replace("\n", " ")
    assert comparison.verdict.startswith(title)
    assert len(title) > 20


def test_models_of_ones_own_keep_their_names(tmp_path: Path) -> None:
    wide = hs.PartialPooling(priors={"tau": hs.HalfCauchy(25)}).fit(data_of("schools"), **OPTIONS)
    fits = {"$\\tau$ wide": wide, "tau_narrow": fit_of("schools")}
    figure = hs.plot_compare(hs.compare(fits, progress=False))
    assert {"$\\tau$ wide", "tau_narrow"} <= set(words(figure))
    check_picture(figure, tmp_path)


@pytest.mark.parametrize("wrong", [None, {"partial": 1}, "fits"])
def test_anything_else_is_refused(wrong: object) -> None:
    with pytest.raises(hs.HierstanError, match=r"takes what hs.compare\(fits\) returns, got"):
        hs.plot_compare(wrong)
