"""Ratings of stores, and the shares that cut points give."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

import hierstan as hs

QUICK = {"seed": 1, "engine": "stanli", "progress": False, "chains": 2, "draws": 400}


def ratings(counts: pd.DataFrame, **more: object) -> hs.GroupedData:
    """Write counts of each category, one line per store, as rows."""
    rows = [
        (store, category)
        for store, line in counts.iterrows()
        for category, count in line.items()
        for _ in range(count)
    ]
    frame = pd.DataFrame(rows, columns=["store", "stars"])
    columns = {"group": "store", "rating": "stars", "order": counts.columns.tolist()}
    return hs.GroupedData.from_ratings(frame, **{**columns, **more})


def stores(J: int = 12, n: int = 15, tau: float = 0.7, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    cut = np.array([-2.2, -0.9, 0.3, 2.0])
    theta = rng.normal(0.6, tau, J)
    stars = 1 + (rng.logistic(np.repeat(theta, n))[:, None] > cut - cut.mean()).sum(axis=1)
    names = np.repeat([f"store {j}" for j in range(J)], n)
    return pd.crosstab(names, stars).reindex(columns=[1, 2, 3, 4, 5], fill_value=0)


def shares(theta: np.ndarray, cut: np.ndarray) -> np.ndarray:
    """Return the shares of the categories at group means of any shape, (..., C)."""
    above = special.expit(theta[..., None] - (cut - cut.mean()))
    ends = np.ones((*above.shape[:-1], 1))
    return -np.diff(np.concatenate([ends, above, 0 * ends], axis=-1), axis=-1)
