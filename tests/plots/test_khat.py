from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pictures import check_picture, close, fit_of, words

import hierstan as hs
from hierstan.answers.comparison.elpd import HARD, Elpd
from hierstan.plots.style import ALERT, POOLING_COLORS


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


def crowded() -> Elpd:
    """Return a real result, with k of 400 units in place of its own."""
    rng = np.random.default_rng(0)
    k = rng.normal(0.2, 0.2, 400).clip(-0.5, 0.69)
    k[[3, 4, 5, 6, 200, 201, 390, 399, 7, 8]] = [0.8, 0.81, 1.2, 0.9, 0.75, 0.76, 0.95, 0.71, 1, 2]
    method = np.full(400, "psis", dtype="<U5")
    method[5] = "refit"
    k[10:20], method[10:20] = np.nan, "exact"
    labels = pd.Index([f"site_${j}$" for j in range(400)])
    result = hs.loo(fit_of("schools"), progress=False)
    return dataclasses.replace(result, pareto_k=k, method=method, labels=labels, unit="group")


@pytest.mark.parametrize("pooling", ["complete", "none", "partial"])
def test_every_unit_is_drawn(pooling: str, tmp_path: Path) -> None:
    result = hs.loo(fit_of("branches", pooling), progress=False)
    figure = hs.plot_khat(result)
    drawn = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    points = np.concatenate([np.c_[line.get_xdata(), line.get_ydata()] for line in drawn])
    points = points[np.argsort(points[:, 0])]
    known = np.flatnonzero(np.isfinite(result.pareto_k))
    np.testing.assert_allclose(points, np.c_[known, result.pareto_k[known]].reshape(-1, 2))
    if known.size:
        full = [line for line in drawn if line.get_color() == POOLING_COLORS[pooling]]
        assert len(full) == 2
    check_picture(figure, tmp_path)


def test_no_weights_needed() -> None:
    figure = hs.plot_khat(hs.loo(fit_of("schools", "none"), progress=False))
    assert figure.get_suptitle() == "No importance weights were needed for any of 8 observations"


def test_units_that_cannot_be_relied_on_are_named(tmp_path: Path) -> None:
    result = hs.loo(fit_of("pumps", "complete"), refit=False, progress=False)
    bad = np.flatnonzero(result.pareto_k > 0.7)
    assert bad.size  # one pump has most of the hours
    figure = hs.plot_khat(result)
    assert figure.get_suptitle().startswith("Not to be relied on, for a Pareto k above 0.7")
    assert figure.get_suptitle().endswith(f"{bad.size} of 10 observations")
    notes = {note.get_text(): note.xy for note in figure.axes[0].texts}
    for unit in bad:
        assert notes[str(result.labels[unit])] == (unit, result.pareto_k[unit])
    check_picture(figure, tmp_path)


def test_what_was_computed_without_weights_is_hollow() -> None:
    result = hs.loo(fit_of("pumps", "complete"), progress=False)
    figure = hs.plot_khat(result)
    title = " ".join(figure.get_suptitle().split())
    assert title.startswith(f"Left out without importance weights, {HARD}: ")
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white"]
    drawn = np.concatenate([line.get_xdata() for line in hollow])
    assert set(drawn) == set(np.flatnonzero(result.method == "integral"))


def test_among_many_the_worst_are_named_apart_from_each_other(tmp_path: Path) -> None:
    figure = hs.plot_khat(crowded())
    named = [note.get_text() for note in figure.axes[0].texts]
    assert {"site_$8$", "site_$5$", "site_$7$", "site_$390$"} <= set(named)
    assert len(named) <= 8
    red = [line for line in figure.axes[0].lines if line.get_color() == ALERT]
    assert sum(len(line.get_xdata()) for line in red) == 10
    assert figure.axes[0].get_xlabel() == "group, in the order of the data"
    check_picture(figure, tmp_path)


def test_of_a_sample_only_what_was_left_out_is_drawn() -> None:
    result = hs.loo(fit_of("schools"), progress=False)
    k, method = result.pareto_k.copy(), result.method.astype("<U9")
    k[3:], method[3:] = np.nan, "subsample"
    sampled = dataclasses.replace(result, pareto_k=k, method=method)
    figure = hs.plot_khat(sampled)
    assert (
        sum(len(line.get_xdata()) for line in figure.axes[0].lines if line.get_marker() == "o") == 3
    )
    assert not any(
        len(line.get_xdata()) for line in figure.axes[0].lines if line.get_marker() == "|"
    )
    assert "for all of a sample of 3 of 8 observations" in " ".join(words(figure))


def test_groups_left_out() -> None:
    result = hs.loo(fit_of("schools"), unit="group", progress=False)
    assert "8 groups" in hs.plot_khat(result).get_suptitle()


def test_waic_has_no_pareto_k() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hs.HierstanWarning)
        result = hs.waic(fit_of("schools"))
    with pytest.raises(hs.HierstanError, match="WAIC has no Pareto k"):
        hs.plot_khat(result)


def test_anything_else_is_refused() -> None:
    with pytest.raises(hs.HierstanError, match=r"takes what hs.loo\(fit\) returns, got Fit"):
        hs.plot_khat(fit_of("schools"))


def test_axis_of_positions_counts_from_one() -> None:
    ax = hs.plot_khat(crowded()).axes[0]
    ticks = [
        (tick, label.get_text())
        for tick, label in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
    ]
    assert ticks[:2] == [(0, "1"), (49, "50")]
    assert "1" in words(ax.figure)
