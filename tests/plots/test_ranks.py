from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh
from pictures import check_picture, close, column, fit_of, names, segments, words

import hierstan as hs
from hierstan.plots.style import INK, POOLING_COLORS, tint


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


@pytest.mark.parametrize(
    "of",
    [
        ("schools",),
        ("schools", "complete"),
        ("baseball", "none"),
        ("branches",),
        ("thousand",),
        ("ugly",),
    ],
)
def test_every_data_set_gives_a_clean_picture(of: tuple[str, ...], tmp_path: Path) -> None:
    check_picture(hs.plot_ranks(fit_of(*of)), tmp_path)


@pytest.mark.parametrize("larger_is_better", [True, False])
def test_lines_are_rank_intervals_by_expected_rank(larger_is_better: bool) -> None:
    fit = fit_of("pumps")
    options = {"larger_is_better": larger_is_better, "prob": 0.8}
    figure = hs.plot_ranks(fit, **options)
    table = hs.rank_intervals(fit, **options).sort_values("mean", kind="stable")
    assert names(figure) == [str(label) for label in table.index]
    drawn = segments(figure.axes[0], INK, 1.1)
    np.testing.assert_array_equal([line[:, 0] for line in drawn], table[["lower", "upper"]])
    dots = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    np.testing.assert_array_equal(dots.get_xdata(), table["median"])
    assert figure.axes[0].get_xlim() == (0.5, 10.5)


def test_figures_are_those_of_the_tables() -> None:
    fit = fit_of("schools")
    figure = hs.plot_ranks(fit)
    table = hs.rank_intervals(fit).loc[names(figure)]
    best = hs.prob_best(fit)[names(figure)]
    assert column(figure, "median") == [f"{rank}" for rank in table["median"]]
    spans = [f"{low} to {high}" for low, high in table[["lower", "upper"]].to_numpy()]
    assert column(figure, "90% interval") == spans
    assert column(figure, "P(best)") == [f"{100 * chance:.0f}%" for chance in best]
    assert f"{best.idxmax()} is best with probability {100 * best.max():.0f}%" in " ".join(
        words(figure)
    )


def test_a_certain_rank_has_a_probability_that_can_be_read() -> None:
    frame = pd.DataFrame({"v": list("abc"), "y": [0.0, 50.0, 100.0], "se": 1.0})
    data = hs.GroupedData.from_estimates(frame, group="v", estimate="y", se="se")
    fit = hs.NoPooling().fit(data, seed=1, engine="stanli", progress=False)
    said = " ".join(words(hs.plot_ranks(fit)))
    assert "100%" in said
    assert "e+" not in said


def test_shades_are_the_rank_probabilities() -> None:
    fit = fit_of("schools")
    figure = hs.plot_ranks(fit)
    mesh = next(mesh for mesh in figure.axes[0].collections if isinstance(mesh, QuadMesh))
    shares = hs.rank_probabilities(fit).loc[names(figure)].to_numpy()
    depth = np.asarray(mesh.get_array()).reshape(8, 8)
    np.testing.assert_allclose(depth**2 * shares.max(), shares)
    corners = mesh.get_coordinates()
    assert corners[0, 0].tolist() == [0.5, -0.5]  # rank 1 of the group on top
    assert corners[-1, -1].tolist() == [8.5, 7.5]


@pytest.mark.slow
def test_of_many_groups_the_intervals_alone_are_drawn() -> None:
    fit = fit_of("thousand")
    figure = hs.plot_ranks(fit)
    ax = figure.axes[0]
    table = hs.rank_intervals(fit).sort_values("mean", kind="stable")
    drawn = segments(ax, tint(POOLING_COLORS["partial"], 0.25), 0.8)
    np.testing.assert_array_equal([line[:, 0] for line in drawn], table[["lower", "upper"]])
    shown = [text for text in words(figure) if text in set(table.index)]
    assert shown == [*table.index[:6], *table.index[-6:]]
    assert not any(isinstance(mesh, QuadMesh) for mesh in ax.collections)
    assert {"1", "100", "1,000"} <= set(words(figure))


def test_completely_pooled_groups_have_no_order() -> None:
    figure = hs.plot_ranks(fit_of("schools", "complete"))
    assert names(figure) == list("ABCDEFGH")
    assert any("completely pooled groups are all the same" in text for text in words(figure))
    assert set(column(figure, "P(best)")) == {"12%"}


def test_a_prior_is_said_to_be_one(tmp_path: Path) -> None:
    figure = hs.plot_ranks(fit_of("pumps", prior_only=True))
    assert any("the prior, before any data" in text for text in words(figure))
    check_picture(figure, tmp_path)


def test_labels_are_drawn_as_they_are_written() -> None:
    shown = names(hs.plot_ranks(fit_of("ugly")))
    assert {"$x^2$ & $y_1$", "a_b_{c}", "<b>bold</b>", "\\alpha\\$5", "1", "'1'"} <= set(shown)


def test_an_impossible_probability_is_refused() -> None:
    with pytest.raises(hs.HierstanError, match="between 0 and 1"):
        hs.plot_ranks(fit_of("schools"), prob=90)
