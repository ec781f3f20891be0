"""What to do next about draws that cannot be trusted, given how they were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hierstan.priors import HalfNormal, Prior


@dataclass(frozen=True)
class Setup:
    """How the draws were made: what a cure can change.

    Attributes
    ----------
    pooling : str
        ``"complete"``, ``"none"`` or ``"partial"``.
    parameterization : str or None
        How partial pooling was sampled.
    requested : str or None
        What the user asked for: ``"auto"``, for example.
    warmup, adapt_delta : int, float
    priors : mapping of str to Prior
    own : tuple of str
        The model's own parameters, which must move.
    prior_only : bool
    within : str
        The family's parameter that these data cannot tell from ``tau``, if there is one.
    """

    pooling: str
    parameterization: str | None
    requested: str | None
    warmup: int
    adapt_delta: float
    priors: Mapping[str, Prior]
    own: tuple[str, ...]
    prior_only: bool = False
    within: str = ""


def in_turn(*cures: str) -> str:
    """Return a sentence of the cures that apply, in the order in which to try them."""
    first, *others = [cure for cure in cures if cure] or ["look at the priors"]
    sentence = first[0].upper() + first[1:]
    if others:
        sentence += f"; if that is not enough, {'; then '.join(others)}"
    return f"{sentence}."


def against_divergences(setup: Setup) -> str:
    """Return what helps against divergences: first the most likely reason's cure."""
    other = other_parameterization(setup)
    steps = (higher_delta(setup), tighter_prior(setup))
    if setup.requested != "auto":
        return in_turn(other, *steps)
    return in_turn(*steps, other)


def other_parameterization(setup: Setup) -> str:
    """Return the other way to sample partial pooling, if there is one."""
    if setup.pooling != "partial" or setup.prior_only or setup.requested == "marginal":
        return ""
    if setup.requested != "auto":
        return "leave the choice to parameterization='auto'"
    return "try parameterization='noncentered'" if setup.parameterization == "mixed" else ""


def higher_delta(setup: Setup) -> str:
    """Return the next higher target acceptance rate."""
    for higher in (0.99, 0.999):
        if setup.adapt_delta < higher:
            return f"raise adapt_delta to {higher} (it was {setup.adapt_delta:g})"
    return ""


def tighter_prior(setup: Setup) -> str:
    """Return which prior to tighten: that of tau, else that of the group means."""
    name = next((name for name in ("tau", "theta", "mu") if name in setup.priors), "")
    if not name:
        return ""
    prior = setup.priors[name]
    if name == "tau" and not isinstance(prior, HalfNormal):
        scale = float(prior.quantile(0.5)) / float(HalfNormal(1).quantile(0.5))
        return (
            f"give tau a prior with a lighter tail than {prior}, such as "
            f"hs.HalfNormal({scale:.2g}), which has the same median"
        )
    return f"give {name} a tighter prior than {prior}, if what you know allows it"


def more(count: int) -> int:
    """Return twice a number of warmup or kept draws, at least 1,000."""
    return max(2 * count, 1000)
