"""Cells of two crossed factors, and priors of them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd

import hierstan as hs

QUICK: dict[str, Any] = {"engine": "stanli", "progress": False}


LABELS = {"age": "abc", "channel": "wxyz"}


def crossed(noise: float = 1.0) -> pd.DataFrame:
    """Eleven of twelve cells of three ages and four channels, with known standard errors."""
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(itertools.product("abc", "wxyz"), columns=["age", "channel"])
    of_age, of_channel = rng.normal(0, 1.0, 3), rng.normal(0, 0.4, 4)
    frame["y"] = (
        of_age[frame["age"].map("abc".index)] + of_channel[frame["channel"].map("wxyz".index)]
    )
    frame["se"] = noise * rng.uniform(0.2, 0.6, 12)
    frame["y"] += rng.normal(0, np.hypot(0.3, frame["se"]))
    return frame.drop(index=5).reset_index(drop=True)


def cells(frame: pd.DataFrame) -> hs.GroupedData:
    return hs.GroupedData.from_estimates(frame, group=["age", "channel"], estimate="y", se="se")


PRIORS = {
    "mu": hs.Normal(0, 1), "tau": hs.HalfNormal(0.5),
    "tau_age": hs.HalfNormal(1), "tau_channel": hs.HalfNormal(0.6),
}  # fmt: skip
