"""What every picture takes: `ax`, `figure`, `title`, `labels`, `figsize`; and two-part fits."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from pictures import check_picture, close, fit_of, words

import hierstan as hs
from hierstan.plots.picture import narrow

ONE_PANEL: dict[str, Callable[..., Any]] = {
    "forest": lambda **look: hs.plot_forest(fit_of("schools"), **look),
    "meta": lambda **look: hs.plot_forest(fit_of("schools"), style="meta", **look),
    "shrinkage": lambda **look: hs.plot_shrinkage(fit_of("schools"), **look),
    "ranks": lambda **look: hs.plot_ranks(fit_of("schools"), **look),
    "uplift": lambda **look: hs.plot_uplift(fit_of("schools"), control="C", **look),
    "arms": lambda **look: hs.plot_arms(fit_of("vaccines"), **look),
    "funnel": lambda **look: hs.plot_funnel(fit_of("schools"), **look),
    "khat": lambda **look: hs.plot_khat(hs.loo(fit_of("schools")), **look),
}
MORE: dict[str, Callable[..., Any]] = {
    "population": lambda **look: hs.plot_population(fit_of("schools"), **look),
    "ppc": lambda **look: hs.plot_ppc(fit_of("schools"), **look),
    "side by side": lambda **look: hs.plot_shrinkage(
        {"partial": fit_of("schools")} | both(), **look
    ),
}


def both() -> dict[str, hs.Fit]:
    return {"complete": fit_of("schools", "complete")}


@functools.cache
def two_part() -> Any:
    rng = np.random.default_rng(1)
    segment = np.repeat(list("abcd"), [300, 80, 30, 12])
    rate = np.repeat([0.2, 0.4, 0.3, 0.0], [300, 80, 30, 12])
    spent = np.where(rng.random(len(segment)) < rate, rng.gamma(2, 10, len(segment)), 0.0)
    frame = pd.DataFrame({"segment": segment, "spent": spent})
    few = {"chains": 2, "warmup": 300, "draws": 300, "engine": "stanli", "progress": False}
    return hs.TwoPart().fit(frame, group="segment", outcome="spent", seed=1, **few)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


@pytest.mark.parametrize(
    "name", ["forest", "ranks", "population", "ppc", "side by side", "compare"]
)
def test_on_a_narrow_screen_panels_are_below_each_other_and_name_their_rows(name: str) -> None:
    pair = both() | {"partial": fit_of("schools")}
    draw = {"compare": lambda: hs.plot_compare(hs.compare(pair))} | ONE_PANEL | MORE
    wide = draw[name]()
    with narrow():
        figure = draw[name]()
    assert figure.get_size_inches()[0] <= 4
    assert len(figure.axes) == len(wide.axes)
    boxes = [ax.get_window_extent() for ax in figure.axes]
    assert all(low.y1 <= high.y0 for high, low in itertools.pairwise(boxes))
    page = figure.bbox
    for ax in figure.axes:
        assert ax.get_tightbbox().x1 <= page.x1 + 1, "nothing reaches beyond the right edge"
        assert ax.xaxis.label.get_window_extent().x0 >= page.x0 - 1
    if name in {"side by side", "compare"}:
        named = [[text.get_text() for text in ax.get_yticklabels()] for ax in figure.axes]
        assert named[0] == named[1] != [""] * len(named[0])


def test_every_picture_has_the_same_five_and_documents_them() -> None:
    pictures = [getattr(hs, name) for name in hs.__all__ if name.startswith("plot_")]
    for draw in pictures:
        parameters = inspect.signature(draw).parameters
        assert {"ax", "figure", "title", "labels", "figsize"} < set(parameters), draw
        assert "look" not in parameters
        assert "figsize : (float, float), optional" in (draw.__doc__ or ""), draw
    with pytest.raises(TypeError, match="colour"):
        hs.plot_forest(fit_of("schools"), colour="red")  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ONE_PANEL)
def test_a_picture_of_one_panel_goes_into_axes(name: str) -> None:
    figure, (left, right) = plt.subplots(1, 2, layout="constrained", figsize=(14, 6))
    returned = ONE_PANEL[name](ax=right, title="A title of mine")
    assert returned is figure
    assert right.get_title(loc="left") == "A title of mine"
    assert right.has_data()
    assert not left.has_data()
    assert figure.get_suptitle() == ""


@pytest.mark.parametrize("name", [*ONE_PANEL, *MORE])
def test_a_picture_goes_into_a_part_of_a_figure(name: str) -> None:
    whole = plt.figure(figsize=(14, 12))
    upper, lower = whole.subfigures(2, 1)
    assert {**ONE_PANEL, **MORE}[name](figure=lower) is whole
    assert lower.axes
    assert not upper.axes


@pytest.mark.parametrize("name", [*ONE_PANEL, *MORE])
def test_title_and_size(name: str) -> None:
    draw = {**ONE_PANEL, **MORE}[name]
    figure = draw(title="lower case stays", figsize=(9, 6.5))
    assert figure.get_suptitle() == "lower case stays"
    assert tuple(figure.get_size_inches()) == (9, 6.5)
    own = draw().get_suptitle()
    assert own[0] == own[0].upper()
    assert draw(title="").get_suptitle() == ""


def test_labels_rename_groups() -> None:
    fit = fit_of("schools")
    figure = hs.plot_forest(fit, labels={"A": "Alpha $x$", "H": "Eta"})
    assert {"Alpha $x$", "B", "Eta"} <= set(words(figure))
    names = [f"school {j}" for j in range(8)]
    texts = [
        label.get_text() for label in hs.plot_shrinkage(fit, labels=names).axes[0].get_yticklabels()
    ]
    assert texts[:2] == ["school 0", "school 6"]  # A and G have the largest raw estimates
    comparison = hs.compare({"partial": fit, "complete": fit_of("schools", "complete")})
    assert "mine" in words(hs.plot_compare(comparison, labels={"partial": "mine"}))


@pytest.mark.parametrize(
    ("look", "message"),
    [
        ({"ax": 3}, "ax= must be matplotlib axes"),
        ({"figure": "f"}, "figure= must be a matplotlib figure"),
        ({"title": 3}, "title= must be a text"),
        ({"labels": "abc"}, "labels= must be a mapping"),
        ({"labels": {"Z": "z"}}, "labels= renames 'Z', which plot_forest does not show"),
        ({"labels": ["x"]}, "labels= has 1 texts, but plot_forest names 8"),
        ({"figsize": (0, 3)}, "figsize= must be"),
        ({"figsize": 3}, "figsize= must be"),
    ],
)
def test_what_is_of_the_wrong_kind_is_refused(look: dict[str, Any], message: str) -> None:
    with pytest.raises(hs.HierstanError, match=message):
        hs.plot_forest(fit_of("schools"), **look)


def test_what_a_picture_has_no_use_for_is_refused() -> None:
    fit = fit_of("schools")
    _, ax = plt.subplots()
    with pytest.raises(hs.HierstanError, match="3 panels, more than one ax= holds"):
        hs.plot_population(fit, ax=ax)
    with pytest.raises(hs.HierstanError, match="labels= means nothing to plot_population"):
        hs.plot_population(fit, labels={"A": "x"})
    with pytest.raises(hs.HierstanError, match="give ax= or figsize=, not both"):
        hs.plot_forest(fit, ax=ax, figsize=(3, 3))


def test_labels_that_no_font_has_are_named() -> None:
    labels = {"A": "pizza \U000104a0"}
    with pytest.warns(hs.HierstanWarning, match="characters of 'pizza \U000104a0'"):
        hs.plot_forest(fit_of("schools"), labels=labels)


@pytest.mark.slow
def test_rates_are_percentages_and_their_differences_points() -> None:
    fit = fit_of("baseball")
    forest = hs.plot_forest(fit)
    assert forest.axes[0].get_xlabel() == "hits / at_bats"
    assert "30%" in [tick.get_text() for tick in forest.axes[0].get_xticklabels()]
    top = hs.group_means(fit).iloc[0]
    assert f"{100 * top['mean']:.1f}%" in words(forest)
    control = fit.data.groups[0]
    uplift = hs.plot_uplift(fit, control=control, caring=0.02)
    assert "percentage points" in words(uplift)
    best = hs.uplift(fit, control=control)["mean"].max()
    assert f"{100 * best:.1f}".replace("-", "−") in words(uplift)
    raw = hs.shrinkage(fit)["raw"].max()
    assert f"{100 * raw:.0f}%" in hs.plot_shrinkage(fit).get_suptitle().replace("\n", " ")
    link = hs.plot_forest(fit, scale="link")
    assert "%" not in link.axes[0].get_xlabel()


@pytest.mark.parametrize("name", [*ONE_PANEL, *MORE])
def test_no_picture_for_laymen_speaks_of_mu_and_tau(name: str) -> None:
    if name == "meta":
        return  # its line for a journal has tau
    for text in words({**ONE_PANEL, **MORE}[name]()):
        assert not {"mu", "tau", "theta"} & set(text.replace(":", " ").replace("(", " ").split())


def test_poolings_stand_side_by_side_on_one_scale() -> None:
    fits = {name: fit_of("schools", name) for name in ("complete", "none", "partial")}
    figure = hs.plot_shrinkage(fits)
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "completely pooled", "each on its own", "partially pooled",
    ]  # fmt: skip
    assert len({ax.get_xlim() for ax in figure.axes}) == 1
    order = hs.shrinkage(fits["none"])["raw"].sort_values(ascending=False).index
    for ax, fit in zip(figure.axes, fits.values(), strict=True):
        dots = ax.collections[-1].get_offsets()
        np.testing.assert_allclose(dots[:, 0], hs.group_means(fit)["mean"][order])
    with pytest.raises(hs.DataError, match="other groups"):
        hs.plot_shrinkage({"a": fit_of("schools"), "b": fit_of("pumps")})


@pytest.mark.slow
def test_both_parts_in_pictures(tmp_path: Any) -> None:
    fit = two_part()
    shrinkage = hs.plot_shrinkage(fit)
    assert [ax.get_title(loc="left") for ax in shrinkage.axes] == [
        "who buys", "how much they spend", "both",
    ]  # fmt: skip
    check_picture(shrinkage, tmp_path)
    forest = hs.plot_forest(fit)
    assert forest.axes[0].get_xlabel() == "spent per customer"
    assert f"{hs.group_means(fit)['mean'].iloc[0]:.1f}" in words(forest)
    check_picture(forest, tmp_path)
    assert "spent per customer" in hs.plot_ranks(fit).get_suptitle()
    assert "spent per customer" in hs.plot_uplift(fit, control="a").axes[0].get_xlabel()
    for draw in (hs.plot_trace, hs.plot_ppc, hs.plot_population, hs.plot_funnel):
        with pytest.raises(hs.HierstanError, match=rf"{draw.__name__}\(fit.rate\)"):
            draw(fit)
