"""Both arms of every group, and the population of baselines and effects: how they go together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.data.wording import at_mean_of
from hierstan.errors import HierstanError
from hierstan.fit import group_summaries
from hierstan.fit.baselines import correlation, correlation_words
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.fit.two_arms import arm_means, treatment_of
from hierstan.text.answer import answer
from hierstan.text.tables import percent
from hierstan.text.wording import pooling_words, show

ENDS = ("", "_lower", "_upper")
OF = ("groups", "population")


def arms(
    fit: Fit, *, of: str = "groups", prob: float | None = None, scale: str = "response"
) -> pd.DataFrame:
    """Summarise both arms of every group, or the population that they come from.

    A group's baseline, the mean of its control arm, and its effect ``theta`` are bivariate normal
    over the groups, of which the program has the regression ``baseline ~ normal(intercept + slope *
    theta, spread)``; without partial pooling of the effects, ``normal(intercept, spread)``.
    Baselines are partially pooled with complete pooling of the effects too; without pooling the
    default priors leave each to its own arm.

    Parameters
    ----------
    fit : Fit
        Of data with two arms (`GroupedData.from_trial`, `.from_arms`). Its draws have the baseline
        of each group too, in ``fit.draws("baseline")``, (S, J).
    of : {"groups", "population"}
        The latter of partial pooling.
    prob : float, optional
        Probability of the equal-tailed intervals, between 0 and 1.
    scale : {"response", "link"}
        Of the groups: both arms' means as rates and the like (of lognormal amounts, too, means, and
        not medians) and effects as odds ratios, rate ratios or ratios of means; or ``baseline``,
        ``baseline + theta`` and ``theta`` themselves. The population is on the link scale.

    Returns
    -------
    pandas.DataFrame
        Of the groups, one line each, under the name of the user's column: posterior means
        ``baseline``, ``treated`` and ``effect``, and the ends of their intervals, such as
        ``effect_lower`` and ``effect_upper``. An effect that is a ratio has its geometric mean, the
        exponential of the mean of ``theta``: a few draws of a group about which little is known
        would make any other mean of it.

        Of the population, one line per quantity, with ``mean``, ``sd``, ``lower``, ``upper``:

        - ``mu``, ``tau``: mean and standard deviation of the effects, such as log odds ratios;
        - ``mu_baseline``, ``tau_baseline``: those of the control arms, ``intercept + slope * mu``
          and ``sqrt(spread^2 + slope^2 tau^2)``;
        - ``mu_treatment``, ``tau_treatment``: those of the treatment arms, baseline and effect
          together;
        - ``correlation``: of baseline and effect, ``slope * tau / tau_baseline``. Where it is
          negative, the effect is lower where the baseline is higher.

        With predictors, the means are those of a group with average predictors, the rest is what
        groups with the same predictors differ by. Of partial pooling, ``.attrs["advice"]`` says in
        words how effects go with baselines.

        Of data with covariates of rows, both arms are those of rows with average covariates.

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
    >>> first = hs.arms(fit).loc["Aronson 1948", ["baseline", "treated", "effect"]]
    >>> bool(first["treated"] < 0.5 * first["baseline"]), bool(first["effect"] < 0.5)
    (True, True)
    >>> table = hs.arms(fit, of="population")
    >>> print(table.loc["mu_baseline", "mean"].round(1), table.loc["correlation", "upper"] < 0)
    -4.1 True
    """
    prob = check_prob(prob)
    check_fit(fit, "arms")
    treatment_of(fit, "arms")
    group_summaries.check_scale(scale)
    if of not in OF:
        raise HierstanError(f"of= takes {' or '.join(map(repr, OF))}, got {show(of)}.")
    table = _population(fit, prob) if of == "population" else _groups(fit, prob, scale)
    if fit.model.has_population:
        table.attrs["advice"] = correlation_words(fit, prob)
    return answer(table, fit.data.columns.get("group"), each_row=of == "population")


# internals ------------------------------------------------------------------------------------


def _groups(fit: Fit, prob: float, scale: str) -> pd.DataFrame:
    effect = fit.data.effect
    assert effect is not None
    ratio = effect.ratio and scale == "response"
    parts = []
    links = arm_means(fit, "link")
    for (_, control, treated), (_, low, high) in zip(arm_means(fit, scale), links, strict=True):
        effects = np.exp(high - low) if ratio else high - low
        draws = {"baseline": control, "treated": treated, "effect": effects}
        columns: dict[str, np.ndarray] = {}
        for name, values in draws.items():
            four = group_summaries.summarise(values, prob)[[0, 2, 3]]
            if ratio and name == "effect":
                four[0] = np.exp((high - low).mean(axis=0))
            columns |= {name + end: line for end, line in zip(ENDS, four, strict=True)}
        parts.append(pd.DataFrame(columns))
    table = pd.concat(parts).set_axis(fit.data.groups, axis=0)
    words = f"{effect.words}, a geometric mean" if ratio else effect.link_words
    where = "on the link scale" if scale == "link" else "means of their outcomes"
    at = at_mean_of(fit.data.covariates)
    source = "Prior" if fit.prior_only else "Posterior"
    table.attrs["caption"] = (
        f"{source} of both arms ({where}) and of the effect ({words}) by "
        f"{pooling_words(fit.model.name)}{', ' * bool(at)}{at}: means and equal-tailed "
        f"{percent(prob)} intervals"
    )
    return table


def _population(fit: Fit, prob: float) -> pd.DataFrame:
    if not fit.model.has_population:
        pooling = pooling_words(fit.model.name).capitalize()
        raise HierstanError(f"{pooling} has no population of effects. Fit PartialPooling.")
    mu, tau, slope = (fit.draws(name) for name in ("mu", "tau", "slope"))
    spread, of_theta = fit.draws("spread"), slope * tau
    baseline = fit.draws("intercept") + slope * mu
    quantities = {
        "mu": mu,
        "tau": tau,
        "mu_baseline": baseline,
        "tau_baseline": np.hypot(spread, of_theta),
        "mu_treatment": baseline + mu,
        "tau_treatment": np.hypot(spread, of_theta + tau),
        "correlation": correlation(fit),
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
    return table
