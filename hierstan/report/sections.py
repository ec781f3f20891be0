"""What each section of the page has to say, as the template takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hierstan.answers.comparison.comparison import Comparison
from hierstan.answers.decisions.decision_table import decision_table
from hierstan.answers.diagnose import Diagnosis
from hierstan.answers.differences.components import components
from hierstan.answers.differences.heterogeneity import Heterogeneity
from hierstan.answers.differences.shrinkage import shrinkage
from hierstan.fit import portrait
from hierstan.fit.fit import Fit
from hierstan.plots import plot_compare, plot_components, plot_population, plot_shrinkage
from hierstan.report import again, answers
from hierstan.report.grid import text_of
from hierstan.report.pictures import picture

MODELS = {
    "complete": "The groups do not differ: all share one mean.",
    "none": "Every group stands alone, and learns nothing from the others.",
    "partial": "The groups differ, but belong to one population: each borrows from the others.",
}
PYTHON_ADVICE = (" caring= sets another limit.",)


def trust(fits: Mapping[str, Fit], found: Mapping[str, Diagnosis]) -> dict[str, Any]:
    """Say whether the draws can be trusted, and what is wrong with them."""
    bad = [answers.name_of(name, fits[name]) for name, one in found.items() if not one.ok]
    if bad:
        verdict = (
            f"Do not rely on this page yet: the draws of {', '.join(bad)} are not good enough."
        )
    elif len(found) == 1:
        verdict = "The draws can be trusted."
    else:
        verdict = f"The draws of all {len(found)} fits can be trusted."
    notes = [
        {"name": answers.name_of(name, fits[name]), "text": text}
        for name, one in found.items()
        for text in (*one.messages, *filter(None, [fits[name].note]))
    ]
    return {
        "ok": not bad,
        "verdict": verdict,
        "notes": notes,
        "grid": answers.trust_grid(fits, found),
    }


def data(fit: Fit) -> dict[str, Any]:
    """Describe the data."""
    data = fit.data
    columns = ", ".join(f"{text_of(name)} ({role})" for role, name in data.columns.items())
    return {
        "groups": f"{len(data.groups):,}",
        "observations": f"{data.n_rows:,}",
        "columns": columns,
        "family": fit.family.words,
        "grid": answers.data_grid(fit),
    }


def poolings(fits: Mapping[str, Fit], fit: Fit, prob: float) -> dict[str, Any]:
    """Set the poolings side by side."""
    models = [
        {
            "name": answers.name_of(name, one),
            "words": MODELS[one.model.name],
            "formula": f"theta{portrait.TITLES[one.model.name].partition('theta')[2]}",
        }
        for name, one in fits.items()
    ]
    ledger = shrinkage(fit, prob=prob)
    return {"models": models, "grid": answers.poolings_grid(fits, ledger, prob)}


def comparison(comparison: Comparison | None, fits: Mapping[str, Fit]) -> dict[str, Any] | None:
    """Say which pooling the data support."""
    if comparison is None:
        return None
    alt = (
        f"Two panels with a dot and error bars for each of {len(fits)} fits, best on top: its elpd "
        "on the left, on the right its difference from the best. The table has the numbers."
    )
    preferred = comparison.preferred
    return {
        "verdict": comparison.verdict,
        "preferred": answers.name_of(preferred, fits[preferred]) if preferred else "",
        "grid": answers.comparison_grid(comparison, fits),
        "picture": picture(plot_compare(comparison), alt, len(fits)),
        "unit": comparison.unit,
    }


def moves(fit: Fit, prob: float) -> dict[str, Any]:
    """Show what partial pooling did to each group."""
    ledger = shrinkage(fit, prob=prob)
    J = len(fit.data.groups)
    alt = (
        f"An arrow for each of {J:,} groups, from its raw estimate to its partially pooled mean: "
        "the arrows point towards the population mean. The table has the numbers."
    )
    return {
        "grid": answers.shrinkage_grid(fit, ledger, prob),
        "picture": picture(plot_shrinkage(fit), alt, J),
        "unit": ledger.attrs["unit"],
    }


def spread(fit: Fit, found: Heterogeneity, prob: float) -> dict[str, Any]:
    """Say how different the groups are."""
    alt = (
        "Three panels with curves: prior and posterior of the population mean mu, the same of the "
        "standard deviation tau, and the population in which a new group would lie. The table has "
        "the posterior's numbers."
    )
    words = found.verdict
    for advice in PYTHON_ADVICE:
        words = words.replace(advice, "")
    return {
        "verdict": words,
        "grid": answers.spread_grid(fit, found, prob),
        "slopes": answers.slopes_grid(fit, prob) if "beta" in fit.posterior else None,
        "picture": picture(plot_population(fit), alt, 1),
    }


def structure(fit: Fit, prob: float) -> dict[str, Any] | None:
    """Say which of the things that describe groups matter, and tell them level by level."""
    if fit.data.factors is None:
        return None
    found = components(fit, prob=prob)
    alt = (
        "Two panels with a line for each factor and one for the groups themselves: the standard "
        "deviation between levels, beside that of its prior, and the share of the variance. The "
        "table has the numbers."
    )
    return {
        "verdict": found.verdict,
        "grid": answers.components_grid(found),
        "picture": picture(plot_components(fit, prob=prob), alt, 1),
        "levels": [answers.levels_grid(fit, at, prob) for at in range(len(fit.data.levels))],
    }


def ranks(fit: Fit, prob: float) -> dict[str, Any] | None:
    """Say which groups are highest and lowest; nothing where all have the same mean."""
    if fit.model.name == "complete" or len(fit.data.groups) < 2:
        return None
    return {"grid": answers.rank_grid(fit, prob)}


def decisions(fit: Fit, prob: float, choice: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Say which group to choose, if one is to be chosen."""
    if choice is None:
        return None
    table = decision_table(fit, prob=prob, **choice)
    return {
        "advice": str(table.attrs["advice"]).replace(" Say so with caring=.", ""),
        "grid": answers.decision_grid(fit, table),
    }


def program(name: str, fit: Fit) -> dict[str, Any]:
    """Return the Stan program of a fit."""
    ways = portrait.PARAMETERIZATIONS
    return {
        "name": answers.name_of(name, fit),
        "how": ways.get(fit.parameterization or "", fit.parameterization or "").partition(":")[0],
        "edited": fit.program.edited,
        "code": fit.stan_code.rstrip(),
    }


def facts(fits: Mapping[str, Fit]) -> list[tuple[str, str]]:
    """Return what it takes to get the same draws."""
    samplers = {name: again.sampler(fit) for name, fit in fits.items()}
    lines = [("Written with", again.versions())]
    if len(set(samplers.values())) == 1:
        return [("All fits", next(iter(samplers.values()))), *lines]
    return [*((answers.name_of(name, fits[name]), text) for name, text in samplers.items()), *lines]
