"""What posterior predictive checks found, in words: what the model misses, and what would not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hierstan.data.degenerate import check_each, varies
from hierstan.families import FAMILIES
from hierstan.families.treatment import sets_of
from hierstan.fit.statistics import Rows
from hierstan.text.numbers import figure

if TYPE_CHECKING:
    from hierstan.fit.fit import Fit

COLUMNS = ["observed", "replicated", "lower", "upper", "p"]
WORDS = {
    "dispersion": "The variance within groups is {few} times {noun} {among}: intervals are too "
    "narrow and groups seem too different.",
    "above": "Rows above 0 vary {seen:.2g} times as much as their mean {among}: intervals are too "
    "narrow and groups seem too different.",
    "zeros": "{seen:.0%} of the rows are 0, and {usual:.0%} in data like the model's.",
    "lump": "All rows vary {few} times as much as those above 0 do {among}: zeros stand apart, as "
    "if some rows could be nothing else.",
    "unequal": "The groups vary by different amounts within ({spread}), and the model knows one "
    "for all: intervals of the noisy groups are too narrow, of the others too wide.",
    "divided": "Ratings vary more within some groups, and less within others, than the scale that "
    "all groups share has it ({spread}): groups of one mean score may be of one mind, or divided. "
    "Look at their distributions beside their means, in data.to_frame().",
    "tails": "There are more extreme rows than {family} has: kurtosis within groups is {figures} "
    "{among}. A few of them may decide their groups' means.",
    "skew": "Rows are skewed: skewness of their logarithms within groups is {few} {among}.",
    "lopsided": "Rows are skewed: of those far from their group's median {seen:.0%} lie above it "
    "{shares}.",
    "below": "Rows are skewed: {seen:.0%} lie below their group's mean{scale} {shares}.",
    "outlying": "Group {label} lies {few} standard deviations from the population of the others "
    "(at most {most} in data like the model's): the normal population does not fit it, and it "
    "widens tau for all. Look at its data, fit without it (data.without(...)) to see what it "
    "changes, or explain it by a predictor.",
}


def messages(fit: Fit, table: pd.DataFrame, label: str) -> dict[str, str]:
    """Put the checks that failed into words, with the cure.

    Parameters
    ----------
    fit : Fit
    table : pandas.DataFrame
        One line per statistic, with `COLUMNS` and ``ok``.
    label : str
        The most outlying group.

    Returns
    -------
    dict of str to str
        By statistic; one that follows from another is left out.
    """
    wrong = {str(name) for name in table.index[~table["ok"]]}
    if {"zeros", "dispersion"} <= wrong:  # each makes the other
        same = _cure(fit, "zeros") == _cure(fit, "dispersion")
        wrong -= {"dispersion" if not same and _more_zeros_than_overdispersion(fit) else "zeros"}
    if {"zeros", "lump"} <= wrong:
        wrong -= {"lump"}
    if "tails" in wrong and "unequal" in wrong and not _unequal_beyond_tails(table):
        wrong -= {"unequal"}
    if "tails" in wrong and not _one_sided(fit):
        wrong -= {"below", "skew"}
    if skewed := wrong & {"below", "skew"}:  # of which both follow
        wrong -= {"tails", "unequal"} if any(_cure(fit, name) for name in skewed) else {"tails"}
    return {
        name: f"{_said(fit, name, table.loc[name].to_dict(), label)} {_advice(fit, name)}".strip()
        for name in map(str, table.index)
        if name in wrong
    }


# internals --------------------------------------------------------------------------------------


def _said(fit: Fit, name: str, line: Mapping[object, float], label: str) -> str:
    seen, usual, low, high = (line[column] for column in COLUMNS[:4])
    like = "in data like the model's)"
    return WORDS[name].format(
        seen=seen,
        usual=usual,
        few=figure(seen, 2),
        figures=figure(seen),
        most=figure(high, 2),
        among=f"({figure(low)} to {figure(high)} {like}",
        shares=f"({low:.0%} to {high:.0%} {like}",
        noun="the binomial's" if fit.family.outcomes.link == "logit" else "the mean",
        scale=" logarithm" if fit.family.outcomes.positive else "",
        spread=_sds(fit) if "{spread}" in WORDS[name] else "",
        family=fit.family.outcomes.name,
        label=label,
    )


def _sds(fit: Fit) -> str:
    table = fit.data.to_frame().filter(regex="^sd")
    if len(table.columns):
        sd, words = pd.Series(table.to_numpy(float).ravel()).dropna(), "sd"
    else:
        assert fit.data.rows is not None
        sets = sets_of(fit.family, fit.data.rows)
        sd = np.log(fit.data.rows["y"]).groupby(sets).std().dropna()
        words = "sd of their logarithms"
    return f"{words} {figure(sd.min())} to {figure(sd.max())}"


def _advice(fit: Fit, name: str) -> str:
    cures = _cure(fit, name)
    if cures:
        passed = any(FAMILIES[cure].robust for cure in cures)
        but = ", which passes over them; not where they count, as in revenue" if passed else ""
        return f"Use family={' or family='.join(repr(cure) for cure in cures)}{but}."
    if name == "outlying":
        return ""
    of_each = [cure for cure in fit.family.outcomes.checks.get(name, ()) if _wants_each(cure)]
    if of_each and not varies(fit.data, check_each):
        return (
            f"family={of_each[0]!r} has that, but not of groups whose rows are all equal: look at "
            "these, and fit without them (data.without(...))."
        )
    if name == "lopsided":
        return (
            "Their mean is not where most of them are, and Student's t follows most of them: where "
            "means count, as in revenue, use family='normal', whose means are right in groups of "
            "many rows."
        )
    return "No family here has that: take the intervals with caution."


def _cure(fit: Fit, name: str) -> tuple[str, ...]:
    """Return the families that would fit better and take the same table, the best first.

    Every entry of `Family.checks` lists alternatives, each a family or several equally good.
    """
    takes = {name for name, roles in fit.family.outcomes.takes.items() if _came_by(fit, set(roles))}
    for equals in fit.family.checks.get(name, ()):
        there = [
            cure
            for cure in equals.split("|")
            if cure in FAMILIES
            and takes & set(FAMILIES[cure].takes)
            and (not FAMILIES[cure].positive or _all_positive(fit))
            and (not _wants_each(cure) or varies(fit.data, check_each))
        ]
        if there:
            return tuple(there)
    return ()


def _wants_each(cure: str) -> bool:
    return cure in FAMILIES and FAMILIES[cure].unbounded == "no variation in a group"


def _came_by(fit: Fit, roles: set[str]) -> bool:
    return bool(roles & set(fit.data.columns))


def _all_positive(fit: Fit) -> bool:
    return fit.data.rows is not None and bool((fit.data.rows["y"] > 0).all())


def _more_zeros_than_overdispersion(fit: Fit) -> bool:
    """Whether zeros are more than a negative binomial of the groups' means and variance has."""
    rows = fit.data.rows
    assert rows is not None
    own, y = Rows.of(rows, sets_of(fit.family, rows)), rows["y"].to_numpy(float)
    mean = (own.total(y[None])[0] / np.bincount(own.group, own.size, own.J))[own.group] * own.size
    excess = max(float(((y - mean) ** 2 - mean).sum() / (mean**2).sum()), 1e-9)
    expected = np.where(mean > 0, (1 + excess * mean) ** (-1 / excess), 1)
    noise = np.sqrt((expected * (1 - expected)).sum())
    return bool((y == 0).sum() - expected.sum() > 4 * noise)


def _one_sided(fit: Fit) -> bool:
    """Whether the tenth of the rows that is farthest from its groups' medians lies on one side."""
    rows = fit.data.rows
    assert rows is not None
    y = np.log(rows["y"]) if fit.family.outcomes.positive else rows["y"]
    group = sets_of(fit.family, rows)
    off = y - y.groupby(group).transform("median")
    unit = off.abs().groupby(group).transform("median")
    apart = (off / unit)[unit > 0]
    far = apart[apart.abs() >= apart.abs().quantile(0.9)]
    return not abs((far > 0).mean() - 0.5) < 2.5 * 0.5 / np.sqrt(max(len(far), 1))


def _unequal_beyond_tails(table: pd.DataFrame) -> bool:
    """Whether variances differ by more than the kurtosis of the rows makes them differ."""
    observed, upper = table["observed"].to_dict(), table["upper"].to_dict()
    widened = max((observed["tails"] - 1) / 2, 1)
    return bool(observed["unequal"] / widened > upper["unequal"])
