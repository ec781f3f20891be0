"""Leaving out groups and rows gives the data that a fresh start without them would give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from hierstan import DataError, GroupedData
from hierstan.data import intake
from hierstan.families import accepted_by

FRAME = pd.DataFrame(
    {
        "g": ["b", "a", "c", "a", "b", "a"],
        "y": [1.0, 2.0, 4.0, 8.0, 1.0, 3.0],
        "won": [1, 0, 1, 1, 0, 1],
        "tried": [2, 3, 4, 5, 6, 7],
    }
)


def from_rows(family: str, frame: pd.DataFrame = FRAME) -> GroupedData:
    outcome = "won" if family == "bernoulli" else "y"
    return GroupedData.from_rows(frame, group="g", outcome=outcome, family=family)


def assert_same(left: GroupedData, right: GroupedData) -> None:
    assert left.family == right.family
    assert left.groups.tolist() == right.groups.tolist()
    assert left.groups.name == "group"
    assert left.n_rows == right.n_rows
    assert left.columns == right.columns
    pd.testing.assert_frame_equal(left.cells, right.cells)
    pd.testing.assert_frame_equal(left.to_frame(), right.to_frame())
    if right.rows is None:
        assert left.rows is None
    else:
        pd.testing.assert_frame_equal(left.rows, right.rows)
        assert (left.rows is left.cells) == (right.rows is right.cells)


@pytest.mark.parametrize("family", accepted_by("rows"))
@pytest.mark.parametrize("label", ["a", "b", "c"])
def test_without_a_group(family: str, label: str) -> None:
    fresh = from_rows(family, FRAME[FRAME["g"] != label])
    assert_same(from_rows(family).without(label), fresh)


@pytest.mark.parametrize("family", accepted_by("rows"))
@pytest.mark.parametrize("positions", [[0], [2], [1, 3, 5], [5, 0, 0]])
def test_without_rows(family: str, positions: list[int]) -> None:
    left = FRAME.drop(index=positions)
    # the groups keep their order even where their first row goes
    left = left.assign(g=pd.Categorical(left["g"], [g for g in "bac" if g in set(left["g"])]))
    fresh = from_rows(family, left)
    assert_same(from_rows(family).without_rows(positions), fresh)


def test_without_rows_of_counts() -> None:
    data = GroupedData.from_counts(FRAME, group="g", successes="won", trials="tried")
    left = data.without_rows(np.array([2]))
    assert left.groups.tolist() == ["b", "a"]
    assert left.cells["trials"].tolist() == [2, 3, 5, 6, 7]
    assert left.cells["group"].tolist() == [0, 1, 1, 0, 1]
    assert left.rows is left.cells
    assert left.n_rows == 5


def test_without_no_rows_is_everything() -> None:
    data = from_rows("normal")
    assert data.without_rows([]).cells is data.cells


def test_without_a_group_where_single_rows_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_ROWS", 3)
    for family in ("normal", "poisson", "bernoulli", "neg_binomial", "gamma", "lognormal"):
        data = from_rows(family)
        assert data.rows is None
        left = data.without("a")
        assert left.rows is None
        assert left.n_rows == 3
        assert left.to_frame()["n"].tolist() == [2, 1]


@pytest.mark.parametrize(
    "labels", [[(1, "x"), (2, "y")], [1, "1"], pd.to_datetime(["2020-02-01", "2020-01-01"])]
)
def test_without_takes_labels_of_any_type(labels: Any) -> None:
    frame = pd.DataFrame({"g": labels, "y": [1.0, 2.0], "se": [1.0, 1.0]})
    data = GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    assert data.without(labels[0]).groups.tolist() == [labels[1]]


def test_an_unknown_group_names_near_misses() -> None:
    with pytest.raises(
        DataError, match=r"There is no group 'A'. Did you mean 'a'\? Groups: 'b', 'a', 'c'."
    ):
        from_rows("normal").without("A")


def test_a_label_of_another_type_is_seen() -> None:
    frame = pd.DataFrame({"g": [1, 2], "y": [1.0, 2.0]})
    with pytest.raises(DataError, match=r"There is no group '1'. Did you mean 1\?"):
        GroupedData.from_rows(frame, group="g", outcome="y").without("1")
    with pytest.raises(DataError, match=r"There is no group \['1'\]"):
        GroupedData.from_rows(frame, group="g", outcome="y").without(["1"])  # type: ignore[arg-type]


def test_the_last_group_and_the_last_row_stay() -> None:
    data = from_rows("normal", FRAME[FRAME["g"] == "b"])
    with pytest.raises(DataError, match="Without group 'b' no group would be left."):
        data.without("b")
    with pytest.raises(DataError, match="Without these rows no row would be left."):
        data.without_rows([0, 1])


@pytest.mark.parametrize(
    ("positions", "told"), [([6], "6"), ([-1], "-1"), ([0.5], "0.5"), ([True], "True")]
)
def test_positions_are_whole_numbers_in_range(positions: list[Any], told: str) -> None:
    with pytest.raises(
        DataError, match=f"positions= takes whole numbers from 0 to 5, but got {told}."
    ):
        from_rows("normal").without_rows(positions)


def test_rows_that_were_not_kept_cannot_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_ROWS", 3)
    data = from_rows("normal")
    words = (
        "These 6 rows came as, or were reduced to, 3 summaries; single rows are kept up to 20,000"
    )
    with pytest.raises(DataError, match=words):
        data.without_rows([0])
    with pytest.raises(DataError, match=words):
        data.stan_data(rows=True)
