"""Priors that a user gives: whether they suit the parameters they are given for."""

from __future__ import annotations

import warnings

from hierstan.errors import HierstanWarning, PriorError
from hierstan.families.adjusted import SLOPES
from hierstan.priors import Dirichlet, Prior, Uniform

ORDERED = ("cutpoint",)
LOCATIONS = ("mu", "theta", "beta", SLOPES, "intercept", "slope")


def check_prior(parameter: str, prior: object) -> None:
    """Refuse a prior whose support is not the parameter's; warn of a uniform one on ``tau``."""
    if not isinstance(prior, Prior):
        raise PriorError(
            f"The prior of {parameter!r} must be a prior such as hs.Normal(0, 1), got {prior!r}."
        )
    if (parameter in ORDERED) != isinstance(prior, Dirichlet):
        raise PriorError(
            f"The prior of {parameter!r}, a vector of cut points, is hs.Dirichlet; got {prior}."
            if parameter in ORDERED
            else f"{prior} is a prior of cut points ({', '.join(ORDERED)}), not of {parameter!r}."
        )
    if parameter in ORDERED:
        return
    if parameter in LOCATIONS:
        if prior.positive:
            raise PriorError(
                f"{parameter!r} can take any value, but {prior} allows positive ones only. Use "
                "Normal, StudentT, Cauchy or Uniform; on the link scale of rates (log-odds) and "
                "counts (log-rate) negative values are common."
            )
        return
    lower = 1.0 if parameter == "nu" else 0.0
    if isinstance(prior, Uniform):
        if prior.lower < lower:
            raise PriorError(
                f"{parameter!r} cannot be below {lower:g}, but {prior} starts at {prior.lower:g}."
            )
        if parameter == "tau":
            warnings.warn(
                f"{prior} on tau favours large values: with few groups the data rule out a large "
                "tau only slowly, so the posterior depends on the upper bound. A half-normal "
                "(hs.HalfNormal) or half-Cauchy (hs.HalfCauchy) prior is the safer choice.",
                HierstanWarning,
                stacklevel=5,
            )
    elif not prior.positive:
        raise PriorError(
            f"{parameter!r} is positive, but {prior} allows any value. Use HalfNormal, HalfCauchy, "
            "HalfStudentT, TruncatedNormal, Exponential, Gamma, InverseGamma, LogNormal or Uniform."
        )
