"""From the posterior to a decision: which group is best, and what does choosing it risk.

All of it holds for any pooling, so that a `NoPooling` fit can stand beside a `PartialPooling` one,
and for a two-part fit, whose values are revenues per customer (on the link scale, their logarithm).
Groups that are exactly equal at a draw share it evenly: complete pooling gives each of J groups the
probability 1/J to be the best.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.answers.decisions import losses
from hierstan.answers.decisions.worth import Values, values_of
from hierstan.errors import DataError, HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_number, check_prob
from hierstan.fit.two_part import TwoPartFit
from hierstan.text.answer import answer


def prob_best(
    fit: Fit | TwoPartFit, *, scale: str = "response", larger_is_better: bool = True
) -> pd.Series:
    """Probability that a group is the best of all.

    Parameters
    ----------
    fit : Fit or TwoPartFit
    scale : {"response", "link", "mean"}
        Makes no difference: the order of the groups is the same on each.
    larger_is_better : bool
        Whether the best group is the one with the largest mean.

    Returns
    -------
    pandas.Series
        By group label; adds up to 1.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> hs.prob_best(fit).idxmax()
    'A'
    """
    values = values_of(fit, scale, larger_is_better)
    return values.series(losses.best_shares(values), "prob_best")


def prob_greater(
    fit: Fit | TwoPartFit,
    than: object = None,
    *,
    than_group: object = None,
    scale: str = "response",
) -> pd.Series:
    """Probability that a group's mean is greater than a value, or than another group's.

    Parameters
    ----------
    fit : Fit or TwoPartFit
    than : float or group label
        A number is a value on `scale`; anything else is a label.
    than_group : group label
        For labels that are numbers.
    scale : {"response", "link", "mean"}

    Returns
    -------
    pandas.Series
        By group label. A tie counts half, as does a group against itself.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> bool(hs.prob_greater(fit, than=0)["A"] > hs.prob_greater(fit, than="C")["A"] > 0.5)
    True
    """
    values = values_of(fit, scale, True)
    reference = _reference(values, than, than_group)
    result = np.empty(values.sizes[1])
    for part, block in values.by_groups():
        result[part] = losses.half_ties(block - reference)
    return values.series(result, "prob_greater")


def expected_loss(
    fit: Fit | TwoPartFit, *, scale: str = "response", larger_is_better: bool = True
) -> pd.Series:
    """Loss to expect from choosing a group instead of the best one: ``E[max theta - theta_j]``.

    Parameters
    ----------
    fit : Fit or TwoPartFit
    scale : {"response", "link", "mean"}
        In whose units the loss is. ``"mean"`` is the expected outcome: the response scale, but for
        lognormal amounts, whose response is the median and whose mean is
        ``exp(theta + sigma^2 / 2)``. A mean that is infinite under the priors is refused.
    larger_is_better : bool

    Returns
    -------
    pandas.Series
        By group label, at least 0; smallest for the group with the best posterior mean.

    Warns
    -----
    HierstanWarning
        If the loss is infinite, or rests on a few extreme draws, as may be on a log link.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> hs.expected_loss(fit).idxmin()
    'A'
    """
    values = values_of(fit, scale, larger_is_better)
    return values.series(losses.mean_losses(values), "expected_loss")


def uplift(
    fit: Fit | TwoPartFit,
    control: object = None,
    *,
    relative: bool = False,
    caring: float | tuple[float, float] | None = None,
    prob: float | None = None,
    scale: str = "response",
    larger_is_better: bool = True,
) -> pd.DataFrame:
    """Compare every group with a control.

    Parameters
    ----------
    fit : Fit or TwoPartFit
    control : group label
    relative : bool
        Divide the differences by the control's mean, which has to be above 0: 0.1 is ten percent.
    caring : float or (float, float), optional
        The smallest difference that matters: up to it, in either direction or between these two
        ends, groups count as equivalent. Relative ones, if so.
    prob : float, optional
        Probability of the equal-tailed intervals.
    scale : {"response", "link", "mean"}
    larger_is_better : bool
        Differences are group minus control in either case; this says which sign is better.

    Returns
    -------
    pandas.DataFrame
        One line per group but the control: ``mean``, ``sd``, ``lower``, ``upper``, ``prob_better``
        (a tie counts half). With `caring`, ``prob_better`` and ``prob_worse`` are the probabilities
        beyond it and ``prob_equivalent`` the rest; they add up to 1.

    Raises
    ------
    DataError
        For a control that is no group.

    Warns
    -----
    HierstanWarning
        If a mean is infinite, or rests on a few extreme draws.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> hs.uplift(fit, control="C", caring=1).columns.tolist()
    ['mean', 'sd', 'lower', 'upper', 'prob_better', 'prob_worse', 'prob_equivalent']
    """
    values = values_of(fit, scale, larger_is_better)
    prob = check_prob(prob)
    losses.check_control(values, control)
    table = losses.differences(values, control, relative=relative, caring=caring, prob=prob)
    others = table[np.arange(len(table)) != values.position(control)]
    return answer(others, values.group_column)


# internals ------------------------------------------------------------------------------------


def _reference(values: Values, than: object, than_group: object) -> np.ndarray:
    """Return what groups are compared with, as a column: a value, or a group's draws."""
    if (than is None) == (than_group is None):
        raise HierstanError(
            "prob_greater compares with a value or a group: give than= (a number or a label) or "
            "than_group= (a label)."
        )
    number = isinstance(than, (int, float, np.number)) and not isinstance(than, bool)
    if than is None or not number:
        return values.of(than_group if than is None else than)[:, None]
    if isinstance(than, (int, np.integer)) and than in list(values.groups):
        raise DataError(
            f"than={than} may be the value or the group {than}. Write than={float(than)} for the "
            f"value, than_group={than} for the group."
        )
    return np.full((1, 1), check_number("than", than))
