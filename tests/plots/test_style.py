from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date, datetime

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from pictures import close, fit_of

import hierstan as hs
from hierstan.plots.groups import labels
from hierstan.plots.style import POOLING_COLORS, decimals_of, literal, number, span, tint


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("$x$", "$x$"),
        ("a\tb\n c", "a b c"),
        ("\x00\x07", "\ufffd\ufffd"),
        ("\ud800", "\ufffd"),
        ("", "''"),
        ("  ", "'  '"),
        (("EU", 3), "EU, 3"),
        (7, "7"),
        (np.int64(7), "7"),
        (pd.Timestamp("2024-03-01"), "2024-03-01"),
        (np.datetime64("2024-03-01"), "2024-03-01"),
        (datetime(2024, 3, 1, 12), "2024-03-01 12:00:00"),
        (date(2024, 3, 1), "2024-03-01"),
        ("x" * 34, "x" * 34),
    ],
)
def test_labels_become_plain_text(label: object, text: str) -> None:
    assert literal(label) == text


def test_a_long_label_keeps_both_ends() -> None:
    text = literal("Store 17, Königstraße " + "x" * 50 + " basement")
    assert len(text) <= 34
    assert text.startswith("Store 17, Königstraße")
    assert text.endswith("basement")


def test_labels_that_look_alike_are_told_apart() -> None:
    index = pd.Index([1, "1", "a", 2.5], dtype=object)
    assert labels(index) == ["1", "'1'", "a", "2.5"]


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.05341, None, "0.0534"),
        (-3, None, "−3.00"),
        (28, 0, "28"),
        (1234567, 0, "1,234,567"),
        (-0.001, 1, "0.0"),
        (0, None, "0"),
        (3e9, None, "3.00e+09"),
        (2e-7, None, "2.00e−07"),
        (1e-30, 2, "0.00"),
        (np.inf, None, "∞"),
        (-np.inf, 1, "−∞"),
        (np.nan, None, "–"),
    ],
)
def test_numbers(value: float, decimals: int | None, text: str) -> None:
    assert number(value, decimals) == text


def test_spans() -> None:
    assert span(-3, 28) == "−3 to 28"
    assert span(5.66, 10.21) == "5.7 to 10.2"
    assert span(0.0, 0.53) == "0 to 0.53"
    assert span(0.0534, 2.1) == "0.1 to 2.1"
    assert span(0.0534, 2.1, relative=True) == "0.053 to 2.1"
    assert span(2, 2) == "2.00"
    assert decimals_of(0.0) == decimals_of(np.nan) == 2


def test_tints() -> None:
    assert tint("#004488", 1) == "#004488"
    assert tint("#004488", 0) == "#ffffff"


def test_the_poolings_are_told_apart_in_greyscale() -> None:
    def luminance(color: str) -> float:
        channels = np.array(mpl.colors.to_rgb(color))
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722])

    shades = sorted(luminance(color) for color in POOLING_COLORS.values())
    ratios = [(b + 0.05) / (a + 0.05) for a, b in itertools.pairwise(shades)]
    assert min(ratios) > 1.8


@pytest.mark.parametrize(
    "draw",
    [hs.plot_forest, hs.plot_shrinkage, hs.plot_population, hs.plot_ppc, hs.plot_trace],
    ids=lambda draw: draw.__name__,
)
def test_a_users_settings_neither_change_nor_matter(draw) -> None:  # type: ignore[no-untyped-def]
    theirs = {"axes.facecolor": "black", "font.size": 31, "text.parse_math": True}
    with mpl.rc_context({**theirs, "text.usetex": True, "figure.facecolor": "black"}):
        before = dict(mpl.rcParams)
        figure = draw(fit_of("schools"))
        assert dict(mpl.rcParams) == before
    figure = figure if hasattr(figure, "axes") else figure.viz["figure"].item()
    assert mpl.colors.same_color(figure.get_facecolor(), "white")
    assert all(not text.get_usetex() for text in figure.findobj(mpl.text.Text))


def test_figures_belong_to_pyplot_so_that_show_shows_them() -> None:
    figure = hs.plot_forest(fit_of("schools"))
    assert plt.figure(figure.number) is figure


def test_a_script_that_no_font_has_still_gives_a_picture() -> None:
    frame = pd.DataFrame({"g": ["\U000104a0", "東京", "x"], "y": [1.0, 2, 3], "se": [1.0, 1, 1]})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    with pytest.warns(hs.HierstanWarning, match="characters of .*𐒠"):
        figure = hs.plot_shrinkage(fit)
    assert {"\U000104a0", "東京"} <= {t.get_text() for t in figure.axes[0].get_yticklabels()}
