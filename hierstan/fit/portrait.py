"""What `print(fit)` and a notebook show of a fit. It lies below `Fit`, and so takes it as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hierstan.families.adjusted import SLOPES
from hierstan.fit import baselines, titles
from hierstan.fit.judgement import headline
from hierstan.fit.settings import check_prob, interval_words
from hierstan.text.numbers import figure
from hierstan.text.tables import (
    ROWS_SHOWN,
    Page,
    Table,
    numbers,
    places,
    plain_labels,
    printable,
)
from hierstan.text.wording import pooling_words

if TYPE_CHECKING:
    from hierstan.fit.fit import Fit

SHOWN_MESSAGES = 2
HEADER = ("mean", "sd", "lower", "upper")
LINK_WORDS = {"identity": "", "logit": "log-odds", "log": "log"}
PARAMETERIZATIONS = {
    "marginal": "marginal: integrated out, then drawn exactly",
    "grid": "marginal: integrated out numerically, then drawn exactly",
    "centered": "centered",
    "noncentered": "non-centered",
    "mixed": "between centered and non-centered",
}
REASONS = {
    "marginal": "auto: closed form in this family",
    "grid": "auto: quicker with so many groups",
    "mixed": "auto: the more a group's own data say, the more centered",
}


def page(fit: Fit, rows: int | None = ROWS_SHOWN) -> Page:
    """Lay out a fit.

    Parameters
    ----------
    fit : Fit
    rows : int or None
        How many groups to list; None for all.
    """
    title = titles.title_of(fit)
    if fit.prior_only:
        title += "; draws from the prior, the outcomes ignored"
    facts = [("Data", _data(fit)), ("Priors", _priors(fit)), ("Sampler", _sampler(fit))]
    if fit.family.treatment:
        facts.append(("Baselines", _baselines(fit)))
    if fit.parameterization:
        facts.append(("theta", _parameterization(fit)))
    if fit.family.of_group:
        facts.append((fit.family.of_group, _of_groups(fit)))
    if fit.note:
        facts.append(("Note", fit.note))
    if fit.program.edited:
        facts.append(("Templates", f"edited: {fit.model.template_dir or 'HIERSTAN_TEMPLATES'}"))
    tables = [_population(fit)]
    if not fit.model.shares_mean:
        tables.append(_groups(fit, rows))
    tables = [table for table in tables if table.rows]
    words = (interval_words(),) if tables else ()
    return Page(title, (*facts, *_trust(fit), *_checks(fit)), tuple(tables), words)


def one_line(fit: Fit) -> str:
    """Return what stands for a fit inside other things, such as a dict of fits."""
    options = fit.options
    kind = "prior draws of " if fit.prior_only else ""
    return (
        f"<Fit: {kind}{pooling_words(fit.model.name)} of "
        f"{_counted(len(fit.data.groups), 'group')}, "
        f"{fit.data.family}, {options['chains']} x {options['draws']:,} draws>"
    )


# facts ------------------------------------------------------------------------------------------


def _data(fit: Fit) -> str:
    data = fit.data
    counts = f"{_counted(len(data.groups), 'group')}, {_counted(data.n_rows, 'observation')}"
    reduced = (
        f", reduced to {_counted(len(data.cells), 'summary')}"
        if len(data.cells) < data.n_rows
        else ""
    )
    adjusted = ", and groups compared at the mean of the covariates" * fit.family.adjusted
    return f"{counts}{reduced}; {fit.family.words}{adjusted}"


def _baselines(fit: Fit) -> str:
    """Say how the baselines are pooled, and how effects go with them."""
    words = baselines.pooling_words_of_baselines(fit)
    if not fit.model.has_population or fit.prior_only:
        return words
    return f"{words}. {baselines.correlation_words(fit)}"


def _priors(fit: Fit) -> str:
    given = fit.model.priors or {}
    return ", ".join(
        f"{name} ~ {prior}" + ("" if name in given else " (default)")
        for name, prior in fit.priors.items()
    )


def _sampler(fit: Fit) -> str:
    options = fit.options
    return (
        f"{fit.engine}, seed {fit.seed}; {_counted(options['chains'], 'chain')} x "
        f"{options['draws']:,} draws, {options['warmup']:,} warmup, "
        f"adapt_delta {options['adapt_delta']:g}"
    )


def _parameterization(fit: Fit) -> str:
    how = fit.parameterization or ""
    how = "grid" if how == "marginal" and fit.family.one_parameter else how
    words = PARAMETERIZATIONS.get(how, how)
    if fit.prior_only:
        return f"{words}, as draws from the prior always are"
    if not fit.keeps_theta:
        words = "marginal: integrated out; its many draws are not kept but made when asked for"
    if getattr(fit.model, "parameterization", "auto") != "auto":
        return f"{words}, as asked for"
    return f"{words} ({REASONS.get(how, 'auto')})"


def _of_groups(fit: Fit) -> str:
    """Say between what the groups' own standard deviations lie, and how they are estimated."""
    means, labels = fit.draws(fit.family.of_group).mean(axis=0), plain_labels(fit.data.groups)
    ends = [f"{figure(means[j])} ({labels[j]})" for j in (int(means.argmin()), int(means.argmax()))]
    return (
        f"sd in the groups between {ends[0]} and {ends[1]}; partially pooled, whatever the pooling "
        "of the means"
    )


