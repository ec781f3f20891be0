"""Data whose units are left out, with their densities, and priors of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

import hierstan as hs

SEED = 20261122


MU, TAU = hs.Normal(-1, 1), hs.HalfNormal(1)


PRIORS = {"mu": MU, "tau": TAU, "theta": hs.Normal(-1, 1)}


def known() -> tuple[hs.GroupedData, object]:
    rng = np.random.default_rng(3)
    se = rng.uniform(0.2, 1.5, 9)
    y = rng.normal(-1, 0.6, 9) + se * rng.normal(size=9)
    frame = pd.DataFrame({"site": list("abcdefghi"), "y": y, "se": se})
    data = hs.GroupedData.from_estimates(frame, group="site", estimate="y", se="se")
    return data, lambda theta: stats.norm.logpdf(y[:, None], theta, se[:, None])


def counts() -> tuple[hs.GroupedData, object]:
    n = np.array([1, 3, 10, 40, 200, 12, 7, 25])
    y = np.array([1, 0, 2, 15, 41, 12, 3, 4])
    frame = pd.DataFrame({"page": list("abcdefgh"), "n": n, "y": y})
    data = hs.GroupedData.from_counts(frame, group="page", successes="y", trials="n")
    return data, lambda theta: stats.binom.logpmf(y[:, None], n[:, None], 1 / (1 + np.exp(-theta)))


def rows(family: str) -> hs.GroupedData:
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(5), [1, 2, 4, 9, 25])
    theta = np.array([0.9, -0.4, 0.3, 0.0, -0.7])[group]
    draw = {
        "normal": lambda: rng.normal(theta, 0.8),
        "gamma": lambda: rng.gamma(3, np.exp(theta) / 3),
        "bernoulli": lambda: rng.binomial(1, 1 / (1 + np.exp(-theta))),
        "neg_binomial": lambda: rng.negative_binomial(3, 3 / (3 + np.exp(1 + theta))),
    }[family]
    return hs.GroupedData.from_rows(
        pd.DataFrame({"g": group, "y": draw()}), group="g", outcome="y", family=family
    )
