"""What single customers of a two-part fit spend: known groups, groups without buyers, new ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special

import hierstan as hs

QUICK = {"seed": 1, "engine": "stanli", "progress": False}


@pytest.fixture(scope="module")
def shops() -> object:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"shop": np.repeat(["c", "none", "a", "b"], [300, 40, 500, 200])})
    buys = (rng.random(len(frame)) < 0.15) & (frame["shop"] != "none")
    frame["spent"] = np.where(buys, np.exp(rng.normal(2, 0.6, len(frame))), 0.0)
    return hs.TwoPart().fit(frame, group="shop", outcome="spent", **QUICK)


def test_a_customer_spends_rate_times_amount_on_average(shops) -> None:
    found = hs.predict(shops, rows=200, seed=3).draws
    expected = shops.draws("mean")
    for place, label in enumerate(shops.groups):
        seen = found.sel(group=label).to_numpy().reshape(len(expected), -1)
        mean, exact = seen.mean(axis=1), expected[:, place]
        error = np.hypot((mean - exact).std(), 0.1 * exact.std()) / np.sqrt(len(exact) / 4)
        assert abs(mean.mean() - exact.mean()) < 4 * error
        share = (seen > 0).mean() - shops.draws("rate")[:, place].mean()
        assert abs(share) < 4 * np.sqrt(0.15 / seen.size) + 0.002


def test_lines_are_in_the_order_asked_for(shops) -> None:
    """A group without buyers stands among the others, though its amounts are a new group's."""
    told = hs.predict(shops, groups=["none", "b"], new_groups=["z"], rows=2, seed=3)
    assert told.summary.index.tolist() == ["none", "none", "b", "b", "z", "z"]
    assert told.summary.index.name == "shop"
    assert told.design["new"].tolist() == [False] * 4 + [True] * 2
    part = hs.predict(shops.rate, groups=["none", "b"], new_groups=["z"], rows=2, trials=1, seed=3)
    np.testing.assert_array_equal(told.draws > 0, part.draws.to_numpy() > 0)
    bought = told.draws.sel(group="none").to_numpy()
    assert (bought > 0).mean() < 0.05
    assert told.interval(0.9)[1].tolist() == told.summary["upper"].tolist()


def test_a_new_group_is_one_of_the_population_in_both_parts(shops) -> None:
    spent = hs.predict(shops, new_groups=1, rows=400, seed=2).draws.to_numpy().reshape(4000, 400)
    rng, (who, how_much) = np.random.default_rng(1), (shops.rate, shops.amount)
    rate, amount = (
        part.draws("mu") + part.draws("tau") * rng.normal(size=4000) for part in (who, how_much)
    )
    mean = special.expit(rate) * np.exp(amount + how_much.draws("sigma") ** 2 / 2)
    error = np.hypot(spent.mean(axis=1).std(), mean.std()) / np.sqrt(1000)
    assert abs(spent.mean() - mean.mean()) < 4 * error


def test_what_a_customer_has_no_use_for_is_refused(shops) -> None:
    with pytest.raises(hs.HierstanError, match=r"got trials= and exposure=\. Predict a part"):
        hs.predict(shops, trials=3, exposure=1.0)
    flags = hs.GroupedData.from_rows(
        pd.DataFrame({"g": ["a", "b"], "y": [0, 1]}), group="g", outcome="y", family="bernoulli"
    )
    with pytest.raises(hs.HierstanError, match="two-part fit has two"):
        hs.score(hs.predict(shops), flags)


def test_outcomes_without_a_zero_may_be_totals() -> None:
    totals = pd.DataFrame({"variant": list("aabb"), "revenue": [900.0, 950.0, 1000.0, 1010.0]})
    with pytest.warns(hs.HierstanWarning, match="total of many customers, give customers="):
        hs.TwoPart().fit(totals, group="variant", outcome="revenue", **QUICK)
