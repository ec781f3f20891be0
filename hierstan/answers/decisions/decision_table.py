"""One table to decide by, in words that need no statistics."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.answers.decisions import losses
from hierstan.answers.decisions.worth import SURE, Values, values_of
from hierstan.fit import group_summaries
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_number, check_prob
from hierstan.fit.trust import first
from hierstan.fit.two_part import TwoPartFit
from hierstan.text.answer import answer
from hierstan.text.tables import called, percent
from hierstan.text.wording import pooling_words

UNTRUSTED = "untrusted: "


def decision_table(
    fit: Fit | TwoPartFit,
    control: object = None,
    *,
    caring: float | None = None,
    prob: float | None = None,
    scale: str = "response",
    larger_is_better: bool = True,
) -> pd.DataFrame:
    """Put together what is known of each group, the best choice first.

    Parameters
    ----------
    fit : Fit or TwoPartFit
    control : group label, optional
        The group that is in use now; adds the columns on the difference to it.
    caring : float, optional
        The smallest difference one cares for, on `scale`. With it the table says when to stop: once
        the expected loss of the best choice is no larger.
    prob : float, optional
        Probability of the equal-tailed intervals.
    scale : {"response", "link", "mean"}
    larger_is_better : bool

    Returns
    -------
    pandas.DataFrame
        Indexed by group label, smallest expected loss first: ``n`` (how much data, in the unit
        of `shrinkage`), ``raw`` (what these alone say), ``mean``, ``lower``, ``upper``; with a
        control ``uplift``, ``uplift_lower``, ``uplift_upper`` (group minus control) and
        ``prob_better``; ``prob_best``, ``expected_loss`` and ``verdict``:

        - ``choose``, ``keep testing`` or (without `caring`) ``best choice``, for the first line;
        - ``behind``: worse than that one (by more than `caring`) with a probability of 95% or more;
        - ``in the running``: anything else;
        - ``no difference``, for every line of complete pooling.

        If `diagnose` does not trust the draws, each starts with ``untrusted:``.

        ``.attrs["caption"]`` says what the columns are, ``.attrs["advice"]`` what to do.

    Warns
    -----
    HierstanWarning
        If `diagnose` does not trust the draws, or if a mean rests on a few extreme ones.

    Notes
    -----
    To stop once the expected loss is below the threshold of caring bounds the loss that is made on
    average over experiments like these, however often one looks [1]_. It is no significance test.

    References
    ----------
    .. [1] Stucchio 2015, Bayesian A/B testing at VWO (technical whitepaper).

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> table = hs.decision_table(fit, control="C", caring=1)
    >>> table["verdict"].iloc[0]
    'keep testing'
    """
    values = values_of(fit, scale, larger_is_better)
    prob = check_prob(prob)
    caring = None if caring is None else check_number("caring", caring, least=0.0)
    values.require_means()
    table = values.raw()
    table[["mean", "lower", "upper"]] = _means(values, prob)
    if control is not None:
        difference = losses.differences(values, control, prob=prob)
        own = ["mean", "lower", "upper", "prob_better"]
        names = ["uplift", "uplift_lower", "uplift_upper", "prob_better"]
        table[names] = difference[own].to_numpy()
    table["prob_best"] = losses.best_shares(values)
    loss = losses.mean_losses(values)
    table["expected_loss"] = loss
    top = int(np.argmin(loss))
    same = len(loss) > 1 and np.ptp(loss) == 0
    table["verdict"] = "no difference" if same else _verdicts(values, top, loss[top], caring)
    if values.doubt:
        table["verdict"] = UNTRUSTED + table["verdict"]
    table = table.iloc[np.argsort(loss, kind="stable")]
    table.attrs["caption"] = first(
        values.doubt,
        f"Groups by expected loss under {pooling_words(fit.model.name)} ({percent(prob)} "
        f"equal-tailed intervals; {'larger' if larger_is_better else 'smaller'} is better"
        + (f"; uplift over {called(control)})" if control is not None else ")"),
    )
    table.attrs["advice"] = first(
        values.doubt,
        f"Under {pooling_words(fit.model.name)} the groups are the same: any will do."
        if same
        else _advice(values, top, loss[top], caring),
    )
    return answer(table, values.group_column)


# internals ------------------------------------------------------------------------------------


def _means(values: Values, prob: float) -> np.ndarray:
    result = np.empty((values.sizes[1], 3))
    for part, block in values.by_groups():
        result[part] = group_summaries.summarise(block, prob)[[0, 2, 3]].T
    return result


def _verdicts(values: Values, top: int, loss: float, caring: float | None) -> np.ndarray:
    sign = 1.0 if values.larger_is_better else -1.0
    leader = values.of(values.groups.tolist()[top])[:, None]
    behind = np.empty(values.sizes[1], dtype=bool)
    for part, block in values.by_groups():
        behind[part] = (sign * (leader - block) > (caring or 0.0)).mean(axis=0) >= SURE
    words = np.where(behind, "behind", "in the running").astype(object)
    words[top] = "best choice"
    if caring is not None:
        words[top] = "choose" if loss <= caring else "keep testing"
    return words


def _advice(values: Values, top: int, loss: float, caring: float | None) -> str:
    label = called(values.groups.tolist()[top])
    choice = (
        f"Choosing {label} is expected to lose {values.difference(loss)} against the best group"
    )
    if caring is None:
        return f"{choice}. Is that little enough not to care? Say so with caring=."
    limit = values.difference(caring, 6)
    if loss <= caring:
        return f"Choose {label}. {choice}, no more than the {limit} you care for."
    return f"Keep testing. {choice}, more than the {limit} you care for."
