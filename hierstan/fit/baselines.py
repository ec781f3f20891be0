"""The baselines of groups with two arms, and how they go with the effects, in draws and words.

It lies below `Fit`, whose page tells of it, and so takes it as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hierstan.fit.settings import check_prob
from hierstan.text.numbers import chance, short
from hierstan.text.tables import percent

if TYPE_CHECKING:
    from hierstan.fit.fit import Fit

UNSURE = 0.9  # a direction that is less probable than this is not told as one


def correlation(fit: Fit) -> np.ndarray:
    """Return draws of the correlation of baseline and effect over the groups, (S,).

    With the regression ``baseline ~ normal(intercept + slope * theta, spread)`` it is ``slope *
    tau`` over the standard deviation of the baselines.

    Parameters
    ----------
    fit : Fit
        Of partial pooling of data with two arms.
    """
    of_theta = fit.draws("slope") * fit.draws("tau")
    return np.asarray(of_theta / np.hypot(fit.draws("spread"), of_theta))


def effects_given(fit: Fit, center: np.ndarray, baseline: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return mean and sd of the effects of groups whose baselines are known, (S, K) each.

    Baseline and effect are bivariate normal, so that ``theta`` is normal with mean ``center + k
    (baseline - intercept - slope * center)`` and variance ``tau^2 (1 - k slope)``, where ``k =
    slope tau^2 / (slope^2 tau^2 + spread^2)``.

    Parameters
    ----------
    fit : Fit
        Of partial pooling of data with two arms.
    center : numpy.ndarray
        Means of their populations, (S, K).
    baseline : numpy.ndarray
        On the link scale, (S, K) or (1, K).
    """
    tau, slope, spread, intercept = (
        fit.draws(name)[:, None] for name in ("tau", "slope", "spread", "intercept")
    )
    variance = np.hypot(slope * tau, spread) ** 2
    mean = center + slope * tau**2 / variance * (baseline - intercept - slope * center)
    return mean, tau * spread / np.sqrt(variance) + np.zeros_like(mean)


def correlation_words(fit: Fit, prob: float | None = None) -> str:
    """Say whether effects are lower or higher where baselines are higher, and how surely."""
    found, prob = correlation(fit), check_prob(prob)
    lower = float(np.mean(found < 0))
    words, sure = ("lower", lower) if lower > 0.5 else ("higher", 1 - lower)
    ends = " to ".join(map(short, np.quantile(found, [(1 - prob) / 2, (1 + prob) / 2])))
    effect = fit.data.effect
    assert effect is not None
    direction = (
        f"the {effect.link_words} is {words} where the baseline is higher, with "
        f"probability {chance(sure)}"
    )
    if sure < UNSURE:
        direction = f"the data cannot tell whether effects go with baselines: {direction}"
    return (
        f"{direction[0].upper()}{direction[1:]} (correlation {short(float(found.mean()))}, "
        f"{percent(prob)} interval {ends})."
    )


def pooling_words_of_baselines(fit: Fit) -> str:
    """Say how baselines are pooled."""
    along = " + slope * theta[j]" if "slope" in fit.arrays else ""
    how = "partially pooled too" if along else "partially pooled"
    if fit.model.stands_alone and "spread" not in (fit.model.priors or {}):
        how = "each by its own arm"
    return f"{how}: baseline[j] ~ normal(intercept{along}, spread)"
