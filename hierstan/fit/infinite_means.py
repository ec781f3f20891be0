"""Expectations that do not exist: which priors make the mean of an outcome infinite.

A mean over draws is always a number. Where the expectation behind it is infinite, that number grows
with the number of draws, and says nothing.
"""

from __future__ import annotations

import numpy as np

from hierstan.families.treatment import Treatment
from hierstan.fit.fit import Fit
from hierstan.priors import (
    Cauchy,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    Prior,
    StudentT,
    TruncatedNormal,
    Uniform,
)

# How many 90% intervals of amounts of log-sd 2 hold the mean where all groups together have fewer
# buyers than this: tests/benchmarks/two_part_amounts.py.
HELD_OF_FEW = {11: "74% to 85%", 31: "85% to 90%"}
HEAVY_TAIL, SELDOM = 1.5, 0.02
FAR = 6  # standard deviations: what is farther off has a probability of 1e-9


def infinite_because(
    fit: Fit,
    *,
    order: int = 1,
    new_group: bool = False,
    rows: int | None = None,
    of: str = "outcome",
    baseline_known: bool = False,
    levels_known: bool = False,
) -> str:
    """Name the prior that makes the expected outcome infinite.

    On a log link the mean of a new group is ``exp(mu + tau z)``, whose expectation given ``tau``
    grows with ``exp(tau^2 / 2)``; that of a lognormal row grows with ``exp(sigma^2 / 2)``. The data
    make the posterior of ``tau`` and ``sigma`` fall like a power only, so the prior has to fall
    faster: a `HalfNormal` or `TruncatedNormal` with a scale below 1 does, and a `Uniform`, which is
    bounded; all others do not.

    Parameters
    ----------
    fit : Fit
    order : {1, 2}
        1: the mean; 2: the mean square, without which there is no standard deviation.
    new_group : bool
        Whether the outcome is of a group not yet seen. Known groups have data that bound their
        means.
    rows : int, optional
        How many rows the known group has; by default so many that they bound its mean for sure.
        No rows are as good as a new group.
    of : {"outcome", "mean", "response", "ratio"}
        Whose moments are asked for: an outcome's, the mean of a group's outcomes, ``theta`` on the
        response scale (of lognormal data the median), or the ratio ``exp(theta)`` of effects that
        are its logarithm.
    baseline_known : bool
        Whether the baseline of a new group with two arms is known.
    levels_known : bool
        Whether the fit has seen the levels that a new group has of each factor. What a new level
        adds has a variance of its own, whose prior has to fall as fast as that of ``tau``.

    Returns
    -------
    str
        Such as ``"tau ~ HalfCauchy(5)"``, or nothing where the expectation is finite.

    Notes
    -----
    How the `n` rows of a group bound its mean ``exp(theta)`` depends on the family:

    - Poisson: their likelihood falls faster than any power of the mean.
    - Gamma: it falls like the mean to the power ``-n shape`` (negative binomial: ``-n phi``). If
      ``tau`` may be large, moments from ``n shape`` on are infinite. The shape may always be small;
      rows are taken to bound a moment unless it is smaller than that with a probability above 1e-9,
      going by mean and standard deviation of its logarithm.
    - A normal family with a standard deviation of each group: that of a group without rows is
      ``exp(log_sigma)``, and the moment of order `k` of its outcomes is finite if the prior of
      ``sigma_sd`` falls faster than ``exp(-k^2 x^2 / 2)``, or as fast where groups have data.
    - With two arms, ``log(mean)`` of a new group's treated arm has variance ``(1 + slope)^2 tau^2 +
      spread^2`` given these. Its mean is finite only if the prior of ``tau`` falls faster than
      ``(1 + slope)^2`` can grow, so that ``slope`` needs a bounded one, and if that of ``spread``
      falls as that of ``tau`` has to elsewhere. Known groups have data in their arms.
    - Lognormal: ``theta`` given large ``sigma`` and ``tau`` is normal with variance
      ``1 / (n / sigma^2 + 1 / tau^2)``. With half-normal priors of scales `s` and `t` the moment of
      order `k` of the mean ``exp(theta + sigma^2 / 2)`` is finite if
      ``1 / s^2 > k + max(k - 1 / t, 0)^2 / n``; of an outcome, with ``k^2`` for the first ``k``.
      Priors that fall slower have ``1 / s`` or ``1 / t`` = 0, bounded ones infinity.

    Examples
    --------
    >>> import hierstan as hs
    >>> from hierstan.fit.infinite_means import infinite_because
    >>> pumps = hs.load_dataset("pumps")
    >>> data = hs.GroupedData.from_events(pumps, group="pump", events="failures", exposure="hours")
    >>> model = hs.PartialPooling(priors={"tau": hs.HalfCauchy(1)})
    >>> infinite_because(model.fit(data, seed=1, engine="stanli"), new_group=True)
    'tau ~ HalfCauchy(1)'
    """
    unseen = new_group or fit.prior_only or rows == 0
    of_outcome, of_theta = of == "outcome", of in ("response", "ratio")
    if isinstance(fit.family, Treatment) and fit.family.base.link == "log" and not of_theta:
        guilty = _of_arms(fit, order, unseen, baseline_known)
    elif fit.family.link == "log" or of == "ratio":
        power = 0 if of_theta else order**2 if of_outcome else order
        n = np.inf if rows is None else fit.data.n_rows if fit.model.shares_mean else rows
        fresh = unseen and not levels_known
        guilty = _new_level(fit, order) if fresh else ""
        guilty = guilty or _log_link(fit, order, power, 0.0 if unseen else float(n))
    elif fit.family.bounded and of_outcome:
        return ""
    elif fit.family.link == "identity":
        guilty = _identity(fit, order, unseen, of_outcome)
    else:
        return ""
    return f"{guilty} ~ {fit.priors[guilty]}" if guilty else ""


