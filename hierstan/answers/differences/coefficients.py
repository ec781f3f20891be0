"""The slopes of group-level predictors, in the predictors' own units."""

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


def coefficients(fit: Fit, *, prob: float | None = None) -> pd.DataFrame:
    """Summarise how the group means change with their predictors.

    Parameters
    ----------
    fit : Fit
        Of partial or complete pooling, of data with predictors.
    prob : float, optional
        Probability of the equal-tailed intervals, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        One line per predictor: ``mean``, ``sd``, ``lower``, ``upper`` of the change of ``theta``
        for one unit of the predictor, the others being equal; ``per_sd``, the mean change for one
        standard deviation of it, which is what ``beta`` is in the draws; ``prob_positive``. All on
        the link scale: ``exp`` of a slope is an odds ratio or a rate ratio on a logit or log link.
        ``.attrs["explained"]`` holds mean, sd, lower and upper of the share of the variance between
        groups that the predictors explain, ``var(x beta) / (var(x beta) + tau^2)`` [1]_; it is 1
        in complete pooling, by definition.

    Raises
    ------
    HierstanError
        If the fit has no slopes.

    References
    ----------
    .. [1] R-squared at the level of the group means: Gelman and Pardoe 2006,
       doi:10.1198/004017005000000517.

    Examples
    --------
    >>> import hierstan as hs
    >>> trials = hs.load_dataset("bcg")
    >>> arms = dict(events_treatment="vaccinated_positive", total_treatment="vaccinated_total",
    ...             events_control="control_positive", total_control="control_total")
    >>> effects = hs.effect_sizes(trials, group="trial", measure="RR", **arms)
    >>> effects["latitude"] = trials["ablat"].to_numpy()
    >>> data = hs.GroupedData.from_estimates(effects, group="trial", estimate="estimate", se="se",
    ...                                      predictors=["latitude"])
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> slope = hs.coefficients(fit).loc["latitude"]
    >>> print(f"{slope['mean']:.2f} ({slope['lower']:.2f} to {slope['upper']:.2f}) a degree")
    -0.03 (-0.04 to -0.01) a degree
    """
    prob = check_prob(prob)
    check_fit(fit, "coefficients")
    data = fit.data
    if data.standards is None or "beta" not in fit.arrays:
        why = (
            "no pooling has no use for them" if data.standards is not None else "its data have none"
        )
        raise HierstanError(
            f"This fit has no slopes of predictors: {why}. Give predictors= to GroupedData, and "
            "fit PartialPooling or CompletePooling."
        )
    beta = fit.draws("beta")
    summary = group_summaries.summarise(beta / data.standards["sd"].to_numpy(), prob)
    columns = dict(zip(group_summaries.COLUMNS, summary, strict=True))
    columns |= {"per_sd": beta.mean(axis=0), "prob_positive": (beta > 0).mean(axis=0)}
    table = pd.DataFrame(columns, index=data.standards.index)
    explained = group_summaries.summarise(_explained(fit, beta), prob)
    table.attrs["explained"] = dict(
        zip(group_summaries.COLUMNS, map(float, explained), strict=True)
    )
    table.attrs["caption"] = (
        f"Change of theta ({group_summaries.link_words(fit)} scale) for one unit of a predictor: "
        f"mean, standard deviation and equal-tailed {percent(prob)} interval"
    )
    return answer(table, each_row=True)


# internals ------------------------------------------------------------------------------------


def _explained(fit: Fit, beta: np.ndarray) -> np.ndarray:
    """Return the share of the variance between groups that the predictors explain, (S,)."""
    x = fit.data.design[:, 1:]
    explained = np.einsum(
        "sk,kl,sl->s", beta, np.cov(x, rowvar=False).reshape(2 * x.shape[1:]), beta
    )
    tau = fit.draws("tau") if "tau" in fit.arrays else 0.0
    return np.asarray(explained / (explained + tau**2))
