"""What the evidence about tau supports, in the words that verdicts on the poolings begin with.

Partial pooling is right in any case; the other two are called adequate where they come to the same.
"""

from __future__ import annotations

import numpy as np

from hierstan.data.predictors import predictor_words
from hierstan.fit.tau_evidence import Spread
from hierstan.text.numbers import chance, decimals_of, short, times
from hierstan.text.tables import numbers, percent

FEW = 10  # groups, with fewer of which even large differences are hard to tell from none


def headline(spread: Spread) -> str:
    """Say whether the groups differ, what that rests on, and which pooling is adequate."""
    sentence = {"partial": _differ, "none": _differ, "complete": _alike, "undecided": _open}
    words = sentence[spread.kind](spread)
    data = spread.fit.data
    if names := predictor_words(data.predictors, data.levels):
        words = f"Beyond what {names} can explain, {words[0].lower()}{words[1:]}"
    return words


def size(spread: Spread, tau: float) -> str:
    """Return a tau with what it means where the link is not the identity."""
    kinds = {"identity": "", "logit": "an odds ratio of ", "log": "a factor of "}
    kind = kinds[spread.fit.family.link]
    ratio = float(np.exp(min(tau, 700)))
    meant = numbers([ratio], decimals_of(ratio - 1))[0]
    return short(tau) + (f" ({kind}{meant})" if kind else "")


# internals ------------------------------------------------------------------------------------


def _differ(spread: Spread) -> str:
    words = (
        f"The groups really differ: the probability that tau is negligible is "
        f"{chance(spread.negligible)}{_likelier(spread, 'partial', 'complete')}. "
    )
    if spread.kind == "none":
        return words + (
            f"Their own data hold {percent(np.floor(100 * spread.own) / 100)} of the weight in "
            "their means, so that estimating each group alone is adequate, too: partial pooling "
            "comes to much the same."
        )
    return words + (
        "Use partial pooling: complete pooling would hide the differences, and estimating each "
        f"group alone would ignore what the others tell ({chance(1 - spread.own)} of the weight)."
    )


def _alike(spread: Spread) -> str:
    limit = f"below {size(spread, spread.difference)} with probability {chance(spread.negligible)}"
    if spread.given:
        return (
            "Whatever differences there are between the groups, they are too small to matter: tau "
            f"is {limit}. For that purpose complete pooling is adequate; partial pooling comes to "
            "much the same."
        )
    return (
        f"The groups hardly differ: tau is negligible, {limit}"
        f"{_likelier(spread, 'complete', 'partial')}. Complete pooling is adequate; partial "
        "pooling comes to much the same and keeps what differences there are."
    )


def _open(spread: Spread) -> str:
    lower, upper = np.quantile(spread.tau, [(1 - spread.prob) / 2, (1 + spread.prob) / 2])
    words = (
        "The data cannot tell how different the groups are: tau may be anything from "
        f"{short(lower)} to {short(upper)} ({percent(spread.prob)} interval), and is negligible "
        f"with probability {chance(spread.negligible)}. Use partial pooling, which allows for all "
        "of this; complete and no pooling do not."
    )
    J = len(spread.fit.data.groups)
    if J < FEW:
        words += (
            f" {J} groups are few: differences as large as the typical standard error mostly go "
            "unseen, and that there are none cannot be shown."
        )
    return words


def _likelier(spread: Spread, one: str, other: str) -> str:
    factor = spread.bayes_factor if one == "partial" else 1 / spread.bayes_factor
    if factor <= 1:
        return ""
    about = "" if spread.exact or factor > 1000 else "about "
    return (
        f", and the data are {about}{times(factor)} as likely under {one} as under {other} pooling"
    )
