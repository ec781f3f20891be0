"""Group means, and what pooling did to each of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.data.own_estimates import group_sizes, raw_estimates, shown_estimates
from hierstan.errors import HierstanError
from hierstan.fit import group_summaries
from hierstan.fit.centers import center_means, has_centers
from hierstan.fit.fit import Fit
from hierstan.fit.information import by_group
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.fit.two_part import TwoPartFit
from hierstan.text.answer import answer
from hierstan.text.tables import percent
from hierstan.text.wording import pooling_words

STILL = 0.05  # of a posterior sd: what the Monte Carlo error of 400 independent draws can move


def group_means(
    fit: Fit | TwoPartFit, *, prob: float | None = None, scale: str = "response"
) -> pd.DataFrame:
    """Summarise the mean of every group.

    Parameters
    ----------
    fit : Fit or TwoPartFit
        Of any pooling. For a fit with ``prior_only=True``: what the prior says. Of a two-part fit:
        the revenue per customer.
    prob : float, optional
        Probability of the equal-tailed intervals, between 0 and 1.
    scale : {"response", "link"}
        ``"response"``: the outcome's own units: means, rates, medians (lognormal). ``"link"``:
        ``theta`` itself: log-odds, logarithms.

    Returns
    -------
    pandas.DataFrame
        One line per group, indexed by its label under the name of the user's column:
        ``mean``, ``sd``, ``lower``, ``upper``. ``.attrs["caption"]`` says what they are.

    Raises
    ------
    HierstanError
        For an impossible `prob` or `scale`.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> means = hs.group_means(fit)
    >>> print(means.columns.tolist(), means.index.name)
    ['mean', 'sd', 'lower', 'upper'] school
    >>> print(means.attrs["caption"].split(": ")[1])
    mean, standard deviation and equal-tailed 90% interval.
    """
    prob = check_prob(prob)
    group_summaries.check_scale(scale)
    check_fit(fit, "group_means", two_part=True)
    if isinstance(fit, TwoPartFit):
        table = fit.summaries(prob, scale)
    else:
        table = group_summaries.group_summaries(fit, prob, scale)
    table.attrs["caption"] = _caption(fit, prob, scale)
    return answer(table, fit.data.columns.get("group"))


def shrinkage(
    fit: Fit | TwoPartFit, *, prob: float | None = None, scale: str = "response"
) -> pd.DataFrame:
    """Compare what each group says on its own with what the model makes of it.

    Parameters
    ----------
    fit : Fit or TwoPartFit
        Of any pooling.
    prob : float, optional
        Probability of the equal-tailed intervals, between 0 and 1.
    scale : {"response", "link"}
        Of ``raw``, ``raw_se``, ``mean``, ``sd``, ``lower``, ``upper`` and ``moved``. Pooling
        factors and what was borrowed are always computed on the link scale.

    Returns
    -------
    pandas.DataFrame
        One line per group, indexed by its label under the name of the user's column:

        - ``raw``, ``raw_se``: the group's own estimate and its standard error, without any model of
          the other groups (on the link scale, counts get half a success, failure or event added);
          none, and an infinite error, where a group has one arm only;
        - ``mean``, ``sd``, ``lower``, ``upper``: of the posterior;
        - ``pooling_factor``: posterior mean of ``V / (V + tau^2)`` [1]_, with ``V`` the sampling
          variance of the group's own estimate (see `information`). 0: the
          group keeps what it says; 1: it takes the population's mean, as in complete pooling. In no
          pooling: what the prior of ``theta`` weighs, its sd in the place of tau; next to nothing
          by default, where a group's data say anything;
        - ``center``, with factors or predictors: where what is known of the group puts it, the
          posterior mean of its own population's center; a pooling factor of 1 takes that;
        - ``moved``: ``mean - raw``;
        - ``toward``: ``"up"``, ``"down"``, or ``"none"`` if it moved by less than a twentieth of
          its posterior sd, which is no more than simulation noise;
        - ``borrowed``: how much data of its own the other groups are worth to this one, in the unit
          of ``n``: ``n (1 / v - 1)``, with ``v`` the posterior mean of ``var(theta | y, tau) / V``
          [2]_. Given tau, ``theta`` is known as well as from ``n + borrowed`` data of the group's
          own. No pooling borrows nothing, complete pooling all there is in the other groups;
        - ``n``: how much data the group has: estimates, trials, exposure or rows; of weighted rows
          their number, and ``weight`` their sum, in whose unit ``borrowed`` then is.

        Of a two-part fit, the revenue per customer: ``pooling_factor_rate`` and
        ``pooling_factor_amount`` (missing without buyers) stand for the first, ``buyers`` beside
        ``n``, the customers, and nothing is said to be borrowed.

        ``.attrs["caption"]`` says what the intervals are, ``.attrs["unit"]`` what ``n`` and
        ``borrowed`` are counted in.

    Raises
    ------
    HierstanError
        For an impossible `prob` or `scale`, or a fit of the prior alone.

    References
    ----------
    .. [1] Gelman and Pardoe 2006, doi:10.1198/004017005000000517.
    .. [2] An effective sample size, as a ratio of precisions: Neuenschwander, Weber, Schmidli and
       O'Hagan 2020, doi:10.1111/biom.13252. See `information.by_group`.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> table = hs.shrinkage(fit)
    >>> print(table.loc["A", ["raw", "raw_se", "toward", "n"]].to_dict())
    {'raw': 28.0, 'raw_se': 15.0, 'toward': 'down', 'n': 1}
    """
    prob = check_prob(prob)
    group_summaries.check_scale(scale)
    check_fit(fit, "shrinkage", two_part=True)
    if fit.prior_only:
        raise HierstanError(
            "shrinkage compares the data with the posterior, but this fit has prior_only=True and "
            "never saw the data. Fit again without it; group_means(fit) shows the prior."
        )
    if isinstance(fit, TwoPartFit):
        return answer(_of_both(fit, prob, scale), fit.data.columns["group"])
    table = group_summaries.group_summaries(fit, prob, scale)
    table = shown_estimates(fit.data, scale).join(table)
    own = by_group(fit)
    table["pooling_factor"] = own.pooling_factor
    if has_centers(fit):
        table["center"] = center_means(fit, scale)
    table["moved"] = table["mean"] - table["raw"]
    table["toward"] = _direction(table)
    n = group_sizes(fit.data)
    with np.errstate(divide="ignore"):  # a group that says nothing borrows all
        table["borrowed"] = n * np.maximum(1 / own.variance_left - 1, 0.0)
    if fit.family.unit == "weights":
        table["weight"], n = n, raw_estimates(fit.data)["n"].to_numpy(float)
    table["n"] = n.astype(np.int64) if (n == n.round()).all() else n
    table.attrs["caption"] = _caption(fit, prob, scale)
    table.attrs["unit"] = fit.family.unit
    return answer(table, fit.data.columns.get("group"))


# internals ------------------------------------------------------------------------------------


def _of_both(fit: TwoPartFit, prob: float, scale: str) -> pd.DataFrame:
    """Return the shrinkage of the revenue per customer, with the pooling factors of both parts."""
    table = fit.raw(scale).join(fit.summaries(prob, scale))
    customers, buyers = (fit.data.table[name].to_numpy() for name in ("customers", "buyers"))
    table["pooling_factor_rate"] = by_group(fit.rate).pooling_factor
    table.loc[buyers > 0, "pooling_factor_amount"] = by_group(fit.amount).pooling_factor
    table["moved"] = table["mean"] - table["raw"]
    table["toward"] = _direction(table)
    table["n"], table["buyers"] = customers, buyers
    table.attrs["caption"], table.attrs["unit"] = _caption(fit, prob, scale), "customers"
    return table


def _direction(table: pd.DataFrame) -> np.ndarray:
    still = ~(table["moved"].abs() >= STILL * table["sd"])  # nor has what has no raw estimate
    return np.where(still, "none", np.where(table["moved"] > 0, "up", "down"))


def _caption(fit: Fit | TwoPartFit, prob: float, scale: str) -> str:
    if isinstance(fit, TwoPartFit):
        log = scale == "link" and fit.logarithmic
        words = "log revenue per customer" if log else "revenue per customer"
    else:
        words = fit.family.mean_words
    if isinstance(fit, Fit) and scale == "link" and fit.family.link != "identity":
        words = {"logit": "log-odds", "log": f"log {words}"}[fit.family.link]
    source = "Prior" if fit.prior_only else "Posterior"
    return (
        f"{source} of each group's {words} under {pooling_words(fit.model.name)}: mean, "
        f"standard deviation and equal-tailed {percent(prob)} interval."
    )
