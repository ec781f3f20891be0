"""Two arms from long tables: rows, counts, means and wide tables of the same data agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import hierstan as hs
from hierstan.families import FAMILIES, accepted_by

TRIAL: dict[str, Any] = {"group": "site", "arm": "arm", "control": "old"}


def rows(seed: int = 1, sites: int = 5) -> pd.DataFrame:
    """Patients of two arms in each site, with outcomes of every kind."""
    rng = np.random.default_rng(seed)
    parts = []
    for j in range(sites):
        for arm in ("new", "old"):
            n = int(rng.integers(4, 12))
            eta = 0.3 * rng.normal() + 0.5 * (arm == "new")
            noise, count = rng.normal(size=n), rng.poisson(np.exp(eta), n)
            own = {"site": f"s{j}", "arm": arm, "region": "NS"[j % 2], "beds": 10.0 * j}
            outcomes = {
                "amount": eta + noise,
                "cured": (eta + noise > 0).astype(int),
                "falls": count,
            }
            parts.append(pd.DataFrame({**own, **outcomes, "cost": np.exp(eta + noise)}))
    return pd.concat(parts).sample(frac=1, random_state=seed).reset_index(drop=True)


OUTCOMES = {
    "normal": "amount", "student_t": "amount", "bernoulli": "cured", "lognormal": "cost",
    "gamma": "cost",
}  # fmt: skip


@pytest.mark.parametrize(
    "family", [name for name in accepted_by("rows") if not FAMILIES[name].estimates]
)
def test_rows_of_every_family_are_those_of_each_arm_apart(family: str) -> None:
    frame = rows()
    outcome = OUTCOMES.get(family, "falls")
    data = hs.GroupedData.from_trial(frame, **TRIAL, outcome=outcome, family=family)
    assert data.family == f"{family}_treatment"
    assert data.n_rows == len(data.rows) == len(frame)
    for treated, arm in enumerate(("old", "new")):
        part = frame[frame["arm"] == arm].copy()
        part["site"] = pd.Categorical(part["site"], data.groups)
        alone = hs.GroupedData.from_rows(part, group="site", outcome=outcome, family=family)
        mine = data.cells[data.cells["treated"] == treated].drop(columns="treated")
        found = mine.sort_values("group", kind="stable").reset_index(drop=True)
        pd.testing.assert_frame_equal(
            found, alone.cells.sort_values("group", kind="stable", ignore_index=True)
        )


def test_rows_counts_and_wide_tables_agree() -> None:
    frame = rows()
    counts = frame.groupby(["site", "arm"], sort=False)["cured"].agg(["sum", "count"]).reset_index()
    wide = counts.pivot(index="site", columns="arm")
    wide.columns = [f"{what}_{arm}" for what, arm in wide.columns]
    wide = wide.loc[frame["site"].unique()].reset_index()
    by_rows = hs.GroupedData.from_trial(frame, **TRIAL, outcome="cured", family="bernoulli")
    by_counts = hs.GroupedData.from_trial(counts, **TRIAL, successes="sum", trials="count")
    by_arms = hs.GroupedData.from_arms(
        wide, group="site", events_treatment="sum_new", total_treatment="count_new",
        events_control="sum_old", total_control="count_old",
    )  # fmt: skip
    for data in (by_rows, by_arms):
        assert data.groups.tolist() == by_counts.groups.tolist()
        expected = by_counts.cells.sort_values(["group", "treated"], ignore_index=True)
        pd.testing.assert_frame_equal(data.cells, expected)
    assert by_counts.measure == by_arms.measure == "OR"
    assert by_arms.arms.tolist() == ["control", "treatment"]


def test_means_are_those_of_the_rows() -> None:
    frame = rows()
    means = frame.groupby(["site", "arm"], sort=False)["amount"].agg(["mean", "std", "count"])
    by_rows = hs.GroupedData.from_trial(frame, **TRIAL, outcome="amount")
    by_means = hs.GroupedData.from_trial(
        means.reset_index(), **TRIAL, mean="mean", sd="std", n="count"
    )
    pd.testing.assert_frame_equal(by_means.cells, by_rows.cells)
    assert (by_means.rows, by_means.n_rows) == (None, len(frame))


def test_events_have_their_exposure() -> None:
    frame = rows().assign(weeks=2.0)
    data = hs.GroupedData.from_trial(frame, **TRIAL, events="falls", exposure="weeks")
    assert data.family == "poisson_treatment"
    assert data.measure == "IRR"
    assert set(data.cells["exposure"]) == {2.0}
    plain = hs.GroupedData.from_trial(rows(), **TRIAL, events="falls", family="neg_binomial")
    assert plain.family == "neg_binomial_treatment"


def test_a_missing_arm_is_said_to_be_an_arm() -> None:
    frame = pd.DataFrame({"site": list("aabb"), "arm": ["x", None, "x", "y"], "y": 1.0})
    named = {"group": "site", "control": "x", "outcome": "y"}
    with pytest.raises(hs.DataError, match=r"Column 'arm' must not have missing values"):
        hs.GroupedData.from_trial(frame, arm="arm", **named)
    with pytest.raises(hs.DataError, match=r"'site' is given twice, as group= and as arm="):
        hs.GroupedData.from_trial(frame, arm="site", **named)


def test_other_engines_give_the_same() -> None:
    frame = rows()
    told = {**TRIAL, "outcome": "amount", "factors": ["region"], "predictors": ["beds"]}
    one = hs.GroupedData.from_trial(frame, **told)
    other = hs.GroupedData.from_trial(pl.DataFrame(frame), **told)
    assert one.groups.tolist() == other.groups.tolist()
    pd.testing.assert_frame_equal(one.cells, other.cells)
    assert one.factors["region"].tolist() == other.factors["region"].tolist()
    assert one.predictors["beds"].tolist() == other.predictors["beds"].tolist()
    assert one.predictors.loc["s3", "beds"] == 30


def test_groups_of_several_columns_have_factors_of_them() -> None:
    frame = rows(sites=6)
    data = hs.GroupedData.from_trial(
        frame, **{**TRIAL, "group": ["region", "beds"]}, outcome="cost"
    )
    assert data.groups.names == ["region", "beds"]
    assert len(data.groups) == 6
    assert list(data.levels) == ["region"]
    assert data.columns["arm"] == "arm"


def test_a_group_with_one_arm_is_kept_and_said() -> None:
    frame = rows()
    frame = frame[(frame["site"] != "s2") | (frame["arm"] == "old")]
    with pytest.warns(hs.HierstanWarning, match=r"1 of 5 groups has rows of one arm only: 's2'"):
        data = hs.GroupedData.from_trial(frame, **TRIAL, outcome="amount")
    assert len(data.groups) == 5
    fit = hs.PartialPooling().fit(
        data, seed=1, engine="stanli", progress=False, chains=2, warmup=300, draws=200
    )
    sds = hs.group_means(fit)["sd"]
    assert sds["s2"] == sds.max()
    assert np.isfinite(hs.loo(fit, unit="group", refit=False).elpd)
    assert hs.shrinkage(fit).loc["s2", "pooling_factor"] > 0.99


def test_an_arm_without_events_is_data() -> None:
    frame = pd.DataFrame(
        {"site": ["a", "a", "b", "b"], "arm": ["old", "new"] * 2, "y": [0, 3, 2, 0], "n": 20}
    )
    data = hs.GroupedData.from_trial(frame, **TRIAL, successes="y", trials="n")
    assert data.cells["y"].tolist() == [0, 3, 2, 0]


BAD = {
    "three arms": (
        {"frame": lambda d: d.assign(arm=d["arm"].where(d["site"] != "s1", "third"))},
        r"holds 3 arms.*frame\['arm'\]\.isin\(\['old', ",
    ),
    "no control": ({"control": "Old"}, r"does not hold the control 'Old'\. Did you mean 'old'"),
    "one arm": ({"frame": lambda d: d[d["arm"] == "old"]}, "holds 'old' alone"),
    "arms by group": (
        {"frame": lambda d: d[(d["arm"] == "old") == (d["site"] < "s3")]},
        "No group has both arms",
    ),
    "nothing": ({"outcome": None}, "got none of them"),
    "too much": ({"successes": "cured"}, "got outcome= and successes="),
    "means of counts": (
        {"outcome": None, "mean": "amount", "sd": "cost", "n": "beds", "family": "poisson"},
        "Choose one of these, or give rows",
    ),
    "another family": ({"family": "binomial"}, "Valid families of rows"),
    "a factor of rows": ({"factors": ["cured"]}, "must be the same in all rows of a group"),
    "no column": ({"arm": "arms"}, "Did you mean 'arm'"),
    "missing": (
        {"frame": lambda d: d.assign(arm=d["arm"].where(d.index != 0, None))},
        "must not have missing values",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_trials_are_refused(case: str) -> None:
    change, words = BAD[case]
    change = dict(change)
    frame = change.pop("frame", lambda d: d)(rows())
    with pytest.raises(hs.DataError, match=words):
        hs.GroupedData.from_trial(frame, **{**TRIAL, "outcome": "amount", **change})


@pytest.mark.parametrize("outcome", ["amount", "falls"])
def test_effects_of_rows_are_recovered(outcome: str) -> None:
    frame = rows(seed=3, sites=12)
    family = {"amount": "normal", "falls": "poisson"}[outcome]
    data = hs.GroupedData.from_trial(frame, **TRIAL, outcome=outcome, family=family)
    fit = hs.PartialPooling().fit(
        data, seed=1, engine="stanli", progress=False, chains=2, warmup=400, draws=300
    )
    mu = fit.draws("mu")
    assert abs(mu.mean() - 0.5) < 3.5 * mu.std()
    assert FAMILIES[data.family].mean_words in str(fit)
