"""Draws in four numbers: mean, standard deviation and an equal-tailed interval."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.errors import HierstanError
from hierstan.fit import Fit

SCALES = ("response", "link")
COLUMNS = ("mean", "sd", "lower", "upper")
BLOCK = 2**21  # draws x groups at a time, 16 MB


def check_prob(prob: float) -> float:
    """Return the probability of an interval if it is one."""
    if isinstance(prob, bool) or not isinstance(prob, (int, float, np.number)) or not 0 < prob < 1:
        raise HierstanError(
            f"prob= is the probability that an interval holds and must be between 0 and 1, such as "
            f"0.9, but got {prob!r}."
        )
    return float(prob)


def check_scale(scale: str) -> str:
    """Return the scale if there is one of that name."""
    if scale not in SCALES:
        raise HierstanError(f"scale= must be 'response' or 'link', but got {scale!r}.")
    return scale


def summarise(draws: np.ndarray, prob: float) -> np.ndarray:
    """Return mean, sd, lower and upper end of draws (S,) or (S, K), as (4,) or (4, K)."""
    tail = (1 - prob) / 2
    with np.errstate(over="ignore", invalid="ignore"):
        center = [draws.mean(axis=0), draws.std(axis=0, ddof=1)]
    return np.stack([*center, *np.quantile(draws, [tail, 1 - tail], axis=0)])


def group_summaries(fit: Fit, prob: float, scale: str) -> pd.DataFrame:
    """Return mean, sd, lower and upper of every group's mean, some groups at a time."""
    theta = fit.draws("theta")
    S, J = theta.shape
    result = np.empty((4, J))
    width = max(1, BLOCK // S)
    for start in range(0, J, width):
        block = theta[:, start : start + width]
        values = fit.family.to_response(block) if scale == "response" else block
        result[:, start : start + width] = summarise(values, prob)
    return pd.DataFrame(dict(zip(COLUMNS, result, strict=True)), index=fit.data.groups)


def link_words(fit: Fit) -> str:
    """Name the link scale: as the outcome, log-odds or logarithm."""
    return {"identity": "the outcome's", "logit": "the log-odds", "log": "the log"}[fit.family.link]
