"""Which of the things that describe groups matter: variance between groups, by factor."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hierstan.errors import HierstanError
from hierstan.fit import group_summaries
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.fit.tau_evidence import Spread, spread_of
from hierstan.text.answer import answer
from hierstan.text.tables import Page, Printed, Table, numbers, percent, places
from hierstan.text.wording import did_you_mean, listed, show

COLUMNS = ("sd", "sd_lower", "sd_upper", "share", "share_lower", "share_upper", "contraction")
WORDS = {
    "none": "clearly differ",
    "partial": "differ",
    "complete": "hardly differ",
    "undecided": "may or may not differ: the data cannot tell",
}


@dataclass(frozen=True, eq=False, repr=False)
class Components(Printed):
    """The variance between groups, by factor.

    Attributes
    ----------
    table : pandas.DataFrame
        One line per factor, and a last one for the groups themselves, named as their column:
        posterior mean of the ``sd`` between levels (``tau_region``, ``tau``) on the link scale and
        of its ``share`` of the variance of a new group, each with an equal-tailed interval, and
        ``contraction``, how much of the prior variance of the sd the data took away.
    verdict : str
        What differs and what does not, in words.
    """

    table: pd.DataFrame
    verdict: str

    def page(self) -> Page:
        """Return what is printed."""
        sd, share = self.table["sd"].max() / 10, 0.05
        rows = tuple(
            (str(name), *numbers(line[:3], places(sd)), *numbers(line[3:], places(share)))
            for name, line in zip(self.table.index, self.table.to_numpy(float), strict=True)
        )
        shown = Table(("", *self.table.columns), rows)
        return Page(str(self.table.attrs["caption"]), (), (shown,), (self.verdict,))


def components(fit: Fit, *, prob: float | None = None) -> Components:
    """Say which of the factors that describe groups matter, and what is left to the groups.

    Parameters
    ----------
    fit : Fit
        Of partial pooling, of data with factors.
    prob : float, optional
        Probability of the equal-tailed intervals; by default that of `hierstan.options`.

    Returns
    -------
    Components
        The share of a factor is ``tau_region^2`` over the sum of all ``tau^2``, draw by draw: the
        components of the variance of a group not yet seen [1]_. Predictors are beside this.

    Raises
    ------
    HierstanError
        For a fit without factors.

    Notes
    -----
    The words follow the rule of `heterogeneity`, with the sd of each factor in the place of tau.

    References
    ----------
    .. [1] Gelman 2005, Analysis of variance: why it is more important than ever,
       doi:10.1214/009053604000001048.

    Examples
    --------
    >>> import hierstan as hs
    >>> import pandas as pd
    >>> cells = pd.DataFrame({"age": ["young", "young", "mid", "mid", "old", "old"],
    ...                       "device": ["app", "web"] * 3, "bought": [30, 35, 60, 64, 88, 92]})
    >>> data = hs.GroupedData.from_counts(cells.assign(seen=200), group=["age", "device"],
    ...                                   successes="bought", trials="seen")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    >>> hs.components(fit).table.index.tolist()
    ['age', 'device', 'age × device']
    """
    prob = check_prob(prob)
    check_factors(fit, "components")
    if not fit.model.has_population:
        raise HierstanError("components splits the variance of partial pooling. Fit that.")
    taus = {str(name): f"tau_{name}" for name in fit.data.levels} | {fit.data.grouped_by: "tau"}
    draws = {label: fit.draws(name) for label, name in taus.items()}
    total = np.sum([tau**2 for tau in draws.values()], axis=0)
    whole = spread_of(fit, prob=prob)
    lines, told = [], {}
    for label, tau in draws.items():
        name = taus[label]
        facts = replace(whole, tau=tau, prior=fit.priors[name], name=name)
        sd = group_summaries.summarise(tau, prob)
        share = group_summaries.summarise(tau**2 / total, prob)
        lines.append([sd[0], *sd[2:], share[0], *share[2:], facts.contraction])
        told[label] = (facts, share[0])
    index = pd.Index(list(draws), name="component")
    table = pd.DataFrame(lines, index=index, columns=list(COLUMNS))
    table.attrs["caption"] = (
        f"Differences between {len(fit.data.groups):,} groups by what describes them: sd on "
        f"{group_summaries.link_words(fit)} scale and share of the variance, posterior means with "
        f"equal-tailed {percent(prob)} intervals"
    )
    return Components(table, _verdict(told))


def effects(
    fit: Fit, factor: Hashable, *, prob: float | None = None, scale: str = "link"
) -> pd.DataFrame:
    """Summarise what each level of a factor adds to the groups that have it.

    Parameters
    ----------
    fit : Fit
        Of partial or complete pooling, of data with the factor.
    factor : str
    prob : float, optional
        Probability of the equal-tailed intervals; by default that of `hierstan.options`.
    scale : {"link", "response"}
        ``"link"``: ``u`` itself, a difference from the average level in the outcome's units, in
        log-odds or in logarithms. ``"response"``: the mean of a group that has the level and is
        average in all else, ``mu + u`` on the response scale.

    Returns
    -------
    pandas.DataFrame
        One line per level: ``mean``, ``sd``, ``lower``, ``upper`` and ``pooling_factor``, the share
        of the population's variance that is left: ``var(u) / E(tau_region^2)``, at most 1. 0: the
        data determine the level; 1: nothing is known of it but that it is one of the levels.

    Raises
    ------
    HierstanError
        For a factor that the fit does not have.

    Examples
    --------
    >>> import hierstan as hs
    >>> import pandas as pd
    >>> cells = pd.DataFrame({"age": ["young", "young", "mid", "mid", "old", "old"],
    ...                       "device": ["app", "web"] * 3, "bought": [30, 35, 60, 64, 88, 92]})
    >>> data = hs.GroupedData.from_counts(cells.assign(seen=200), group=["age", "device"],
    ...                                   successes="bought", trials="seen")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    >>> hs.effects(fit, "age")["mean"].sort_values().index.tolist()
    ['young', 'mid', 'old']
    """
    prob = check_prob(prob)
    group_summaries.check_scale(scale)
    check_factors(fit, "effects")
    known = list(fit.data.levels)
    if factor not in known:
        raise HierstanError(
            f"The fit has no factor {show(factor)}.{did_you_mean(factor, known)} It has "
            f"{listed(known, 9)}."
        )
    u, tau = fit.draws(f"u_{factor}"), fit.draws(f"tau_{factor}")
    values = u
    if scale == "response":
        values = fit.to_response(fit.draws("mu")[:, None] + u)
    summary = group_summaries.summarise(values, prob)
    table = pd.DataFrame(
        dict(zip(group_summaries.COLUMNS, summary, strict=True)), index=fit.data.levels[factor]
    )
    table["pooling_factor"] = np.minimum(u.var(axis=0) / np.mean(tau**2), 1.0)
    what = "what it adds" if scale == "link" else "the mean of an otherwise average group"
    table.attrs["caption"] = (
        f"Levels of {factor}: {what}, on "
        f"{group_summaries.link_words(fit) if scale == 'link' else 'the response'} scale: mean, "
        f"standard deviation and equal-tailed {percent(prob)} interval"
    )
    return answer(table)


def check_factors(fit: Fit, verb: str) -> None:
    """Refuse a fit whose model has no factors."""
    check_fit(fit, verb)
    if fit.data.factors is None or "u" not in fit.conditional.parameters:
        why = "its data have none" if fit.data.factors is None else "no pooling has no use for them"
        raise HierstanError(
            f"{verb} needs factors, and this fit has none: {why}. Give several group= columns or "
            "factors= to GroupedData, and fit PartialPooling."
        )


# internals ------------------------------------------------------------------------------------


def _verdict(told: dict[str, tuple[Spread, float]]) -> str:
    *factors, groups = told.items()
    by_kind: dict[str, list[str]] = {}
    for label, (facts, share) in sorted(factors, key=lambda item: -item[1][1]):
        by_kind.setdefault(facts.kind, []).append(f"{label} ({percent(round(share, 2))})")
    parts = []
    for kind, words in WORDS.items():
        if kind in by_kind:
            names = by_kind[kind]
            many = ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]
            parts.append(f"the levels of {many} {words}")
    left = percent(round(groups[1][1], 2))
    sentence = "; ".join(parts)
    vague = [label for label, (facts, _) in told.items() if facts.mostly_prior]
    prior = f" How much is mostly prior for {', '.join(vague)}." if vague else ""
    return (
        f"{sentence[0].upper()}{sentence[1:]}. {left} of the variance between groups is left to "
        f"the groups themselves: those with the same levels {WORDS[groups[1][0].kind]}.{prior}"
    )