def _trust(fit: Fit) -> list[tuple[str, str]]:
    found, judgement = fit.convergence(), fit.judgement()
    n = len(judgement.problems)
    verdict = f"NOT YET ({_counted(n, 'problem')}, see hs.diagnose(fit))" if n else "yes"
    lines = [("Trust", f"{verdict}: {headline(found)}")]
    messages = judgement.problems + judgement.notes
    lines += [("", message) for message in messages[:SHOWN_MESSAGES]]
    if len(messages) > SHOWN_MESSAGES:
        lines.append(("", f"(and {len(messages) - SHOWN_MESSAGES} more)"))
    return lines


def _checks(fit: Fit) -> list[tuple[str, str]]:
    return [("Model", f"misses this: {message}") for message in fit.missed()[:1]]


# tables -----------------------------------------------------------------------------------------


def _population(fit: Fit) -> Table:
    """Tabulate mu, tau and the family's own parameters; mu on the response scale too."""
    link = LINK_WORDS[fit.family.link]
    found = fit.convergence().parameters
    ess = found["ess_bulk"]
    units = ("mu", *fit.data.tau_names, "tau")  # in the same units
    both = [name for name in units if name in fit.arrays]
    rows: list[tuple[str, ...]] = []
    if both:
        draws = np.column_stack([fit.draws(name) for name in both])
        lines = zip(both, _statistics(draws, ess[both]), strict=True)
        rows = [(f"{name} ({link})" if link else name, *line) for name, line in lines]
        if link:
            response = _statistics(fit.to_response(draws[:, :1]), ess[both[:1]])
            rows.insert(1, (f"mu as {fit.family.mean_words}", *response[0]))
        effect = fit.data.effect
        if effect and effect.ratio:
            ratio = _statistics(np.exp(draws[:, :1]), ess[both[:1]])
            rows.insert(1, (f"mu as {effect.words}", *ratio[0]))
    if "beta" in fit.arrays and fit.data.predictors is not None:
        slopes = found.loc[found["variable"] == "beta", "ess_bulk"]
        names = [f"beta, one sd of {printable(str(name))}" for name in fit.data.predictors]
        lines = zip(names, _statistics(fit.draws("beta"), slopes), strict=True)
        rows += [(name, *line) for name, line in lines]
    if fit.data.covariates is not None:
        found, standards = fit.convergence().parameters, fit.data.covariates
        slopes = found.loc[found["variable"] == SLOPES, "ess_bulk"]
        names = [f"gamma, one unit of {printable(str(name))}" for name in standards.index]
        names = [
            n if level is None else f"gamma, {printable(str(c))}: {printable(str(level))} vs {ref}"
            for n, c, level, ref in zip(
                names, standards["column"], standards["level"], standards["reference"], strict=True
            )
        ]
        draws = fit.draws(SLOPES) / standards["sd"].to_numpy()
        rows += [(n, *line) for n, line in zip(names, _statistics(draws, slopes), strict=True)]
    for name in fit.family.parameters:
        if name == SLOPES:
            continue
        mine = found.loc[found["variable"] == name, "ess_bulk"]
        of_own = _statistics(fit.draws(name).reshape(-1, len(mine)), mine)
        rows += [(str(label), *line) for label, line in zip(mine.index, of_own, strict=True)]
    return Table(("", *HEADER), tuple(rows))


def _groups(fit: Fit, limit: int | None) -> Table:
    """Tabulate the group means on the response scale."""
    size = len(fit.data.groups)
    shown = size if limit is None or size <= limit + 1 else limit
    found = fit.convergence().parameters
    ess = found.loc[found["variable"] == "theta", "ess_bulk"][:shown]
    if not fit.keeps_theta:  # drawn anew given each draw of the other parameters
        ess = pd.Series(np.full(shown, fit.options["chains"] * fit.options["draws"]))
    lines = _statistics(fit.to_response(fit.theta(groups=slice(0, shown))), ess)
    labels = plain_labels(fit.data.groups)[:shown]
    header = (f"{fit.data.grouped_by} ({_mean_words(fit)})", *HEADER)
    more = f"… and {size - shown:,} more, see hs.group_means(fit)" if shown < size else ""
    return Table(header, tuple((x, *line) for x, line in zip(labels, lines, strict=True)), more)


def _mean_words(fit: Fit) -> str:
    return str(fit.data.effect.link_words if fit.data.effect else fit.family.mean_words)


def _edges() -> tuple[float, float]:
    prob = check_prob(None)
    return (1 - prob) / 2, (1 + prob) / 2


def _statistics(draws: np.ndarray, ess: pd.Series) -> list[list[str]]:
    """Return mean, sd and interval of each column of draws (S, K), with decimals in common."""
    with np.errstate(over="ignore", invalid="ignore"):  # tails of a wide prior
        mean, sd = draws.mean(axis=0), draws.std(axis=0, ddof=1 if len(draws) > 1 else 0)
        decimals = places(sd, sd / np.sqrt(ess.to_numpy()))
    columns = [mean, sd, *np.quantile(draws, _edges(), axis=0)]
    return [numbers(line, decimals) for line in np.column_stack(columns)]


def _counted(count: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"
