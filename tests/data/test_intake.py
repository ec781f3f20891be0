"""What comes to Python: few rows as they are, of many only the cells; and sums and repeats."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from dataframe_engines import ENGINES, UNORDERED

from hierstan import DataError, GroupedData
from hierstan.data import intake
from hierstan.families import FAMILIES, accepted_by


def rows(frame: Any, family: str = "normal") -> GroupedData:
    return GroupedData.from_rows(frame, group="g", outcome="y", family=family)


@pytest.mark.parametrize("n", [intake.MAX_ROWS, intake.MAX_ROWS + 1])
def test_up_to_twenty_thousand_rows_are_kept(n: int) -> None:
    assert intake.MAX_ROWS == 20_000
    frame = pd.DataFrame({"g": np.arange(n) % 7, "y": np.arange(n) % 2})
    for family in ("normal", "poisson", "bernoulli", "neg_binomial"):
        data = rows(frame, family)
        assert data.n_rows == n
        assert (data.rows is None) == (n > 20_000)
        assert data.to_frame()["n"].sum() == n
    uncollapsed = rows(frame, "student_t")
    assert uncollapsed.rows is uncollapsed.cells
    assert len(uncollapsed.cells) == n


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("family", accepted_by("rows"))
def test_cells_are_the_same_however_they_are_made(
    engine: str, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    y = {"bernoulli": [1, 0, 1, 1, 0, 0, 1], "normal": [1.5, -2.0, 1e6, 3.0, 0.0, 2.0, 2.5]}
    columns = {"g": list("bacabab"), "y": y.get(family, [3, 1, 2, 2, 3, 1, 5])}
    kept = rows(ENGINES[engine](columns), family)
    monkeypatch.setattr(intake, "MAX_ROWS", 3)
    reduced = rows(ENGINES[engine](columns), family)
    assert reduced.groups.equals(kept.groups)
    pd.testing.assert_frame_equal(reduced.cells, kept.cells, rtol=1e-14)
    pd.testing.assert_frame_equal(reduced.to_frame(), kept.to_frame(), rtol=1e-14)
    assert reduced.n_rows == kept.n_rows == 7
    assert kept.rows is not None
    assert (reduced.rows is None) == (family != "student_t")
    expected = list("abc") if engine in UNORDERED else list("bac")
    assert kept.groups.tolist() == expected


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "pandas"])
@pytest.mark.parametrize(
    "family", [name for name in accepted_by("rows") if FAMILIES[name].collapses]
)
def test_many_rows_stay_in_their_engine(
    engine: str, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("all rows were fetched")

    monkeypatch.setattr(intake, "fetch_rows", refuse)
    table = ENGINES[engine]({"g": list("aab"), "y": [1, 1, 1]})
    with pytest.raises(AssertionError, match="all rows were fetched"):
        rows(table, family)
    monkeypatch.setattr(intake, "MAX_ROWS", 2)
    assert rows(table, family).to_frame()["n"].tolist() == [2, 1]


@pytest.mark.parametrize("engine", ENGINES)
def test_groups_with_several_estimates_are_refused(engine: str) -> None:
    columns = {"g": ["a", "b", "a", "b", "c", "a", "a"], "y": [1.0] * 7, "s": [1.0] * 7}
    with pytest.raises(DataError) as caught:
        GroupedData.from_estimates(ENGINES[engine](columns), group="g", estimate="y", se="s")
    where = "'a' in rows 0, 2, 5 and 1 more; 'b' in rows 1, 3"
    if engine in UNORDERED:
        where = "'a' in 4 rows; 'b' in 2 rows"
    assert str(caught.value) == (
        f"Column 'g' (group) must name each group once; 2 of 3 groups break this: {where}. If each "
        "row is an observation, use GroupedData.from_rows. Several estimates of a study can be "
        "told by within= and the correlation= of their errors; else combine each group's estimates "
        "first."
    )


def test_repeats_are_named_by_the_label_of_their_row() -> None:
    frame = pd.DataFrame({"g": [1, 2, 1], "y": 1.0, "s": 1.0}, index=["r", "s", "t"])
    with pytest.raises(DataError, match="1 of 2 groups breaks this: 1 in rows 'r', 't'. If each"):
        GroupedData.from_estimates(frame, group="g", estimate="y", se="s")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kept", [20_000, 1])
def test_sums_beyond_32_bits_are_refused(
    engine: str, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_ROWS", kept)
    columns = {"g": ["a", "b", "b"], "y": [5, 2**31 - 1, 1]}
    with pytest.raises(DataError) as caught:
        rows(ENGINES[engine](columns), "poisson")
    assert str(caught.value) == (
        "Column 'y' (outcome) adds up to 2,147,483,648 in group 'b', but Stan's largest integer is "
        "2,147,483,647. Count in thousands, or use family='normal'."
    )
    columns["y"] = [5, 2**31 - 2, 1]
    assert rows(ENGINES[engine](columns), "poisson").stan_data()["y"].tolist() == [5, 2**31 - 1]


def test_sums_of_narrow_integers_do_not_wrap() -> None:
    for dtype in ("int8", "uint8", "int16", "Int8"):
        frame = pd.DataFrame({"g": "a", "y": pd.Series([100] * 1000, dtype=dtype)})
        assert rows(frame, "poisson").cells["y"].tolist() == [100_000]
        assert rows(frame, "normal").cells["y"].tolist() == [100.0]


def test_whole_numbers_stored_as_floats_stay_exact() -> None:
    frame = pd.DataFrame({"g": ["a", "a"], "y": [2.0**30, 2.0**30 - 1]})
    assert rows(frame, "poisson").cells["y"].tolist() == [2**31 - 1]
