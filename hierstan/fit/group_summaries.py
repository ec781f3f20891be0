"""Draws in four numbers: mean, standard deviation and an equal-tailed interval."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.errors import HierstanError
from hierstan.fit.fit import Fit
from hierstan.sampling.theta import TILE

SCALES = ("response", "link")
COLUMNS = ("mean", "sd", "lower", "upper")
BLOCK = 2**21  # draws x groups at a time, 16 MB
NEWTON_STEPS = 60  # guarded by bisection; three do almost always


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
    """Return mean, sd, lower and upper of every group's mean, some groups at a time.

    Where the draws of theta are not kept and its exact conditional distribution is normal, these
    are those of that, averaged over 400 draws of the other parameters.
    """
    J = len(fit.data.groups)
    S = fit.arrays.sizes["chain"] * fit.arrays.sizes["draw"]
    result = np.empty((4, J))
    if fit.model.shares_mean and not fit.keeps_theta:
        block = fit.theta(groups=slice(0, 1))
        result[:] = summarise(fit.to_response(block) if scale == "response" else block, prob)
        return pd.DataFrame(dict(zip(COLUMNS, result, strict=True)), index=fit.data.groups)
    width = max(1, BLOCK // S) if fit.keeps_theta else TILE[1]
    for start in range(0, J, width):
        part = slice(start, min(start + width, J))
        if not fit.keeps_theta and fit.family.marginal:
            result[:, part] = _of_conditionals(fit, part, prob, scale)
            continue
        block = fit.theta(groups=part)
        values = fit.to_response(block) if scale == "response" else block
        result[:, part] = summarise(values, prob)
    return pd.DataFrame(dict(zip(COLUMNS, result, strict=True)), index=fit.data.groups)


def _of_conditionals(fit: Fit, part: slice, prob: float, scale: str) -> np.ndarray:
    """Return mean, sd, lower and upper of mixtures of normals, (4, K)."""
    means, sds = fit.group_draws().conditionals(part)
    ends = [mixture_quantile(means, sds, tail) for tail in ((1 - prob) / 2, (1 + prob) / 2)]
    if scale == "response" and fit.family.link == "log":
        ends = [np.exp(end) for end in ends]
        first = np.exp(means + sds**2 / 2)
        variances = first**2 * np.expm1(sds**2)
    else:
        first, variances = means, sds**2
    center = first.mean(axis=0)
    spread = np.sqrt(variances.mean(axis=0) + first.var(axis=0))
    return np.stack([center, spread, *ends])


def mixture_quantile(means: np.ndarray, sds: np.ndarray, probability: float) -> np.ndarray:
    """Return a quantile of equal mixtures of normals with means and sds (s, K), as (K,)."""
    from scipy import special

    lower = (means + sds * special.ndtri(probability)).min(axis=0)
    upper = (means + sds * special.ndtri(probability)).max(axis=0)
    found = means.mean(axis=0) + special.ndtri(probability) * np.sqrt(
        (sds**2).mean(axis=0) + means.var(axis=0)
    )
    for _ in range(NEWTON_STEPS):
        z = (found - means) / sds
        excess = special.ndtr(z).mean(axis=0) - probability
        if np.abs(excess).max() < 1e-9:
            break
        lower, upper = np.where(excess < 0, found, lower), np.where(excess < 0, upper, found)
        density = (np.exp(-0.5 * z**2) / sds).mean(axis=0) / np.sqrt(2 * np.pi)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = found - excess / density
        inside = (step >= lower) & (step <= upper)
        found = np.where(inside, step, (lower + upper) / 2)
    return found


def link_words(fit: Fit) -> str:
    """Name the link scale: as the outcome, log-odds or logarithm."""
    return {"identity": "the outcome's", "logit": "the log-odds", "log": "the log"}[fit.family.link]
