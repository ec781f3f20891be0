from __future__ import annotations

import doctest

import pytest

from hierstan import datasets
from hierstan.datasets import load_dataset
from hierstan.errors import DataError

# Sums that the sources of the data print, or that were taken from them.
SUMS = {
    "aspirin": (6, {"effect": 10.83, "se": 9.85}),
    "baseball": (18, {"at_bats": 810, "hits": 215, "later_at_bats": 6970, "later_hits": 1952}),
    "bcg": (13, {"vaccinated_total": 191064, "control_total": 166283, "ablat": 435}),
    "dyes": (30, {"yield": 45825}),
    "eight_schools": (8, {"effect": 70, "se": 100}),
    "pumps": (10, {"failures": 75, "hours": 350.24}),
    "rat_tumours": (71, {"rats": 1739, "tumours": 267}),
    "school_calendars": (56, {"effect": 6.72, "variance": 1.458}),
    "store_satisfaction": (50, {}),
    "surgical": (12, {"operations": 2814, "deaths": 208}),
}


@pytest.mark.parametrize("name", SUMS)
def test_the_numbers_are_those_of_the_source(name: str) -> None:
    frame = load_dataset(name)
    rows, sums = SUMS[name]
    assert len(frame) == rows
    assert not frame.isna().any(axis=None)
    for column, total in sums.items():
        assert frame[column].sum() == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("name", sorted(set(SUMS) - {"dyes"}))
def test_the_first_column_names_the_groups(name: str) -> None:
    assert load_dataset(name).iloc[:, 0].is_unique


def test_the_arms_of_the_vaccine_trials_add_up() -> None:
    trials = load_dataset("bcg")
    for arm in ("vaccinated", "control"):
        whole = trials[f"{arm}_positive"] + trials[f"{arm}_negative"]
        assert (trials[f"{arm}_total"] == whole).all()


def test_an_unknown_name_lists_the_known_ones() -> None:
    known = ", ".join(sorted(SUMS))
    with pytest.raises(DataError, match=rf"'eight_school'.* mean 'eight_schools'\?.*: {known}\."):
        load_dataset("eight_school")


@pytest.mark.parametrize("name", ["../errors", "", "eight_schools.csv", None])
def test_only_the_names_of_data_sets_are_names(name: str) -> None:
    with pytest.raises(DataError, match="There is no data set"):
        load_dataset(name)


def test_each_call_returns_a_fresh_copy() -> None:
    pumps = load_dataset("pumps")
    pumps["hours"] = 0.0
    assert (load_dataset("pumps")["hours"] > 0).all()


def test_the_docstring_lists_every_set_with_its_columns() -> None:
    table = str(load_dataset.__doc__).partition("Parameters")[0]
    for name in set(SUMS) - {"bcg"}:  # whose columns are put together from two parts
        for word in (name, *load_dataset(name).columns):
            assert f"``{word}``" in table


def test_the_stores_are_drawn_as_the_docstring_says() -> None:
    assert doctest.testmod(datasets).failed == 0
