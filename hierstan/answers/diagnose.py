"""Two answers about the draws: every parameter in a table, and whether to trust them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.families.adjusted import SLOPES
from hierstan.fit.fit import Fit
from hierstan.fit.group_summaries import check_scale, group_summaries, link_words
from hierstan.fit.judgement import DEPTH, check_table
from hierstan.fit.marked import mark_infinite
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.fit.trust import parts
from hierstan.fit.two_part import TwoPartFit
from hierstan.sampling.arrays import Arrays
from hierstan.sampling.convergence import parameter_table, quantiles
from hierstan.text.answer import answer
from hierstan.text.tables import Page, Printed, Table, numbers, percent, plain_labels
from hierstan.text.wording import pooling_words

COLUMNS = ["mean", "sd", "lower", "upper", "ess_bulk", "ess_tail", "r_hat", "mcse_mean"]
MEANS = ("mu", "theta", "theta_new")  # what a link maps to the response scale


def summary(
    fit: Fit | TwoPartFit, *, prob: float | None = None, scale: str = "link"
) -> pd.DataFrame:
    """Summarise every parameter.

    Parameters
    ----------
    fit : Fit or TwoPartFit
        Of both parts: each has its lines, under its name.
    prob : float, optional
        Probability of the equal-tailed intervals, in (0, 1).
    scale : {"link", "response"}
        ``"response"`` puts ``mu``, ``theta`` and ``theta_new`` on the scale of the data (a rate, a
        mean, a median; odds, rate or risk ratios, where the data's ``measure`` is one) first;
        ``tau`` has no value there and stays.

    Returns
    -------
    pandas.DataFrame
        One line per parameter, the index named ``parameter`` with labels such as ``theta[A]``:
        ``mean``, ``sd``, ``lower`` and ``upper``, the effective sample sizes ``ess_bulk`` and
        ``ess_tail``, ``r_hat``, and ``mcse_mean``, the Monte Carlo standard error of the mean
        (Vehtari et al. 2021, doi:10.1214/20-BA1221). ``attrs["caption"]`` says which interval and
        scale they are. ``gamma`` is for one unit of a covariate, or a label against its reference.
        Of estimates and effects, ``prob_positive`` is the posterior probability that ``mu``,
        ``theta`` and ``theta_new`` lie above "no effect": above 0, or a ratio above 1. On the
        response scale a mean or sd of ``theta_new`` that does not exist under the prior is inf, as
        ``attrs["advice"]`` says.

    Raises
    ------
    HierstanError
        If `prob` or `scale` is impossible, or `fit` is not a fit.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> table = hs.summary(fit)
    >>> list(table.index[:4])
    ['mu', 'tau', 'theta_new', 'theta[A]']
    >>> bool(table.loc["mu", "r_hat"] < 1.01)
    True
    """
    check_fit(fit, "summary", two_part=True)
    if isinstance(fit, TwoPartFit):
        both = {name: summary(part, prob=prob, scale=scale) for name, part in parts(fit).items()}
        table = pd.concat(both, names=["part"])
        told = [
            f"{name}: {part.attrs['advice']}"
            for name, part in both.items()
            if "advice" in part.attrs
        ]
        table.attrs |= {"advice": " ".join(told)} if told else {}
        return answer(table, each_row=True)
    prob, scale, advice = check_prob(prob), check_scale(scale), ""
    draws, effect = _in_units(fit), fit.data.effect
    if scale == "response" and (fit.family.link != "identity" or (effect and effect.ratio)):
        ratio = effect and effect.ratio
        means = {name: draws[name] for name in MEANS if name in draws}
        draws = draws.with_values(
            {name: np.exp(mean) if ratio else _responses(fit, mean) for name, mean in means.items()}
        )
        table = parameter_table(draws)
    else:
        table = fit.convergence().parameters
        if fit.data.covariates is not None:
            table = table.copy()
            slopes = table["variable"] == SLOPES
            sd = fit.data.covariates["sd"].to_numpy()[:, None]
            moments = ["mean", "sd", "mcse_mean"]
            table.loc[slopes, moments] = table.loc[slopes, moments].to_numpy() / sd
    edges = ((1 - prob) / 2, (1 + prob) / 2)
    lower, upper = quantiles(draws, edges).T
    table = table.assign(lower=lower, upper=upper)[COLUMNS]
    if scale == "response" and "theta_new" in table.index:
        of = "ratio" if effect and effect.ratio else "response"
        if guilty := mark_infinite(fit, table, "theta_new", of=of):
            table.loc["theta_new", "mcse_mean"] = np.inf
            advice = f"Of a new group (theta_new) {guilty}. Read the interval."
    if effect or fit.family.estimates:
        table["prob_positive"] = _prob_positive(fit, table.index)
    if not fit.keeps_theta:
        groups = group_summaries(fit, prob, scale)
        groups.index = [f"theta[{label}]" for label in plain_labels(groups.index)]
        table = pd.concat([table, groups.reindex(columns=COLUMNS)]).rename_axis("parameter")
    table.attrs["caption"] = _caption(fit, prob, scale)
    table.attrs |= {"advice": advice} if advice else {}
    return answer(table, each_row=True)


def _in_units(fit: Fit) -> Arrays:
    """Return the draws with the slopes of covariates for one unit of the user's."""
    draws = fit.arrays
    if fit.data.covariates is None:
        return draws
    return draws.with_values({SLOPES: draws[SLOPES] / fit.data.covariates["sd"].to_numpy()})


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis(Printed):
    """Whether to trust the draws of a fit.

    Attributes
    ----------
    ok : bool
        Whether every check of validity is passed.
    messages : tuple of str
        What is wrong and what to do next; also what to know about draws that are valid, and what
        the model misses of the data (see `hierstan.check`).
    table : pandas.DataFrame
        One line per check: ``worst`` value, ``where`` it is, ``rule`` and ``limit``, ``ok``.
    heading : str
        What was fitted.
    """

    ok: bool
    messages: tuple[str, ...]
    table: pd.DataFrame
    heading: str = ""

    def page(self) -> Page:
        """Return what is printed."""
        verdict = "these draws can be trusted" if self.ok else "do not trust these draws yet"
        facts = tuple((f"{number}.", text) for number, text in enumerate(self.messages, 1))
        rows = tuple(
            (
                check,
                _value(check.rpartition(", ")[2], line["worst"]),
                f"{line['rule']} {line['limit']:,g}",
                str(line["where"]),
                "ok" if line["ok"] else "NOT OK",
            )
            for check, (_, line) in zip(
                plain_labels(self.table.index), self.table.iterrows(), strict=True
            )
        )
        table = Table(("check", "worst", "limit", "where", ""), rows, align="<><<<")
        return Page(f"{self.heading}: {verdict}.", facts, (table,))


def diagnose(fit: Fit | TwoPartFit) -> Diagnosis:
    """Say whether the draws can be trusted, what is wrong with them and what to do next.

    Parameters
    ----------
    fit : Fit or TwoPartFit
        Of both parts: each has its lines, under its name.

    Returns
    -------
    Diagnosis
        ``.ok``, ``.messages`` and ``.table``; prints as a short report.

    Raises
    ------
    HierstanError
        If `fit` is not a fit.

    Notes
    -----
    ========================= ============ ========================================================
    check                     limit        source
    ========================= ============ ========================================================
    R-hat                     1.01         Vehtari et al. (2021, doi:10.1214/20-BA1221); 1.02 among
                                           thousands of parameters, of which some exceed 1.01 by
                                           chance
    bulk and tail ESS         100 a chain  the same
    divergences               none         Betancourt (2017, arXiv:1701.02434)
    E-BFMI of each chain      0.3          Betancourt (2016, arXiv:1604.00695)
    share at depth 10         1%           costs time, not validity: a message, but still ``ok``
    ========================= ============ ========================================================

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> hs.diagnose(hs.PartialPooling().fit(data, seed=1, engine="stanli")).ok
    True
    >>> poor = hs.PartialPooling().fit(data, seed=1, engine="stanli", draws=50)
    >>> print(hs.diagnose(poor).messages[-1])  # doctest: +ELLIPSIS
    Bulk ESS is below 400 for ... Draw more: draws=...
    """
    check_fit(fit, "diagnose", two_part=True)
    if isinstance(fit, TwoPartFit):
        return _of_both({name: diagnose(part) for name, part in parts(fit).items()})
    judgement = fit.judgement()
    found = fit.convergence()
    chains = "1 chain" if found.chains == 1 else f"{found.chains} chains"
    kind = "prior draws of " if fit.prior_only else ""
    heading = f"{kind}{pooling_words(fit.model.name)}, {chains} of {found.draws:,} draws"
    return Diagnosis(
        ok=not judgement.problems,
        messages=judgement.problems + judgement.notes + fit.missed(),
        table=check_table(found),
        heading=heading[0].upper() + heading[1:],
    )


# internals --------------------------------------------------------------------------------------


def _of_both(found: Mapping[str, Diagnosis]) -> Diagnosis:
    return Diagnosis(
        ok=all(one.ok for one in found.values()),
        messages=tuple(f"{name}: {text}" for name, one in found.items() for text in one.messages),
        table=pd.concat({name: one.table for name, one in found.items()}, names=["part"]),
        heading="; ".join(f"{name}: {one.heading}" for name, one in found.items()),
    )


def _responses(fit: Fit, values: np.ndarray) -> np.ndarray:
    """Return means (chain, draw, ...) on the response scale."""
    return fit.to_response(values.reshape(-1, *values.shape[2:])).reshape(values.shape)


def _prob_positive(fit: Fit, index: pd.Index) -> pd.Series:
    """Return P(effect > 0) of mu, theta and theta_new, on whose link scale 0 is no effect."""
    kept = [name for name in MEANS if name in fit.arrays]
    draws = fit.arrays.only(kept)
    share = parameter_table(
        draws.with_values({name: (part > 0).astype(float) for name, part in draws.items()})
    )["mean"]
    return share.reindex(index)


def _caption(fit: Fit, prob: float, scale: str) -> str:
    what = "Draws from the prior" if fit.prior_only else "Posterior"
    lower, upper = percent((1 - prob) / 2), percent((1 + prob) / 2)
    if scale == "response":
        words = fit.data.effect.words if fit.data.effect else fit.family.mean_words
        where = f"mu, theta and theta_new on the response scale ({words})"
    else:
        where = f"on the link scale ({link_words(fit)})"
    return (
        f"{what} of every parameter, {where}; lower and upper are the {lower} and {upper} "
        f"quantiles, an equal-tailed {percent(prob)} interval."
    )


def _value(check: object, value: float) -> str:
    if np.isnan(value):
        return "–"
    return numbers([value], {"R-hat": 3, "E-BFMI": 2, DEPTH: 3}.get(str(check), 0))[0]
