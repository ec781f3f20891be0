"""Fits of different families to the same rows are compared on one scale."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pandas as pd
import pytest

import hierstan as hs

RNG = np.random.default_rng(1)
FRAME = pd.DataFrame(
    {
        "g": np.repeat(list("abcdef"), 30),
        "count": RNG.negative_binomial(1, 0.2, 180),
        "amount": np.exp(RNG.normal(1, 1, 180)),
    }
)


@functools.cache
def fitted(family: str, outcome: str) -> hs.Fit:
    data = hs.GroupedData.from_rows(FRAME, group="g", outcome=outcome, family=family)
    return hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("families", "outcome", "best"),
    [
        (("poisson", "neg_binomial"), "count", "neg_binomial"),
        (("normal", "lognormal", "gamma", "student_t"), "amount", "lognormal"),
    ],
)
def test_the_family_that_made_the_rows_predicts_best(
    families: tuple[str, ...], outcome: str, best: str
) -> None:
    fits = {name: fitted(name, outcome) for name in families}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Do not rely on this: the model misses something")
        found = hs.compare(fits, progress=False)
    assert found.table.index[0] == best
    assert f"{best} predicts best" in found.verdict


def test_counts_and_amounts_have_no_common_scale() -> None:
    fits = {"counts": fitted("poisson", "count"), "amounts": fitted("normal", "count")}
    with pytest.raises(hs.DataError, match="no common scale"):
        hs.compare(fits, progress=False)


def test_other_rows_and_whole_groups_are_refused() -> None:
    fits = {"a": fitted("poisson", "count"), "b": fitted("neg_binomial", "count")}
    with pytest.raises(hs.DataError, match="unit='observation'"):
        hs.compare(fits, unit="group", progress=False)
    fits = {"a": fitted("normal", "amount"), "b": fitted("student_t", "count")}
    with pytest.raises(hs.DataError, match="different rows"):
        hs.compare(fits, progress=False)
