"""Real fits to draw, and what every picture has to satisfy."""

from __future__ import annotations

import itertools
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.text import Text

import hierstan as hs

OPTIONS: dict[str, Any] = {"seed": 1, "engine": "stanli", "progress": False}
POOLINGS = {"complete": hs.CompletePooling, "none": hs.NoPooling, "partial": hs.PartialPooling}

# Labels that a careless renderer would interpret, cut or fail on.
UGLY = [
    "$x^2$ & $y_1$",
    "a_b_{c}",
    "<b>bold</b>",
    "Zürich–Straße №7",
    "Ελλάδα, Москва",
    "a very long label that goes on and on, well past any reasonable width",
    "tab\there\nand newline",
    "\\alpha\\$5",
    "100%",
    ("EU", 3),
    1,
    "1",
    "",
    pd.Timestamp("2024-03-01"),
]


@cache
def data_of(name: str) -> hs.GroupedData:
    """Return one of the data sets that pictures are tested on."""
    if name == "schools":
        frame = hs.load_dataset("eight_schools")
        return hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    if name == "branches":
        frame = hs.load_dataset("store_satisfaction")
        return hs.GroupedData.from_estimates(frame, group="branch", estimate="score", se="se")
    if name == "baseball":
        frame = hs.load_dataset("baseball")
        return hs.GroupedData.from_counts(frame, group="player", successes="hits", trials="at_bats")
    if name == "pumps":
        frame = hs.load_dataset("pumps")
        return hs.GroupedData.from_events(frame, group="pump", events="failures", exposure="hours")
    if name == "vaccines":
        arms = {"treatment": "vaccinated", "control": "control"}
        columns = {f"events_{arm}": f"{word}_positive" for arm, word in arms.items()}
        columns |= {f"total_{arm}": f"{word}_total" for arm, word in arms.items()}
        return hs.GroupedData.from_arms(hs.load_dataset("bcg"), group="trial", **columns)
    rng = np.random.default_rng(3)
    if name in ("two arms of counts", "two arms of amounts", "two arms of many"):
        return _two_arms(name.rpartition(" ")[2], rng)
    if name == "thousand":
        trials = rng.integers(5, 400, 1000)
        rate = 1 / (1 + np.exp(-rng.normal(-2, 0.5, 1000)))
        frame = pd.DataFrame(
            {
                "segment": [f"segment {j:04d}" for j in range(1000)],
                "visits": trials,
                "sales": rng.binomial(trials, rate),
            }
        )
        return hs.GroupedData.from_counts(
            frame, group="segment", successes="sales", trials="visits"
        )
    if name == "ugly":
        frame = pd.DataFrame({"$g_1$": pd.Series(UGLY, dtype=object)})
        frame["e_{x}$2$"] = rng.normal(0, 2, len(UGLY)).round(2)
        frame["s"] = rng.uniform(0.5, 3, len(UGLY))
        return hs.GroupedData.from_estimates(frame, group="$g_1$", estimate="e_{x}$2$", se="s")
    family, draw = {
        "baskets": ("lognormal", lambda mean: rng.lognormal(mean, 0.8)),
        "scores": ("normal", lambda mean: rng.normal(mean, 2)),
    }[name]
    group = np.repeat(list("abcdefgh"), [3, 5, 8, 20, 40, 60, 10, 2])
    means = dict(zip("abcdefgh", rng.normal(3, 0.6, 8), strict=True))
    frame = pd.DataFrame({"market": group, name[:-1]: [draw(means[g]) for g in group]})
    return hs.GroupedData.from_rows(frame, group="market", outcome=name[:-1], family=family)


def _two_arms(what: str, rng: np.random.Generator) -> hs.GroupedData:
    """Return a long table of two arms: counts, amounts, or counts of very many groups."""
    J = {"counts": 12, "amounts": 5, "many": 150}[what]
    frame = pd.DataFrame({"country": [f"country {j}" for j in range(J)] * 2})
    frame["page"], frame["users"] = np.repeat(["old", "new"], J), rng.integers(80, 900, 2 * J)
    baseline = np.tile(rng.normal(-1.2, 0.5, J), 2)
    effect = np.tile(rng.normal(0.2, 0.2, J), 2) * (frame["page"] == "new")
    frame["bought"] = rng.binomial(frame["users"], 1 / (1 + np.exp(-baseline - effect)))
    arms = {"group": "country", "arm": "page", "control": "old"}
    if what != "amounts":
        return hs.GroupedData.from_trial(frame, successes="bought", trials="users", **arms)
    rows = frame.loc[np.repeat(frame.index, 20)].reset_index(drop=True)
    rows["spent"] = rng.lognormal(2 + np.repeat(effect, 20), 0.7)
    rows = rows[(rows["country"] != "country 4") | (rows["page"] == "old")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hs.HierstanWarning)  # of the country with one arm
        return hs.GroupedData.from_trial(rows, outcome="spent", family="lognormal", **arms)


@cache
def fit_of(name: str, pooling: str = "partial", prior_only: bool = False) -> hs.Fit:
    """Return a fit, made once for all tests."""
    slow = ("thousand", "vaccines", "two arms of counts", "two arms of amounts", "two arms of many")
    few = {"chains": 2, "warmup": 300, "draws": 500} if name in slow else {}
    return POOLINGS[pooling]().fit(data_of(name), prior_only=prior_only, **OPTIONS, **few)


def check_picture(fig: Figure, tmp_path: Path, name: str = "picture") -> None:
    """Save a figure and make sure that its texts lie inside it, apart from each other."""
    file = tmp_path / f"{name}.png"
    fig.savefig(file)
    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_size > 5000
    # an annotation's own extent takes in its arrow
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in _texts(fig)]
    for text, box in boxes:
        assert min(box.x0, box.y0) > -1, text
        assert box.x1 < fig.bbox.x1 + 1, text
        assert box.y1 < fig.bbox.y1 + 1, text
    for (one, first), (other, second) in itertools.combinations(boxes, 2):
        across = min(first.x1, second.x1) - max(first.x0, second.x0)
        up = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert across < 2 or up < 2, f"{one!r} and {other!r} overlap"


def words(fig: Figure) -> list[str]:
    """Return all texts that a figure shows, each on one line."""
    return [text.get_text().replace("\n", " ") for text in _texts(fig)]


def segments(ax: Any, color: str, width: float | None = None) -> list[np.ndarray]:
    """Return the horizontal lines of a colour and width, each an array (2, 2) of its ends."""
    return [
        np.asarray(segment)
        for lines in ax.collections
        if hasattr(lines, "get_segments") and mpl.colors.same_color(lines.get_color()[0], color)
        for segment in lines.get_segments()
        if width is None or lines.get_linewidth()[0] == width
    ]


def close() -> None:
    """Close all figures."""
    plt.close("all")


def _texts(fig: Figure) -> list[Text]:
    """Return the texts that are drawn: tick labels outside the axes' limits are not."""
    hidden = set()
    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not low <= tick.get_loc() <= high or not axis.get_visible():
                    hidden |= {tick.label1, tick.label2}
    return [
        text
        for text in fig.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in hidden
    ]


def names(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def column(figure: Figure, header: str) -> list[str]:
    """The texts of a column of figures at the right, from the top."""
    texts = [text.get_text() for text in figure.axes[0].texts]
    start, rows = texts.index(header), len(names(figure))
    return texts[start - rows : start]
