"""Slopes of predictors: against a published meta-regression and a known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from bcg_trials import bcg
from scipy import special

import hierstan as hs

QUICK: dict[str, Any] = {"seed": 4, "engine": "stanli", "progress": False}


def test_the_slope_is_the_published_one() -> None:
    # Mixed-effects meta-regression by REML (metafor): -0.0291 (se 0.0072) a degree of latitude.
    fit = hs.PartialPooling().fit(bcg(["latitude"]), **QUICK)
    slope = hs.coefficients(fit).loc["latitude"]
    assert abs(slope["mean"] + 0.0291) < 0.25 * 0.0072
    assert 0.8 < slope["sd"] / 0.0072 < 1.6  # tau is not known, REML takes it for known
    assert slope["prob_positive"] < 0.02
    explained = hs.coefficients(fit).attrs["explained"]
    assert 0.3 < explained["mean"] < 0.9


@pytest.mark.slow
def test_predictors_that_explain_the_groups_are_preferred() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=60)
    frame = pd.DataFrame({"g": range(60), "x": x, "noise": rng.normal(size=60), "n": 200})
    frame["y"] = rng.binomial(200, special.expit(-1 + 0.6 * x + 0.15 * rng.normal(size=60)))
    columns = {"group": "g", "successes": "y", "trials": "n"}
    elpd = {}
    for names in ((), ("x",), ("noise",)):
        data = hs.GroupedData.from_counts(frame, **columns, predictors=list(names))
        elpd[names] = hs.loo(hs.PartialPooling().fit(data, **QUICK), unit="group", progress=False)
    assert elpd["x",].elpd > elpd[()].elpd + 20
    assert elpd["noise",].elpd < elpd[()].elpd + 2
    fit = hs.PartialPooling().fit(
        hs.GroupedData.from_counts(frame, **columns, predictors=["x", "noise"]), **QUICK
    )
    slopes = hs.coefficients(fit)
    assert slopes.loc["x", "lower"] < 0.6 < slopes.loc["x", "upper"]
    assert slopes.loc["noise", "lower"] < 0 < slopes.loc["noise", "upper"]
