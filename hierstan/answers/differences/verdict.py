"""How different the groups are, in words that a manager could act on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hierstan.data.predictors import predictor_words
from hierstan.fit.fit import Fit
from hierstan.fit.tau_evidence import Spread
from hierstan.text.tables import numbers, percent, places

HARDLY_POOLED = 0.1  # total pooling factor below which no pooling comes to much the same
VAGUE_NAMES = ("estimate", "y", "yi", "value", "mean")  # of a column: these say nothing


def verdict(spread: Spread, *more: str) -> str:
    """Say how different the groups are, what that means for pooling, and what it rests on."""
    sentences = [_beyond(spread, _SENTENCES[spread.kind](spread)), _about_prior(spread), *more]
    if not spread.given:
        sentences.append(
            f"A tau below {_size(spread, spread.difference)} counts as negligible: a third of the "
            "typical standard error, where a typical pooling factor reaches 0.9. "
            "smallest_difference= sets another limit."
        )
    return " ".join(filter(None, sentences))


def noun(fit: Fit) -> str:
    """Return what a group has one of: ``mean``, ``rate``, ``median``, ``true effect``."""
    if not fit.family.estimates:
        return fit.family.mean_words
    column = fit.data.columns.get("estimate")
    if not isinstance(column, str) or len(column) > 30 or not column.isprintable():
        return "true value"
    return "true value" if column.lower() in VAGUE_NAMES else f"true {column}"


def between(lower: float, upper: float) -> str:
    """Return ``"0.23 and 0.31"``: two ends, to two significant digits of their distance.

    A positive lower end that is small against the distance keeps two digits of its own.
    """
    decimals = _decimals(upper - lower)
    finer = max(decimals, _decimals(lower)) if lower > 0 else decimals
    last = decimals if upper > 10 * lower else finer
    return f"{numbers([lower], finer)[0]} and {numbers([upper], last)[0]}"


def chance(probability: float) -> str:
    """Return a probability in words, without a false 0 or 1."""
    if probability < 0.01:
        return "less than 1%"
    if probability > 0.99:
        return "more than 99%"
    return f"{100 * probability:.0f}%"


# internals ------------------------------------------------------------------------------------


def _differ(spread: Spread) -> str:
    precise = 1 - spread.i2 < HARDLY_POOLED
    advice = (
        "Their own data are so precise that no pooling comes to much the same as partial pooling."
        if precise
        else "Complete pooling would hide this."
    )
    return (
        f"The groups really differ: the probability that tau is negligible is "
        f"{chance(spread.negligible)}. {_most(spread, *spread.range())}; a new group's would lie "
        f"between {between(*np.quantile(_new(spread), _ends(spread)))}. {_about_tau(spread)}; "
        f"{chance(spread.i2)} of the variance of a typical raw estimate is difference between "
        f"groups, not sampling error (I2). {advice}"
    )


def _small(spread: Spread) -> str:
    return (
        "The groups differ little, if at all: tau is around the limit of what is negligible, and "
        f"below it with probability {chance(spread.negligible)}. {_about_tau(spread)}. "
        f"{_most(spread, *spread.range())}. Complete pooling is nearly adequate; partial pooling "
        "keeps the small differences."
    )


def _near_zero(spread: Spread) -> str:
    limit = f"below {_size(spread, spread.difference)} with probability {chance(spread.negligible)}"
    most = f"{_most(spread, *spread.range())}."
    if spread.given:
        return (
            "Whatever differences there are between the groups, they are too small to matter: tau "
            f"is {limit}. For that purpose complete pooling is adequate. {most}"
        )
    return (
        f"The groups hardly differ: tau is near zero, {limit}. Complete pooling is adequate. {most}"
    )


def _no_sign(spread: Spread) -> str:
    upper = float(np.quantile(spread.tau, _ends(spread)[1]))
    return (
        f"There is no sign that the groups differ: tau is negligible with probability "
        f"{chance(spread.negligible)}, against {chance(spread.negligible_before)} before the data. "
        f"Complete pooling is defensible. But a tau of up to {_short(upper)} is still possible; "
        f"most groups ({percent(spread.prob)}) would then have a {noun(spread.fit)} between "
        f"{between(*spread.range(upper))}. Partial pooling allows for that."
    )


def _undecided(spread: Spread) -> str:
    lower, upper = np.quantile(spread.tau, _ends(spread))
    return (
        "The data cannot tell how different the groups are: tau may be anything from "
        f"{_short(lower)} to {_short(upper)} ({percent(spread.prob)} interval), and is negligible "
        f"with probability {chance(spread.negligible)}. At the low end, most groups "
        f"({percent(spread.prob)}) have a {noun(spread.fit)} between "
        f"{between(*spread.range(lower))}; at the high end, between "
        f"{between(*spread.range(upper))}. Partial pooling allows for all of this; complete and no "
        "pooling do not."
    )


_SENTENCES: dict[str, Callable[[Spread], str]] = {
    "near zero": _near_zero,
    "no sign": _no_sign,
    "differ": _differ,
    "small": _small,
    "undecided": _undecided,
}


def _beyond(spread: Spread, sentence: str) -> str:
    """Say what the predictors account for, and for which groups a range holds."""
    names = predictor_words(spread.fit.data.predictors)
    if not names:
        return sentence
    return (
        f"Beyond what {names} can explain, {sentence[0].lower()}{sentence[1:]} (Ranges are those "
        f"of groups with average {names}.)"
    )


def _about_prior(spread: Spread) -> str:
    if spread.mostly_prior:
        taken = percent(round(max(spread.contraction, 0.0), 2))
        subject = "The size of tau" if spread.kind == "differ" else "tau"
        return (
            f"{subject} is mostly prior here: the data took away only {taken} of the variance of "
            f"its prior, {spread.prior}. prior_sensitivity(fit) shows what other priors would say."
        )
    edge = float(spread.prior.quantile(0.975))
    if np.median(spread.tau) > edge:
        return (
            f"The prior of tau, {spread.prior}, disagrees with the data and holds tau down: it "
            f"puts 97.5% below {_short(edge)}. A wider prior would give a larger tau."
        )
    return ""


def _ends(spread: Spread) -> tuple[float, float]:
    return (1 - spread.prob) / 2, (1 + spread.prob) / 2


def _new(spread: Spread) -> np.ndarray:
    return spread.fit.family.to_response(spread.fit.draws("theta_new"))


def _most(spread: Spread, lower: float, upper: float) -> str:
    return (
        f"Most groups ({percent(spread.prob)}) have a {noun(spread.fit)} between "
        f"{between(lower, upper)}"
    )


def _about_tau(spread: Spread) -> str:
    lower, upper = np.quantile(spread.tau, _ends(spread))
    logs = f"log {spread.fit.family.mean_words}s"
    values = {"identity": "means", "logit": "log-odds", "log": logs}[spread.fit.family.link]
    return (
        f"tau, the standard deviation of the groups' {values}, is "
        f"{_short(float(spread.tau.mean()))} ({percent(spread.prob)} interval {_short(lower)} to "
        f"{_short(upper)})"
    )


def _size(spread: Spread, tau: float) -> str:
    """Return a tau with what it means where the link is not the identity."""
    kinds = {"identity": "", "logit": "an odds ratio of ", "log": "a factor of "}
    kind = kinds[spread.fit.family.link]
    ratio = float(np.exp(min(tau, 700)))
    meant = numbers([ratio], _decimals(ratio - 1))[0]
    return _short(tau) + (f" ({kind}{meant})" if kind else "")


def _short(value: float) -> str:
    """Return two significant digits, or all before the decimal point."""
    return numbers([value], _decimals(value))[0] if value else "0"


def _decimals(size: float) -> int:
    return max(places(abs(size)) - 1, 0)
