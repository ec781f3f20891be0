"""What each section of the page has to say, as the template takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hierstan.answers.comparison.compare import compare
from hierstan.answers.decisions.decision_table import decision_table
from hierstan.answers.decisions.winners_curse import winners_curse
from hierstan.answers.differences.components import components
from hierstan.answers.differences.heterogeneity import heterogeneity
from hierstan.answers.differences.shrinkage import shrinkage
from hierstan.fit import portrait, titles
from hierstan.fit.fit import Fit
from hierstan.plots import (
    plot_compare,
    plot_components,
    plot_forest,
    plot_population,
    plot_shrinkage,
    plot_uplift,
)
from hierstan.report import again, answers, choice, differences
from hierstan.report.checks import Section, attempt
from hierstan.report.grid import text_of
from hierstan.report.pictures import Picture, picture
from hierstan.report.subject import Part, Subject, Whole, name_of

SAFER = "Partial pooling is the safer choice, whether they differ much or hardly at all."
PYTHON_ADVICE = (
    " caring= sets another limit.",
    " Say so with caring=.",
    " prior_sensitivity(fit) shows what other priors would say.",
)


def data(subject: Subject) -> Section:
    """Describe the data."""
    fit = subject.main
    words = [
        f"{part.head.lower()}: {one.family.words}" if part.head else one.family.words
        for part in subject.parts
        for one in list(part.fits.values())[:1]
    ]
    rows = next(iter(subject.parts[0].fits.values())).data.n_rows
    columns = [f"{text_of(fit.data.grouped_by)} (group)"]
    columns += [
        f"{text_of(n)} ({role.split()[0]})"
        for role, n in fit.data.columns.items()
        if role != "group"
    ]
    return {
        "groups": f"{len(fit.data.groups):,}",
        "observations": f"{rows:,}",
        "columns": ", ".join(columns),
        "family": "; ".join(words),
        "grid": answers.data_grid(fit),
    }


def poolings(fits: Mapping[str, Whole], fit: Whole, prob: float) -> Section:
    """Set the poolings side by side."""
    models = []
    for name, one in fits.items():
        title = titles.title_of(one) if isinstance(one, Fit) else titles.TITLES[one.model.name]
        words, formula = title.partition(": ")[2].split(", theta", 1)
        told = {"words": f"{words[0].upper()}{words[1:]}.", "formula": f"theta{formula}"}
        models.append({"name": name_of(name, one)} | told)
    ledger = shrinkage(fit, prob=prob)
    return {"models": models, "grid": answers.poolings_grid(fits, ledger, prob)}


def comparison(part: Part, unit: str) -> Section:
    """Say which pooling the data support."""
    found = compare(part.fits, unit=unit, progress=False)
    alt = (
        f"Two panels with a dot and error bars for each of {len(part.fits)} fits, best on top: its "
        "elpd, and its difference from the best. The table has the numbers."
    )
    return {
        "head": part.head,
        "verdict": found.verdict,
        "advice": _advice(found.preferred, part),
        "grid": answers.comparison_grid(found, part),
        "picture": picture(lambda: plot_compare(found), alt, len(part.fits)),
        "unit": found.unit,
    }


def moves(fit: Whole, prob: float) -> Section:
    """Show what partial pooling did to each group, and how sure its mean is."""
    ledger = shrinkage(fit, prob=prob)
    J = len(fit.data.groups)
    alt = (
        f"An arrow for each of {J:,} groups, from its raw estimate to its partially pooled mean: "
        "the arrows point towards the population mean. The table has the numbers."
    )
    return {
        "grid": answers.shrinkage_grid(fit, ledger, prob),
        "picture": picture(lambda: plot_shrinkage(fit), alt, J),
        "forest": forest(fit, prob),
        "unit": answers.column_of(fit, str(ledger.attrs["unit"])),
        "borrowed": "borrowed" in ledger,
    }


def forest(fit: Whole, prob: float) -> Picture:
    """Draw the mean of every group with its interval."""
    alt = (
        f"A dot with a thick and a thin line for each of {len(fit.data.groups):,} groups: its mean "
        "and two intervals. The table has the numbers."
    )
    return picture(lambda: plot_forest(fit, prob=prob), alt, len(fit.data.groups))


def spread(part: Part, prob: float) -> Section:
    """Say how different the groups are."""
    fit = part.partial
    assert fit is not None
    found = heterogeneity(fit, prob=prob)
    alt = (
        "Three panels with curves: prior and posterior of the population mean mu, the same of the "
        "standard deviation tau, and the population in which a new group would lie. The table has "
        "the posterior's numbers."
    )
    return {
        "head": part.head,
        "verdict": for_readers(found.verdict),
        "grid": differences.spread_grid(fit, found, prob, part.key),
        "slopes": differences.slopes_grid(fit, prob) if "beta" in fit.arrays else None,
        "picture": picture(lambda: plot_population(fit), alt, 1),
    }


def structure(part: Part, prob: float) -> Section | None:
    """Say which of the things that describe groups matter, and tell them level by level."""
    fit = part.partial
    if fit is None or fit.data.factors is None:
        return None
    found = components(fit, prob=prob)
    alt = (
        "Two panels with a line for each factor and one for the groups themselves: the standard "
        "deviation between levels, beside that of its prior, and the share of the variance. The "
        "table has the numbers."
    )
    levels = range(len(fit.data.levels))
    return {
        "verdict": found.verdict,
        "grid": differences.components_grid(found),
        "picture": picture(lambda: plot_components(fit, prob=prob), alt, 1),
        "levels": [differences.levels_grid(fit, at, prob) for at in levels],
    }


def ranks(subject: Subject) -> Section | None:
    """Say which groups are highest and lowest; nothing where all have the same mean."""
    fit = subject.main
    if fit.model.shares_mean or len(fit.data.groups) < 2:
        return None
    curse = None if subject.choice else attempt(lambda: _curse(fit))
    return {"grid": choice.rank_grid(fit, subject.prob), "curse": curse}


def decisions(subject: Subject) -> Section | None:
    """Say which group to choose, if one is to be chosen."""
    if subject.choice is None:
        return None
    fit, given = subject.main, dict(subject.choice)
    control, better = given["control"], given["larger_is_better"]
    table = decision_table(fit, prob=subject.prob, **given)
    uplift = None
    if control is not None and len(fit.data.groups) > 1:
        J = len(fit.data.groups)
        alt = (
            f"A dot with a thick and a thin line for each of {J - 1:,} groups: its difference from "
            "the control and two intervals. The table has the numbers."
        )
        uplift = picture(lambda: plot_uplift(fit, prob=subject.prob, **given), alt, J)
    return {
        "advice": for_readers(str(table.attrs["advice"])),
        "grid": choice.decision_grid(fit, table, control),
        "uplift": uplift,
        "curse": attempt(lambda: _curse(fit, control=control, larger_is_better=better)),
    }


def program(name: str, fit: Fit) -> Section:
    """Return the Stan program of a fit."""
    ways = portrait.PARAMETERIZATIONS
    return {
        "name": name,
        "how": ways.get(fit.parameterization or "", fit.parameterization or "").partition(":")[0],
        "edited": fit.program.edited,
        "code": fit.stan_code.rstrip(),
    }


def facts(runs: Sequence[tuple[str, Fit]]) -> list[tuple[str, str]]:
    """Return what it takes to get the same draws."""
    samplers = [(name, again.sampler(fit)) for name, fit in runs]
    lines = [("Written with", again.versions())]
    if len({text for _, text in samplers}) == 1:
        return [("All fits", samplers[0][1]), *lines]
    return [*samplers, *lines]


def for_readers(words: str) -> str:
    """Return a verdict without advice that only its author can follow."""
    for advice in PYTHON_ADVICE:
        words = words.replace(advice, "")
    return words


# internals ------------------------------------------------------------------------------------


def _advice(preferred: str | None, part: Part) -> str:
    """Say which fit to take: partial pooling is right also where another one is adequate."""
    if preferred is None:
        return SAFER if part.partial is not None else ""
    fit, name = part.fits[preferred], name_of(preferred, part.fits[preferred])
    if part.partial is None or fit.model.has_population:
        return f"Preferred: {name}."
    adequate = f"{name[:1].upper()}{name[1:]} is adequate"
    return f"{adequate}; partial pooling comes to much the same, and is right in any case."


def _curse(fit: Whole, **given: Any) -> Section:
    return {"verdict": winners_curse(fit, **given).verdict}
