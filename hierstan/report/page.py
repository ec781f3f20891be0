"""What the page says, section by section; `page.html` says how it looks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierstan.answers.comparison.compare import compare
from hierstan.answers.comparison.comparison import Comparison
from hierstan.answers.diagnose import diagnose
from hierstan.answers.differences.heterogeneity import Heterogeneity, heterogeneity
from hierstan.fit.fit import Fit
from hierstan.plots.groups import group_word, mean_words
from hierstan.report import again, answers, sections
from hierstan.report.grid import text_of

if TYPE_CHECKING:
    from jinja2 import Environment


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
        "title": text_of(subject.title or _title(fit), None),
        "question": text_of(subject.question or _question(fit), None),
        "trust": sections.trust(fits, found),
        "data": sections.data(fit),
        "poolings": sections.poolings(fits, fit, subject.prob),
        "comparison": sections.comparison(comparison, fits),
        "shrinkage": sections.moves(partial, subject.prob) if partial else None,
        "spread": sections.spread(partial, spread, subject.prob) if partial and spread else None,
        "structure": sections.structure(partial, subject.prob) if partial else None,
        "ranks": sections.ranks(fit, subject.prob),
        "decisions": sections.decisions(fit, subject.prob, subject.choice),
        "priors": answers.priors_grid(fits),
        "programs": [sections.program(name, one) for name, one in fits.items()],
        "facts": sections.facts(fits),
        "script": again.script(fits, _options(subject)),
    }
    content["summary"] = _summary(content, comparison, spread)
    return _environment().get_template("page.html").render(content)


# internals: the answers in a sentence each --------------------------------------------------


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


def _first_clause(text: str) -> str:
    return re.split(r"[:.;](?:\s|$)| \(", text, maxsplit=1)[0].strip() + "."


def _options(subject: Subject) -> dict[str, Any]:
    own = {"title": subject.title, "question": subject.question}
    more = {"unit": subject.unit, "prob": subject.prob}
    return {**own, **more, **(subject.choice or {})}


def _main(fits: Mapping[str, Fit]) -> Fit:
    """Return the fit that is told about in detail: the first one of partial pooling."""
    partial = [fit for fit in fits.values() if fit.model.name == "partial"]
    return [*partial, *fits.values()][0]


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
