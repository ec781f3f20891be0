"""What the pictures say about groups: numbers by group, on either scale, and the words for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.data.intake import ARMS
from hierstan.data.own_estimates import shown_estimates
from hierstan.data.two_part import TwoPartData
from hierstan.errors import HierstanError
from hierstan.families import FAMILIES
from hierstan.families.family import Family
from hierstan.fit.centers import center_means, has_centers
from hierstan.fit.fit import Fit
from hierstan.fit.group_summaries import group_summaries
from hierstan.fit.two_arms import arm_names
from hierstan.fit.two_part import TwoPartFit
from hierstan.plots.picture import named
from hierstan.plots.style import literal, show_percent
from hierstan.text.tables import printable
from hierstan.text.wording import did_you_mean, listed, pooling_words, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCALES = ("response", "link")
POOLING_WORDS = {
    "complete": "completely pooled",
    "none": "each on its own",
    "partial": "partially pooled",
}
REFERENCES = ("mu", "theta_new")
LONGEST = 18  # of the name of an arm
LINK_WORDS = {"identity": "", "logit": "log-odds of ", "log": "log "}


def on_scale(fit: Fit, values: np.ndarray, scale: str) -> np.ndarray:
    """Return values of the link scale on the scale that is asked for."""
    check_scale(scale)
    if scale == "link":
        return np.asarray(values)
    size = fit.arrays.sizes["chain"] * fit.arrays.sizes["draw"]
    of_draws = np.ndim(values) > 0 and len(values) == size
    return fit.to_response(values, slice(None) if of_draws else None)


def check_scale(scale: str) -> None:
    """Refuse a scale that there is not."""
    if scale not in SCALES:
        raise HierstanError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}.")


def link_of(fit: Fit | TwoPartFit) -> str:
    """Return the link of what is drawn; revenues lie on a log scale."""
    return fit.family.link if isinstance(fit, Fit) else "log"


def shares(fit: Fit | TwoPartFit, scale: str) -> bool:
    """Whether what is drawn are shares of trials, shown as percentages."""
    return isinstance(fit, Fit) and fit.family.shares and scale != "link"


def unit(fit: Fit | TwoPartFit, scale: str) -> str:
    """Return what stands behind the numbers of means."""
    return "%" if shares(fit, scale) else ""


def interval(draws: np.ndarray, prob: float) -> np.ndarray:
    """Return the ends of the equal-tailed interval, shape (2, ...)."""
    if not 0 < prob < 1:
        raise HierstanError(f"prob must lie between 0 and 1, got {prob!r}.")
    tail = (1 - prob) / 2
    return np.asarray(np.quantile(draws, [tail, 1 - tail], axis=0))


def summaries(fit: Fit, draws: np.ndarray, prob: float) -> pd.DataFrame:
    """Return mean, interval and 50% interval of draws (S, J), one line per group.

    Of a fit of the prior alone, ``mean`` is the median: a prior's mean may well be infinite.
    """
    lower, upper = interval(draws, prob)
    inner_lower, inner_upper = interval(draws, 0.5)
    return pd.DataFrame(
        {
            "mean": np.median(draws, axis=0) if fit.prior_only else draws.mean(axis=0),
            "lower": lower,
            "upper": upper,
            "inner_lower": inner_lower,
            "inner_upper": inner_upper,
        }
    )


def group_table(fit: Fit | TwoPartFit, prob: float, scale: str) -> pd.DataFrame:
    """Return the `summaries` of the group means and their ``raw`` estimates and ``se``, by group.

    ``precision`` is each raw estimate's inverse sampling variance on the link scale, with the
    largest as 1.
    """
    if isinstance(fit, TwoPartFit):
        return _revenue_table(fit, prob, scale)
    if fit.keeps_theta:
        table = summaries(fit, on_scale(fit, fit.draws("theta"), scale), prob)
    else:
        table = group_summaries(fit, prob, scale).drop(columns="sd").reset_index(drop=True)
        inner = group_summaries(fit, 0.5, scale)
        table["inner_lower"], table["inner_upper"] = inner["lower"].array, inner["upper"].array
    table[["raw", "se"]] = shown_estimates(fit.data, scale).to_numpy()
    error = shown_estimates(fit.data, "link")["raw_se"].to_numpy()
    table["precision"] = (error.min() / error) ** 2
    table["label"] = labels(fit.data.groups)
    if has_centers(fit):
        table["center"] = center_means(fit, scale)
    return table


def by_level(fit: Fit, table: pd.DataFrame, factor: Hashable) -> pd.DataFrame:
    """Return the lines of a `group_table` level by level, each level under a line with its name.

    Within a level the lines keep their order. Those of the names have ``heading`` and no numbers.
    """
    known = list(fit.data.levels)
    if factor not in known:
        raise HierstanError(
            f"by= takes a factor of the fit, got {show(factor)}.{did_you_mean(factor, known)} It "
            f"has {listed(known, 9) or 'none: give factors= or several group= columns'}."
        )
    levels, own = fit.data.levels[factor], fit.data.factors
    assert own is not None
    place = {level: code for code, level in enumerate(levels)}
    codes = np.array([place[level] for level in own[factor]])[table.index]
    parts = []
    for code, name in enumerate(texts_of(levels)):
        heading = pd.DataFrame({"label": [f"{literal(factor)}: {name}"], "heading": True})
        parts += [heading, table[codes == code].assign(heading=False)]
    return pd.concat(parts, ignore_index=True)


def headings(table: pd.DataFrame) -> list[int]:
    """Return which lines of a table have the names of levels."""
    return np.flatnonzero(table["heading"].to_numpy(bool)).tolist() if "heading" in table else []


def references(fit: Fit | TwoPartFit, prob: float, scale: str) -> pd.DataFrame:
    """Return the population mean and a new group's mean as `summaries`, where the fit has them."""
    names = [n for n in REFERENCES if isinstance(fit, Fit) and n in fit.arrays]
    if isinstance(fit, TwoPartFit) or not names:
        return pd.DataFrame({"mean": [], "lower": [], "upper": [], "label": []})
    draws = on_scale(fit, np.column_stack([fit.draws(name) for name in names]), scale)
    table = summaries(fit, draws, prob)
    # exp(mu) and the like are no mean of the groups but their median
    mu = "population mean" if fit.family.link == "identity" or scale == "link" else "typical group"
    words = {"mu": mu, "theta_new": f"a new {group_word(fit.data)}"}
    table["label"] = [words[name] for name in names]
    table.index = pd.Index(names)
    table.loc[table.index == "theta_new", "mean"] = np.nan  # it may be infinite on this scale
    return table


