"""Means of both arms, of the groups of a fit and of groups not yet seen."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from hierstan.data.intake import ARMS
from hierstan.errors import HierstanError
from hierstan.families.treatment import Treatment
from hierstan.fit.fit import Fit
from hierstan.fit.new_outcomes import new_baselines, new_means
from hierstan.sampling.streams import stream
from hierstan.sampling.theta import TILE
from hierstan.text.wording import show

BLOCK = 2**21  # draws x groups at a time, 16 MB
RANGES = {
    "identity": (-np.inf, np.inf, "finite numbers"),
    "logit": (0.0, 1.0, "rates between 0 and 1"),
    "log": (0.0, np.inf, "finite numbers above 0"),
}


def treatment_of(fit: Fit, verb: str) -> Treatment:
    """Return the family of a fit of data with two arms, and refuse others."""
    if isinstance(fit.family, Treatment):
        return fit.family
    raise HierstanError(
        f"{verb} needs data with two arms, but this fit is of {fit.data.family} data. Make them "
        "with GroupedData.from_trial or .from_arms."
    )


def arm_names(fit: Fit) -> tuple[str, str]:
    """Return what to call the control and the treatment: `ARMS`, unless both names are words."""
    names = ARMS if fit.data.arms is None else fit.data.arms.tolist()
    words = all(isinstance(name, str) and re.search("[^\\W\\d_]", name) for name in names)
    return (names[0], names[1]) if words else ARMS


def own_draws(fit: Fit) -> dict[str, np.ndarray]:
    """Return draws of the family's own parameters, (S, 1) each."""
    return fit.own()


def arm_means(fit: Fit, scale: str = "response") -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yield some groups, and draws of the means of their control and treated arm, (S, K) each.

    On the response scale these are expected outcomes: rates and means, of lognormal amounts
    ``exp(eta + sigma^2 / 2)``. On the link scale they are the baseline, and baseline plus effect.
    """
    family = treatment_of(fit, "arm_means")
    J, own = len(fit.data.groups), own_draws(fit)
    baseline = fit.draws("baseline")
    width = max(1, BLOCK // len(baseline)) if fit.keeps_theta else TILE[1]
    for start in range(0, J, width):
        part = slice(start, min(start + width, J))
        control = baseline[:, part]
        treated = control + fit.theta(groups=part)
        if scale == "response":
            control, treated = (family.means(link, own) for link in (control, treated))
        yield part, control, treated


def new_arm_means(fit: Fit, known: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return draws of the means of both arms of groups not yet seen, (S, K) each.

    Parameters
    ----------
    fit : Fit
    known : numpy.ndarray, optional
        Means of their control arms, (K,), where these are known; else of one group.
    """
    family = treatment_of(fit, "new_arm_means")
    own = own_draws(fit)
    count = 1 if known is None else len(known)
    baselines = None if known is None else places_of(fit, known)
    seed = stream(fit.seed, fit.arrays, "arms of new groups")
    effects = new_means(fit, count, seed, baselines=baselines)
    control = new_baselines(fit, effects, seed, baselines)
    return family.means(control, own), family.means(control + effects, own)


def places_of(fit: Fit, means: np.ndarray) -> np.ndarray:
    """Return where arms with these means, (K,), lie on the link scale, (S or 1, K)."""
    return treatment_of(fit, "places_of").places(means, own_draws(fit))


def check_baselines(fit: Fit, given: object) -> np.ndarray:
    """Return means of control arms, (K,), if arms of this family can have them."""
    family = treatment_of(fit, "baseline=")
    low, high, rule = RANGES[family.base.link]
    if family.base.scored:
        low, high = fit.data.scores[[0, -1]]
        rule = f"mean scores between {low:g} and {high:g}"
    try:
        values = np.atleast_1d(np.asarray(given, dtype=float))
    except (TypeError, ValueError):
        values = np.empty(0)
    inside = (low < values) & (values < high)
    if values.ndim != 1 or not values.size or not inside.all():
        raise HierstanError(
            f"baseline= takes means of the control arm on the outcome's own scale, {rule}, got "
            f"{show(given)}."
        )
    return values
