"""Rows to cells: exact sums, and means and squares that hold their digits in every engine."""

from __future__ import annotations

import math
import os
import shutil
import warnings
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pytest
from dataframe_engines import ENGINES, require
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hierstan import GroupedData
from hierstan.data import intake
from hierstan.families import FAMILIES, collapse
from hierstan.families.collapse import adopted


def exact(frame: pd.DataFrame) -> dict[int, tuple[int, Fraction, Fraction]]:
    """Count, mean and sum of squared deviations of each group, in rational arithmetic."""
    moments = {}
    for group, y in frame.groupby("group")["y"]:
        values = [Fraction(value) for value in y]
        mean = sum(values, Fraction()) / len(values)
        moments[int(group)] = (len(values), mean, sum((v - mean) ** 2 for v in values))
    return moments


def assert_moments(cells: pd.DataFrame, frame: pd.DataFrame, digits: float) -> None:
    moments = exact(frame)
    assert cells["group"].tolist() == sorted(moments)
    for cell in cells.itertuples():
        count, mean, squares = moments[cell.group]
        assert cell.count == count
        assert cell.y == pytest.approx(float(mean), rel=1e-15)
        assert cell.squares == pytest.approx(float(squares), rel=digits)


def far_from_zero(n: int = 3000, J: int = 5) -> pd.DataFrame:
    """Mean 1e8, sd 1, and group means as far apart as they are from zero."""
    rng = np.random.default_rng(20261122)
    group = rng.integers(0, J, n)
    return pd.DataFrame({"group": group, "y": 1e8 * (1 + group) + rng.normal(size=n)})


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kept", [20_000, 1], ids=["in Python", "in the engine"])
def test_a_large_mean_costs_no_digits(
    engine: str, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_ROWS", kept)
    frame = far_from_zero()
    table = ENGINES[engine](frame.to_dict("list"))
    data = GroupedData.from_rows(table, group="group", outcome="y")
    # sorted: engines differ in the order of groups
    cells = data.cells.assign(group=data.groups[data.cells["group"]].to_numpy()).sort_values(
        "group"
    )
    assert_moments(cells, frame, 1e-9)
    logs = GroupedData.from_rows(table, group="group", outcome="y", family="lognormal")
    for label, cell in zip(logs.groups, logs.cells.itertuples(), strict=True):
        squares = np.log(np.longdouble(frame["y"][frame["group"] == label]))
        expected = ((squares - squares.mean()) ** 2).sum()
        assert cell.squares == pytest.approx(float(expected), rel=1e-6)


def test_rows_in_pandas_are_summed_in_parts_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = far_from_zero(n=1001).query("group != 2")  # a code that no row has
    frame["weight"] = 1.0 + np.arange(len(frame)) % 3
    whole = {name: FAMILIES[name].collapsed(frame) for name in ("normal", "normal_weighted")}
    monkeypatch.setattr(collapse, "BLOCK", 7)
    for name, cells in whole.items():
        parts = FAMILIES[name].collapsed(frame)
        pd.testing.assert_frame_equal(parts, cells, rtol=1e-13)
        assert parts["group"].tolist() == [0, 1, 3, 4]
    assert_moments(FAMILIES["normal"].collapsed(frame), frame, digits=1e-9)


def test_a_sum_of_squares_would_lose_them() -> None:
    """The data above are hard: the textbook shortcut has no correct digit."""
    frame = far_from_zero()
    y = frame["y"][frame["group"] == 0]
    shortcut = (y**2).sum() - y.sum() ** 2 / len(y)
    squares = float(exact(frame)[0][2])
    assert abs(shortcut / squares - 1) > 0.1


ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.floats(-1e6, 1e6, allow_subnormal=False)),
    min_size=1,
    max_size=40,
)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(ROWS, st.sampled_from([0.0, 1e8, -1e12]))
@example([(0, 0.1), (0, 0.1), (0, 0.1)], 0.0)
def test_moments_are_those_of_exact_arithmetic(rows: list[tuple[int, float]], far: float) -> None:
    frame = pd.DataFrame(rows, columns=["group", "y"]).assign(y=lambda f: f["y"] + far)
    cells = FAMILIES["normal"].collapsed(frame)
    moments = exact(frame)
    assert cells["group"].tolist() == sorted(moments)
    for cell in cells.itertuples():
        count, mean, squares = moments[cell.group]
        largest = frame["y"].abs().max()
        assert cell.count == count
        assert cell.y == pytest.approx(float(mean), rel=1e-15, abs=1e-15 * largest)
        assert cell.squares == pytest.approx(
            float(squares), rel=1e-14 * len(frame), abs=len(frame) * (1e-15 * largest) ** 2
        )
        assert cell.squares >= 0


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.floats(1e-100, 1e100)), min_size=1, max_size=30),
)
def test_amounts_are_those_of_exact_arithmetic(rows: list[tuple[int, float]]) -> None:
    frame = pd.DataFrame(rows, columns=["group", "y"])
    gamma = FAMILIES["gamma"].collapsed(frame)
    lognormal = FAMILIES["lognormal"].collapsed(frame)
    for group, y in frame.groupby("group")["y"]:
        logs = [math.log(value) for value in y]
        mean_log = float(sum(map(Fraction, logs), Fraction()) / len(logs))
        squares = float(sum((Fraction(v) - Fraction(mean_log)) ** 2 for v in logs))
        row = gamma[gamma["group"] == group].iloc[0]
        assert row["y"] == pytest.approx(float(sum(map(Fraction, y)) / len(y)), rel=1e-14)
        assert row["mean_log"] == pytest.approx(mean_log, rel=1e-13, abs=1e-12)
        row = lognormal[lognormal["group"] == group].iloc[0]
        assert math.log(row["y"]) == pytest.approx(mean_log, rel=1e-13, abs=1e-12)
        assert row["squares"] == pytest.approx(squares, rel=1e-10, abs=1e-22)