def labels(groups: pd.Index) -> list[str]:
    """Return what to call groups: what the user says, or their labels as texts."""
    return named(groups.tolist(), texts_of(groups))


def texts_of(groups: pd.Index) -> list[str]:
    """Return labels as texts to draw; those that would look alike are written as in Python."""
    several = isinstance(groups, pd.MultiIndex)
    texts = [literal(", ".join(map(str, group)) if several else group) for group in groups]
    seen = Counter(texts)
    return [
        text if seen[text] == 1 else literal(repr(group))  # 1 and "1", say
        for text, group in zip(texts, groups, strict=True)
    ]


def group_word(data: GroupedData | TwoPartData) -> str:
    """Return the user's word for a group: the name of the column."""
    return literal(data.grouped_by)


def outcome_family(data: GroupedData) -> Family:
    """Return the family of the outcomes themselves, in either arm where there are two."""
    return FAMILIES[data.family].outcomes


def outcome_word(data: GroupedData) -> str:
    """Return the user's words for one outcome: the name of the column, or those of both arms."""
    return " or ".join(dict.fromkeys(name for name, _ in _pairs(data)))


def rate_words(data: GroupedData) -> str:
    """Return what a group's outcomes average to: ``clicks / visits``, ``mean of score``."""
    if outcome_family(data).estimates:
        return outcome_word(data)
    return " or ".join(dict.fromkeys(_averages(data)))


def seen_words(data: GroupedData) -> str:
    """Return the user's words for what was seen: ``clicks / visits``, ``score``."""
    pairs = (f"{own} / {per}" if per else own for own, per in _pairs(data))
    return " or ".join(dict.fromkeys(pairs))


