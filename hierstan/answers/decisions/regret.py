"""What is lost by choosing wrongly, and whether it is worth while to go on looking."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.answers.decisions import losses
from hierstan.answers.decisions.worth import values_of
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_number, check_prob
from hierstan.fit.two_part import TwoPartFit
from hierstan.text.numbers import figure
from hierstan.text.tables import Page, Printed, called, percent


@dataclass(frozen=True, eq=False, repr=False)
class ValueRemaining(Printed):
    """What is still to be gained by going on with an experiment.

    Attributes
    ----------
    chosen : hashable
        The group that would be chosen now: the one with the smallest expected loss.
    mean : float
        What the best group is expected to be better by, which is the expected loss of `chosen`.
    upper : float
        What it is better by at most, with probability `prob`: the value remaining.
    prob : float
    relative : bool
        Whether both are shares of what `chosen` is worth.
    """

    chosen: Hashable
    mean: float
    upper: float
    prob: float
    relative: bool

    def page(self) -> Page:
        """Return what is printed."""
        what = f", as a share of what {called(self.chosen)} is worth" * self.relative
        mean, upper = figure(self.mean), figure(self.upper)
        facts = (
            ("chosen", f"{called(self.chosen)}: the group with the smallest expected loss"),
            ("mean", f"{mean}: what the best group is expected to be better by{what}"),
            ("upper", f"{upper}: no more than that with probability {percent(self.prob)}"),
        )
        advice = "Stop once upper is less than you care for."
        return Page("Value remaining: what is still to be gained", facts, (), (advice,))


def prob_regret(
    fit: Fit | TwoPartFit,
    caring: float,
    *,
    scale: str = "response",
    larger_is_better: bool = True,
) -> pd.Series:
    """Probability that a group, if chosen, is worse than the best one by more than one cares for.

    Parameters
    ----------
    fit : Fit or TwoPartFit
    caring : float
        The difference that does not matter, on `scale`; at least 0.
    scale : {"response", "link", "mean"}
    larger_is_better : bool

    Returns
    -------
    pandas.Series
        By group label.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> bool(hs.prob_regret(fit, caring=5)["A"] < hs.prob_regret(fit, caring=1)["A"])
    True
    """
    values = values_of(fit, scale, larger_is_better)
    caring = check_number("caring", caring, least=0.0)
    S, J = values.sizes
    total = np.zeros(J)
    for block in values.by_draws():
        total += (losses.losses(values, block) > caring).sum(axis=0)
    return values.series(total / S, "prob_regret")


def value_remaining(
    fit: Fit | TwoPartFit,
    *,
    prob: float = 0.95,
    relative: bool = False,
    scale: str = "response",
    larger_is_better: bool = True,
) -> ValueRemaining:
    """Value remaining in an experiment: how much better the best group may be than the choice.

    Parameters
    ----------
    fit : Fit or TwoPartFit
    prob : float
        Probability that no more than ``.upper`` is to be gained.
    relative : bool
        As a share of what the chosen group is worth, which has to be above 0.
    scale : {"response", "link", "mean"}
    larger_is_better : bool

    Returns
    -------
    ValueRemaining

    References
    ----------
    Scott 2015, doi:10.1002/asmb.2104: stop once the value remaining is less than one cares for.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> hs.value_remaining(fit).chosen
    'A'
    """
    values = values_of(fit, scale, larger_is_better)
    prob = check_prob(prob)
    chosen = int(np.argmin(losses.mean_losses(values)))
    gain = [losses.losses(values, block)[:, chosen].copy() for block in values.by_draws()]
    label = values.groups.tolist()[chosen]
    draws = np.concatenate(gain) / (losses.positive(values, label) if relative else 1.0)
    upper = float(np.quantile(draws, prob))
    return ValueRemaining(label, float(draws.mean()), upper, prob, relative)
