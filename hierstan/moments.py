"""Expectations that do not exist: which priors make the mean of an outcome infinite.

A mean over draws is always a number. Where the expectation behind it is infinite, that number grows
with the number of draws, and says nothing.
"""

from __future__ import annotations

import numpy as np

from hierstan.fit import Fit
from hierstan.priors import (
    Cauchy,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    Prior,
    StudentT,
    Uniform,
)


def infinite_because(fit: Fit, *, order: int = 1, new_group: bool = False) -> str:
    """Name the prior that makes the expected outcome infinite.

    On a log link the mean of a new group is ``exp(mu + tau z)``, whose expectation given ``tau``
    grows with ``exp(tau^2 / 2)``; that of a lognormal row grows with ``exp(sigma^2 / 2)``. The data
    make the posterior of ``tau`` and ``sigma`` fall like a power only, so the prior has to fall
    faster: a `HalfNormal` with a scale below 1 does, and a `Uniform`, which is bounded; all others
    do not.

    Parameters
    ----------
    fit : Fit
    order : {1, 2}
        1: the mean; 2: the mean square, without which there is no standard deviation.
    new_group : bool
        Whether the outcome is of a group not yet seen. Known groups have data that bound their
        means.

    Returns
    -------
    str
        Such as ``"tau ~ HalfCauchy(5)"``, or nothing where the expectation is finite.

    Examples
    --------
    >>> import hierstan as hs
    >>> from hierstan.moments import infinite_because
    >>> pumps = hs.load_dataset("pumps")
    >>> data = hs.GroupedData.from_events(pumps, group="pump", events="failures", exposure="hours")
    >>> model = hs.PartialPooling(priors={"tau": hs.HalfCauchy(1)})
    >>> infinite_because(model.fit(data, seed=1, engine="stanli"), new_group=True)
    'tau ~ HalfCauchy(1)'
    """
    unseen = new_group or fit.prior_only
    if fit.family.link == "log":
        guilty = _log_link(fit, order, unseen)
    elif fit.family.link == "identity":
        guilty = _identity(fit, order, unseen)
    else:
        return ""
    return f"{guilty} ~ {fit.priors[guilty]}" if guilty else ""


# internals ------------------------------------------------------------------------------------


def _log_link(fit: Fit, order: int, unseen: bool) -> str:
    if "sigma" in fit.priors:
        rows = 0 if fit.prior_only else fit.data.n_rows
        if not _outweighs(fit.priors["sigma"], order, rows):
            return "sigma"
    if not unseen:
        return ""
    if fit.model.name == "none":
        return "theta" if _heavy(fit.priors["theta"]) else ""
    heavy = _heavy(fit.priors["mu"])
    if fit.model.name == "complete":
        return "mu" if heavy and fit.prior_only else ""
    tau, groups = fit.priors["tau"], _informative_groups(fit)
    if not _outweighs(tau, order, groups):
        return "tau"
    if not heavy:
        return ""
    # A heavy-tailed mu far away takes tau along: exp(order mu - groups mu^2 / (2 tau^2)).
    if isinstance(tau, HalfNormal):
        return "mu" if groups * (1 / tau.scale**2 - order**2) <= order**2 else ""
    return "mu" if groups == 0 else ""


def _outweighs(prior: Prior, order: int, power: int) -> bool:
    """Whether exp(order^2 x^2 / 2), times x to minus `power`, has a mean under a prior of x."""
    if isinstance(prior, HalfNormal):
        return prior.scale < 1 / order or (prior.scale == 1 / order and power >= 2)
    return isinstance(prior, Uniform)


def _informative_groups(fit: Fit) -> int:
    """Count the groups whose own data bound their mean from below; none if data are ignored."""
    if fit.prior_only:
        return 0
    if fit.family.columns["y"] == "real":
        return len(fit.data.groups)
    cells = fit.data.cells
    return int(cells.loc[cells["y"] > 0, "group"].nunique())


def _heavy(prior: Prior) -> bool:
    return isinstance(prior, (StudentT, Cauchy))


def _identity(fit: Fit, order: int, unseen: bool) -> str:
    if "nu" in fit.priors and bool(np.any(fit.draws("nu") <= order)):
        return "nu"
    if not unseen or (fit.model.name != "none" and not fit.prior_only):
        return ""
    own = [name for name in ("mu", "tau", "theta", "sigma") if name in fit.priors]
    return next((name for name in own if not _has_moment(fit.priors[name], order)), "")


def _has_moment(prior: Prior, order: int) -> bool:
    if isinstance(prior, (Cauchy, HalfCauchy)):
        return False
    if isinstance(prior, (StudentT, HalfStudentT)):
        return prior.df > order
    return not isinstance(prior, InverseGamma) or prior.shape > order
