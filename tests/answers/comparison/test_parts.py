"""Whether a factor matters: fits of a part of the factors, each described in its own words."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hierstan as hs

QUICK: dict[str, Any] = {"seed": 1, "warmup": 300, "draws": 500, "engine": "stanli"}


@functools.cache
def fits() -> dict[str, hs.Fit]:
    """Cells of five ages, which differ, and four devices, of which little is known."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(itertools.product("abcde", "wxyz"), columns=["age", "device"])
    of_age = dict(zip("abcde", [-3.0, -1.0, 0.5, 2.0, 3.5], strict=True))
    frame = frame.assign(se=0.3, y=frame["age"].map(of_age) + rng.normal(0, 0.5, 20))
    frame["y"] -= frame.groupby("device")["y"].transform("mean")
    data = hs.GroupedData.from_estimates(frame, group=["age", "device"], estimate="y", se="se")
    return {
        "all": hs.PartialPooling().fit(data, **QUICK),
        "without device": hs.PartialPooling(factors=["age"]).fit(data, **QUICK),
        "without age": hs.PartialPooling(factors=["device"]).fit(data, **QUICK),
    }


@pytest.mark.slow
def test_the_verdict_says_which_factors_matter() -> None:
    found = hs.compare(fits(), unit="group", progress=False)
    assert "Age matters: its levels" in found.verdict
    assert "The data cannot tell whether device matters" in found.verdict
    assert "predicts worse (-" in found.verdict
    assert found.verdict.index("predicts worse (-") < found.verdict.index("without age")
    assert found.preferred is None
    legend = dict(found.legend)
    assert legend["all"].endswith("those alike in age, device")
    assert legend["without device"].endswith("those alike in age, without device")


@pytest.mark.slow
def test_two_fits_answer_for_one_factor() -> None:
    pair = {"part": fits()["without age"], "whole": fits()["all"]}
    found = hs.compare(pair, unit="group", progress=False)
    assert "Age matters" in found.verdict
    assert "device" not in found.verdict
    assert found.preferred == "whole"
    parts = {name: fits()[name] for name in ("without device", "without age")}
    found = hs.compare(parts, unit="group", progress=False)  # and no whole: by prediction alone
    assert found.preferred == "without device"
    assert "without device predicts best" in found.verdict
