"""A small table in every dataframe engine that is installed, for the tests of the data rooms."""

from __future__ import annotations

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


Columns = dict[str, list[Any]]


def polars(columns: Columns) -> Any:
    return require("polars").DataFrame(columns, strict=False)


def pyarrow(columns: Columns) -> Any:
    return require("pyarrow").table(columns)


def duckdb(columns: Columns) -> Any:
    return require("duckdb").from_arrow(pyarrow(columns))


def dask(columns: Columns) -> Any:
    return require("dask.dataframe").from_pandas(pd.DataFrame(columns), npartitions=3, sort=False)


def ibis(columns: Columns) -> Any:
    return require("ibis").memtable(pyarrow(columns))


ENGINES: dict[str, Callable[[Columns], Any]] = {
    "pandas": pd.DataFrame,
    "polars": polars,
    "polars lazy": lambda columns: polars(columns).lazy(),
    "pyarrow": pyarrow,
    "duckdb": duckdb,
    "dask": dask,
    "ibis": ibis,
}
UNORDERED = ("duckdb", "dask", "ibis")
