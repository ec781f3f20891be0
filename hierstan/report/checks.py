"""Whether to believe the page: the draws, the model and the priors, as the template takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hierstan.answers.check import check
from hierstan.answers.comparison.prior_sensitivity import (
    power_scaling,
    prior_sensitivity,
    words_of_power,
)
from hierstan.answers.diagnose import Diagnosis
from hierstan.errors import HierstanError
from hierstan.fit.fit import Fit
from hierstan.plots import plot_ppc, plot_prior_sensitivity
from hierstan.report import answers
from hierstan.report.pictures import picture
from hierstan.report.subject import Part

MOST_FITTED_AGAIN = 100  # groups; more, or with factors, arms or parts, may take minutes
LONG = (
    "This is computed from the draws there are; fitting again with other priors of tau would take "
    "long here, and hs.prior_sensitivity(fit) does it."
)
Section = dict[str, Any]


def trust(runs: Sequence[tuple[str, Fit]], found: Sequence[Diagnosis]) -> Section:
    """Say whether the draws can be trusted, and what is wrong with them."""
    told = list(zip(runs, found, strict=True))
    bad = [name for (name, _), one in told if not one.ok]
    if bad:
        verdict = (
            f"Do not rely on this page yet: the draws of {', '.join(bad)} are not good enough."
        )
    elif len(found) == 1:
        verdict = "The draws can be trusted."
    else:
        verdict = f"The draws of all {len(found)} fits can be trusted."
    notes = [
        {"name": name, "text": text}
        for (name, fit), one in told
        for text in (*one.messages, *filter(None, [fit.note]))
    ]
    grid = answers.trust_grid(runs, found)
    return {"ok": not bad, "verdict": verdict, "notes": notes, "grid": grid}


def likeness(part: Part) -> Section:
    """Say whether the model makes data like these."""
    fit = part.partial or next(iter(part.fits.values()))
    found = check(fit)
    alt = (
        "Two panels: the outcomes beside outcomes that the fitted model produces, and the mean of "
        "each group beside the interval that the model produces."
    )
    verdict = "The model makes data like these, in all that was looked at."
    if not found.ok:
        verdict = "The model misses something of these data."
    elif found.table.empty:
        verdict = "With one row in each group and few groups, there is little that can be checked."
    J = max(len(fit.data.groups), fit.data.n_rows)
    return {
        "head": part.head,
        "verdict": verdict,
        "messages": found.messages,
        "shown": attempt(lambda: {"picture": picture(lambda: plot_ppc(fit), alt, J)}),
    }


def sensitivity(part: Part, unit: str) -> Section:
    """Say whether the conclusions depend on the priors.

    The model is fitted with other priors of tau where that takes no longer than the rest; elsewhere
    the draws there are tell what slightly stronger and weaker priors would do.
    """
    fit = part.partial
    assert fit is not None
    known = fit.data.factors is not None or fit.family.treatment
    if part.head or known or len(fit.data.groups) > MOST_FITTED_AGAIN:
        return {"head": part.head, **attempt(lambda: _reweighted(fit, part.key))}
    alt = (
        "A dot with a line for each of several priors of tau, the fitted one on top: the posterior "
        "mean of tau and its 90% interval. The table has the numbers."
    )

    def found() -> Section:
        sweep = prior_sensitivity(fit, unit=unit, progress=False)
        return {
            "verdict": sweep.verdict,
            "grid": answers.sensitivity_grid(sweep, part.key),
            "picture": picture(lambda: plot_prior_sensitivity(sweep), alt, 1),
        }

    return {"head": part.head, **attempt(found)}


def _reweighted(fit: Fit, key: str) -> Section:
    """Say what slightly stronger and weaker priors would do."""
    power = power_scaling(fit)
    verdict = f"{words_of_power(power)} {LONG}"
    return {"verdict": verdict, "grid": answers.power_grid(power, key), "picture": None}


def attempt(make: Callable[[], Section]) -> Section:
    """Return a section, or why there is none of these fits."""
    try:
        return {"refused": "", **make()}
    except HierstanError as error:
        return {"refused": str(error)}
