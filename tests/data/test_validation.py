"""Bad input: each error names the column, the rule, the rows with their values, and the cure."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dataframe_engines import ENGINES, UNORDERED, Columns, require

from hierstan import DataError, GroupedData, HierstanError

NAN, INF = float("nan"), float("inf")


def estimates(frame: Any) -> GroupedData:
    return GroupedData.from_estimates(frame, group="g", estimate="y", se="s")


def counts(frame: Any) -> GroupedData:
    return GroupedData.from_counts(frame, group="g", successes="won", trials="tried")


def events(frame: Any) -> GroupedData:
    return GroupedData.from_events(frame, group="g", events="n", exposure="hours")


def rows(frame: Any, family: str = "normal") -> GroupedData:
    return GroupedData.from_rows(frame, group="g", outcome="y", family=family)


def of(family: str) -> Any:
    return lambda frame: rows(frame, family)


def est(y: Any = (1.0, 2.0, 3.0), s: Any = (1.0, 1.0, 1.0), g: Any = ("a", "b", "c")) -> Columns:
    return {"g": list(g), "y": list(y), "s": list(s)}


def cnt(won: Any = (1, 2, 3), tried: Any = (5, 5, 5)) -> Columns:
    return {"g": ["a", "b", "c"], "won": list(won), "tried": list(tried)}


def evt(n: Any = (1, 2, 3), hours: Any = (1.0, 1.0, 1.0)) -> Columns:
    return {"g": ["a", "b", "c"], "n": list(n), "hours": list(hours)}


def row(*y: Any) -> Columns:
    return {"g": ["a", "b", "c"], "y": list(y)}


def refused(build: Any, frame: Any) -> str:
    with pytest.raises(DataError) as caught:
        build(frame)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, HierstanError)
    return str(caught.value)


MOST = "must be at most 2,147,483,647, Stan's largest integer"
WITHIN = "must lie within ±1e+145, so that its square stays finite"
ABOVE = "must be at least 1e-145, so that its square does not vanish"
CORRECT = "Correct or drop those rows."
THOUSANDS = "Count in thousands, or use a normal family."
WHOLE = "Counts are 0, 1, 2, ...: correct those rows, or choose a family for amounts."
LARGER = "Correct those rows, or express the column in a larger unit."
SMALLER = "Correct those rows, or express the column in a smaller unit."
CERTAIN = "A standard error of 0 would mean certainty: correct or drop those rows."
OTHER = "Choose a family that has such values, such as family='normal', or correct them."
NO_TRIALS = "A row without trials says nothing about its group: drop the row."
RECODE = "Recode those rows; successes in several trials go to GroupedData.from_counts."

# how, columns, column and rule, offending (group, value as shown), cure
CASES: dict[str, tuple[Any, Columns, str, list[tuple[str, str]], str]] = {
    "minus infinity": (
        estimates,
        est([1.0, -INF, 3.0]),
        "Column 'y' (estimate) must be finite",
        [("b", "-inf")],
        CORRECT,
    ),
    "infinite se": (
        estimates,
        est(s=[1.0, 1.0, INF]),
        "Column 's' (se) must be finite",
        [("c", "inf")],
        CORRECT,
    ),
    "zero and negative se": (
        estimates,
        est(s=[0.0, 1.0, -2.0]),
        "Column 's' (se) must be greater than 0",
        [("a", "0.0"), ("c", "-2.0")],
        CERTAIN,
    ),
    "whole-number se of zero": (
        estimates,
        est(s=[1, 0, 2]),
        "Column 's' (se) must be greater than 0",
        [("b", "0")],
        CERTAIN,
    ),
    "estimate whose square overflows": (
        estimates,
        est([1.0, 2.0, -1e200]),
        f"Column 'y' (estimate) {WITHIN}",
        [("c", "-1e+200")],
        LARGER,
    ),
    "se whose square overflows": (
        estimates,
        est(s=[1e146, 1.0, 1.0]),
        f"Column 's' (se) {WITHIN}",
        [("a", "1e+146")],
        LARGER,
    ),
    "se whose square vanishes": (
        estimates,
        est(s=[1.0, 1e-200, 1.0]),
        f"Column 's' (se) {ABOVE}",
        [("b", "1e-200")],
        SMALLER,
    ),
    "fractional successes": (
        counts,
        cnt([1.0, 2.5, 3.0]),
        "Column 'won' (successes) must hold whole numbers",
        [("b", "2.5")],
        WHOLE,
    ),
    "negative successes": (
        counts,
        cnt([1, 2, -3]),
        "Column 'won' (successes) must not be negative",
        [("c", "-3")],
        CORRECT,
    ),
    "fractional trials": (
        counts,
        cnt(tried=[5.0, 5.5, 5.0]),
        "Column 'tried' (trials) must hold whole numbers",
        [("b", "5.5")],
        WHOLE,
    ),
    "infinite trials": (
        counts,
        cnt(tried=[5.0, INF, 5.0]),
        "Column 'tried' (trials) must be finite",
        [("b", "inf")],
        CORRECT,
    ),
    "no trials": (
        counts,
        cnt([0, 2, 3], [0, 5, 5]),
        "Column 'tried' (trials) must be at least 1",
        [("a", "0")],
        NO_TRIALS,
    ),
    "trials beyond 32 bits": (
        counts,
        cnt(tried=[5, 2**31, 5]),
        f"Column 'tried' (trials) {MOST}",
        [("b", "2147483648")],
        THOUSANDS,
    ),
    "negative events": (
        events,
        evt([1, -2, 3]),
        "Column 'n' (events) must not be negative",
        [("b", "-2")],
        CORRECT,
    ),
    "events beyond 32 bits": (
        events,
        evt([1, 2, 2**40]),
        f"Column 'n' (events) {MOST}",
        [("c", "1099511627776")],
        THOUSANDS,
    ),
    "events far beyond 64 bits": (
        events,
        evt([1.0, 2.0, 1e300]),
        f"Column 'n' (events) {MOST}",
        [("c", "1e+300")],
        THOUSANDS,
    ),
    "no exposure": (
        events,
        evt(hours=[1.0, 0.0, -1.0]),
        "Column 'hours' (exposure) must be greater than 0",
        [("b", "0.0"), ("c", "-1.0")],
        CORRECT,
    ),
    "infinite exposure": (
        events,
        evt(hours=[1.0, INF, 1.0]),
        "Column 'hours' (exposure) must be finite",
        [("b", "inf")],
        CORRECT,
    ),
    "normal infinity": (
        of("normal"),
        row(1.0, INF, 2.0),
        "Column 'y' (outcome) must be finite",
        [("b", "inf")],
        CORRECT,
    ),
    "student_t too large": (
        of("student_t"),
        row(1.0, 1e300, 2.0),
        f"Column 'y' (outcome) {WITHIN}",
        [("b", "1e+300")],
        LARGER,
    ),
    "bernoulli two": (
        of("bernoulli"),
        row(0, 1, 2),
        "Column 'y' (outcome) must be 0 or 1 (or true/false)",
        [("c", "2")],
        RECODE,
    ),
    "bernoulli half": (
        of("bernoulli"),
        row(0.5, 1.0, -1.0),
        "Column 'y' (outcome) must be 0 or 1 (or true/false)",
        [("a", "0.5"), ("c", "-1.0")],
        RECODE,
    ),
    "lognormal zero": (
        of("lognormal"),
        row(0.0, 1.0, 2.0),
        "Column 'y' (outcome) must be greater than 0",
        [("a", "0.0")],
        OTHER,
    ),
    "gamma negative": (
        of("gamma"),
        row(3, -1, 2),
        "Column 'y' (outcome) must be greater than 0",
        [("b", "-1")],
        OTHER,
    ),
    "poisson fraction": (
        of("poisson"),
        row(1.0, 1.5, 2.0),
        "Column 'y' (outcome) must hold whole numbers",
        [("b", "1.5")],
        WHOLE,
    ),
    "poisson negative": (
        of("poisson"),
        row(1, -1, 2),
        "Column 'y' (outcome) must not be negative",
        [("b", "-1")],
        CORRECT,
    ),
    "neg_binomial negative fraction": (
        of("neg_binomial"),
        row(1.0, -0.5, 2.0),
        "Column 'y' (outcome) must hold whole numbers",
        [("b", "-0.5")],
        WHOLE,
    ),
    "neg_binomial infinity": (
        of("neg_binomial"),
        row(1.0, -INF, 2.0),
        "Column 'y' (outcome) must be finite",
        [("b", "-inf")],
        CORRECT,
    ),
}


def places(engine: str, offenders: list[tuple[str, str]]) -> str:
    """Say how an engine's error should point at rows: by number, or by group."""
    by_group = engine in UNORDERED
    return ", ".join(
        f"a row of group '{label}': {value}" if by_group else f"row {'abc'.index(label)}: {value}"
        for label, value in offenders
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
def test_values_that_break_a_rule(case: str, engine: str) -> None:
    build, columns, rule, offenders, cure = CASES[case]
    verb = "breaks" if len(offenders) == 1 else "break"
    told = f"{len(offenders)} of 3 rows {verb} this: {places(engine, offenders)}"
    assert refused(build, ENGINES[engine](columns)) == f"{rule}; {told}. {cure}"


@pytest.mark.parametrize("engine", ENGINES)
def test_successes_above_trials_show_both(engine: str) -> None:
    message = refused(counts, ENGINES[engine](cnt([1, 6, 3])))
    assert message == (
        "Column 'won' (successes) must not exceed the trials; 1 of 3 rows breaks this: "
        f"{places(engine, [('b', 'won 6 and tried 5')])}. Correct those rows. Were successes= and "
        "trials= swapped?"
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("missing", [NAN, None], ids=["NaN", "null"])
def test_missing_values(engine: str, missing: float | None) -> None:
    message = refused(estimates, ENGINES[engine](est([1.0, missing, 3.0])))
    assert message.startswith(
        "Column 'y' (estimate) must not have missing values; 1 of 3 rows breaks this: "
        + places(engine, [("b", "")])
    )
    told = "with frame.dropna(subset=['y'])," if engine in ("pandas", "dask") else "with a filter,"
    assert message.endswith(f"Drop those rows, {told} or fill them in.")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "labels", [["a", None, "c"], [1.0, NAN, 2.0], [1.5, None, 2.5]], ids=["text", "NaN", "null"]
)
def test_missing_group_labels(engine: str, labels: list[Any]) -> None:
    message = refused(estimates, ENGINES[engine](est(g=labels)))
    where = "a row: " if engine in UNORDERED else "row 1: "
    assert message.startswith(
        f"Column 'g' (group) must not have missing values; 1 of 3 rows breaks this: {where}"
    )


@pytest.mark.parametrize(
    "values",
    [
        pd.array([1, pd.NA, 3], dtype="Int64"),
        pd.array([1.0, None, 3.0], dtype="Float64"),
        pd.array([0.0, 0.0, 3.0], dtype="Float64") / pd.array([1.0, 0.0, 3.0], dtype="Float64"),
        [1, None, Decimal(2)],
        [1, pd.NA, 2],
        [pd.Timestamp("2020"), pd.NaT, pd.Timestamp("2021")],
        ["1", None, "3"],
        [True, None, False],
    ],
    ids=["Int64", "Float64", "NaN in Float64", "None", "NA", "NaT", "text", "boolean"],
)
def test_every_kind_of_missing_value_in_pandas(values: Any) -> None:
    message = refused(rows, pd.DataFrame({"g": list("abc"), "y": values}))
    rule = "Column 'y' (outcome) must not have missing values; 1 of 3 rows breaks this: row 1: "
    assert message.startswith(rule)


@pytest.mark.parametrize("label", [None, NAN, pd.NA, pd.NaT], ids=repr)
def test_every_kind_of_missing_label_in_pandas(label: Any) -> None:
    frame = pd.DataFrame({"g": pd.Series(["a", label, 3], dtype=object), "y": [1.0, 2.0, 3.0]})
    assert "(group) must not have missing values; 1 of 3 rows" in refused(rows, frame)
    categories = pd.DataFrame({"g": pd.Categorical(["a", None, "c"]), "y": [1.0, 2.0, 3.0]})
    assert "(group) must not have missing values; 1 of 3 rows" in refused(rows, categories)


@pytest.mark.parametrize("engine", ENGINES)
def test_text_is_not_taken_for_numbers(engine: str) -> None:
    message = refused(rows, ENGINES[engine](row("12", "7", "x")))
    shown = places(engine, [("a", "'12'"), ("b", "'7'"), ("c", "'x'")])
    recipe = "a cast to 64-bit floats"
    if engine in ("pandas", "dask"):
        recipe = "frame['y'].astype(float)"
    assert message == (
        f"Column 'y' (outcome) must hold numbers, not text: {shown}. Convert it with {recipe}."
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("build", "columns", "column"),
    [
        (rows, row(True, False, True), "'y' (outcome)"),
        (estimates, est(s=[True, True, True]), "'s' (se)"),
        (counts, cnt([True, False, True]), "'won' (successes)"),
        (of("poisson"), row(True, False, True), "'y' (outcome)"),
    ],
)
def test_booleans_are_not_taken_for_numbers(
    engine: str, build: Any, columns: Columns, column: str
) -> None:
    message = refused(build, ENGINES[engine](columns))
    assert message.startswith(f"Column {column} must hold numbers, not true/false values: ")
    assert message.endswith(
        "Yes/no outcomes, one per row, go to from_rows with family='bernoulli'."
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_text_is_not_taken_for_yes_and_no(engine: str) -> None:
    message = refused(of("bernoulli"), ENGINES[engine](row("yes", "no", "yes")))
    assert "must hold 0 and 1 (or true/false), not text: " in message
    assert message.endswith("Recode it.")


@pytest.mark.parametrize("engine", ENGINES)
def test_dates_are_not_numbers(engine: str) -> None:
    stamps = list(pd.to_datetime(["2020-01-01"] * 3).to_pydatetime())
    message = refused(rows, ENGINES[engine](row(*stamps)))
    assert message.startswith("Column 'y' (outcome) must hold numbers, not datetime values: ")
    assert message.endswith("Give a column of plain numbers.")


@pytest.mark.parametrize("engine", ["polars", "polars lazy", "pyarrow", "duckdb", "ibis"])
def test_decimals_are_to_be_converted(engine: str) -> None:
    message = refused(rows, ENGINES[engine](row(Decimal("1.5"), Decimal("2.5"), Decimal("3.5"))))
    assert "must hold numbers, not decimals: " in message
    assert message.endswith("Convert it with a cast to 64-bit floats.")


@pytest.mark.parametrize(
    "values",
    [
        [1, 2.5, 3],
        [Decimal(1), Decimal(2), Decimal(3)],
        [Fraction(1, 2), 2, 3],
        [np.float64(1), np.int8(2), 3],
    ],
    ids=["numbers", "decimals", "fractions", "numpy"],
)
def test_objects_that_are_all_numbers_are_said_to_be(values: list[Any]) -> None:
    frame = pd.DataFrame({"g": list("abc"), "y": pd.Series(values, dtype=object)})
    message = refused(rows, frame)
    assert message.startswith("Column 'y' (outcome) holds Python objects: ")
    assert message.endswith(
        "All of them are numbers, so convert the column with frame['y'].astype(float)."
    )
    assert rows(frame.assign(y=frame["y"].astype(float))).n_rows == 3


def test_objects_that_are_not_numbers_are_shown() -> None:
    frame = pd.DataFrame({"g": list("abcde"), "y": pd.Series([1, "x", True, {}, 1j], dtype=object)})
    assert refused(rows, frame) == (
        "Column 'y' (outcome) must hold numbers; 4 of 5 rows break this: row 1: 'x', row 2: True, "
        "row 3: {}, .... Correct those rows, then convert the column with frame['y'].astype(float)."
    )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (pd.arrays.SparseArray([1.0, 2.0, 3.0]), "Sparse[float64, nan] values"),
        ([1j, 2j, 3j], "complex128 values"),
        (pd.to_timedelta([1, 2, 3], unit="D"), "duration values"),
        (pd.Categorical([1, 2, 3]), "categories"),
    ],
    ids=["sparse", "complex", "timedelta", "categories"],
)
def test_other_types_are_named(values: Any, told: str) -> None:
    message = refused(rows, pd.DataFrame({"g": list("abc"), "y": values}))
    assert f"must hold numbers, not {told}: row 0: " in message


