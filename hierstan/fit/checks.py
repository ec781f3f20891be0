"""Posterior predictive checks: whether the fit makes data like these, and if not, what would.

References
----------
Gelman, Meng and Stern 1996, Posterior predictive assessment of model fitness via realized
discrepancies, *Statistica Sinica* 6, 733-807.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hierstan.data.own_estimates import raw_estimates
from hierstan.errors import HierstanError
from hierstan.families.treatment import sets_of
from hierstan.fit.check_words import COLUMNS, messages
from hierstan.fit.once import once
from hierstan.fit.statistics import STATISTICS, Rows, outlying
from hierstan.sampling.inputs import stan_data
from hierstan.text.wording import show

if TYPE_CHECKING:
    from hierstan.fit.fit import Fit

LEVEL = 0.005  # of each check, so that all checks of a fit together seldom cry wolf
VALUES = 4_000_000  # replicated outcomes: as many data sets as that allows, within
SETS = (400, 1000)
MOST_DISPERSION = 1.5  # of variances, from which on intervals are wrong rather than a little off
MOST_UNEQUAL = 0.3  # sd of the groups' log standard deviations, likewise
FEWEST_GROUPS = 5  # fewer show no population that one of them could lie outside of

WORDS = {  # of each statistic: its name, and which side of the replicated values is wrong
    "dispersion": ("variance within groups, relative", "above"),
    "above": ("variance of rows above 0, relative", "above"),
    "zeros": ("share of zeros", "above"),
    "lump": ("variance, all rows to those above 0", "above"),
    "unequal": ("inequality of variances", "above"),
    "divided": ("inequality of variances of scores", "above"),
    "tails": ("kurtosis within groups", "above"),
    "below": ("share below the group's mean", "both"),
    "lopsided": ("far rows above the median", "both"),
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


def run_checks(fit: Fit) -> Checks:
    """Compare the data with data replicated from the posterior.

    Parameters
    ----------
    fit : Fit
        Not of the prior alone.
    """
    if fit.prior_only:
        raise HierstanError(
            "This fit has prior_only=True: it has seen no data to check it against."
        )
    lines, label = dict(_within(fit)), ""
    raw = raw_estimates(fit.data)
    known = np.isfinite(raw["link_se"].to_numpy())
    if fit.model.has_population and known.sum() >= FEWEST_GROUPS:
        lines["outlying"], label = _outlying(fit, raw, known)
    table = _table(lines)
    said = tuple(messages(fit, table, label).values())
    table.index = pd.Index([WORDS[name][0] for name in table.index], name="check")
    return Checks(table, said)


def misleading(fit: Fit) -> tuple[str, ...]:
    """Return what the model misses that makes intervals wrong, and all that rests on them.

    Parameters
    ----------
    fit : Fit
        Not of the prior alone.
    """
    if not _material(fit, _at_first_sight(fit)):
        return ()
    lines = _within(fit)
    wrong = _material(fit, {name: _excess(line) for name, line in lines.items()})
    found = messages(fit, _table(lines), "")
    return tuple(text for name, text in found.items() if name in wrong)


# internals --------------------------------------------------------------------------------------


def _several(fit: Fit, rows: pd.DataFrame) -> bool:
    return bool((np.bincount(sets_of(fit.family, rows)) > 1).any())


def _table(lines: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    table = pd.DataFrame.from_dict(dict(lines), orient="index", columns=COLUMNS)
    return table.assign(ok=table["p"] >= LEVEL)


def _excess(line: Mapping[str, float]) -> float:
    return line["observed"] / max(line["replicated"], 1e-9)


def _material(fit: Fit, excess: Mapping[str, float]) -> set[str]:
    """Return the checks that fail by enough to make intervals wrong.

    A group's own log variance varies by 2 / freedom beside 4 times the variance of its log sd.
    """
    wrong: set[str] = set()
    if excess.get("dispersion", 0) > MOST_DISPERSION:
        wrong |= {"dispersion", "zeros", "lump"}
    if excess.get("above", 0) > MOST_DISPERSION:
        wrong |= {"above"}
    if excess.get("unequal", 0) > 1:
        assert fit.data.rows is not None
        freedom = np.bincount(sets_of(fit.family, fit.data.rows)) - 1.0
        variance = (excess["unequal"] - 1) / (2 * freedom[freedom > 0].mean())
        wrong |= {"unequal"} if variance > MOST_UNEQUAL**2 else set()
    return wrong


def _at_first_sight(fit: Fit) -> dict[str, float]:
    """Return the excess over 1, about which these statistics are at most, and a little more.

    Replications take seconds of tens of thousands of rows, and most data do not need them.
    """
    rows = fit.data.rows
    names = {"dispersion", "above", "unequal"} & set(fit.family.checks)
    if rows is None or not names or not _several(fit, rows):
        return {}
    y = _scaled(fit, rows["y"].to_numpy(float)[None])[0]
    own = Rows.of(rows, sets_of(fit.family, rows))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return {name: float(STATISTICS[name](y, own)[0]) / 0.9 for name in names}


def _scaled(fit: Fit, y: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Return outcomes as the statistics take them: logarithms, or in a unit that cannot matter."""
    both = [y, *others]
    if fit.family.outcomes.positive:
        with np.errstate(divide="ignore"):
            both = [np.log(np.maximum(values, 1e-300)) for values in both]
    if fit.family.columns["y"] == "real":  # where the unit must not matter, nor overflow
        center, unit = np.mean(both[0]), np.std(both[0]) or 1.0
        both = [(values - center) / unit for values in both]
    return both


def _within(fit: Fit) -> dict[str, dict[str, float]]:
    """Return the comparisons of the rows within groups, made once."""
    rows = fit.data.rows
    if rows is None or not fit.family.checks or not _several(fit, rows):
        return {}
    return once(fit, (_compared,), lambda: _compared(fit, rows))


def _compared(fit: Fit, rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Compare statistics of the rows within groups."""
    from hierstan.engines.stanli import Evaluator

    sizes = fit.arrays.sizes
    size = int(sizes["chain"] * sizes["draw"])
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
    y, y_rep = _scaled(fit, rows["y"].to_numpy(float)[None], y_rep)
    own = Rows.of(rows, sets_of(fit.family, rows))
    found = {}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for name in fit.family.checks:
            observed, replicated = STATISTICS[name](y, own)[0], STATISTICS[name](y_rep, own)
            if not np.isnan(observed):  # else these rows have nothing that it looks at
                found[name] = _line(observed, replicated, WORDS[name][1])
    return found


def _outlying(fit: Fit, raw: pd.DataFrame, known: np.ndarray) -> tuple[dict[str, float], str]:
    """Compare how far out the most outlying group is, of those that are `known`; say which."""
    link, variance = raw["link"].to_numpy()[known], raw["link_se"].to_numpy()[known] ** 2
    if "beta" in fit.arrays:
        link = link - fit.data.design[known, 1:] @ fit.draws("beta").mean(axis=0)
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
    label = fit.data.groups[known].tolist()[at]
    return _line(distance[at], replicated, "above"), show(label)


def _line(observed: float, replicated: np.ndarray, side: str) -> dict[str, float]:
    S = len(replicated)
    above = (1 + int((replicated >= observed).sum())) / (S + 1)
    below = (1 + int((replicated <= observed).sum())) / (S + 1)
    p = above if side == "above" else min(1.0, 2 * min(above, below))
    lower, upper = np.quantile(replicated, [0.005, 0.995])
    values = (float(observed), float(replicated.mean()), float(lower), float(upper), float(p))
    return dict(zip(COLUMNS, values, strict=True))
