"""Which frames and columns are accepted, and what is said about others."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import narwhals as nw
import narwhals.stable.v1 as nw_v1
import numpy as np
import pandas as pd
import pytest
from dataframe_engines import ENGINES, require

from hierstan import DataError, GroupedData

COLUMNS = {"store": ["a", "b"], "effect": [1.0, 2.0], "se": [1.0, 1.0]}


def take(frame: Any, group: Any = "store", estimate: Any = "effect", se: Any = "se") -> GroupedData:
    return GroupedData.from_estimates(frame, group=group, estimate=estimate, se=se)


def refused(frame: Any, **columns: Any) -> str:
    with pytest.raises(DataError) as caught:
        take(frame, **columns)
    return str(caught.value)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_same_data(engine: str) -> None:
    data = take(ENGINES[engine](COLUMNS))
    pd.testing.assert_frame_equal(data.cells, take(pd.DataFrame(COLUMNS)).cells)
    assert data.groups.tolist() == ["a", "b"]
    assert data.columns == {"group": "store", "estimate": "effect", "se": "se"}


@pytest.mark.parametrize("engine", ENGINES)
def test_missing_columns_name_near_misses(engine: str) -> None:
    assert refused(ENGINES[engine](COLUMNS), estimate="Efect") == (
        "There is no column 'Efect', given as estimate=. Did you mean 'effect'? "
        "The frame has 'store', 'effect', 'se'."
    )
    assert refused(ENGINES[engine](COLUMNS), group="zzz") == (
        "There is no column 'zzz', given as group=. The frame has 'store', 'effect', 'se'."
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_column_has_one_role(engine: str) -> None:
    assert refused(ENGINES[engine](COLUMNS), se="effect") == (
        "Column 'effect' is given twice, as estimate= and as se=. Each needs a column of its own."
    )
    assert "given twice, as group= and as estimate=" in refused(
        ENGINES[engine](COLUMNS), estimate="store"
    )


@pytest.mark.parametrize(
    "frame",
    [dict(COLUMNS), [COLUMNS], np.ones((2, 3)), "a.csv", pd.Series([1.0]), None, 5],
    ids=lambda frame: type(frame).__name__,
)
def test_other_things_are_not_frames(frame: Any) -> None:
    assert refused(frame) == (
        "frame= takes a pandas or polars DataFrame, a polars LazyFrame, a pyarrow Table, a DuckDB "
        "relation, or a Dask, PySpark or ibis table, but got a value of type "
        f"{type(frame).__name__}. Columns in a dict or an array become a frame with "
        "pandas.DataFrame(...)."
    )


@pytest.mark.parametrize("wrap", [nw.from_native, nw_v1.from_native], ids=["narwhals", "stable"])
def test_narwhals_frames_are_frames(wrap: Any) -> None:
    assert take(wrap(pd.DataFrame(COLUMNS))).cells["y"].tolist() == [1.0, 2.0]
    assert take(wrap(ENGINES["polars lazy"](COLUMNS))).cells["y"].tolist() == [1.0, 2.0]


def test_columns_of_the_same_name_are_refused() -> None:
    frame = pd.DataFrame([["a", 1.0, 1.0, 0]], columns=["store", "effect", "se", "se"])
    assert refused(frame) == (
        "The frame has several columns of the same name: 'se'. "
        "Rename or drop them, so that each name means one column."
    )
    table = require("pyarrow").table([["a"], [1.0], [1.0], [0]], names=list(frame.columns))
    assert refused(table).startswith("The frame has several columns of the same name: 'se' 2 times")


def test_groups_in_the_index_are_pointed_out() -> None:
    frame = pd.DataFrame(COLUMNS).set_index("store")
    assert refused(frame) == (
        "There is no column 'store', given as group=. It is in the frame's index: use "
        "frame.reset_index(). The frame has 'effect', 'se'."
    )
    assert take(frame.reset_index()).groups.tolist() == ["a", "b"]


def test_a_frame_without_columns() -> None:
    assert refused(pd.DataFrame()).endswith("The frame has no columns.")


def test_many_columns_are_not_all_listed() -> None:
    wide = pd.DataFrame({f"x{i}": [1.0] for i in range(100)})
    assert refused(wide).endswith("'x18', 'x19' and 80 more.")


@pytest.mark.parametrize("name", [["effect"], pd.Series([1.0, 2.0]), np.array(["effect"])])
def test_a_column_is_given_by_name(name: Any) -> None:
    message = refused(pd.DataFrame(COLUMNS), estimate=name)
    assert message.startswith("estimate= takes the name of one column, but got ")
    assert "\n" not in message
    assert refused(ENGINES["polars"](COLUMNS), estimate=name).startswith("estimate= takes the name")


def test_no_name_is_no_column() -> None:
    assert refused(pd.DataFrame(COLUMNS), estimate=None) == (
        "There is no column None, given as estimate=. The frame has 'store', 'effect', 'se'."
    )


def test_column_names_need_not_be_text() -> None:
    frame = pd.DataFrame([["a", 1.0, 2.0]])
    assert take(frame, 0, 1, 2).columns == {"group": 0, "estimate": 1, "se": 2}
    assert "no column '0', given as group=. Did you mean 0?" in refused(frame, group="0")
    frame.columns = pd.MultiIndex.from_tuples([("is", "g"), ("is", "y"), ("has", "se")])
    assert take(frame, ("is", "g"), ("is", "y"), ("has", "se")).cells["se"].tolist() == [2.0]
    assert "There is no column 'is'" in refused(frame, group="is")


def test_indices_play_no_part() -> None:
    frame = pd.DataFrame(COLUMNS, index=[7, 7])
    pd.testing.assert_frame_equal(take(frame).cells, take(pd.DataFrame(COLUMNS)).cells)


WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None
import duckdb, pandas, polars
import hierstan.data.intake
from hierstan import GroupedData
frame = pandas.DataFrame({"g": ["b", "a", "b"], "y": [1.0, 2.0, 4.0]})
for hierstan.data.intake.MAX_ROWS in (2, 9):
    for engine in (polars.DataFrame(frame.to_dict("list")), duckdb.sql("select * from frame")):
        data = GroupedData.from_rows(engine, group="g", outcome="y")
        print(dict(zip(data.groups, data.cells["y"].tolist())))
"""


@pytest.mark.slow
def test_pyarrow_is_not_needed() -> None:
    require("duckdb")
    require("polars")
    command = [sys.executable, "-W", "error", "-c", WITHOUT_PYARROW]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.split("\n") == ["{'b': 2.5, 'a': 2.0}", "{'a': 2.0, 'b': 2.5}"] * 2 + [""]