def without_bound(fit: Fit) -> np.ndarray:
    """Say which groups have data that leave their mean as unbounded as a new group's, (J,).

    Where any outcome may be an extra zero, those of a group without any other.
    """
    J, cells = len(fit.data.groups), fit.data.cells
    if not fit.family.zeros_apart:
        return np.zeros(J, dtype=bool)
    return np.bincount(cells["group"], cells["y"] > 0, J) == 0


def too_narrow(amount: Fit, buyers: int) -> str:
    """Say how much less intervals of means hold where few amounts show but a part of their tail.

    It goes by the largest log-sd that the amounts leave open and not by the one they show: of tails
    as heavy as that, intervals miss the mean in the data that happen to show a lighter one.

    Parameters
    ----------
    amount : Fit
        Of what each buyer spent.
    buyers : int
        In all groups.
    """
    from scipy.special import chdtri

    held = next((words for most, words in HELD_OF_FEW.items() if buyers < most), "")
    if not amount.family.medians or not held:
        return ""
    spread, freedom = float(amount.draws(amount.family.within).mean()), max(buyers - 1, 1)
    if spread * np.sqrt(freedom / chdtri(freedom, 1 - SELDOM)) < HEAVY_TAIL:
        return ""
    return (
        f"The amounts of {buyers:,} buyers say little of their tail: the log-sd is {spread:.1f} "
        "here, and may be much more. Where it is 2, 90% intervals of revenue hold it in "
        f"{held} of cases, and least where few large amounts were seen. Wait for more buyers "
        "before you decide."
    )


# internals ------------------------------------------------------------------------------------


def _log_link(fit: Fit, order: int, power: int, rows: float) -> str:
    """Name the guilty parameter of a group with so many rows, 0 if it is new."""
    if "sigma" in fit.priors:
        spread = fit.priors["sigma"]
        if not _outweighs(spread, power, 0 if fit.prior_only else fit.data.n_rows):
            return "sigma"
    if fit.model.shares_mean and not fit.prior_only:
        rows = rows or fit.data.n_rows  # the new group's mean is everyone's
    return _unbounded(fit, order, power) if rows == 0 else _weakly_bounded(fit, order, power, rows)


def _new_level(fit: Fit, order: int) -> str:
    """Name the sd of a factor whose new levels have no data to bound them, if one is guilty."""
    for name, factor in zip(fit.data.tau_names, fit.data.levels, strict=True):
        if name not in fit.priors:
            continue
        assert fit.data.factors is not None
        levels = fit.data.factors[factor].iloc[_informative(fit)].nunique()
        if not _outweighs(fit.priors[name], order**2, levels):
            return name
    return ""


def _of_arms(fit: Fit, order: int, unseen: bool, known: bool) -> str:
    """Name the guilty parameter of an arm on a log link, whose baseline may be `known`."""
    power, groups = order**2, _informative_groups(fit)
    if "sigma" in fit.priors and not _outweighs(
        fit.priors["sigma"], power, 0 if fit.prior_only else fit.data.n_rows
    ):
        return "sigma"
    if not unseen:
        return ""
    if not known and not _outweighs(fit.priors["spread"], power, groups):
        return "spread"
    free = ("theta",) if groups else ("theta", "mu", "intercept")  # the data bound the others
    if heavy := [name for name in free if name in fit.priors and _heavy(fit.priors[name])]:
        return heavy[0]
    if not fit.model.has_population:
        return ""
    if known:  # given the baseline, an effect varies by less than tau
        return "" if _outweighs(fit.priors["tau"], power, groups) else "tau"
    slope = fit.priors["slope"]
    if not isinstance(slope, Uniform):
        return "slope"
    reach = max(abs(arm + edge) for arm in (0, 1) for edge in (slope.lower, slope.upper))
    return "" if _fall(fit.priors["tau"]) > power * reach**2 else "tau"


