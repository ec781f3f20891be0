"""How different the groups really are: tau, I2, pooling, and what a new group would look like."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import overload

import numpy as np
import pandas as pd

from hierstan.answers.differences.verdict import noun, verdict
from hierstan.errors import HierstanError
from hierstan.fit import group_summaries
from hierstan.fit.baselines import correlation_words
from hierstan.fit.fit import Fit
from hierstan.fit.marked import mark_infinite
from hierstan.fit.settings import check_number, check_prob
from hierstan.fit.taken import check_fit
from hierstan.fit.tau_evidence import spread_of, sums_of
from hierstan.fit.trust import doubts, first
from hierstan.fit.two_part import PART_WORDS, TwoPartFit
from hierstan.text.answer import answer
from hierstan.text.numbers import chance, short
from hierstan.text.tables import Page, Printed, Table, numbers, percent, places_of_line
from hierstan.text.wording import pooling_words

STEP = 1e-4  # of a slope by differences, on scales of logarithms


@dataclass(frozen=True, eq=False, repr=False)
class Heterogeneity(Printed):
    """How different the groups are.

    Attributes
    ----------
    table : pandas.DataFrame
        ``mean``, ``sd``, ``lower``, ``upper`` (equal-tailed) of ``tau``, ``i2``, ``h2``,
        ``pooling_factor``, ``groups_borrowed`` and ``new_group``; see `heterogeneity`.
    tau, i2 : pandas.Series
        Their lines of the table.
    new_group : pandas.DataFrame
        Prediction for a group not yet seen, on the ``response`` and the ``link`` scale: ``mean``,
        ``sd``, ``lower``, ``upper``; with a threshold also the probabilities ``below`` and
        ``above``. A mean or sd that does not exist under the prior is inf, and
        ``.attrs["advice"]`` says so and what to read instead.
    contraction : float
        How much of the prior variance of tau the data took away: near 1 they determine tau, near 0
        it is mostly prior; negative if the posterior is wider than the prior.
    caring : float
        The tau below which differences do not matter, on the link scale.
    prob_negligible : float
        Posterior probability of a tau below that.
    verdict : str
        What all of this means, in plain words.
    """

    table: pd.DataFrame
    tau: pd.Series
    i2: pd.Series
    new_group: pd.DataFrame
    contraction: float
    caring: float
    prob_negligible: float
    verdict: str

    def page(self) -> Page:
        """Return what is printed."""
        return Page(str(self.table.attrs["caption"]), (), (_shown(self.table),), self.words())

    def words(self) -> tuple[str, ...]:
        """Return what is printed below the table: the verdict, and what is infinite."""
        return tuple(filter(None, (self.verdict, self.table.attrs.get("advice", ""))))


@dataclass(frozen=True, eq=False, repr=False)
class HeterogeneityOfBoth(Printed):
    """How different the groups are in either part of a two-part fit.

    Attributes
    ----------
    rate, amount : Heterogeneity
        In who buys, and in how much buyers spend.
    """

    rate: Heterogeneity
    amount: Heterogeneity

    @property
    def table(self) -> pd.DataFrame:
        """Both tables, one below the other, indexed by part and quantity."""
        parts = {"rate": self.rate.table, "amount": self.amount.table}
        return pd.concat(parts, names=["part"])

    @property
    def verdict(self) -> str:
        """What both mean, in plain words."""
        return " ".join(self.verdicts())

    def page(self) -> Page:
        """Return what is printed."""
        tables = tuple(
            replace(_shown(part.table), header=(name, *part.table.columns))
            for name, part in self._parts()
        )
        words = tuple(
            f"{name.capitalize()}: {text}" for name, part in self._parts() for text in part.words()
        )
        return Page(str(self.rate.table.attrs["caption"]), (), tables, words)

    def verdicts(self) -> list[str]:
        """Return what either part means, in plain words."""
        return [f"{name.capitalize()}: {part.verdict}" for name, part in self._parts()]

    def _parts(self) -> list[tuple[str, Heterogeneity]]:
        return [(words, getattr(self, name)) for name, words in PART_WORDS.items()]


@overload
def heterogeneity(
    fit: Fit,
    *,
    prob: float | None = None,
    threshold: float | None = None,
    caring: float | None = None,
    scale: str = "response",
) -> Heterogeneity: ...


@overload
def heterogeneity(fit: TwoPartFit, *, prob: float | None = None) -> HeterogeneityOfBoth: ...


def heterogeneity(
    fit: Fit | TwoPartFit,
    *,
    prob: float | None = None,
    threshold: float | None = None,
    caring: float | None = None,
    scale: str = "response",
) -> Heterogeneity | HeterogeneityOfBoth:
    """Say how different the groups are.

    Parameters
    ----------
    fit : Fit or TwoPartFit
        Of partial pooling.
    prob : float, optional
        Probability of the equal-tailed intervals, between 0 and 1.
    threshold : float, optional
        On the response scale (a rate, say): adds the probabilities that a new group's mean is below
        and above it.
    caring : float, optional
        The smallest difference between groups that matters, as in `decision_table`: a tau below it
        is negligible. By default a third of the
        typical standard error ``s``, where the total pooling factor is ``1 / (1 + 1/9) = 0.9``: the
        groups' own data then count for a tenth, and partial pooling is close to complete pooling.
    scale : {"response", "link"}
        Of `caring`: the outcome's own units (0.01 is a point of a rate), converted at the median of
        ``mu``, or the link scale (``np.log(1.1)`` is a tenth more).

    Returns
    -------
    Heterogeneity, or of a two-part fit HeterogeneityOfBoth
        Its table has, per draw, with the typical variance ``s^2`` of [1]_ (equation 9) on the link
        scale (see `hierstan.fit.information.by_draw`):

        - ``tau``: standard deviation of the population, on the link scale;
        - ``i2``: ``tau^2 / (tau^2 + s^2)``, the share of the variance of a typical group's raw
          estimate that is difference between groups [1]_;
        - ``h2``: ``1 / (1 - i2)`` [1]_;
        - ``pooling_factor``: ``1 - i2``, of all groups together; per group see `shrinkage`;
        - ``groups_borrowed``: the sum of ``V / (V + tau^2)`` over the groups: of J group means, how
          many are in effect estimated from the population instead of their own data. 0 in no
          pooling, J in complete pooling;
        - ``new_group``: mean of a group not yet seen, on the response scale; its interval is the
          prediction interval [2]_. Where the prior leaves its mean or sd infinite, as on a log link
          a wide one of ``tau`` does, they are inf.

    Raises
    ------
    HierstanError
        For a fit without ``tau`` (complete or no pooling), a fit of the prior alone, or an
        impossible argument.

    Warns
    -----
    HierstanWarning
        If `diagnose` does not trust the draws; the verdict says so first.

    Notes
    -----
    The verdict has one rule, which `compare` shares. With the Bayes factor of partial against
    complete pooling (from the density of tau near 0 [3]_; a prior of tau that is wider than the
    default of estimates is judged as if it were that) and the probability that tau is negligible,
    below `caring`:

    - the groups "really differ" if the factor is above 3 and the probability below 0.1; estimating
      each group alone is then adequate, too, if own data hold over 90% of the weight,
      ``tau^2 / (tau^2 + V)`` on average;
    - they "hardly differ", and complete pooling is adequate, if the factor is below 1/3 and the
      probability at least 0.8 (of a limit that was given: also from 0.9 on, unless tau is mostly
      prior);
    - else "the data cannot tell".

    Partial pooling is right in any of these cases. What the rule says at how many groups and which
    tau was simulated: ``tests/benchmarks/verdicts.py``. tau is "mostly prior" where the data took
    away less than half of its prior variance and hardly moved it.

    References
    ----------
    .. [1] Higgins and Thompson 2002, doi:10.1002/sim.1186.
    .. [2] Higgins, Thompson and Spiegelhalter 2009, doi:10.1111/j.1467-985X.2008.00552.x.
    .. [3] Dickey 1971, doi:10.1214/aoms/1177693507.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> found = hs.heterogeneity(fit, threshold=0)
    >>> print(found.verdict.split(":")[0])
    The data cannot tell how different the groups are
    >>> bool(found.new_group.loc["response", "below"] < 0.3)
    True
    """
    prob = check_prob(prob)
    check_fit(fit, "heterogeneity", two_part=True)
    if isinstance(fit, TwoPartFit):
        _check_unscaled(threshold, caring)
        rate, amount = (heterogeneity(part, prob=prob) for part in (fit.rate, fit.amount))
        return HeterogeneityOfBoth(rate, amount)
    _check(fit)
    threshold = None if threshold is None else check_number("threshold", threshold)
    caring = None if caring is None else check_number("caring", caring, above=0.0)
    doubt = doubts({"": fit})
    facts = spread_of(fit, prob=prob, smallest_difference=_on_link(fit, caring, scale))
    sums = sums_of(fit)
    i2 = sums.tau**2 / (sums.tau**2 + sums.typical_variance)
    new = _new_group(fit, prob, threshold)
    rows = {
        "tau": fit.draws("tau"),
        "i2": i2,
        "h2": 1 + sums.tau**2 / sums.typical_variance,
        "pooling_factor": 1 - i2,
        "groups_borrowed": sums.groups_borrowed,
    }
    together = correlation_words(fit, prob) if fit.family.treatment else ""
    lines = [group_summaries.summarise(draws, prob) for draws in rows.values()]
    lines.append(new.loc["response", list(group_summaries.COLUMNS)].to_numpy(float))
    index = pd.Index([*rows, "new_group"], name="quantity")
    table = pd.DataFrame(lines, index=index, columns=list(group_summaries.COLUMNS))
    table.attrs["caption"] = (
        f"Differences between {len(fit.data.groups):,} groups: posterior mean, standard deviation "
        f"and equal-tailed {percent(prob)} interval"
    )
    table.attrs |= new.attrs
    return Heterogeneity(
        table=answer(table, each_row=True),
        tau=table.T["tau"],
        i2=table.T["i2"],
        new_group=new,
        contraction=facts.contraction,
        caring=facts.difference,
        prob_negligible=facts.negligible,
        verdict=first(doubt, verdict(facts, _threshold_words(fit, new, threshold), together)),
    )


# internals ------------------------------------------------------------------------------------


def _check(fit: Fit) -> None:
    if not fit.model.has_population:
        raise HierstanError(
            f"{pooling_words(fit.model.name).capitalize()} has no tau: it takes for granted how "
            "different the groups are. Fit PartialPooling, which estimates it."
        )
    if fit.prior_only:
        raise HierstanError(
            "This fit has prior_only=True and never saw the data, so it cannot say how different "
            "the groups are. Fit again without it; fit.priors['tau'] shows the prior."
        )


def _check_unscaled(*limits: float | None) -> None:
    if any(limit is not None for limit in limits):
        raise HierstanError(
            "threshold= and caring= are about one part of a two-part fit: give them "
            "to heterogeneity(fit.rate, ...) or heterogeneity(fit.amount, ...)."
        )


def _on_link(fit: Fit, caring: float | None, scale: str) -> float | None:
    """Return a difference on the link scale; from the response scale by its slope at mu."""
    if caring is None or scale == "link" or fit.family.link == "identity":
        return caring
    mu = float(np.median(fit.draws("mu")))
    below, above = fit.to_response(np.array([mu - STEP, mu + STEP]), draws=None)
    return caring * 2 * STEP / float(above - below)


def _new_group(fit: Fit, prob: float, threshold: float | None) -> pd.DataFrame:
    link = fit.draws("theta_new")
    response = fit.to_response(link)
    index = pd.Index(["response", "link"], name="scale")
    lines = [group_summaries.summarise(draws, prob) for draws in (response, link)]
    table = pd.DataFrame(lines, index=index, columns=list(group_summaries.COLUMNS))
    if guilty := mark_infinite(fit, table, "response", of="response"):
        table.attrs["advice"] = (
            f"Of a new group's {noun(fit)} {guilty}. Read the interval, and the median, "
            f"{short(float(np.median(response)))}."
        )
    if threshold is not None:
        table["below"] = float(np.mean(response < threshold))
        table["above"] = float(np.mean(response > threshold))
    return table


def _threshold_words(fit: Fit, new: pd.DataFrame, threshold: float | None) -> str:
    if threshold is None:
        return ""
    below, above = (chance(float(new[name].iloc[0])) for name in ("below", "above"))
    return (
        f"A new group has a {noun(fit)} below {threshold:g} with probability {below}, and above it "
        f"with probability {above}."
    )


def _shown(table: pd.DataFrame) -> Table:
    rows = tuple(
        (str(name), *numbers(line.to_numpy(), places_of_line(line)))
        for name, line in table.iterrows()
    )
    return Table(("", *table.columns), rows)
