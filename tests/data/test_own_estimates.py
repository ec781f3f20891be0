"""Without pooling, a group's posterior is its own estimate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hierstan as hs
from hierstan.data.own_estimates import raw_estimates

SIZES = (14, 9, 40)


def rows(outcome: np.ndarray, **options: str) -> hs.GroupedData:
    frame = pd.DataFrame({"g": np.repeat(list("bca"), SIZES), "y": outcome})
    return hs.GroupedData.from_rows(frame, group="g", outcome="y", **options)


def events(count: list[int], exposure: list[float]) -> hs.GroupedData:
    frame = pd.DataFrame({"g": range(len(count)), "y": count, "e": exposure})
    return hs.GroupedData.from_events(frame, group="g", events="y", exposure="e")


def told(case: str, seed: int) -> hs.GroupedData:
    rng = np.random.default_rng(seed)
    theta = np.repeat([0.0, 0.8, -0.4], SIZES)
    several = np.array([1.0, 2, 0.5, 9])
    chance = 1 / (1 + np.exp(-theta))
    counts = pd.DataFrame({"g": list("abcd"), "y": [5, 30, 1, 49], "n": [50, 60, 40, 50]})
    one = pd.DataFrame({"g": range(20), "y": [15.0, *rng.normal(0, 0.3, 19)], "se": 0.3})
    one.loc[0, "se"] = 10.0
    two = pd.DataFrame({"g": ["far", "near"], "y": [1e9, 7.0], "se": 1.0})
    take = hs.GroupedData
    return {
        "binomial": lambda: take.from_counts(counts, group="g", successes="y", trials="n"),
        "bernoulli": lambda: rows(rng.binomial(1, chance), family="bernoulli"),
        "poisson": lambda: rows(rng.poisson(3 * np.exp(theta)), family="poisson"),
        "events": lambda: events([5, 30, 1, 200], several),
        "tiny exposure": lambda: events([5, 30, 1, 200], several * 1e-9),
        "huge exposure": lambda: events([5, 30, 1, 200], several * 1e9),
        "counts far apart": lambda: events([1_500_000_000, 7], [1.0, 1.0]),
        "one wild estimate": lambda: take.from_estimates(one, group="g", estimate="y", se="se"),
        "estimates far apart": lambda: take.from_estimates(two, group="g", estimate="y", se="se"),
        "normal": lambda: rows(1e5 + rng.normal(theta)),
        "student_t": lambda: rows(theta + rng.standard_t(3, theta.size), family="student_t"),
        "nearly normal": lambda: rows(theta + rng.standard_t(30, theta.size), family="student_t"),
    }[case]()


@pytest.mark.parametrize(
    "case",
    ["binomial", "bernoulli", "poisson", "events", "tiny exposure", "huge exposure",
     "counts far apart", "one wild estimate", "estimates far apart", "normal", "student_t",
     "nearly normal"],
)  # fmt: skip
def test_without_pooling_groups_keep_their_own_estimates(case: str) -> None:
    """Within a tenth of its standard error, as a mean on the response scale.

    A flat prior of log-odds or a log rate is Haldane's prior of the rate, whose posterior mean is
    events over trials or exposure.
    """
    options = {"seed": 1, "engine": "stanli", "progress": False, "warmup": 400, "draws": 1000}
    table = hs.shrinkage(hs.NoPooling().fit(told(case, 3), **options))
    off = (table["mean"] - table["raw"]) / table["raw_se"]
    assert off.abs().max() < 0.1, off
    assert table["pooling_factor"].max() < 0.05  # a single event says little of its log rate


def test_locations_of_student_t_rows_are_those_of_normal_rows_without_tails() -> None:
    """And, with one, it is left out; medians where half of the rows are equal."""
    outcome = np.random.default_rng(4).normal(size=sum(SIZES))
    means = pd.Series(outcome).groupby(np.repeat(list("bca"), SIZES), sort=False).mean()
    found = raw_estimates(rows(outcome, family="student_t"))
    assert np.abs(found["raw"] - means).max() < 0.25 * found["raw_se"].max()
    outcome[0] += 1e6
    again = raw_estimates(rows(outcome, family="student_t"))
    assert np.abs(again["raw"] - found["raw"]).max() < found["raw_se"].max()
    equal = pd.DataFrame({"g": 5 * ["a"] + 2 * ["b"], "y": [2.0, 2, 2, 2, 9, 4, 5]})
    data = hs.GroupedData.from_rows(equal, group="g", outcome="y", family="student_t")
    assert raw_estimates(data)["raw"].tolist() == [2.0, 4.5]