def _unbounded(fit: Fit, order: int, power: int) -> str:
    """Name what makes the mean of a group without data infinite, if anything."""
    location = "theta" if fit.model.stands_alone else "mu"
    heavy = _heavy(fit.priors[location])
    if not fit.model.has_population:
        return location if heavy else ""
    tau, groups = fit.priors["tau"], _informative_groups(fit)
    if not _outweighs(tau, order**2, groups):
        return "tau"
    if not heavy:
        return ""
    if fit.family.power_of_mean:
        return "mu"  # far away, and the groups with it, at the price of a power
    # A heavy-tailed mu far away takes tau along, or sigma if that is cheaper:
    # exp(order mu - groups mu^2 / (2 tau^2)), and the same with sigma^2 / rows.
    slack = _fall(tau) - order**2
    if "sigma" in fit.priors:
        slack = min(
            slack, float(fit.data.cells["count"].min()) * (_fall(fit.priors["sigma"]) - power)
        )
    return "mu" if groups == 0 or groups * slack <= order**2 else ""


def _weakly_bounded(fit: Fit, order: int, power: int, rows: float) -> str:
    """Name what makes the mean of a group with few rows infinite, if anything."""
    location = "theta" if fit.model.stands_alone else "mu"
    partial, heavy = fit.model.has_population, _heavy(fit.priors[location])
    fall = 0.0 if heavy else _fall(fit.priors["tau"]) if partial else np.inf
    guilty = "tau" if partial and not heavy else location
    if "sigma" in fit.priors:
        needed = power + max(order - np.sqrt(fall), 0.0) ** 2 / rows
        return guilty if needed > power and _fall(fit.priors["sigma"]) <= needed else ""
    if fit.family.power_of_mean and fall <= order**2:
        log_shape = np.log(fit.draws(fit.family.power_of_mean))
        least = np.exp(log_shape.mean() - FAR * log_shape.std())
        return guilty if bool(least * rows <= order) else ""
    return ""


def _outweighs(prior: Prior, needed: float, power: int) -> bool:
    """Whether exp(needed x^2 / 2), times x to minus `power`, has a mean under a prior of x."""
    return not needed or _fall(prior) > needed or (_fall(prior) == needed and power >= 2)


def _fall(prior: Prior) -> float:
    """Return c if a prior of a positive x falls like exp(-c x^2 / 2), 0 if slower."""
    if isinstance(prior, HalfNormal | TruncatedNormal):
        return 1 / prior.scale**2
    return np.inf if isinstance(prior, Uniform) else 0.0


def _informative_groups(fit: Fit) -> int:
    return len(_informative(fit))


def _informative(fit: Fit) -> np.ndarray:
    """Return the groups whose own data bound their mean from below; none if data are ignored."""
    if fit.prior_only:
        return np.zeros(0, dtype=int)
    if fit.family.columns["y"] == "real":
        return np.arange(len(fit.data.groups))
    cells = fit.data.cells
    return np.asarray(cells.loc[cells["y"] > 0, "group"].unique())


def _heavy(prior: Prior) -> bool:
    return isinstance(prior, (StudentT, Cauchy))


def _identity(fit: Fit, order: int, unseen: bool, of_outcome: bool) -> str:
    if of_outcome and "nu" in fit.priors and bool(np.any(fit.draws("nu") <= order)):
        return "nu"
    if unseen and of_outcome and fit.family.of_group:
        of_logs = f"{fit.family.of_group}_sd"  # a new group's sd is exp(its log)
        if not _outweighs(fit.priors[of_logs], order**2, _informative_groups(fit)):
            return of_logs
    if not unseen or (not fit.model.stands_alone and not fit.prior_only):
        return ""
    own = [name for name in ("mu", "tau", "theta", "sigma") if name in fit.priors]
    return next((name for name in own if not _has_moment(fit.priors[name], order)), "")


def _has_moment(prior: Prior, order: int) -> bool:
    if isinstance(prior, (Cauchy, HalfCauchy)):
        return False
    if isinstance(prior, (StudentT, HalfStudentT)):
        return prior.df > order
    return not isinstance(prior, InverseGamma) or prior.shape > order
