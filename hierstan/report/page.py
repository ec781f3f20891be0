"""What the page says, section by section; `page.html` says how it looks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from hierstan import portrait
from hierstan.comparison import compare
from hierstan.diagnostics import Diagnosis, diagnose
from hierstan.fit import Fit
from hierstan.heterogeneity import Heterogeneity, heterogeneity
from hierstan.plots import plot_compare, plot_population, plot_shrinkage
from hierstan.plots.groups import group_word, mean_words
from hierstan.report import again, answers
from hierstan.report.grid import Grid, text_of
from hierstan.report.pictures import Picture, picture
from hierstan.shrinkage import shrinkage
from hierstan.verdict import Comparison

if TYPE_CHECKING:
    from jinja2 import Environment

MODELS = {
    "complete": "The groups do not differ: all share one mean.",
    "none": "Every group stands alone, and learns nothing from the others.",
    "partial": "The groups differ, but belong to one population: each borrows from the others.",
}
PYTHON_ADVICE = (" smallest_difference= sets another limit.",)


@dataclass(frozen=True)
class Subject:
    """What to report on.

    Attributes
    ----------
    fits : dict of str to Fit
    title, question : str or None
    unit : str
        What is left out to compare the fits.
    prob : float
        Probability of the intervals.
    choice : dict or None
        Arguments of `decision_table`, if a group is to be chosen.
    """

    fits: dict[str, Fit]
    title: str | None
    question: str | None
    unit: str
    prob: float
    choice: dict[str, Any] | None


def page(subject: Subject) -> str:
    """Return the page about fits as HTML."""
    fits = subject.fits
    fit = _main(fits)
    found = {name: diagnose(one) for name, one in fits.items()}
    comparison = compare(fits, unit=subject.unit, progress=False) if len(fits) > 1 else None
    partial = fit if fit.model.name == "partial" else None
    spread = heterogeneity(partial, prob=subject.prob) if partial else None
    content: dict[str, Any] = {
        "title": text_of(subject.title) if subject.title else _title(fit),
        "question": " ".join((subject.question or _question(fit)).split()),
        "trust": _trust(fits, found),
        "data": _data(fit),
        "poolings": _poolings(fits, fit, subject.prob),
        "comparison": _comparison(comparison, fits),
        "shrinkage": _shrinkage(partial, subject.prob) if partial else None,
        "spread": _spread(partial, spread, subject.prob) if partial and spread else None,
        "decisions": _decisions(fit, subject),
        "priors": answers.priors_grid(fits),
        "programs": [_program(name, one) for name, one in fits.items()],
        "facts": _facts(fits),
        "script": again.script(fits, _options(subject)),
    }
    content["summary"] = _summary(content, comparison, spread)
    return _environment().get_template("page.html").render(content)


# internals: the sections ----------------------------------------------------------------------


def _main(fits: Mapping[str, Fit]) -> Fit:
    """Return the fit that is told about in detail: the first one of partial pooling."""
    partial = [fit for fit in fits.values() if fit.model.name == "partial"]
    return [*partial, *fits.values()][0]


def _title(fit: Fit) -> str:
    title = f"{mean_words(fit, 'response')} by {group_word(fit.data)}"
    return title[:1].upper() + title[1:]


def _question(fit: Fit) -> str:
    return (
        f"How much do the {len(fit.data.groups):,} groups ({group_word(fit.data)}) differ in "
        f"{mean_words(fit, 'response')}, and what can be said about each of them?"
    )


def _summary(
    content: Mapping[str, Any], comparison: Comparison | None, spread: Heterogeneity | None
) -> list[dict[str, str]]:
    """Return the answers in a sentence each, with the sections that they are from."""
    lines = [{"section": "trust", "head": "Trust", "text": content["trust"]["verdict"]}]
    if comparison:
        text = _first_clause(comparison.verdict)
        lines.append({"section": "comparison", "head": "Pooling", "text": text})
    if spread:
        text = content["shrinkage"]["picture"].title
        lines.append({"section": "shrinkage", "head": "Groups", "text": f"{text}."})
        text = re.split(r"(?<=\.)\s", spread.verdict, maxsplit=1)[0]
        lines.append({"section": "spread", "head": "Differences", "text": text})
    if content["decisions"]:
        text = content["decisions"]["advice"]
        lines.append({"section": "decisions", "head": "Choice", "text": text})
    return lines


def _trust(fits: Mapping[str, Fit], found: Mapping[str, Diagnosis]) -> dict[str, Any]:
    bad = [answers.name_of(name, fits[name]) for name, one in found.items() if not one.ok]
    if bad:
        verdict = f"Do not rely on this page yet: the draws of {', '.join(bad)} are not good enough."
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


def _data(fit: Fit) -> dict[str, Any]:
    data = fit.data
    columns = ", ".join(f"{text_of(name)} ({role})" for role, name in data.columns.items())
    return {
        "groups": f"{len(data.groups):,}",
        "observations": f"{data.n_rows:,}",
        "columns": columns,
        "family": portrait.FAMILY_WORDS[data.family],
        "grid": answers.data_grid(fit),
    }


def _poolings(fits: Mapping[str, Fit], fit: Fit, prob: float) -> dict[str, Any]:
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


def _comparison(comparison: Comparison | None, fits: Mapping[str, Fit]) -> dict[str, Any] | None:
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


def _shrinkage(fit: Fit, prob: float) -> dict[str, Any]:
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


def _spread(fit: Fit, found: Heterogeneity, prob: float) -> dict[str, Any]:
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
        "picture": picture(plot_population(fit), alt, 1),
    }


def _decisions(fit: Fit, subject: Subject) -> dict[str, Any] | None:
    if subject.choice is None:
        return None
    from hierstan.advice import decision_table

    table: pd.DataFrame = decision_table(fit, prob=subject.prob, **subject.choice)
    return {
        "advice": str(table.attrs["advice"]).replace(" Say so with caring=.", ""),
        "grid": answers.decision_grid(fit, table),
    }


def _program(name: str, fit: Fit) -> dict[str, Any]:
    ways = portrait.PARAMETERIZATIONS
    return {
        "name": answers.name_of(name, fit),
        "how": ways.get(fit.parameterization or "", fit.parameterization or "").partition(":")[0],
        "edited": fit.program.edited,
        "code": fit.stan_code.rstrip(),
    }


def _facts(fits: Mapping[str, Fit]) -> list[tuple[str, str]]:
    samplers = {name: portrait._sampler(fit) for name, fit in fits.items()}
    lines = [("Written with", again.versions())]
    if len(set(samplers.values())) == 1:
        return [("All fits", next(iter(samplers.values()))), *lines]
    return [*((answers.name_of(name, fits[name]), text) for name, text in samplers.items()), *lines]


def _options(subject: Subject) -> dict[str, Any]:
    own = {"title": subject.title, "question": subject.question}
    more = {"unit": subject.unit, "prob": subject.prob}
    return {**own, **more, **(subject.choice or {})}


def _first_clause(text: str) -> str:
    return re.split(r"[:.;](?:\s|$)| \(", text, maxsplit=1)[0].strip() + "."


# internals: the look --------------------------------------------------------------------------


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,  # everything from the data is escaped, in text and in attributes
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
