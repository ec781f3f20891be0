"""Group labels keep their type and their order."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dataframe_engines import ENGINES, UNORDERED, require

from hierstan import DataError, GroupedData
from hierstan.data import intake


class Arm(enum.Enum):
    CONTROL = 1
    TREATED = 2


def grouped(labels: Any, frame: Any = None) -> GroupedData:
    if frame is None:
        frame = pd.DataFrame({"g": labels})
        frame["y"] = np.arange(len(frame)) * 1.0
    return GroupedData.from_rows(frame, group="g", outcome="y")


@pytest.fixture(params=["rows fetched", "cells fetched"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Take both ways in: all rows to Python, and only the cells."""
    if request.param == "cells fetched":
        monkeypatch.setattr(intake, "MAX_ROWS", 1)
    return request.param


@pytest.mark.parametrize(
    "labels",
    [
        ["b", "a"],
        [3, 1],
        [2.5, -1.0],
        [True, False],
        [(2, "x"), (1, "y")],
        [((1, 2), 3), ((1, 2), 4)],
        [1, "a", (2, 3), 2.5, None.__class__, dt.date(2020, 1, 1)],
        [Arm.TREATED, Arm.CONTROL],
        [frozenset({2}), frozenset({1})],
        [pd.Timestamp("2021-01-01"), pd.Timestamp("2020-01-01")],
        [pd.Timestamp("2021-01-01", tz="Europe/Berlin"), pd.Timestamp("2020", tz="Europe/Berlin")],
        [pd.Timedelta("2D"), pd.Timedelta("1D")],
        [pd.Period("2021"), pd.Period("2020")],
        [pd.Interval(1, 2), pd.Interval(0, 1)],
        ["", " b", "a\nb"],
        ["ñ", "日本", "🐍"],
    ],
    ids=repr,
)
def test_pandas_labels_keep_type_and_order(labels: list[Any], how: str) -> None:
    data = grouped([labels[0], *labels, labels[-1]])
    assert list(data.groups) == labels
    assert [type(label) for label in data.groups.tolist()] == [type(label) for label in labels]
    assert data.groups.name == "group"
    assert data.groups.nlevels == 1
    assert data.cells["count"].tolist() == [2.0, *[1.0] * (len(labels) - 2), 2.0]


@pytest.mark.parametrize("dtype", ["Int64", "string", "object", "int8", "datetime64[ns]"])
def test_pandas_dtypes_of_labels_are_kept(dtype: str) -> None:
    values = {"Int64": [3, 1], "int8": [3, 1], "datetime64[ns]": ["2021", "2020"]}
    labels = pd.Series(values.get(dtype, ["b", "a"]), dtype=dtype)
    assert grouped(labels).groups.dtype == labels.dtype


def test_categories_set_the_order_and_give_the_labels(how: str) -> None:
    labels = pd.Categorical(["m", "s", "m", "l"], ["s", "m", "l"])
    data = grouped(labels)
    assert data.groups.tolist() == ["s", "m", "l"]
    assert not isinstance(data.groups, pd.CategoricalIndex)
    assert data.cells["y"].tolist() == [1.0, 1.0, 3.0]
    assert grouped(pd.Categorical([3, 1, 2], [2, 3, 1])).groups.tolist() == [2, 3, 1]


def test_unobserved_categories_are_refused(how: str) -> None:
    labels = pd.Categorical(["m", "s"], ["s", "m", "l", "xl", "2xl", "3xl"])
    with pytest.raises(DataError) as caught:
        grouped(labels)
    assert str(caught.value) == (
        "Column 'g' (group) declares 4 of 6 categories that no row has: 'l', 'xl', '2xl' and 1 "
        "more. Remove them with frame['g'].cat.remove_unused_categories()."
    )


@pytest.mark.parametrize("label", [[1], {1: 2}, (1, [2]), {3}, np.ones(1)], ids=repr)
def test_labels_that_cannot_be_hashed_are_refused(label: Any) -> None:
    frame = pd.DataFrame({"g": pd.Series(["a", label, "b"], dtype=object), "y": [1.0, 2, 3]})
    with pytest.raises(DataError) as caught:
        grouped(None, frame)
    assert str(caught.value) == (
        "Column 'g' (group) must hold labels that can be hashed (text, numbers, dates, tuples); 1 "
        f"of 3 rows breaks this: row 1: {label!r}. Turn lists into tuples or text."
    )


def in_order(engine: str, labels: list[Any]) -> list[Any]:
    return sorted(set(labels)) if engine in UNORDERED else list(dict.fromkeys(labels))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "labels",
    [
        ["b", "a", "b", "c"],
        [3, 1, 3, 2],
        [2.5, -1.0, 2.5, 0.0],
        [True, False, True, False],
        [dt.datetime(2021, 1, 1), dt.datetime(2020, 1, 1), dt.datetime(2021, 1, 1, 1)] * 2,
    ],
    ids=lambda labels: type(labels[0]).__name__,
)
def test_every_engine_keeps_label_types(engine: str, labels: list[Any], how: str) -> None:
    frame = ENGINES[engine]({"g": labels, "y": [float(i) for i in range(len(labels))]})
    data = grouped(None, frame)
    expected = in_order(engine, labels)
    assert data.groups.tolist() == expected
    assert data.groups.dtype == pd.Index(expected).dtype
    assert data.n_rows == len(labels)
    assert data.to_frame()["n"].tolist() == [labels.count(label) for label in expected]


def test_polars_enum_declares_its_order(how: str) -> None:
    pl = require("polars")
    frame = pl.DataFrame({"g": ["m", "s", "m"], "y": [1.0, 2.0, 4.0]})
    whole = frame.with_columns(pl.col("g").cast(pl.Enum(["s", "m"])))
    assert grouped(None, whole).groups.tolist() == ["s", "m"]
    more = frame.with_columns(pl.col("g").cast(pl.Enum(["s", "m", "l"])))
    with pytest.raises(DataError, match="no row has: 'l'. Remove them with a cast of the column"):
        grouped(None, more.lazy())
    # its other categorical type is only a way of storing text
    text = frame.with_columns(pl.col("g").cast(pl.Categorical))
    assert grouped(None, text).groups.tolist() == ["m", "s"]


def test_dask_categories_declare_their_order(how: str) -> None:
    dd = require("dask.dataframe")
    labels = pd.Categorical([2, 1, 2, 3], [3, 1, 2])
    frame = pd.DataFrame({"g": labels, "y": [1.0, 2.0, 4.0, 8.0]})
    assert grouped(None, dd.from_pandas(frame, npartitions=2)).groups.tolist() == [3, 1, 2]
    more = frame.assign(g=frame["g"].cat.add_categories([9]))
    with pytest.raises(DataError, match=r"no row has: 9. Remove them with frame\['g'\].cat.remove"):
        grouped(None, dd.from_pandas(more, npartitions=2))
    unknown = dd.from_pandas(frame.astype({"g": str}), npartitions=2).astype({"g": "category"})
    assert grouped(None, unknown).groups.tolist() == ["1", "2", "3"]


def test_duckdb_enum_declares_its_order(how: str) -> None:
    connection = require("duckdb").connect()
    connection.execute("create type size as enum ('s', 'm')")
    connection.execute("create table sizes (g size, y double)")
    connection.execute("insert into sizes values ('m', 1), ('s', 2), ('m', 4)")
    assert grouped(None, connection.table("sizes")).groups.tolist() == ["s", "m"]