@pytest.mark.parametrize("engine", ["polars", "polars lazy", "pyarrow", "duckdb", "ibis"])
def test_lists_are_not_labels(engine: str) -> None:
    message = refused(rows, ENGINES[engine]({"g": [[1], [2], [1]], "y": [1.0, 2.0, 3.0]}))
    assert message.startswith(
        "Column 'g' (group) must hold one label per row, not lists or records"
    )


def test_polars_objects_are_refused() -> None:
    pl = require("polars")
    frame = pl.DataFrame({"g": ["a", "b"], "y": pl.Series([1, "x"], dtype=pl.Object)})
    assert "must hold numbers, not Python objects: row 0: 1, row 1: 'x'" in refused(rows, frame)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("family", ["normal", "poisson", "bernoulli", "gamma"])
def test_empty_frames(engine: str, family: str) -> None:
    pa = require("pyarrow")
    empty = pa.table({"g": pa.array([], pa.string()), "y": pa.array([], pa.int64())})
    make = {
        "pandas": lambda: pd.DataFrame({"g": [], "y": []}),
        "polars": lambda: require("polars").from_arrow(empty),
        "polars lazy": lambda: require("polars").from_arrow(empty).lazy(),
        "pyarrow": lambda: empty,
        "duckdb": lambda: require("duckdb").from_arrow(empty),
        "dask": lambda: require("dask.dataframe").from_pandas(empty.to_pandas(), npartitions=1),
        "ibis": lambda: require("ibis").memtable(empty),
    }
    message = refused(of(family), make[engine]())
    assert message == "The frame has no rows. Was everything filtered out before?"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("build", "columns"),
    [
        (estimates, est([1, 2, 3], [1, 2, 3])),
        (estimates, est([-1e145, 0.0, 1e145], [1e-145, 1.0, 1e145])),
        (counts, cnt([0, 5, 2**31 - 1], [1, 5, 2**31 - 1])),
        (counts, cnt([0.0, 5.0, 3.0], [1.0, 5.0, 4.0])),
        (events, evt([0, 0, 0], [1e-145, 1.0, 1e145])),
        (of("bernoulli"), row(True, False, True)),
        (of("bernoulli"), row(1, 0, 1)),
        (of("bernoulli"), row(1.0, 0.0, 1.0)),
        (of("poisson"), row(3.0, 0.0, 1.0)),
        (of("lognormal"), row(1e-300, 1.0, 1e145)),
        (of("gamma"), row(1, 2, 3)),
    ],
)
def test_values_at_the_edge_pass(engine: str, build: Any, columns: Columns) -> None:
    assert build(ENGINES[engine](columns)).n_rows == 3


