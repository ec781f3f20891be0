"""One small table in every dataframe engine that is installed, for the tests of the data rooms."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest


def require(module: str) -> Any:
    """Import an engine; without it skip the test, or fail where engines are a must."""
    if os.environ.get("HIERSTAN_REQUIRE_ENGINES") == "1":
        return __import__(module, fromlist=["_"])
    return pytest.importorskip(module)


def _columns(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Plain Python lists, None for what is missing."""
    return {
        name: [None if value is pd.NA or value is pd.NaT else value for value in column.tolist()]
        for name, column in frame.items()
    }


def polars(frame: pd.DataFrame) -> Any:
    return require("polars").DataFrame(_columns(frame), strict=False)


def pyarrow(frame: pd.DataFrame) -> Any:
    return require("pyarrow").table(_columns(frame))


@functools.cache
def _duckdb() -> Any:
    return require("duckdb").connect()


def duckdb(frame: pd.DataFrame) -> Any:
    return _duckdb().from_arrow(pyarrow(frame))


def dask(frame: pd.DataFrame) -> Any:
    return require("dask.dataframe").from_pandas(frame, npartitions=3, sort=False)


def ibis(frame: pd.DataFrame) -> Any:
    return require("ibis").memtable(pyarrow(frame))


ENGINES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "polars": polars,
    "polars lazy": lambda frame: polars(frame).lazy(),
    "pyarrow": pyarrow,
    "duckdb": duckdb,
    "dask": dask,
    "ibis": ibis,
}
UNORDERED = ("duckdb", "dask", "ibis")
