"""Ratings as numbers, labels and categoricals, in every dataframe engine; and what is refused."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from dataframe_engines import ENGINES

import hierstan as hs

FRAME = pd.DataFrame(
    {"store": list("aaabbbbcc"), "stars": [5, 4, 5, 1, 3, 3, 2, 4, 4], "region": list("nnnsssnss")}
)
FRAME["region"] = FRAME["store"].map({"a": "n", "b": "s", "c": "n"})
WORDS = {1: "awful", 2: "poor", 3: "fair", 4: "good", 5: "great"}


def taken(frame: object, **more: object) -> hs.GroupedData:
    return hs.GroupedData.from_ratings(frame, group="store", rating="stars", **more)


def test_numbers_are_counted_by_group_and_category() -> None:
    data = taken(FRAME)
    assert data.categories is not None
    assert data.categories.tolist() == [1, 2, 3, 4, 5]
    assert data.to_frame().loc["b"].drop("sd").tolist() == [4, 2.25, 1, 1, 2, 0, 0]
    sds = FRAME.groupby("store")["stars"].std()
    np.testing.assert_allclose(data.to_frame()["sd"], sds)
    stan = data.stan_data()
    assert (stan["C"], stan["y"].tolist()) == (5, [4, 5, 1, 2, 3, 4])
    assert stan["weight"].tolist() == [1, 2, 1, 1, 2, 2]
    assert data.stan_data(rows=True)["y"].tolist() == FRAME["stars"].tolist()


@pytest.mark.parametrize("kind", ["order", "ordered", "enum"])
def test_labels_have_the_order_that_is_stated(kind: str) -> None:
    words = list(WORDS.values())
    frame = FRAME.assign(stars=FRAME["stars"].map(WORDS))
    more: dict[str, object] = {}
    table: object = frame
    if kind == "order":
        more = {"order": words}
    elif kind == "ordered":
        table = frame.assign(stars=pd.Categorical(frame["stars"], words, ordered=True))
    else:
        table = pl.DataFrame(frame.to_dict("list")).with_columns(
            pl.col("stars").cast(pl.Enum(words))
        )
    data = taken(table, **more)
    assert data.categories is not None
    assert data.categories.tolist() == words
    pd.testing.assert_frame_equal(data.cells, taken(FRAME).cells)
    assert data.scores.tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_counts_the_same(engine: str) -> None:
    many = pd.DataFrame(
        {"store": np.repeat(["a", "b", "c"], 8000), "stars": np.tile([1, 2, 4, 5, 5, 3], 4000)}
    )
    cells = taken(many, order=range(1, 6)).cells
    found = taken(ENGINES[engine](many.to_dict("list")), order=range(1, 6))
    assert found.n_rows == 24_000
    pd.testing.assert_frame_equal(found.cells, cells)


def test_categories_that_nobody_gave_have_their_place() -> None:
    with pytest.warns(hs.HierstanWarning, match="nobody gave 2, 3"):
        data = taken(FRAME.assign(stars=[5, 4, 5, 1, 1, 4, 4, 4, 4]))
    assert data.categories is not None
    assert data.categories.tolist() == [1, 2, 3, 4, 5]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = taken(FRAME, order=range(0, 7))
    assert data.stan_data()["C"] == 7
    assert data.to_frame()[6].tolist() == [0, 0, 0]
    fit = hs.PartialPooling().fit(
        data, seed=1, engine="stanli", chains=2, draws=200, progress=False
    )
    assert np.isfinite(fit.draws("cutpoint")).all()


@pytest.mark.parametrize(
    ("stars", "more", "match"),
    [
        ([5, 4, 5, 1, 3, 3, 2, 4, None], {}, "must not have missing values"),
        (list("badbadbad"), {}, r"holds 'a', 'b', 'd'.*order=\[\.\.\.\]"),
        ([5, 4, 5, 1, 3, 3, 2, 4, 3.5], {}, "not a scale of up to 11"),
        ([10, 40, 50, 10, 30, 30, 20, 40, 40], {}, r"order=\[\.\.\.\]"),
        ([0, 1, 1, 1, 0, 0, 1, 1, 0], {}, "family='bernoulli'"),
        ([True, False] * 4 + [True], {}, "family='bernoulli'"),
        ([3] * 9, {}, "has 1 category, 3"),
        ([5, 4, 5, 1, 3, 3, 2, 4, 6], {"order": range(1, 6)}, "1 of 9 rows breaks this: row 8: 6"),
        ([5, 4, 5, 1, 3, 3, 2, 4, 4], {"order": [5, 4, 3, 2, 1]}, "lowest category to the highest"),
        ([5, 4, 5, 1, 3, 3, 2, 4, 4], {"order": [1, 2, 3, 4, 5, 5]}, "each category once"),
        ([5, 4, 5, 1, 3, 3, 2, 4, 4], {"order": "12345"}, "order= takes the categories"),
        (pd.Categorical(list("badbadbad")), {}, "categories without an order"),
    ],
)
def test_what_is_no_scale_is_refused_with_a_cure(stars: object, more: dict, match: str) -> None:
    with pytest.raises(hs.DataError, match=match):
        taken(FRAME.assign(stars=stars), **more)


def test_groups_and_rows_can_be_left_out_and_the_scale_stays() -> None:
    data = taken(FRAME, factors=["region"])
    assert data.without("b").stan_data()["C"] == 5
    assert data.only("a").to_frame().loc["a"].drop("sd").tolist() == [3, 14 / 3, 0, 0, 0, 1, 2]
    assert data.without_rows([0]).to_frame().loc["a"].drop("sd").tolist() == [2, 4.5, 0, 0, 0, 1, 1]
