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


@pytest.mark.parametrize("family", OVERDISPERSED)
def test_one_row_a_group_is_measured_in_units_of_the_prior_of_phi(family: str) -> None:
    """With factors, ten million visitors in a row say as much of a mean as phi lets one row say."""
    frame = pd.DataFrame({"v": list("abcd"), "r": list("nsns"), "y": [612_345, 2, 0, 1]})
    frame["n"] = [10_000_000, 10, 10, 10]
    given = {"group": "v", "family": family, "factors": ["r"]}
    if family == "beta_binomial":
        data = hs.GroupedData.from_counts(frame, successes="y", trials="n", **given)
    else:
        data = hs.GroupedData.from_events(frame, events="y", exposure="n", **given)
    plan = make_plan(hs.PartialPooling(), data)
    most = np.exp(plan.priors["phi"].location) + 1
    assert 0.04 * most < plan.inputs()["precision"][0] < most


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
