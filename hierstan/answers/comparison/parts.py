"""Whether a factor matters: fits with a part of the factors beside the fit with all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hierstan.answers.comparison.elpd import Elpd
from hierstan.answers.comparison.verdict import Judgement, how_well
from hierstan.fit.fit import Fit
from hierstan.fit.tau_evidence import Spread, spread_of
from hierstan.text.numbers import chance

WORDS = {
    "none": "{name} matters: its levels clearly differ",
    "partial": "{name} matters: its levels differ",
    "complete": "{name} hardly matters: its levels hardly differ",
    "undecided": "The data cannot tell whether {name} matters",
}


def missing_factors(fits: Mapping[str, Fit]) -> dict[str, list[str]]:
    """Return the factors that a fit does without and another one has, by the fits' names.

    Empty where the fits are not all of partial pooling.
    """
    if not all(fit.model.has_population for fit in fits.values()):
        return {}
    own = {name: [*map(str, fit.data.levels)] for name, fit in fits.items()}
    known = dict.fromkeys(factor for factors in own.values() for factor in factors)
    return {name: [one for one in known if one not in own[name]] for name in fits}


def judge_parts(
    results: Mapping[str, Elpd], fits: Mapping[str, Fit], trouble: str
) -> Judgement | None:
    """Say which factors matter, and how well the groups are predicted without them.

    The words follow the rule of `hierstan.components`: the evidence about the sd between the levels
    in the fit that has all factors. None where the fits do not differ by their factors, or no fit
    has all.

    Parameters
    ----------
    results, fits : mapping
        By the user's names.
    trouble : str
        Why leave-one-out cannot be relied on, if so: then it is not told.
    """
    missing = missing_factors(fits)
    whole = next((name for name, without in missing.items() if not without), None)
    if whole is None or sum(map(bool, missing.values())) < len(fits) - 1:
        return None
    names = dict.fromkeys(one for without in missing.values() for one in without)
    facts = {one: _evidence(fits[whole], one) for one in names}
    words = [_matters(one, spread) for one, spread in facts.items()]
    told = [
        f"{how_well(results, name, whole)} without {', '.join(without)}"
        for name, without in missing.items()
        if without
    ]
    if not trouble:
        unit = results[whole].unit
        words.append(
            f"Leave-one-out, as the difference in elpd from {whole} ± its standard error over "
            f"{len(results[whole].elpd_i):,} {unit}s: {'; '.join(told)}."
        )
    words += [trouble] * bool(trouble)
    kinds = {one: spread.kind for one, spread in facts.items()}
    if "undecided" in kinds.values():
        return " ".join(words), None
    able = [
        name
        for name, without in missing.items()
        if all(kinds[one] == "complete" for one in without)
    ]
    return " ".join(words), max(able, key=lambda name: len(missing[name]))


# internals ------------------------------------------------------------------------------------


def _evidence(fit: Fit, factor: str) -> Spread:
    name = f"tau_{factor}"
    return replace(
        spread_of(fit), tau=np.asarray(fit.draws(name)), prior=fit.priors[name], name=name
    )


def _matters(factor: str, spread: Spread) -> str:
    words = WORDS[spread.kind].format(name=factor)
    return (
        f"{words[0].upper()}{words[1:]} (the probability that {spread.name} is negligible is "
        f"{chance(spread.negligible)})."
    )
