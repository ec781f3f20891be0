from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pictures import OPTIONS, check_picture, close, fit_of, words

import hierstan as hs
from hierstan.data.own_estimates import raw_estimates
from hierstan.plots.style import BAND, CORE, QUIET


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


@pytest.mark.parametrize("name", ["schools", "baseball", "pumps", "branches", "thousand", "ugly"])
def test_every_data_set_gives_a_clean_picture(name: str, tmp_path: Path) -> None:
    check_picture(hs.plot_funnel(fit_of(name)), tmp_path)


@pytest.mark.parametrize("name", ["schools", "pumps", "thousand"])
def test_dots_are_raw_estimates_and_precise_ones_on_top(name: str) -> None:
    fit = fit_of(name)
    ax = hs.plot_funnel(fit).axes[0]
    dots = next(line for line in ax.lines if line.get_marker() == "o")
    raw = raw_estimates(fit.data)
    np.testing.assert_allclose(dots.get_xydata(), raw[["link", "link_se"]])
    bottom, top = ax.get_ylim()
    assert top == 0
    assert bottom > raw["link_se"].max()


def test_limits_are_those_of_chance_and_of_heterogeneity() -> None:
    fit = fit_of("schools")
    ax = hs.plot_funnel(fit).axes[0]
    mu, tau = fit.draws("mu").mean(), fit.draws("tau").mean()
    dashed = [line for line in ax.lines if line.get_color() == QUIET]
    for line, side in zip(dashed, (-1, 1), strict=True):
        se = np.asarray(line.get_ydata())
        np.testing.assert_allclose(line.get_xdata(), mu + side * 1.96 * se)
    bands = {mesh.get_facecolor()[0].tobytes(): mesh for mesh in ax.collections}
    assert len(bands) == 2
    for color, spread in ((BAND, tau), (CORE, 0.0)):
        mesh = next(m for m in ax.collections if _hex(m) == color.lower())
        corners = mesh.get_paths()[0].vertices
        wanted = 1.96 * np.hypot(corners[:, 1], spread)
        np.testing.assert_allclose(np.abs(corners[:, 0] - mu), wanted, atol=1e-9)
    upright = next(line for line in ax.lines if len(line.get_xdata()) == 2)
    np.testing.assert_allclose(upright.get_xdata(), [mu, mu])


def _hex(mesh: object) -> str:
    from matplotlib.colors import to_hex

    return to_hex(mesh.get_facecolor()[0])  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["schools", "branches", "thousand"])
def test_the_farthest_out_are_named(name: str) -> None:
    fit = fit_of(name)
    figure = hs.plot_funnel(fit)
    raw = raw_estimates(fit.data)
    tau = fit.draws("tau").mean()
    away = (raw["link"] - fit.draws("mu").mean()).abs() / np.hypot(raw["link_se"], tau)
    outside = int((away > 1.96).sum())
    farthest = away.nlargest(min(8, max(3, outside))).index
    shown = [text for text in words(figure) if text in set(raw.index)]
    assert shown
    assert set(shown) <= set(farthest)  # one without a free place may be missing
    assert farthest[0] in shown
    assert any(f"{outside:,} outside the one that allows" in text for text in words(figure))


def test_complete_pooling_has_one_funnel() -> None:
    figure = hs.plot_funnel(fit_of("schools", "complete"))
    assert len(figure.axes[0].collections) == 1
    assert not any("tau" in text for text in words(figure))


def test_two_groups_one_without_events(tmp_path: Path) -> None:
    frame = pd.DataFrame({"arm": ["a", "b"], "sales": [0, 9], "visits": [40, 60]})
    data = hs.GroupedData.from_counts(frame, group="arm", successes="sales", trials="visits")
    check_picture(hs.plot_funnel(hs.PartialPooling().fit(data, **OPTIONS)), tmp_path)


def test_few_studies_are_said_to_be_few() -> None:
    few = "fewer than 10 are too few"
    assert any(few in text for text in words(hs.plot_funnel(fit_of("schools"))))
    assert not any(few in text for text in words(hs.plot_funnel(fit_of("baseball"))))


def test_the_docstring_warns_of_other_causes() -> None:
    assert "doi:10.1136/bmj.d4002" in str(hs.plot_funnel.__doc__)


def test_fits_without_a_population_are_refused() -> None:
    with pytest.raises(hs.HierstanError, match="PartialPooling or CompletePooling"):
        hs.plot_funnel(fit_of("schools", "none"))
    with pytest.raises(hs.HierstanError, match="prior only"):
        hs.plot_funnel(fit_of("schools", prior_only=True))