def test_equal_rows_have_no_squares() -> None:
    frame = pd.DataFrame({"group": 0, "y": [0.1] * 1000})
    assert FAMILIES["normal"].collapsed(frame).iloc[0].tolist() == [0, 0.1, 1000, 0]


@pytest.mark.parametrize("family", ["normal", "lognormal", "gamma", "poisson", "bernoulli"])
def test_single_rows_collapse_to_the_same_cells(family: str) -> None:
    frame = pd.DataFrame({"group": [1, 0, 1, 1], "y": [1, 1, 1, 1]})
    rows = FAMILIES[family].single(frame)
    pd.testing.assert_frame_equal(
        FAMILIES[family].collapsed(rows), FAMILIES[family].collapsed(frame)
    )
    assert rows.columns.tolist() == FAMILIES[family].collapsed(frame).columns.tolist()
    assert rows.dtypes.tolist() == FAMILIES[family].collapsed(frame).dtypes.tolist()


@pytest.mark.parametrize("engine", ["polars lazy", "duckdb", "dask", "ibis"])
def test_lazy_engines_stay_lazy(engine: str) -> None:
    frame = adopted(ENGINES[engine]({"group": ["a", "b"], "y": [1.0, 2.0]}))
    for family in ("normal", "poisson", "neg_binomial", "gamma"):
        assert isinstance(FAMILIES[family].collapse(frame), nw.LazyFrame)


@pytest.mark.parametrize("engine", ["pandas", "polars", "duckdb"])
def test_a_rough_mean_is_corrected(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sums of a hundred million rows may be off; the second pass mends mean and squares."""

    def off_by_a_quarter(means: Any, rows: Any) -> Any:
        return means.with_columns(nw.selectors.by_dtype(nw.Float64) + 0.25)

    monkeypatch.setattr(collapse, "settled", off_by_a_quarter)
    monkeypatch.setattr(intake, "MAX_ROWS", 1)
    frame = far_from_zero(300, 2)
    table = ENGINES[engine](frame.to_dict("list"))
    data = GroupedData.from_rows(table, group="group", outcome="y")
    cells = data.cells.assign(group=data.groups[data.cells["group"]].to_numpy()).sort_values(
        "group"
    )
    assert_moments(cells, frame, 1e-9)
    amounts = GroupedData.from_rows(table, group="group", outcome="y", family="gamma").to_frame()
    for label, y in frame.groupby("group")["y"]:
        assert amounts.loc[label, "mean"] == pytest.approx(y.mean(), rel=1e-14)
        assert amounts.loc[label, "mean_log"] == pytest.approx(np.log(y).mean(), rel=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int32", "category", "str"])
def test_dask_in_many_partitions(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dd = require("dask.dataframe")
    monkeypatch.setattr(intake, "MAX_ROWS", 1)
    frame = far_from_zero(600)
    table = dd.from_pandas(frame.astype({"group": dtype}), npartitions=30)
    data = GroupedData.from_rows(table, group="group", outcome="y")
    assert data.groups.tolist() == ([*"01234"] if dtype == "str" else [0, 1, 2, 3, 4])
    assert_moments(data.cells, frame, 1e-9)


def test_dask_with_its_distributed_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = require("distributed")
    monkeypatch.setattr(intake, "MAX_ROWS", 1)
    frame = far_from_zero()
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        table = ENGINES["dask"](frame.to_dict("list"))
        data = GroupedData.from_rows(table, group="group", outcome="y")
    assert_moments(data.cells, frame, 1e-9)


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """A local Spark session, where PySpark and Java are there."""
    sql = pytest.importorskip("pyspark.sql")
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        pytest.skip("PySpark needs Java")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PySpark 4 has doubts about pandas 3
        builder = sql.SparkSession.builder.master("local[1]").appName("hierstan")
        for option, value in {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.shuffle.partitions": "2",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
        }.items():
            builder = builder.config(option, value)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("kept", [20_000, 1], ids=["in Python", "in Spark"])
def test_pyspark(spark: Any, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_ROWS", kept)
    frame = far_from_zero(300, 3).assign(k=lambda f: f["group"] + 1)
    table = spark.createDataFrame(
        list(frame.itertuples(index=False, name=None)), list(frame.columns)
    )
    data = GroupedData.from_rows(table, group="group", outcome="y")
    assert data.groups.tolist() == [0, 1, 2]
    assert_moments(data.cells, frame, 1e-9)
    counts = GroupedData.from_rows(table, group="group", outcome="k", family="poisson")
    sizes = frame["group"].value_counts().sort_index()
    assert counts.cells["y"].tolist() == [size * (g + 1) for g, size in sizes.items()]
    bad = spark.createDataFrame([("a", 1.0), ("b", float("nan"))], ["g", "y"])
    with pytest.raises(ValueError, match="1 of 2 rows breaks this: a row of group 'b': nan."):
        GroupedData.from_rows(bad, group="g", outcome="y")
