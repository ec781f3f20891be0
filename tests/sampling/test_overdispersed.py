"""Where rows vary more than their size makes them, means are measured in units that follow phi."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hierstan as hs
from hierstan.families import FAMILIES
from hierstan.models.plan import make_plan

OVERDISPERSED = ["neg_binomial", "beta_binomial", "zero_inflated_neg_binomial"]


def visitors(family: str) -> hs.GroupedData:
    """A variant with ten million visitors beside some with ten, of whom one has no success."""
    frame = pd.DataFrame(
        {
            "variant": ["old"] * 3 + ["new", "newer", "none"],
            "y": [204_115, 203_000, 205_230, 3, 0, 0],
            "n": [3_333_333] * 3 + [10, 10, 4],
        }
    )
    if family == "beta_binomial":
        return hs.GroupedData.from_counts(
            frame, group="variant", successes="y", trials="n", family=family
        )
    return hs.GroupedData.from_events(
        frame, group="variant", events="y", exposure="n", family=family
    )


def trial(family: str) -> hs.GroupedData:
    """A site with two million patients beside three with twenty."""
    frame = pd.DataFrame(
        {
            "site": np.repeat(["big", "a", "b", "c"], 2),
            "arm": ["old", "new"] * 4,
            "y": [61_234, 65_000, 3, 1, 0, 0, 0, 2],
            "n": [10**6, 10**6, 10, 12, 9, 8, 5, 7],
        }
    )
    arms = {"group": "site", "arm": "arm", "control": "old", "family": family}
    if family == "beta_binomial":
        return hs.GroupedData.from_trial(frame, successes="y", trials="n", **arms)
    return hs.GroupedData.from_trial(frame, events="y", exposure="n", **arms)


@pytest.mark.parametrize("family", OVERDISPERSED)
@pytest.mark.parametrize("data", [visitors, pytest.param(trial, marks=pytest.mark.slow)])
def test_one_huge_group_beside_tiny_ones_is_sampled_well(data, family: str) -> None:
    fit = hs.PartialPooling().fit(data(family), seed=1, engine="stanli", progress=False)
    found = fit.convergence()
    assert found.divergences <= 4
    assert found.parameters["ess_bulk"].min() > 800


def cells_of_factors(family: str, groups: int = 40) -> hs.GroupedData:
    """One row a group in two factors: ten million visitors beside ten to a thousand."""
    rng = np.random.default_rng(3)
    size = np.round(10 ** rng.uniform(1, 3, groups)).astype(int)
    size[:4] = [10_000_000, 10, 10, 10]
    region, device = rng.integers(0, 5, groups), rng.integers(0, 4, groups)
    eta = -2 + rng.normal(0, 0.3, 5)[region] + rng.normal(0, 0.3, 4)[device]
    eta += rng.normal(0, 0.3, groups)
    frame = pd.DataFrame({"cell": range(groups), "n": size, "region": region, "device": device})
    given = {"group": "cell", "family": family, "factors": ["region", "device"]}
    if family == "beta_binomial":
        rate = 1 / (1 + np.exp(-eta))
        frame["y"] = rng.binomial(size, rng.beta(50 * rate, 50 * (1 - rate)))
        return hs.GroupedData.from_counts(frame, successes="y", trials="n", **given)
    frame["y"] = rng.poisson(rng.gamma(5, size * np.exp(eta) / 5))
    frame["y"] *= (rng.random(groups) < 0.8) | (family == "neg_binomial")
    return hs.GroupedData.from_events(frame, events="y", exposure="n", **given)


@pytest.mark.slow
@pytest.mark.parametrize("family", OVERDISPERSED)
def test_one_row_a_group_in_factors_is_sampled_well(family: str) -> None:
    """What varies within and between such groups is one sum, and units follow each part of it."""
    fit = hs.PartialPooling().fit(cells_of_factors(family), seed=1, engine="stanli", progress=False)
    found = fit.convergence()
    assert found.divergences == 0
    assert found.parameters["ess_bulk"].min() > 400


def test_an_extra_zero_says_nothing_of_its_group_whatever_phi() -> None:
    data = cells_of_factors("zero_inflated_neg_binomial")
    given, cells = make_plan(hs.PartialPooling(), data).inputs(), data.cells
    zero = (cells["y"] == 0).to_numpy() & (cells["exposure"] > 100).to_numpy()
    assert zero.sum() == 2  # the ten million among them
    assert given["precision_most"][zero].max() < 0.01
    most = (cells["y"] > 0).to_numpy() & (cells["exposure"] > 100).to_numpy()
    assert given["precision_most"][most].min() > 1


@pytest.mark.slow
@pytest.mark.parametrize("family", OVERDISPERSED)
@pytest.mark.parametrize("model", [hs.NoPooling, hs.CompletePooling])
def test_so_are_the_baselines_of_other_poolings(model: type, family: str) -> None:
    found = model().fit(trial(family), seed=1, engine="stanli", progress=False).convergence()
    assert found.divergences <= 20
    assert found.parameters["ess_bulk"].min() > 600


def test_precisions_are_those_of_the_family_at_each_phi() -> None:
    data = visitors("neg_binomial")
    given = make_plan(hs.PartialPooling(), data).inputs()
    most, added = given["precision_most"], given["noise_added"]
    exposure = data.cells.groupby("group")["exposure"].sum().to_numpy()
    weights = FAMILIES["neg_binomial"].weights(data.cells, len(most))
    for phi in (0.3, 5.0, 400.0, 1e5):
        exact = FAMILIES["neg_binomial"].information(
            np.log(most / exposure)[None], weights, {"phi": np.array([[phi]])}
        )
        np.testing.assert_allclose(most / (1 + most * added / phi), exact[0], rtol=1e-6)