def mean_words(fit: Fit | TwoPartFit, scale: str) -> str:
    """Return what a group's mean is, in the user's words: ``failures / hours``, ``log yield``."""
    if isinstance(fit, TwoPartFit):
        words = f"{literal(fit.data.outcome)} per customer"
        return words if scale == "response" else f"log {words}"
    if fit.data.effect:
        return fit.data.effect.link_words
    words = fit.family.mean_words if fit.family.treatment else rate_words(fit.data)
    return words if scale == "response" else _on_link(fit.family, words, fit.data)


def axis_words(fit: Fit | TwoPartFit, scale: str, log: bool = False) -> str:
    """Return what a group's mean is, as the name of its axis."""
    return mean_words(fit, scale) + " (log scale)" * log


def name_axis(ax: Axes, fit: Fit | TwoPartFit, scale: str, log: bool = False) -> None:
    """Name the value axis after what a group's mean is; shares of trials are percentages on it."""
    ax.set_xlabel(axis_words(fit, scale, log))
    if shares(fit, scale):
        show_percent(ax)


def arm_words(fit: Fit, scale: str = "response") -> tuple[str, str]:
    """Return what the means of the control and the treated arm are, in the user's words."""
    family, averages = outcome_family(fit.data), _averages(fit.data)
    if scale == "link":
        averages = [_on_link(family, words, fit.data) for words in averages]
    names = map(literal, arm_names(fit))
    control, treated = (f"{words}, {name}" for words, name in zip(averages, names, strict=True))
    return control, treated


def arm_headers(fit: Fit) -> dict[str, str]:
    """Return what "control" and "treatment" are called, short enough to head a column."""
    called = (printable(literal(name), LONGEST) for name in arm_names(fit))
    return dict(zip(ARMS, called, strict=True))


def require_posterior(fit: Fit | TwoPartFit, picture: str) -> None:
    """Refuse a fit of the prior."""
    if fit.prior_only:
        raise HierstanError(
            f"{picture} needs a posterior, but this fit has the prior only (prior_only=True). "
            "Fit again without prior_only."
        )


def require(fit: Fit, name: str, picture: str) -> None:
    """Refuse a fit that lacks what a picture is about, naming the fits that have it."""
    require_posterior(fit, picture)
    if name not in fit.arrays:
        kinds = "PartialPooling" if name == "tau" else "PartialPooling or CompletePooling"
        raise HierstanError(
            f"{picture} needs a fit of {kinds}: {pooling_words(fit.model.name)} has no {name}."
        )


# internals ------------------------------------------------------------------------------------


def _pairs(data: GroupedData) -> list[tuple[str, str]]:
    """Return the names of the outcomes' column and of what they are per, of control and treated.

    A frame with a line for each group has columns of its own for each arm.
    """
    family, columns = outcome_family(data), data.columns
    if "total_control" in columns:
        return [(literal(columns[f"events_{a}"]), literal(columns[f"total_{a}"])) for a in ARMS]
    outcome, per = family.role_of("y", columns), family.role_of(family.per, columns)
    own = columns[outcome] if outcome else columns.get("mean", "outcome")
    return 2 * [(literal(own), literal(columns[per]) if per else "")]


def _averages(data: GroupedData) -> list[str]:
    """Return what the outcomes of the control and the treated arm average to."""
    family = outcome_family(data)
    # of a median of amounts both arms' means are told: they have one sigma
    kind = "mean" if FAMILIES[data.family].treatment and family.medians else family.mean_words
    return [f"{own} / {per}" if per else f"{kind} of {own}" for own, per in _pairs(data)]


def _on_link(family: Family, words: str, data: GroupedData) -> str:
    if family.scored:
        return f"log-odds of a higher {outcome_word(data)}"
    return LINK_WORDS[family.link] + words


def _revenue_table(fit: TwoPartFit, prob: float, scale: str) -> pd.DataFrame:
    """Return what `group_table` does, of the revenue per customer of a two-part fit."""
    check_scale(scale)
    raw, inner = fit.raw(scale).reset_index(drop=True), fit.summaries(0.5, scale)
    table = fit.summaries(prob, scale).drop(columns="sd").reset_index(drop=True)
    table["inner_lower"], table["inner_upper"] = inner["lower"].array, inner["upper"].array
    table["raw"], table["se"] = raw["raw"], raw["raw_se"]
    relative = fit.raw("link")["raw_se"].reset_index(drop=True)
    table["precision"] = ((relative.min() / relative) ** 2).fillna(0.0)
    table["label"] = labels(fit.groups)
    return table
