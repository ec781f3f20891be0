"""Which of the three poolings the data support: rules, of which the first that applies speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hierstan.answers.comparison.elpd import Elpd
from hierstan.data.own_estimates import raw_estimates
from hierstan.fit.fit import Fit

CLEAR = 4.0  # |elpd difference| below which models cannot be told apart (Sivula et al. 2020)
NEAR_ZERO = 0.7  # of the typical standard error within a group: tau below it is near zero
APART = 0.3  # of the same: tau above it means that the groups differ
OWN = 0.9  # weight of own data from which estimating each group alone is adequate


Judgement = tuple[str, str | None]  # words, and the pooling that they are for


def judge_poolings(
    results: Mapping[str, Elpd],
    fits: Mapping[str, Fit],
    poolings: Mapping[str, str],
    tau_limit: float | None,
) -> Judgement:
    """Say what the first rule that applies has to say."""
    low, high, noise, own = _tau_facts(fits[poolings["partial"]])
    evidence = _Evidence(
        **{key: results[poolings[key]] for key in ("complete", "none", "partial")},
        low=low,
        high=high if tau_limit is None else tau_limit,
        noise=noise,
        own=own,
    )
    rules = (_unlike_a_population, _different_and_alike, _different, _equal, _near_equal)
    words, pooling = next(filter(None, (rule(evidence) for rule in rules)), _undecided(evidence))
    return words, None if pooling is None else poolings[pooling]


def clearly_worse(worse: Elpd, better: Elpd) -> bool:
    """Whether one model predicts worse beyond doubt: by more than 4 and by two standard errors."""
    apart = better.elpd_i - worse.elpd_i
    dse = np.sqrt(len(apart) * np.var(apart, ddof=1))
    return bool(apart.sum() > max(CLEAR, 2 * dse))


# internals ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Evidence:
    """What a verdict on the three poolings rests on.

    Attributes
    ----------
    complete, none, partial : Elpd
    low, high : float
        From where on and up to where tau may be, 95% sure of each; `high` may be the user's limit.
    noise : float
        The typical standard error within a group.
    own : float
        The weight of a group's own data in its partially pooled estimate.
    """

    complete: Elpd
    none: Elpd
    partial: Elpd
    low: float
    high: float
    noise: float
    own: float

    @property
    def lumped_worse(self) -> bool:
        """Whether complete pooling predicts worse than partial pooling."""
        return clearly_worse(self.complete, self.partial)

    @property
    def alone_worse(self) -> bool:
        """Whether no pooling predicts worse than partial pooling."""
        return clearly_worse(self.none, self.partial)

    @property
    def equal(self) -> str:
        """Say how little complete and partial pooling differ."""
        what = "single outcomes" if self.partial.unit == "observation" else "whole groups"
        how = (
            f"they predict {what} about equally well"
            if abs(self.partial.elpd - self.complete.elpd) < CLEAR
            else f"how well they predict {what} differs by less than two standard errors"
        )
        return f"{how} ({_difference(self.partial, self.complete)} for partial pooling)"


def _unlike_a_population(e: _Evidence) -> Judgement | None:
    if not (clearly_worse(e.partial, e.none) and clearly_worse(e.complete, e.none)):
        return None
    words = (
        "No pooling predicts best: the groups are not like draws from one population (partial "
        f"pooling: {_difference(e.partial, e.none)}). Estimate each group on its own."
    )
    return words, "none"


def _different_and_alike(e: _Evidence) -> Judgement | None:
    if not (e.lumped_worse and e.alone_worse):
        return None
    words = (
        "Partial pooling predicts best. The groups differ, so lumping them together loses accuracy "
        f"({_difference(e.complete, e.partial)}), and they have enough in common that estimating "
        f"each alone loses too ({_difference(e.none, e.partial)})."
    )
    return words, "partial"


def _different(e: _Evidence) -> Judgement | None:
    if not e.lumped_worse:
        return None
    apart = f"The groups clearly differ (complete pooling: {_difference(e.complete, e.partial)})"
    as_well = f"no pooling does about as well as partial pooling ({_difference(e.none, e.partial)})"
    if e.own > OWN:
        words = (
            f"{apart}, and {as_well}: each group's own data hold {e.own:.0%} of the weight in its "
            "estimate. Estimating each group on its own is adequate."
        )
        return words, "none"
    words = (
        f"{apart}; {as_well}. Partial pooling is the safer of the two: it also says what a new "
        "group may look like."
    )
    return words, "partial"


def _equal(e: _Evidence) -> Judgement | None:
    difference = _difference(e.partial, e.complete)
    if clearly_worse(e.partial, e.complete):
        words = (
            "Complete pooling predicts best: the data show no difference between groups that would "
            f"be worth a parameter (partial pooling: {difference})."
        )
        return words, "complete"
    if e.high < NEAR_ZERO * e.noise:
        words = (
            "Complete pooling is adequate: tau is near zero (95% sure that it is below "
            f"{e.high:.3g}, against a typical standard error of {e.noise:.3g} within a group), and "
            f"partial pooling predicts no better ({difference})."
        )
        return words, "complete"
    return None


def _near_equal(e: _Evidence) -> Judgement | None:
    if e.low <= APART * e.noise:
        return None
    words = (
        f"Partial pooling: the groups differ, since tau is at least {e.low:.3g} (95% sure), though "
        f"complete and partial pooling are hard to tell apart by leave-one-out: {e.equal}."
    )
    return words, "partial"


def _undecided(e: _Evidence) -> Judgement:
    worse = ""
    if e.alone_worse:
        worse = f" No pooling is worse than partial pooling ({_difference(e.none, e.partial)})."
    words = (
        f"The data cannot tell complete from partial pooling: {e.equal}, and tau may be up to "
        f"{e.high:.3g} (95% sure).{worse} Partial pooling is the safer choice, since it covers "
        "both."
    )
    return words, None


def _difference(a: Elpd, b: Elpd) -> str:
    apart = a.elpd_i - b.elpd_i
    return f"{apart.sum():+.1f} ± {np.sqrt(len(apart) * np.var(apart, ddof=1)):.1f}"


def _tau_facts(fit: Fit) -> tuple[float, float, float, float]:
    """Return tau's 5% and 95% quantiles, the typical standard error, the weight of own data."""
    raw = raw_estimates(fit.data)
    variance = raw["link_se"].to_numpy() ** 2
    tau = fit.draws("tau")
    own = np.mean([t / (t + variance).mean() for t in (tau**2)[:: max(1, len(tau) // 200)]])
    weights = 1 / variance
    J = len(variance)
    typical = (J - 1) * weights.sum() / (weights.sum() ** 2 - (weights**2).sum())
    low, high = np.quantile(tau, [0.05, 0.95])
    return float(low), float(high), float(np.sqrt(typical)), float(own)
