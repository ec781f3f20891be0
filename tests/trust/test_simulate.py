from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from programs import (
    FAMILIES,
    small_data,
    structured_data,
)
from schools import eight_schools
from scipy import stats

import hierstan as hs

EIGHT = eight_schools()


PRIORS = {"mu": hs.Normal(0, 20), "tau": hs.HalfNormal(20)}


def own_parameters(family: str) -> tuple[str, ...]:
    arms = ("intercept", "slope", "spread", "baseline")
    each = [FAMILIES[family].of_group] * bool(FAMILIES[family].of_group)
    return (*FAMILIES[family].parameters, *each, *arms * FAMILIES[family].treatment)


@pytest.mark.parametrize("family", FAMILIES)
def test_simulated_data_keep_the_design(family: str) -> None:
    data = small_data(family)
    first, second = hs.simulate(data, replicates=2, seed=1)
    again = hs.simulate(data, replicates=2, seed=1)[1]
    assert second.data.cells.equals(again.data.cells)
    assert not first.data.cells.equals(second.data.cells)
    assert sorted(first.truth) == sorted(["mu", "tau", "theta", *own_parameters(family)])
    assert list(first.data.groups) == list(data.groups)
    assert first.data.n_rows == data.n_rows
    assert (first.data.rows is first.data.cells) == (data.rows is data.cells)
    outcomes = {"y", "squares", "mean_log", "weight", "C"}
    for name in {name for name in data.cells if not str(name).startswith("zy")} - outcomes:
        if list(data.cells)[2:] not in (["weight", "exposure"], ["C", "weight"]):  # as the counts
            assert first.data.cells[name].tolist() == data.cells[name].tolist(), name
    assert first.data.to_frame()["n"].tolist() == data.to_frame()["n"].tolist()
    assert first.data.cells.dtypes.tolist() == data.cells.dtypes.tolist()


@pytest.mark.slow
def test_simulated_outcomes_have_the_moments_they_should() -> None:
    truth = {"mu": 1.0, "tau": 0.5, "theta": np.linspace(-1, 1, 6)}
    for family, own, link in (("normal_known", {}, np.asarray), ("poisson", {}, np.exp)):
        data = small_data(family)
        made = hs.simulate(data, truth={**truth, **own}, replicates=300, seed=2)
        y = np.array([each.data.cells["y"] for each in made])
        scale = data.cells["exposure"].to_numpy() if family == "poisson" else 1.0
        expected = link(truth["theta"]) * scale
        variance = expected if family == "poisson" else data.cells["se"].to_numpy() ** 2
        assert (np.abs(y.mean(axis=0) - expected) < 4 * np.sqrt(variance / 300)).all()
        assert (np.abs(y.var(axis=0) / variance - 1) < 0.4).all()


@pytest.mark.slow
def test_true_values_come_from_priors_and_population() -> None:
    priors = {**PRIORS, "tau": hs.LogNormal(0, 0.3)}
    made = hs.simulate(EIGHT, model=hs.PartialPooling(priors=priors), replicates=300, seed=3)
    truth = pd.DataFrame([each.truth for each in made])
    assert stats.kstest(truth["mu"], stats.norm(0, 20).cdf).pvalue > 0.001
    assert stats.kstest(truth["tau"], stats.lognorm(0.3).cdf).pvalue > 0.001
    standard = np.concatenate((truth["theta"] - truth["mu"]) / truth["tau"])
    assert stats.kstest(standard, stats.norm.cdf).pvalue > 0.001
    complete = hs.simulate(EIGHT, model=hs.CompletePooling(), seed=1)[0].truth
    assert (complete["theta"] == complete["mu"]).all()
    none = hs.simulate(EIGHT, model=hs.NoPooling(priors={"theta": hs.Normal(3, 1)}), seed=1)[0]
    assert list(none.truth) == ["theta"]
    assert abs(none.truth["theta"].mean() - 3) < 2


