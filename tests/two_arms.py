"""Fits of two arms, simulated with a known truth."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

import hierstan as hs

FAST: dict[str, Any] = {
    "seed": 3, "engine": "stanli", "progress": False, "chains": 2, "warmup": 300, "draws": 300,
}  # fmt: skip


POOLINGS = {"complete": hs.CompletePooling, "none": hs.NoPooling, "partial": hs.PartialPooling}


EFFECT, BASELINE = (-0.5, 0.6), (-1.5, 1.0)  # mean and sd over the sites of a simulated trial
CORRELATION = -0.6


def sites(J: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw effects and baselines of the simulated trial's sites."""
    off = CORRELATION * EFFECT[1] * BASELINE[1]
    covariance = [[EFFECT[1] ** 2, off], [off, BASELINE[1] ** 2]]
    rng = np.random.default_rng(seed)
    theta, baseline = rng.multivariate_normal([EFFECT[0], BASELINE[0]], covariance, J).T
    return theta, baseline


@functools.cache
def counts(pooling: str = "partial") -> hs.Fit:
    theta, baseline = sites(40, 11)
    rng = np.random.default_rng(12)
    n = rng.integers(50, 400, (2, 40))
    y = rng.binomial(n, special.expit([baseline, baseline + theta]))
    frame = pd.DataFrame(
        {"site": np.tile([f"site {j}" for j in range(40)], 2), "arm": ["old"] * 40 + ["new"] * 40}
    )
    frame["bought"], frame["users"] = y.ravel(), n.ravel()
    data = hs.GroupedData.from_trial(
        frame, group="site", arm="arm", control="old", successes="bought", trials="users"
    )
    return POOLINGS[pooling]().fit(data, **FAST)


@functools.cache
def rows(family: str) -> hs.Fit:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"site": np.repeat(list("abcde"), 24), "arm": ["old", "new"] * 60})
    eta = 1 + 0.3 * (frame["arm"] == "new") + np.repeat(rng.normal(0, 0.3, 5), 24)
    y = {
        "normal": lambda: rng.normal(eta, 1),
        "student_t": lambda: eta + rng.standard_t(5, 120),
        "lognormal": lambda: rng.lognormal(eta, 0.6),
        "gamma": lambda: np.exp(eta) * rng.gamma(2, 0.5, 120),
        "poisson": lambda: rng.poisson(np.exp(eta)),
        "neg_binomial": lambda: rng.poisson(np.exp(eta) * rng.gamma(3, 1 / 3, 120)),
        "bernoulli": lambda: rng.binomial(1, special.expit(eta)),
    }[family]()
    data = hs.GroupedData.from_trial(
        frame.assign(y=y), group="site", arm="arm", control="old", outcome="y", family=family
    )
    return hs.PartialPooling().fit(data, **FAST)


@functools.cache
def unpaired() -> hs.Fit:
    """Return a fit of eight sites, of which the third has no treated arm."""
    frame = pd.DataFrame({"site": np.repeat(list("abcdefgh"), 2), "arm": ["old", "new"] * 8})
    frame["bought"] = [20, 12, 31, 25, 11, 0, 17, 18, 40, 28, 22, 19, 9, 4, 30, 25]
    frame["users"] = [120, 118, 150, 160, 72, 80, 90, 95, 180, 171, 130, 140, 60, 66, 150, 149]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hs.HierstanWarning)  # of the site with one arm
        data = hs.GroupedData.from_trial(
            frame.drop(index=5), group="site", arm="arm", control="old",
            successes="bought", trials="users",
        )  # fmt: skip
    return hs.PartialPooling().fit(data, **FAST)
