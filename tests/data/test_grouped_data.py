"""GroupedData: what each constructor makes of a small table, and what it gives back."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hierstan import DataError, GroupedData

SCHOOLS = pd.DataFrame({"school": list("BAC"), "effect": [28.0, 8.0, -3.0], "se": [15, 10, 16]})
ROWS = {"g": ["b", "a", "b", "a", "b"], "y": [1, 0, 3, 2, 3]}


def rows(family: str, y: list[Any] | None = None) -> GroupedData:
    frame = pd.DataFrame({"g": ROWS["g"], "y": ROWS["y"] if y is None else y})
    return GroupedData.from_rows(frame, group="g", outcome="y", family=family)


def cells(data: GroupedData) -> dict[str, list[float]]:
    return data.cells.to_dict("list")


def single_rows(data: GroupedData) -> dict[str, list[float]]:
    assert data.rows is not None
    return data.rows.to_dict("list")


def test_estimates_are_their_own_cells() -> None:
    data = GroupedData.from_estimates(SCHOOLS, group="school", estimate="effect", se="se")
    assert data.family == "normal_known"
    assert data.groups.tolist() == ["B", "A", "C"]
    assert data.groups.name == "group"
    assert cells(data) == {"group": [0, 1, 2], "y": [28.0, 8.0, -3.0], "se": [15.0, 10.0, 16.0]}
    assert data.rows is data.cells
    assert data.n_rows == 3
    assert data.columns == {"group": "school", "estimate": "effect", "se": "se"}
    assert data.predictors is None


def test_counts_keep_every_row_of_a_group() -> None:
    frame = pd.DataFrame({"page": ["x", "y", "x"], "sold": [1, 2.0, 3], "seen": [4, 5, 6]})
    data = GroupedData.from_counts(frame, group="page", successes="sold", trials="seen")
    assert data.family == "binomial"
    assert cells(data) == {"group": [0, 1, 0], "y": [1, 2, 3], "trials": [4, 5, 6]}
    assert data.cells.dtypes.tolist() == [np.int64] * 3
    assert data.rows is data.cells
    assert data.columns == {"group": "page", "successes": "sold", "trials": "seen"}


@pytest.mark.parametrize(("exposure", "expected"), [(None, [1.0, 1.0]), ("h", [94.3, 15.7])])
def test_events_have_exposure_one_unless_given(exposure: str | None, expected: list[float]) -> None:
    frame = pd.DataFrame({"pump": [1, 2], "n": [5, 1], "h": [94.3, 15.7]})
    data = GroupedData.from_events(frame, group="pump", events="n", exposure=exposure)
    assert data.family == "poisson"
    assert cells(data) == {"group": [0, 1], "y": [5, 1], "exposure": expected}
    assert ("exposure" in data.columns) == (exposure is not None)


def test_normal_rows_collapse_to_mean_count_and_squares() -> None:
    data = rows("normal", [1.0, 0.0, 3.0, 4.0, 5.0])
    assert cells(data) == {
        "group": [0, 1],
        "y": [3.0, 2.0],
        "count": [3.0, 2.0],
        "squares": [8.0, 8.0],
    }
    assert single_rows(data) == {
        "group": [0, 1, 0, 1, 0],
        "y": [1.0, 0.0, 3.0, 4.0, 5.0],
        "count": [1.0] * 5,
        "squares": [0.0] * 5,
    }
    assert data.n_rows == 5


def test_student_t_rows_do_not_collapse() -> None:
    data = rows("student_t")
    assert cells(data) == {"group": [0, 1, 0, 1, 0], "y": [1.0, 0.0, 3.0, 2.0, 3.0]}
    assert data.rows is data.cells


@pytest.mark.parametrize(
    "y", [[1, 0, 1, 0, 0], [True, False, True, False, False], [1.0, 0, 1, 0, 0]]
)
def test_bernoulli_rows_collapse_to_successes_in_trials(y: list[Any]) -> None:
    data = rows("bernoulli", y)
    assert cells(data) == {"group": [0, 1], "y": [2, 0], "trials": [3, 2]}
    assert single_rows(data) == {"group": [0, 1, 0, 1, 0], "y": [1, 0, 1, 0, 0], "trials": [1] * 5}


def test_poisson_rows_collapse_to_events_over_rows() -> None:
    data = rows("poisson")
    assert cells(data) == {"group": [0, 1], "y": [7, 2], "exposure": [3.0, 2.0]}
    assert single_rows(data)["exposure"] == [1.0] * 5


def test_neg_binomial_rows_collapse_to_unique_values_with_weights() -> None:
    data = rows("neg_binomial")
    assert cells(data) == {
        "group": [0, 0, 1, 1],
        "y": [1, 3, 0, 2],
        "weight": [1.0, 2.0, 1.0, 1.0],
        "exposure": [1.0] * 4,
    }
    assert single_rows(data) == {
        "group": [0, 1, 0, 1, 0],
        "y": [1, 0, 3, 2, 3],
        "weight": [1.0] * 5,
        "exposure": [1.0] * 5,
    }


def test_lognormal_rows_collapse_on_the_log_scale() -> None:
    y = [1.0, 2.0, 10.0, 8.0, 100.0]
    data = rows("lognormal", y)
    assert data.cells["y"].tolist() == pytest.approx([10.0, 4.0], rel=1e-14)
    assert data.cells["count"].tolist() == [3.0, 2.0]
    squares = [2 * np.log(10) ** 2, 2 * np.log(2) ** 2]
    assert data.cells["squares"].tolist() == pytest.approx(squares, rel=1e-14)
    assert single_rows(data)["y"] == y
    assert single_rows(data)["squares"] == [0.0] * 5


def test_gamma_rows_collapse_to_mean_and_mean_log() -> None:
    y = [1.0, 2.0, 10.0, 8.0, 100.0]
    data = rows("gamma", y)
    assert data.cells["y"].tolist() == pytest.approx([37.0, 5.0], rel=1e-14)
    mean_log = [np.log(10), np.log(4)]
    assert data.cells["mean_log"].tolist() == pytest.approx(mean_log, rel=1e-14)
    assert data.cells["count"].tolist() == [3.0, 2.0]
    assert single_rows(data)["mean_log"] == np.log(y).tolist()


@pytest.mark.parametrize("family", ["Normal", "binomial", "", None, ["normal"]])
def test_an_unknown_family_lists_the_valid_ones(family: Any) -> None:
    with pytest.raises(
        DataError,
        match="Valid families of rows: bernoulli, gamma, lognormal, neg_binomial, normal, "
        "normal_unequal, poisson, student_t, zero_inflated_neg_binomial, zero_inflated_poisson.",
    ):
        rows(family)


def test_a_near_miss_of_a_family_is_named() -> None:
    with pytest.raises(DataError, match=r"family= got 'possion'. Did you mean 'poisson'\?"):
        rows("possion")


def test_stan_data_has_one_based_groups_and_stan_types() -> None:
    data = rows("poisson").stan_data()
    assert {name: getattr(value, "dtype", type(value)) for name, value in data.items()} == {
        "J": int,
        "N": int,
        "group": np.int32,
        "y": np.int32,
        "exposure": np.float64,
    }
    assert (data["J"], data["N"]) == (2, 2)
    assert data["group"].tolist() == [1, 2]
    assert data["y"].tolist() == [7, 2]
    every = rows("poisson").stan_data(rows=True)
    assert (every["J"], every["N"]) == (2, 5)
    assert every["group"].tolist() == [1, 2, 1, 2, 1]
    assert every["y"].tolist() == ROWS["y"]


def test_stan_data_is_a_copy() -> None:
    data = rows("normal")
    data.stan_data()["y"][:] = 99
    assert data.stan_data()["y"].tolist() == [pytest.approx(7 / 3), 1.0]


def test_the_users_frame_is_left_alone() -> None:
    frame = pd.DataFrame({"g": ["b", "a", "b"], "y": [1, 2, 3], "other": [{}, [], None]})
    frame.index = pd.Index(["r", "r", "s"])
    before = frame.copy(deep=True)
    data = GroupedData.from_rows(frame, group="g", outcome="y")
    data.cells.loc[:, "y"] = 99.0
    pd.testing.assert_frame_equal(frame, before)
    estimates = GroupedData.from_rows(frame, group="g", outcome="y", family="student_t")
    estimates.cells.loc[:, "y"] = 99.0
    pd.testing.assert_frame_equal(frame, before)


def test_one_group_is_allowed_here() -> None:
    data = GroupedData.from_estimates(SCHOOLS[:1], group="school", estimate="effect", se="se")
    assert data.groups.tolist() == ["B"]


def test_everything_after_the_frame_is_keyword_only() -> None:
    with pytest.raises(TypeError, match="positional"):
        GroupedData.from_rows(SCHOOLS, "school", "effect")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            GroupedData.from_estimates(SCHOOLS, group="school", estimate="effect", se="se"),
            {"n": [1, 1, 1], "estimate": [28.0, 8.0, -3.0], "se": [15.0, 10.0, 16.0]},
        ),
        (
            rows("normal", [1.0, 0.0, 3.0, 4.0, 5.0]),
            {"n": [3, 2], "mean": [3.0, 2.0], "sd": [2.0, 8.0**0.5]},
        ),
        (
            rows("student_t", [1.0, 0.0, 3.0, 4.0, 5.0]),
            {"n": [3, 2], "mean": [3.0, 2.0], "sd": [2.0, 8.0**0.5]},
        ),
        (
            rows("bernoulli", [1, 0, 1, 0, 0]),
            {"n": [3, 2], "successes": [2, 0], "trials": [3, 2], "rate": [2 / 3, 0.0]},
        ),
        (
            rows("poisson"),
            {"n": [3, 2], "events": [7, 2], "exposure": [3.0, 2.0], "rate": [7 / 3, 1.0]},
        ),
        (rows("neg_binomial"), {"n": [3, 2], "mean": [7 / 3, 1.0], "sd": [(4 / 3) ** 0.5, 2**0.5]}),
        (
            rows("lognormal", [1.0, 2.0, 10.0, 8.0, 100.0]),
            {
                "n": [3, 2],
                "mean_log": [np.log(10), np.log(4)],
                "sd_log": [np.log(10), 2**0.5 * np.log(2)],
            },
        ),
        (
            rows("gamma", [1.0, 2.0, 10.0, 8.0, 100.0]),
            {"n": [3, 2], "mean": [37.0, 5.0], "mean_log": [np.log(10), np.log(4)]},
        ),
    ],
    ids=lambda value: value.family if isinstance(value, GroupedData) else "",
)
def test_to_frame_has_a_line_per_group(data: GroupedData, expected: dict[str, list[float]]) -> None:
    table = data.to_frame()
    assert table.index.equals(data.groups)
    assert table.index.name == data.columns["group"]
    wanted = pd.DataFrame(expected, index=table.index)
    pd.testing.assert_frame_equal(pd.DataFrame(table), wanted, rtol=1e-14)


def test_to_frame_of_counts_adds_up_the_rows_of_a_group() -> None:
    frame = pd.DataFrame({"page": ["x", "y", "x"], "sold": [1, 2, 3], "seen": [4, 5, 6]})
    data = GroupedData.from_counts(frame, group="page", successes="sold", trials="seen")
    expected = {"n": [2, 1], "successes": [4, 2], "trials": [10, 5], "rate": [0.4, 0.4]}
    assert data.to_frame().to_dict("list") == expected


def test_the_sd_of_a_single_row_is_not_a_number() -> None:
    frame = pd.DataFrame({"g": ["a", "b", "b"], "y": [1.0, 2.0, 2.0]})
    table = GroupedData.from_rows(frame, group="g", outcome="y").to_frame()
    assert np.isnan(table.loc["a", "sd"])
    assert table.loc["b", "sd"] == 0.0


def test_it_prints_on_one_line_and_pickles() -> None:
    data = rows("normal")
    assert repr(data) == "GroupedData(normal: 2 groups, 5 rows)"
    one = GroupedData.from_estimates(SCHOOLS[:1], group="school", estimate="effect", se="se")
    assert repr(one) == "GroupedData(normal_known: 1 group, 1 row)"
    again = pickle.loads(pickle.dumps(data))
    pd.testing.assert_frame_equal(again.cells, data.cells)
    assert again.groups.equals(data.groups)


LABELS = st.one_of(
    st.text(max_size=3), st.integers(-5, 5), st.tuples(st.integers(0, 2), st.text(max_size=1))
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@pytest.mark.filterwarnings("ignore:.*differ by case or spaces alone")
@given(
    st.lists(st.tuples(LABELS, st.integers(0, 2**31 - 1), st.integers(1, 2**31 - 1)), min_size=1)
)
def test_counts_come_back_from_stan_data_as_they_went_in(table: list[tuple[Any, int, int]]) -> None:
    labels = pd.Series([label for label, _, _ in table], dtype=object)
    trials = [max(y, n) for _, y, n in table]
    frame = pd.DataFrame({"g": labels, "y": [y for _, y, _ in table], "n": trials})
    data = GroupedData.from_counts(frame, group="g", successes="y", trials="n")
    stan = data.stan_data()
    assert stan["J"] == len(set(labels))
    assert [data.groups[code - 1] for code in stan["group"]] == list(labels)
    assert list(data.groups) == list(dict.fromkeys(labels))
    assert stan["y"].tolist() == frame["y"].tolist()
    assert stan["trials"].tolist() == trials


FINITE = st.floats(-1e145, 1e145, allow_nan=False)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(FINITE, st.floats(1e-145, 1e145)), min_size=1))
def test_estimates_come_back_bit_for_bit(table: list[tuple[float, float]]) -> None:
    frame = pd.DataFrame(table, columns=["y", "se"]).assign(g=range(len(table)))
    stan = GroupedData.from_estimates(frame, group="g", estimate="y", se="se").stan_data()
    assert stan["y"].tolist() == [y for y, _ in table]
    assert stan["se"].tolist() == [se for _, se in table]
    assert stan["group"].tolist() == list(range(1, len(table) + 1))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=1, max_size=30))
def test_cells_of_counts_hold_all_of_the_rows(table: list[tuple[str, int]]) -> None:
    frame = pd.DataFrame(table, columns=["g", "y"])
    weighted = GroupedData.from_rows(frame, group="g", outcome="y", family="neg_binomial")
    unrolled = [
        (weighted.groups[cell.group], int(cell.y))
        for cell in weighted.cells.itertuples()
        for _ in range(int(cell.weight))
    ]
    assert sorted(unrolled) == sorted(table)
    summed = GroupedData.from_rows(frame, group="g", outcome="y", family="poisson")
    by_group = dict(zip(summed.groups, summed.cells["y"], strict=True))
    assert by_group == {g: sum(y for label, y in table if label == g) for g, _ in table}


@pytest.mark.parametrize(
    ("constructor", "columns", "valid"),
    [
        ("counts", {"successes": "y", "trials": "n"}, "binomial"),
        ("events", {"events": "y", "exposure": "n"}, "poisson"),
    ],
)
def test_each_constructor_lists_its_families(
    constructor: str, columns: dict[str, str], valid: str
) -> None:
    frame = pd.DataFrame({"g": ["a", "b"], "y": [1, 2], "n": [3, 4]})
    make = getattr(GroupedData, f"from_{constructor}")
    assert make(frame, group="g", **columns).family == valid
    assert make(frame, group="g", **columns, family=valid).family == valid
    with pytest.raises(DataError, match=f"Valid families of {constructor}: .*{valid}"):
        make(frame, group="g", **columns, family="gamma")


@pytest.mark.parametrize(
    ("family", "whose"),
    [("ordinal", "ratings"), ("beta_binomial", "counts"), ("normal_known", "estimates")],
)
def test_a_family_of_other_data_is_told_where_it_belongs(family: str, whose: str) -> None:
    frame = pd.DataFrame({"g": ["a", "b"], "y": [1, 2]})
    where = f"It is a family of {whose} (GroupedData.from_{whose})."
    with pytest.raises(DataError, match=re.escape(where)):
        GroupedData.from_rows(frame, group="g", outcome="y", family=family)
