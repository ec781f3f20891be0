"""Effects of a treatment on the absolute scale: both arms' means, their difference and ratio."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hierstan.answers.differences import needed, population
from hierstan.answers.differences.population import Population
from hierstan.data.measures import MEASURES
from hierstan.data.wording import at_mean_of
from hierstan.errors import HierstanError
from hierstan.fit import group_summaries
from hierstan.fit.fit import Fit
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.fit.two_arms import arm_means, arm_names, new_arm_means, treatment_of
from hierstan.sampling.tree import coordinate
from hierstan.text.answer import answer
from hierstan.text.numbers import chance, decimals_of
from hierstan.text.tables import (
    Page,
    Printed,
    Table,
    cut_apart,
    numbers,
    percent,
    places,
    plain_labels,
    printable,
)
from hierstan.text.wording import pooling_words, show

if TYPE_CHECKING:
    import xarray as xr

NEEDED = "NNT"
SURE = 0.95  # of a direction, to count a group as one that has it
MOST_ROWS = 60


@dataclass(frozen=True, eq=False, repr=False)
class AbsoluteEffects(Printed):
    """What a treatment changes in each group, in a population, and in a group not yet seen.

    Attributes
    ----------
    measure : str
        ``"RD"`` and so on; see `absolute_effects`.
    table : pandas.DataFrame
        One line per group; see `absolute_effects`.
    overall : pandas.Series
        The same of the population: of its mean with the treatment and its mean without.
    new_group : pandas.DataFrame
        Of a group not yet seen, one line or one for each baseline that was given: ``control``,
        ``treated`` and ``median``, which are medians, ``lower``, ``upper`` and ``prob_positive``.
    overall_draws : numpy.ndarray
        Draws of the effect in the population, (S,).
    verdict : str
        What it comes to, in plain words.
    prob : float
        Probability of the intervals.
    fit : Fit
    """

    measure: str
    table: pd.DataFrame
    overall: pd.Series
    new_group: pd.DataFrame
    overall_draws: np.ndarray
    verdict: str
    prob: float
    fit: Fit

    @property
    def draws(self) -> xr.DataArray:
        """Draws of the effect in each group, with dimensions ``chain``, ``draw`` and ``group``."""
        import xarray as xr

        values = [_effect(self.measure, *means) for _, *means in arm_means(self.fit)]
        sizes = self.fit.arrays.sizes
        shape = (sizes["chain"], sizes["draw"], len(self.fit.data.groups))
        return xr.DataArray(
            np.hstack(values).reshape(shape),
            dims=("chain", "draw", "group"),
            coords={"group": coordinate(self.fit.data.groups)},
            name=self.measure,
        )

    def page(self) -> Page:
        """Return what is printed."""
        shown, new = self.table[:MOST_ROWS], self.new_group.rename(columns={"median": "mean"})
        labels = cut_apart(plain_labels(shown.index), 32)
        labels += ["overall", *cut_apart(list(map(str, new.index)), 32)]
        lines = pd.concat([shown, self.overall.to_frame().T, new])
        columns = _texts(lines.drop(columns="weight").infer_objects(), self.measure)
        more = len(self.table) - len(shown)
        name = str(self.fit.data.grouped_by)
        align = "<" + "".join("<" if head == "interval" else "." for head in columns)
        table = Table(
            (name, *columns),
            tuple(zip(labels, *columns.values(), strict=True)),
            f"… and {more:,} more, see .table" if more else "",
            align,
            longest=None,
        )
        return Page(str(self.table.attrs["caption"]), (), (table,), (self.verdict,))


def absolute_effects(
    fit: Fit,
    *,
    measure: str | None = None,
    weights: str | Mapping[object, float] | pd.Series = "size",
    baseline: float | Sequence[float] | Mapping[str, float] | pd.Series | None = None,
    larger_is_better: bool | None = None,
    prob: float | None = None,
) -> AbsoluteEffects:
    """Say what a treatment changes on the outcome's own scale, from baselines and effects together.

    Parameters
    ----------
    fit : Fit
        Of any pooling, of data with two arms (`GroupedData.from_trial`, `.from_arms`).
    measure : {"RD", "RR", "NNT", "IRD", "IRR", "MD", "ROM"}, optional
        Of outcomes that are shares: the risk difference, the risk ratio, or how many are treated
        for one event fewer or more. Of counts: the rate difference or ratio. Of amounts: the
        difference or the ratio of means; of lognormal ones, too, means, ``exp(eta + sigma^2 / 2)``,
        and not medians. Of outcomes without a link function: the difference of means, which the
        effects are anyway. Differences and ratios are treated against control, and a difference is
        the default.
    weights : "size", "equal", mapping or pandas.Series
        The population that the overall effect is of: the groups as large as they are in the data
        (both arms together, in the unit of their size: trials, rows, exposure), all of one size, or
        by a weight for each label, such as how many people live there.
    baseline : float, sequence or mapping, optional
        Means of the control arm (a rate, say) of groups not yet seen, where these are known: what
        the effect would be there. Names in a mapping or Series call the groups something.
    larger_is_better : bool, optional
        For ``"NNT"``: whether an event is good (a purchase) or bad (a death); then it is the number
        needed to treat to benefit (NNTB) or to harm (NNTH), and else for one event fewer or more.
    prob : float, optional
        Probability of the equal-tailed intervals, between 0 and 1.

    Returns
    -------
    AbsoluteEffects
        Its table has one line per group:

        - ``control``, ``treated``: posterior means of both arms' means;
        - ``mean``, ``sd``, ``lower``, ``upper``: of their difference or ratio; of a ratio the
          geometric mean and the sd of its logarithm, as ratios are averaged. Of ``"NNT"`` instead
          ``nnt``, ``lower``, ``upper``, ``interval``: one over the risk difference and over the
          ends of its interval, positive for one event fewer (or for benefit), and the interval in
          words. Where it includes no effect, `lower` and `upper` have different signs, and the
          numbers between are those beyond them: from `lower` over infinity to `upper` [1]_;
        - ``prob_positive``: probability that the treated arm's mean is the larger one;
        - ``weight``: the group's share of the population.

        ``overall`` has the same of the population, whose effect is the difference or ratio of its
        two weighted means (standardisation), and not a mean of the groups' ratios.

    Notes
    -----
    Of data with covariates of rows (``adjust=``), all of it is said of rows with average
    covariates, ``data.covariates["mean"]``: a number at its mean, a label at its shares. Where the
    link is not the identity, rates of rows that differ are not, on average, that of an average row.

    Raises
    ------
    HierstanError
        For any other fit, or a measure that the outcomes do not have.
    DataError
        For weights that are not one for each group.

    References
    ----------
    .. [1] Altman 1998, doi:10.1136/bmj.317.7168.1309.

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
    >>> found = hs.absolute_effects(fit, weights="equal")
    >>> bool(found.overall["upper"] < 0), found.table.columns[:3].tolist()
    (True, ['control', 'treated', 'mean'])
    >>> needed = hs.absolute_effects(fit, measure="NNT").table["interval"]
    >>> needed["Hart & Sutherland 1977"].endswith("for one event fewer")
    True
    """
    prob = check_prob(prob)
    check_fit(fit, "absolute_effects")
    measure = _measure(fit, measure)
    people = population.of(fit, weights)
    means, labels = population.baselines(fit, baseline)
    sides = _sides(measure, larger_is_better)
    lines, sums = [], np.zeros((2, len(fit.draws("baseline"))))
    for part, control, treated in arm_means(fit):
        lines.append(_lines(measure, control, treated, prob))
        sums += np.stack([control @ people.share[part], treated @ people.share[part]])
    overall = _lines(measure, sums[0][:, None], sums[1][:, None], prob)
    new = _lines(measure, *new_arm_means(fit, means), prob, np.median)
    table = pd.concat(lines).set_axis(fit.data.groups, axis=0).assign(weight=people.share)
    overall["weight"] = 1.0
    new = new.set_axis(labels, axis=0).drop(columns="sd").rename(columns={"mean": "median"})
    if measure == NEEDED:
        table, overall, new = (needed.inverted(one, sides) for one in (table, overall, new))
    table.attrs["caption"] = _caption(fit, measure, people, prob)
    return AbsoluteEffects(
        measure=measure,
        table=answer(table, fit.data.columns.get("group")),
        overall=overall.iloc[0].rename("overall"),
        new_group=answer(new),
        overall_draws=_effect(measure, sums[0], sums[1]),
        verdict=_verdict(fit, measure, table, overall.iloc[0], prob, sides),
        prob=prob,
        fit=fit,
    )


# internals ------------------------------------------------------------------------------------


def _measure(fit: Fit, asked: str | None) -> str:
    """Return the key of what is asked for, if the outcomes have it."""
    family = treatment_of(fit, "absolute_effects")
    known = [family.difference, *filter(None, [family.ratio])]
    known += [NEEDED] if family.base.shares else []
    key = known[0] if asked is None else str(asked).upper()
    if key not in known:
        words = [f"{name!r} ({_words(name)})" for name in known]
        raise HierstanError(
            f"measure= is one of {', '.join(words)} for {fit.data.family} data, got {show(asked)}."
        )
    return key


def _words(measure: str) -> str:
    return "number needed to treat" if measure == NEEDED else MEASURES[measure].words


def _sides(measure: str, larger_is_better: bool | None) -> needed.Sides:
    if larger_is_better is not None and not isinstance(larger_is_better, bool):
        raise HierstanError(f"larger_is_better= takes True or False, got {show(larger_is_better)}.")
    if larger_is_better is not None and measure != NEEDED:
        raise HierstanError(
            f'larger_is_better= is for measure="NNT", not {measure!r}. Leave it out.'
        )
    return needed.SIDES[larger_is_better]


def _is_ratio(measure: str) -> bool:
    return measure != NEEDED and MEASURES[measure].ratio


def _effect(measure: str, control: np.ndarray, treated: np.ndarray) -> np.ndarray:
    """Return draws of the effect; of numbers needed to treat, one over the risk difference."""
    if measure == NEEDED:
        with np.errstate(divide="ignore"):
            return np.asarray(1 / (control - treated))
    return treated / control if _is_ratio(measure) else treated - control


def _lines(
    measure: str,
    control: np.ndarray,
    treated: np.ndarray,
    prob: float,
    center: Callable[..., np.ndarray] = np.mean,
) -> pd.DataFrame:
    """Summarise both arms and the effect of some groups; of numbers needed, the difference.

    Of ratios it is the geometric mean, and the standard deviation of the logarithm.
    """
    ratio = _is_ratio(measure)
    effect = treated / control if ratio else treated - control
    four = group_summaries.summarise(effect, prob)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.log(effect) if ratio else effect
        four[0], four[1] = center(values, axis=0), values.std(axis=0, ddof=1)
    if ratio:  # a control that may be next to nothing leaves ratios without a mean to speak of
        four[0] = np.exp(four[0])
    arms = {"control": center(control, axis=0), "treated": center(treated, axis=0)}
    return pd.DataFrame(
        {
            **arms,
            **dict(zip(group_summaries.COLUMNS, four, strict=True)),
            "prob_positive": (treated > control).mean(axis=0),
        }
    )


def _caption(fit: Fit, measure: str, people: Population, prob: float) -> str:
    source = "prior" if fit.prior_only else "posterior"
    if measure == NEEDED:
        what = f"Number needed to treat: one over the {source} mean risk difference and its"
    else:
        words, how = _words(measure), "/" if _is_ratio(measure) else "-"
        control, treated = map(printable, arm_names(fit))
        kind = "geometric mean, sd of the log" if how == "/" else "mean, sd"
        what = f"{words[0].upper()}{words[1:]} ({treated} {how} {control}): {source} {kind} and"
    where = at_mean_of(fit.data.covariates)
    return (
        f"{what} equal-tailed {percent(prob)} interval, by {pooling_words(fit.model.name)}"
        f"{', ' * bool(where)}{where}. Overall: {people.words}. Of a new group: medians"
    )


def _verdict(
    fit: Fit,
    measure: str,
    table: pd.DataFrame,
    overall: pd.Series,
    prob: float,
    sides: needed.Sides,
) -> str:
    """Say what the treatment changes overall, and in how many groups it does for sure."""
    family = treatment_of(fit, "absolute_effects")
    what = "rate" if family.base.mean_words == "rate" else "mean"
    ratio = _is_ratio(measure)
    times, sign, points = (100, "%", " percentage points") if family.base.shares else (1, "", "")
    arms = (times * overall[["control", "treated"]]).to_numpy(float)
    decimals = decimals_of(float(np.ptp(arms)) or 1.0)
    if measure == NEEDED:
        before, after = needed.side(overall["nnt"], sides)
        words = needed.number(overall["nnt"])
        found = f"{before}{words}{after} ({percent(prob)} interval {overall['interval']})"
        found = f"the number needed to treat is {found}"
    else:
        effect = (overall[["mean", "lower", "upper"]] * (1 if ratio else times)).to_numpy(float)
        own = decimals_of(float(np.ptp(effect)) or 1.0)
        decimals = decimals if ratio else max(decimals, own)  # so that a difference adds up
        mean, lower, upper = numbers(effect, own)
        held = f"{percent(prob)} interval {lower} to {upper}"
        found = f"the {_words(measure)} is {mean}{'' if ratio else points} ({held})"
    control, treated = (text + sign for text in numbers(arms, decimals))
    above = float(overall["prob_positive"])
    chances = table["prob_positive"]
    side, sure = ("higher", above) if above >= 0.5 else ("lower", 1 - above)
    up, down = (int((share >= SURE).sum()) for share in (chances, 1 - chances))
    where = ", at the mean of the covariates," * (fit.data.covariates is not None)
    return (
        f"Overall{where} the {what} is {treated} with the treatment and {control} without; "
        f"{found}. The {what} is {side} with the treatment with probability {chance(sure)}. Of "
        f"{len(table):,} groups, it is higher in {up:,} and lower in {down:,} with a probability "
        f"of at least {percent(SURE)}."
    )


def _texts(lines: pd.DataFrame, measure: str) -> dict[str, list[str]]:
    """Return the columns as texts, with decimals by what their values differ by."""
    spread = places((lines["upper"] - lines["lower"]) / 4)
    arms = places((lines["treated"] - lines["control"]).abs())
    found = {}
    for name, values in lines.items():
        if name == "interval":
            found["interval"] = values.astype(str).to_list()
        elif name == "nnt":
            found["nnt"] = [needed.number(value) for value in values]
        elif measure != NEEDED or name not in ("lower", "upper"):
            shares = str(name).startswith("prob")
            decimals = 2 if shares else arms if name in ("control", "treated") else spread
            found[str(name)] = numbers(values.to_numpy(float), decimals)
    return found
