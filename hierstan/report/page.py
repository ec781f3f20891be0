"""What the page says, section by section; `page.html` says how it looks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierstan.answers.diagnose import diagnose
from hierstan.plots.groups import group_word, mean_words
from hierstan.report import again, answers, checks, sections
from hierstan.report.grid import text_of
from hierstan.report.subject import Subject, Whole
from hierstan.report.treatment import treatment

if TYPE_CHECKING:
    from jinja2 import Environment


def page(subject: Subject) -> str:
    """Return the page about fits as HTML."""
    fit, parts, runs, prob = subject.main, subject.parts, subject.runs, subject.prob
    partial = [part for part in parts if part.partial]
    several = [part for part in parts if len(part.fits) > 1]
    content: dict[str, Any] = {
        "comparison": [sections.comparison(part, subject.unit) for part in several],
        "title": text_of(subject.title or _title(fit), None),
        "question": text_of(subject.question or _question(fit), None),
        "decisions": sections.decisions(subject),
        "treatment": treatment(subject),
        "trust": checks.trust(runs, [diagnose(one) for _, one in runs]),
        "data": sections.data(subject),
        "poolings": sections.poolings(subject.fits, fit, prob),
        "shrinkage": sections.moves(fit, prob) if partial else None,
        "forest": None if partial else sections.forest(fit, prob),
        "spread": [sections.spread(part, prob) for part in partial],
        "structure": sections.structure(parts[0], prob),
        "ranks": sections.ranks(subject),
        "likeness": [checks.likeness(part) for part in parts],
        "sensitivity": [checks.sensitivity(part, subject.unit) for part in partial],
        "priors": answers.priors_grid(runs),
        "programs": [sections.program(name, one) for name, one in runs],
        "facts": sections.facts(runs),
        "script": again.script(subject.fits, _options(subject)),
    }
    content["summary"] = _summary(content)
    return _environment().get_template("page.html").render(content)


# internals: the answers in a sentence each --------------------------------------------------


def _title(fit: Whole) -> str:
    title = f"{mean_words(fit, 'response')} by {group_word(fit.data)}"
    return title[:1].upper() + title[1:]


def _question(fit: Whole) -> str:
    return (
        f"How much do the {len(fit.data.groups):,} groups ({group_word(fit.data)}) differ in "
        f"{mean_words(fit, 'response')}, and what can be said about each of them?"
    )


def _summary(content: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the answers in a sentence each, with the sections that they are from."""
    told = [("trust", "Trust", content["trust"]["verdict"])]
    if content["decisions"]:
        choice = ("decisions", "Choice", content["decisions"]["advice"])
        told.insert(0 if content["trust"]["ok"] else 1, choice)
    if content["treatment"]:
        effect = _sentences(content["treatment"]["verdict"])[0]
        told.append(("treatment", "Effect", effect))
    told += [("comparison", "Pooling", _pooling(found)) for found in content["comparison"]]
    if content["shrinkage"]:
        told.append(("shrinkage", "Groups", f"{content['shrinkage']['picture'].title}."))
    for found in content["spread"]:
        told.append(("spread", "Differences", _headed(found, _sentences(found["verdict"])[0])))
    return [{"section": at, "head": head, "text": text} for at, head, text in told]


def _pooling(found: Mapping[str, Any]) -> str:
    """Return what the data say of the poolings, and which one that recommends."""
    first = re.split(r"[:.;](?:\s|$)| \(", found["verdict"], maxsplit=1)[0].strip()
    return _headed(found, f"{first}. {found['advice']}".rstrip())


def _headed(found: Mapping[str, object], text: str) -> str:
    return f"{found['head']}: {text}" if found["head"] else text


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=\.)\s", text)


def _options(subject: Subject) -> dict[str, Any]:
    own = {"title": subject.title, "question": subject.question}
    more = {"unit": subject.unit, "prob": subject.prob}
    return {**own, **more, **(subject.choice or {})}


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
