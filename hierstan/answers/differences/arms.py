"""The population of both arms: baselines and effects, and how they go together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.errors import HierstanError
from hierstan.fit import group_summaries
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.text.answer import answer
from hierstan.text.tables import percent
from hierstan.text.wording import pooling_words


def arms(fit: Fit, *, prob: float | None = None) -> pd.DataFrame:
    """Summarise the population of the baselines and of the effects.

    A group's baseline, the mean of its control arm, and its effect ``theta`` are bivariate normal
    over the groups, of which the program has the regression ``baseline ~ normal(intercept + slope *
    theta, spread)``.

    Parameters
    ----------
    fit : Fit
        Of partial pooling, of data with two arms (`GroupedData.from_arms`). Its draws have the
        baseline of each group too, in ``fit.draws("baseline")``, (S, J).
    prob : float, optional
        Probability of the equal-tailed intervals, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        One line per quantity, with ``mean``, ``sd``, ``lower``, ``upper``, on the link scale, which
        is log-odds for counts in two arms:

        - ``mu``, ``tau``: mean and standard deviation of the effects, such as log odds ratios;
        - ``mu_baseline``, ``tau_baseline``: those of the control arms, ``intercept + slope * mu``
          and ``sqrt(spread^2 + slope^2 tau^2)``;
        - ``mu_treatment``, ``tau_treatment``: those of the treatment arms, baseline and effect
          together;
        - ``correlation``: of baseline and effect, ``slope * tau / tau_baseline``. Where it is
          negative, the effect is lower where the baseline is higher.

        With predictors, the means are those of a group with average predictors, the rest is what
        groups with the same predictors differ by.

    Raises
    ------
    HierstanError
        For any other fit.

    References
    ----------
    van Houwelingen, Arends and Stijnen 2002, doi:10.1002/sim.1040.

    Examples
    --------
    >>> import hierstan as hs
    >>> trials = hs.load_dataset("bcg")
    >>> data = hs.GroupedData.from_arms(
    ...     trials, group="trial",
    ...     events_treatment="vaccinated_positive", total_treatment="vaccinated_total",
    ...     events_control="control_positive", total_control="control_total",
    ... )
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> table = hs.arms(fit)
    >>> print(table.loc["mu_baseline", "mean"].round(1), table.loc["correlation", "upper"] < 0)
    -4.1 True
    """
    prob = check_prob(prob)
    check_fit(fit, "arms")
    _check(fit)
    mu, tau, slope = (fit.draws(name) for name in ("mu", "tau", "slope"))
    spread, of_theta = fit.draws("spread"), slope * tau
    baseline, width = fit.draws("intercept") + slope * mu, np.hypot(spread, of_theta)
    quantities = {
        "mu": mu,
        "tau": tau,
        "mu_baseline": baseline,
        "tau_baseline": width,
        "mu_treatment": baseline + mu,
        "tau_treatment": np.hypot(spread, of_theta + tau),
        "correlation": of_theta / width,
    }
    table = pd.DataFrame(
        [group_summaries.summarise(draws, prob) for draws in quantities.values()],
        index=pd.Index(list(quantities), name="quantity"),
        columns=list(group_summaries.COLUMNS),
    )
    table.attrs["caption"] = (
        "Population of both arms, on the link scale: posterior mean, standard deviation and "
        f"equal-tailed {percent(prob)} interval"
    )
    return answer(table, each_row=True)


# internals ------------------------------------------------------------------------------------


def _check(fit: Fit) -> None:
    if not fit.family.treatment:
        raise HierstanError(
            f"arms needs data with two arms, but this fit is of {fit.data.family} data. Make them "
            "with GroupedData.from_arms."
        )
    if fit.model.name != "partial":
        pooling = pooling_words(fit.model.name).capitalize()
        raise HierstanError(f"{pooling} has no population of effects. Fit PartialPooling.")
