"""Posterior predictive checks: whether the fit makes data like these, and if not, what would.

References
----------
Gelman, Meng and Stern 1996, Posterior predictive assessment of model fitness via realized
discrepancies, *Statistica Sinica* 6, 733-807.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hierstan.data.own_estimates import raw_estimates
from hierstan.errors import HierstanError
from hierstan.families import FAMILIES
from hierstan.fit.statistics import STATISTICS, Rows, outlying
from hierstan.sampling.inputs import stan_data
from hierstan.text.wording import show

LEVEL = 0.005  # of each check, so that all checks of a fit together seldom cry wolf
VALUES = 4_000_000  # replicated outcomes: as many data sets as that allows, within
SETS = (400, 1000)
FEWEST_GROUPS = 5  # fewer show no population that one of them could lie outside of

WORDS = {  # of each statistic: its name, and which side of the replicated values is wrong
    "dispersion": ("variance within groups, relative", "above"),
    "zeros": ("share of zeros", "above"),
    "lump": ("variance of all rows against that of rows above 0", "above"),
    "unequal": ("inequality of variances", "above"),
    "tails": ("kurtosis within groups", "above"),
    "below": ("share below the group's mean", "both"),
    "skew": ("skewness within groups", "both"),
    "outlying": ("farthest group, in sd", "above"),
}


@dataclass(frozen=True)
class Checks:
    """What was checked, and what the model misses.

    Attributes
    ----------
    table : pandas.DataFrame
        One line per check: ``observed``, the ``replicated`` mean, ``lower`` and ``upper`` (99%
        interval), ``p`` and ``ok``.
    messages : tuple of str
    """

    table: pd.DataFrame
    messages: tuple[str, ...]


def run_checks(fit: Any) -> Checks:
    """Compare the data with data replicated from the posterior.

    Parameters
    ----------
    fit : Fit
        Not of the prior alone.
    """
    lines: dict[str, dict[str, float]] = {}
    label = ""
    if fit.prior_only:
        raise HierstanError(
            "This fit has prior_only=True: it has seen no data to check it against."
        )
    if (rows := fit.data.rows) is not None and fit.family.checks and _several(rows):
        lines |= _within(fit, rows)
    if fit.model.name == "partial" and len(fit.data.groups) >= FEWEST_GROUPS:
        lines["outlying"], label = _outlying(fit)
    table = pd.DataFrame.from_dict(lines, orient="index", columns=COLUMNS)
    table["ok"] = table["p"] >= LEVEL
    messages = _messages(fit, table, label)
    table.index = pd.Index([WORDS[name][0] for name in table.index], name="check")
    return Checks(table, messages)


# internals --------------------------------------------------------------------------------------

COLUMNS = ["observed", "replicated", "lower", "upper", "p"]


def _several(rows: pd.DataFrame) -> bool:
    return bool(rows["group"].duplicated().any())


def _within(fit: Any, rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Compare statistics of the rows within groups."""
    from hierstan.engines.stanli import Evaluator

    sizes = fit.posterior.sizes
    size, J = int(sizes["chain"] * sizes["draw"]), len(fit.data.groups)
    sets = min(size, int(np.clip(VALUES // len(rows), *SETS)))
    which = np.linspace(0, size - 1, sets).astype(int)
    entries = stan_data(fit.data, fit.priors, rows=True, pointwise=True)
    evaluator = Evaluator(fit.conditional, entries, fit.seed)
    draws = {
        name: fit.theta(draws=which) if name == "theta" else fit.draws(name)[which]
        for name in evaluator.parameters
    }
    y_rep = evaluator.written(draws, ["y_rep"])["y_rep"].astype(float)
    if np.isnan(y_rep).any():
        raise HierstanError(
            "y_rep of this program is not a number at some draws: no data to check."
        )
    y = rows["y"].to_numpy(float)[None]
    if fit.family.positive:
        with np.errstate(divide="ignore"):
            y, y_rep = np.log(y), np.log(np.maximum(y_rep, 1e-300))
    if fit.family.columns["y"] == "real":  # where the unit must not matter, nor overflow
        center, unit = np.mean(y), np.std(y) or 1.0
        y, y_rep = (y - center) / unit, (y_rep - center) / unit
    own = Rows.of(rows, J)
    found = {}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for name in fit.family.checks:
            observed, replicated = STATISTICS[name](y, own)[0], STATISTICS[name](y_rep, own)
            if not np.isnan(observed):  # else these rows have nothing that it looks at
                found[name] = _line(observed, replicated, WORDS[name][1])
    return found


def _outlying(fit: Any) -> tuple[dict[str, float], str]:
    """Compare how far out the most outlying group is, and say which it is."""
    raw = raw_estimates(fit.data)
    link, variance = raw["link"].to_numpy(), raw["link_se"].to_numpy() ** 2
    if "beta" in fit.posterior:
        link = link - fit.data.design[:, 1:] @ fit.draws("beta").mean(axis=0)
    draws = fit.draws("tau")
    tau = draws[np.linspace(0, len(draws) - 1, min(len(draws), SETS[1])).astype(int)]
    if (many := VALUES // len(link)) < len(tau):
        tau = tau[: max(many, 200)]
    rng = np.random.default_rng([fit.seed, len(link)])
    center = np.median(link)
    rep = rng.normal(0, np.sqrt(tau[:, None] ** 2 + variance))
    middle = float(np.median(tau))
    distance = np.abs(outlying(link[None] - center, variance, middle))[0]
    replicated = np.abs(outlying(rep, variance, middle)).max(axis=1)
    at = int(np.argmax(distance))
    return _line(distance[at], replicated, "above"), show(fit.data.groups.tolist()[at])


def _line(observed: float, replicated: np.ndarray, side: str) -> dict[str, float]:
    S = len(replicated)
    above = (1 + int((replicated >= observed).sum())) / (S + 1)
    below = (1 + int((replicated <= observed).sum())) / (S + 1)
    p = above if side == "above" else min(1.0, 2 * min(above, below))
    lower, upper = np.quantile(replicated, [0.005, 0.995])
    values = (float(observed), float(replicated.mean()), float(lower), float(upper), float(p))
    return dict(zip(COLUMNS, values, strict=True))


# words ------------------------------------------------------------------------------------------


def _messages(fit: Any, table: pd.DataFrame, label: str) -> tuple[str, ...]:
    wrong = {str(name) for name in table.index[~table["ok"]]}
    if {"zeros", "dispersion"} <= wrong:  # each makes the other
        same = _cure(fit, "zeros") == _cure(fit, "dispersion")
        wrong -= {"dispersion" if not same and _more_zeros_than_overdispersion(fit) else "zeros"}
    if {"zeros", "lump"} <= wrong:
        wrong -= {"lump"}
    if any(name in wrong and _cure(fit, name) for name in ("below", "skew")):
        wrong -= {"tails", "unequal"}  # of skewed amounts, both follow
    if "tails" in wrong and "unequal" in wrong and not _unequal_beyond_tails(table):
        wrong -= {"unequal"}
    return tuple(
        f"{_said(fit, str(name), line.to_dict(), label)} {_advice(fit, str(name))}".strip()
        for name, line in table.iterrows()
        if name in wrong
    )


def _said(fit: Any, name: str, line: Mapping[Any, float], label: str) -> str:
    seen, usual, low, high = (line[column] for column in COLUMNS[:4])
    among = f"({low:.3g} to {high:.3g} in data like the model's)"
    family = fit.data.family
    if name == "dispersion":
        noun = "the binomial's" if fit.family.link == "logit" else "the mean"
        return (
            f"The variance within groups is {seen:.2g} times {noun} {among}: intervals are too "
            "narrow and groups seem too different."
        )
    if name == "zeros":
        return f"{seen:.0%} of the rows are 0, and {usual:.0%} in data like the model's."
    if name == "lump":
        return (
            f"All rows vary {seen:.2g} times as much as those above 0 do {among}: zeros stand "
            "apart, as if some rows could be nothing else."
        )
    if name == "unequal":
        spread = _sds(fit)
        return (
            f"The groups vary by different amounts within ({spread}), and the model knows one for "
            "all: intervals of the noisy groups are too narrow, of the others too wide."
        )
    if name == "tails":
        return (
            f"There are more extreme rows than {family} has: kurtosis within groups is {seen:.3g} "
            f"{among}. A few of them may decide their groups' means."
        )
    if name == "skew":
        return f"Rows are skewed: skewness of their logarithms within groups is {seen:.2g} {among}."
    if name == "below":
        scale = " logarithm" if fit.family.positive else ""
        return (
            f"Rows are skewed: {seen:.0%} lie below their group's mean{scale} "
            f"({low:.0%} to {high:.0%} in data like the model's)."
        )
    return (
        f"Group {label} lies {seen:.2g} standard deviations from the population of the others "
        f"(at most {high:.2g} in data like the model's): the normal population does not fit it, "
        "and it widens tau for all. Look at its data, fit without it (data.without(...)) to see "
        "what it changes, or explain it by a predictor."
    )


def _sds(fit: Any) -> str:
    sd = fit.data.to_frame().filter(regex="^sd").iloc[:, 0].dropna()
    return f"sd {sd.min():.3g} to {sd.max():.3g}"


def _advice(fit: Any, name: str) -> str:
    cures = _cure(fit, name)
    if cures:
        return f"Use family={' or family='.join(repr(cure) for cure in cures)}."
    if name == "outlying":
        return ""
    return "No family here has that: take the intervals with caution."


def _cure(fit: Any, name: str) -> tuple[str, ...]:
    """Return the families that would fit better and take the same table, the best first.

    Every entry of `Family.checks` lists alternatives, each a family or several equally good.
    """
    takes = {name for name, roles in fit.family.takes.items() if _came_by(fit, set(roles))}
    for equals in fit.family.checks.get(name, ()):
        there = [
            cure
            for cure in equals.split("|")
            if cure in FAMILIES
            and takes & set(FAMILIES[cure].takes)
            and (not FAMILIES[cure].positive or _all_positive(fit))
        ]
        if there:
            return tuple(there)
    return ()


def _came_by(fit: Any, roles: set[str]) -> bool:
    return bool(roles & set(fit.data.columns))


def _all_positive(fit: Any) -> bool:
    return fit.data.rows is not None and bool((fit.data.rows["y"] > 0).all())


def _more_zeros_than_overdispersion(fit: Any) -> bool:
    """Whether zeros are more than a negative binomial of the groups' means and variance has."""
    rows = fit.data.rows
    assert rows is not None
    own, y = Rows.of(rows, len(fit.data.groups)), rows["y"].to_numpy(float)
    mean = (own.total(y[None])[0] / np.bincount(own.group, own.size, own.J))[own.group] * own.size
    excess = max(float(((y - mean) ** 2 - mean).sum() / (mean**2).sum()), 1e-9)
    expected = np.where(mean > 0, (1 + excess * mean) ** (-1 / excess), 1)
    noise = np.sqrt((expected * (1 - expected)).sum())
    return bool((y == 0).sum() - expected.sum() > 4 * noise)


def _unequal_beyond_tails(table: pd.DataFrame) -> bool:
    """Whether variances differ by more than the kurtosis of the rows makes them differ."""
    observed, upper = table["observed"].to_dict(), table["upper"].to_dict()
    widened = max((observed["tails"] - 1) / 2, 1)
    return bool(observed["unequal"] / widened > upper["unequal"])