def test_no_spread_at_all_can_be_simulated() -> None:
    [made] = hs.simulate(EIGHT, truth={"mu": 2, "tau": 0}, seed=1)
    assert made.truth["theta"].tolist() == [2.0] * 8


@pytest.mark.parametrize("family", FAMILIES)
def test_simulated_levels_add_up(family: str) -> None:
    data = structured_data(family)
    [made] = hs.simulate(data, truth={"tau": 0, "u_region": [0, 1, 2, 3]}, seed=1)
    regions, devices = np.array([0, 0, 1, 1, 2, 3]), np.array([0, 1] * 3)
    own = {"mu", "tau", "theta", "tau_region", "u_region", "tau_device", "u_device"}
    assert set(made.truth) == {*own, *own_parameters(family)}
    expected = made.truth["mu"] + regions + made.truth["u_device"][devices]
    np.testing.assert_allclose(made.truth["theta"], expected)
    assert made.data.levels["region"].tolist() == list("nswe")


def test_true_levels_come_from_their_population() -> None:
    priors = {**PRIORS, "tau_level": hs.LogNormal(0, 0.3)}
    options = {"replicates": 100, "seed": 3}
    data = structured_data("normal_known")
    for model in (hs.PartialPooling(priors=priors), hs.CompletePooling(factors=["region"])):
        made = hs.simulate(data, model=model, **options)
        u = np.array([each.truth["u_region"] / each.truth["tau_region"] for each in made])
        assert stats.kstest(u.ravel(), stats.norm.cdf).pvalue > 0.001
        assert ("u_device" in made[0].truth) == (model.name == "partial")
    complete = made[0].truth
    assert (complete["theta"] == complete["mu"] + complete["u_region"][[0, 0, 1, 1, 2, 3]]).all()
    [none] = hs.simulate(data, model=hs.NoPooling(), seed=1)
    assert list(none.truth) == ["theta"]


@pytest.mark.parametrize(
    ("truth", "match"),
    [
        ({"u_region": [1, 2]}, "'u_region' must be 4 finite numbers, one a level of region"),
        ({"tau_region": -1}, "'tau_region' must be at least 0"),
        ({"u": [1, 2]}, "has no 'u'. It has mu, tau, tau_device, tau_region, theta, u_device"),
    ],
)
def test_bad_true_levels_are_refused(truth: dict[str, Any], match: str) -> None:
    with pytest.raises(hs.HierstanError, match=match):
        hs.simulate(structured_data("normal_known"), truth=truth)


@pytest.mark.slow
def test_large_tables_without_rows_are_simulated_from_their_counts() -> None:
    frame = pd.DataFrame({"g": np.repeat([1, 2, 3], [20_000, 500, 1]), "y": 1.0})
    frame["y"] += np.arange(len(frame)) % 2
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y")
    assert data.rows is None
    [made] = hs.simulate(data, truth={"mu": 0, "tau": 1, "sigma": 2}, seed=1)
    assert made.data.rows is None
    assert made.data.cells["count"].tolist() == [20_000, 500, 1]
    assert abs(made.data.to_frame()["sd"].iloc[0] - 2) < 0.1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"truth": {"sgima": 1}}, "has no 'sgima'. It has mu, tau, theta"),
        ({"truth": {"tau": -1}}, "'tau' must be at least 0, got -1"),
        ({"truth": {"theta": [1, 2]}}, "'theta' must be 8 finite numbers, one a group"),
        ({"truth": {"mu": float("nan")}}, "'mu' must be a finite number, got nan"),
        ({"replicates": 0}, "replicates must be at least 1, got 0"),
        ({"population": "gamma"}, "population must be one of normal, template; got 'gamma'"),
    ],
)
def test_what_cannot_be_simulated_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(hs.HierstanError) as caught:
        hs.simulate(EIGHT, **options)
    assert words in str(caught.value)