@pytest.mark.parametrize(
    "dtype",
    ["int8", "uint8", "int32", "uint64", "float16", "float32", "Int8", "UInt64", "Float32"],
)
@pytest.mark.parametrize("family", ["normal", "poisson", "bernoulli", "gamma", "neg_binomial"])
def test_narrow_types_pass(dtype: str, family: str) -> None:
    frame = pd.DataFrame({"g": list("abc"), "y": pd.Series([1, 1, 1], dtype=dtype)})
    assert rows(frame, family).cells["y"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("dtype", ["Int8", "UInt8", "Int32", "UInt64", "Int128", "Float32"])
def test_narrow_and_wide_types_pass_in_polars(dtype: str, lazy: bool) -> None:
    pl = require("polars")
    frame = pl.DataFrame({"g": ["a", "b"], "y": [1, 1]}).cast({"y": getattr(pl, dtype)})
    for family in ("normal", "poisson", "bernoulli", "gamma", "student_t"):
        assert rows(frame.lazy() if lazy else frame, family).cells["y"].tolist() == [1, 1]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint64", "float16", "float32"])
def test_narrow_and_wide_types_pass_in_pyarrow(dtype: str) -> None:
    pa = require("pyarrow")
    table = pa.table({"g": ["a", "b"], "y": pa.array(np.ones(2, dtype))})
    for family in ("normal", "poisson", "bernoulli", "gamma", "student_t"):
        assert rows(table, family).cells["y"].tolist() == [1, 1]


@pytest.mark.parametrize("dtype", ["tinyint", "utinyint", "hugeint", "float"])
def test_narrow_and_wide_types_pass_in_duckdb(dtype: str) -> None:
    query = f"select * from (values ('a', 1::{dtype}), ('b', 1::{dtype})) as pairs (g, y)"
    for family in ("normal", "poisson", "bernoulli", "gamma", "student_t"):
        assert rows(require("duckdb").sql(query), family).cells["y"].tolist() == [1, 1]


def test_rows_are_named_by_the_label_of_their_index() -> None:
    frame = pd.DataFrame(est(s=[1.0, 0.0, 0.0]), index=["r", "s", "s"])
    assert "2 of 3 rows break this: row 's': 0.0, row 's': 0.0." in refused(estimates, frame)
    frame.index = pd.MultiIndex.from_tuples([(1, "x"), (1, "y"), (2, "x")])
    assert "row (1, 'y'): 0.0, row (2, 'x'): 0.0." in refused(estimates, frame)


def test_only_the_first_three_rows_are_shown() -> None:
    frame = pd.DataFrame({"g": range(5000), "y": 1.0, "s": -1.0})
    message = refused(estimates, frame)
    shown = "5,000 of 5,000 rows break this: row 0: -1.0, row 1: -1.0, row 2: -1.0, .... A standard"
    assert shown in message


def test_missing_values_come_before_types_before_values() -> None:
    frame = pd.DataFrame({"g": ["a", "b"], "y": [-INF, 1.0], "s": ["1", None]})
    assert refused(estimates, frame).startswith("Column 's' (se) must not have missing values")
    frame["s"] = ["1", "2"]
    assert refused(estimates, frame).startswith("Column 's' (se) must hold numbers, not text")
    frame["s"] = [1.0, 2.0]
    assert refused(estimates, frame).startswith("Column 'y' (estimate) must be finite")


def test_a_column_that_is_named_like_its_role_is_named_once() -> None:
    frame = pd.DataFrame({"group": ["a"], "estimate": [1.0], "se": [0.0]})
    with pytest.raises(DataError, match="^Column 'se' must be greater than 0; 1 of 1 rows"):
        GroupedData.from_estimates(frame, group="group", estimate="estimate", se="se")
