"""Groups by several columns, and factors that describe groups, from every dataframe engine."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dataframe_engines import ENGINES, UNORDERED

import hierstan as hs
from hierstan.data import intake

pytestmark = pytest.mark.filterwarnings("ignore:Dask support is moving:FutureWarning")
CHANNELS = {"web": "own", "shop": "own", "agent": "foreign"}


def rows() -> pd.DataFrame:
    """Forty rows for each of eight segments that occur out of nine."""
    rng = np.random.default_rng(3)
    ages = ("young", "old", "middle")
    cells = [cell for cell in itertools.product(ages, CHANNELS) if cell != ("old", "web")]
    frame = pd.DataFrame([cell for cell in cells for _ in range(40)], columns=["age", "channel"])
    frame["kind"] = frame["channel"].map(CHANNELS)
    frame["y"] = rng.poisson(4, len(frame))
    return frame.sample(frac=1, random_state=1, ignore_index=True)


def segments(frame: Any, **more: Any) -> hs.GroupedData:
    return hs.GroupedData.from_rows(
        frame, **{"group": ["age", "channel"], "outcome": "y", "factors": ["kind"], **more}
    )


@pytest.mark.parametrize("family", ["normal", "neg_binomial", "poisson", "gamma"])
@pytest.mark.parametrize("reduced", ["here", "in the engine"])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_groups_by_several_columns(
    engine: str, reduced: str, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reduced == "in the engine":
        monkeypatch.setattr(intake, "MAX_ROWS", 10)
    frame = rows().assign(y=lambda table: table["y"] + (family == "gamma"))
    data = segments(ENGINES[engine](frame.to_dict("list")), family=family)
    occurring = list(dict.fromkeys(zip(frame["age"], frame["channel"], strict=True)))
    assert data.groups.tolist() == (sorted(occurring) if engine in UNORDERED else occurring)
    assert data.groups.names == ["age", "channel"]
    means = frame.groupby(["age", "channel"])["y"].mean()
    column = "rate" if family == "poisson" else "mean"
    pd.testing.assert_series_equal(
        data.to_frame()[column].sort_index(), means.sort_index(), check_names=False
    )
    assert data.factors is not None
    assert data.factors.columns.tolist() == ["age", "channel", "kind"]
    assert data.factors.index.equals(data.groups)
    assert [tuple(row) for row in data.factors.to_numpy()] == [
        (age, channel, CHANNELS[channel]) for age, channel in data.groups
    ]


def test_stan_counts_levels_over_all_factors() -> None:
    data = segments(rows())
    entries = data.stan_data()
    assert (entries["F"], entries["L"], entries["K"]) == (3, 8, 0)
    assert entries["x"].shape == (8, 0)
    assert entries["x_new"].shape == (0,)
    assert entries["factor"].tolist() == [1, 1, 1, 2, 2, 2, 3, 3]
    assert entries["level_new"].tolist() == [0, 0, 0]
    all_levels = [level for known in data.levels.values() for level in known]
    for j, (age, channel) in enumerate(data.groups):
        named = [all_levels[code - 1] for code in entries["level"][:, j]]
        assert named == [age, channel, CHANNELS[channel]]


def test_predictors_alone_have_no_levels() -> None:
    frame = rows().assign(size=lambda table: table["age"].str.len() + (table["channel"] == "web"))
    data = hs.GroupedData.from_rows(
        frame.assign(cell=frame["age"] + frame["channel"]),
        group="cell", outcome="y", predictors=["size"],
    )  # fmt: skip
    entries = data.stan_data()
    assert (entries["K"], entries["F"], entries["L"]) == (1, 0, 0)
    assert entries["level"].shape == (0, 8)
    assert entries["factor"].shape == (0,)
    assert data.factors is None
    assert data.levels == {}


@pytest.mark.parametrize("engine", ["pandas", "polars"])
def test_declared_orders_are_kept(engine: str) -> None:
    order = ["young", "middle", "old"]
    if engine == "pandas":
        frame: Any = rows().assign(age=lambda table: pd.Categorical(table["age"], order))
    else:
        pl = pytest.importorskip("polars")
        frame = ENGINES[engine](rows().to_dict("list")).with_columns(
            pl.col("age").cast(pl.Enum(order))
        )
    data = segments(frame)
    assert data.levels["age"].tolist() == order
    assert [age for age, _ in data.groups] == sorted((a for a, _ in data.groups), key=order.index)
    stores = hs.GroupedData.from_rows(
        rows().assign(
            store=lambda table: table["age"] + table["channel"],
            age=lambda table: pd.Categorical(table["age"], order[::-1]),
        ),
        group="store", outcome="y", factors=["age"],
    )  # fmt: skip
    assert stores.levels["age"].tolist() == order[::-1]
    left = stores.without("oldshop").without("oldagent")
    assert left.levels["age"].tolist() == ["middle", "young"]
    assert left.stan_data()["L"] == 2


def test_a_column_that_tells_all_groups_apart_is_the_groups() -> None:
    frame = rows().assign(store=lambda table: table["age"] + table["channel"])
    data = hs.GroupedData.from_rows(frame, group=["age", "store"], outcome="y")
    assert data.factors is not None
    assert data.factors.columns.tolist() == ["age"]
    assert data.groups[0] == (frame["age"][0], frame["store"][0])
    single = hs.GroupedData.from_rows(frame, group=["store"], outcome="y")
    assert not isinstance(single.groups, pd.MultiIndex)
    assert single.factors is None


def test_groups_are_left_out_by_their_tuples() -> None:
    data = segments(rows())
    left = data.without(("old", "shop"))
    assert ("old", "shop") not in left.groups.tolist()
    assert len(left.groups) == 7
    assert left.factors is not None
    assert left.factors.index.equals(left.groups)
    with pytest.raises(hs.DataError, match=r"no group \('old', 'web'\)\. Did you mean"):
        data.without(("old", "web"))


def test_a_table_of_groups_merges_into_the_users_frame() -> None:
    frame = rows()
    merged = frame.merge(segments(frame).to_frame(), on=["age", "channel"])
    means = frame.groupby(["age", "channel"])["y"].transform("mean")
    assert sorted(merged["mean"]) == pytest.approx(sorted(means))


def test_labels_of_any_type() -> None:
    frame = rows()
    frame["age"] = frame["age"].map({"young": ("x", 1), "old": ("x", 2), "middle": None.__class__})
    frame["channel"] = frame["channel"].map({"web": 1, "shop": "1", "agent": 1.5})
    data = hs.GroupedData.from_rows(frame, group=["age", "channel"], outcome="y")
    assert (("x", 1), 1) in data.groups.tolist()
    assert len(data.without((("x", 1), "1")).groups) == 7


@pytest.mark.parametrize("order", [None, ["young", "old", "middle"]])
def test_groups_and_factors_survive_a_file(order: list[str] | None, tmp_path: Path) -> None:
    frame = rows()
    if order is not None:
        frame["age"] = pd.Categorical(frame["age"], order)
    data = segments(frame)
    fit = hs.NoPooling().fit(data, seed=1, engine="stanli", progress=False, draws=50)
    fit.save(tmp_path / "fit.nc")
    again = hs.load(tmp_path / "fit.nc")
    pd.testing.assert_index_equal(again.data.groups, data.groups)
    pd.testing.assert_frame_equal(again.data.factors, data.factors)
    assert again.data.columns == data.columns
    text = "young, shop"
    assert text in fit.idata["posterior"]["group"].to_numpy()
    both = (one.idata["posterior"]["theta"].sel(group=text).to_numpy() for one in (fit, again))
    np.testing.assert_array_equal(*both)
    assert text in str(fit)
    assert text in str(again)


STORES = pd.DataFrame(
    {
        "store": ["a", "b", "c", "d"], "region": ["n", "n", "s", "s"],
        "est": [1.0, 2.0, 3.0, 4.0], "se": 1.0,
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "factors", "words"),
    [
        ({"region": "n"}, ["region"], r"'n' in every group.*Leave it out"),
        ({"region": [1, 2, 3, 4]}, ["region"], r"level of its own for each of the 4 groups"),
        ({"area": list("ttuu")}, ["region", "area"], r"'area' \(factor\) splits .* 'region' does"),
        ({"region": ["n", None, "s", "s"]}, ["region"], "must not have missing values"),
        ({"region": [[1], [1], [2], [2]]}, ["region"], "can be hashed"),
        ({}, "region", r"factors= takes a list of columns, such as \['region'\]"),
        ({}, ["store"], "'store' is given twice, as group= and as factors="),
        ({}, ["regoin"], "'regoin', given as factors=. Did you mean 'region'"),
        ({1: list("ttut"), "1": list("tuuu")}, [1, "1"], "Two factors are called 1"),
        ({"level": list("ttut")}, ["level"], "A factor cannot be called level"),
        ({"m/f": list("ttut")}, ["m/f"], "must be without '/', got 'm/f'"),
        (
            {"region": pd.Categorical(list("nnss"), list("nsw"))}, ["region"],
            (r"declares 1 of 3 categories that no row has: 'w'\. Remove them with "
            r"frame\['region'\]\.cat\.remove_unused_categories"),
        ),
    ],
)  # fmt: skip
def test_factors_that_cannot_be_used(change: dict[Any, Any], factors: Any, words: str) -> None:
    with pytest.raises(hs.DataError, match=words):
        hs.GroupedData.from_estimates(
            STORES.assign(**{"est": STORES["est"]}).join(pd.DataFrame(change, index=STORES.index))
            if "region" not in change
            else STORES.assign(**change),
            group="store", estimate="est", se="se", factors=factors,
        )  # fmt: skip


@pytest.mark.parametrize("engine", ["pandas", "polars", "duckdb"])
@pytest.mark.parametrize("limit", [1, 20_000])
def test_a_factor_that_varies_within_a_group(
    engine: str, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_ROWS", limit)
    frame = ENGINES[engine](rows().to_dict("list"))
    words = r"'channel' \(factor\) must be the same .*; 3 of 3 groups .*with group=\['age', 'chan"
    with pytest.raises(hs.DataError, match=words):
        hs.GroupedData.from_rows(frame, group="age", outcome="y", factors=["channel"])


def test_columns_that_cannot_be_groups() -> None:
    frame = rows().assign(all="x")
    for group, words in (
        ([], "the list is empty"),
        (["age", "all"], r"'all' \(group\) is 'x' in every row.*Leave it out of group="),
        (["age", "nope"], "no column 'nope', given as group="),
        (["age", "age"], "'age' is given twice"),
    ):
        with pytest.raises(hs.DataError, match=words):
            hs.GroupedData.from_rows(frame, group=group, outcome="y")
    doubled = frame.drop_duplicates(["age", "channel"]).assign(se=1.0)
    with pytest.raises(hs.DataError, match=r"Columns 'age', 'channel' \(group\) must name each"):
        hs.GroupedData.from_estimates(
            pd.concat([doubled, doubled]), group=["age", "channel"], estimate="y", se="se"
        )
