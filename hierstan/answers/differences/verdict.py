"""How different the groups are, in words that a manager could act on."""

from __future__ import annotations

import re

import numpy as np

from hierstan.data.predictors import predictor_words
from hierstan.fit.fit import Fit
from hierstan.fit.tau_evidence import Spread
from hierstan.fit.tau_words import headline, size
from hierstan.text.numbers import between, chance, short
from hierstan.text.tables import percent

VAGUE_NAMES = ("estimate", "y", "yi", "value", "mean")  # of a column: these say nothing


def verdict(spread: Spread, *more: str) -> str:
    """Say how different the groups are, what that means for pooling, and what it rests on."""
    sentences = [
        headline(spread),
        _about_tau(spread),
        _about_new_groups(spread),
        _about_prior(spread),
        *more,
    ]
    if not spread.given:
        sentences.append(
            f"A tau below {size(spread, spread.difference)} counts as negligible: a third of the "
            "typical standard error, where a typical pooling factor reaches 0.9. "
            "caring= sets another limit."
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


# internals ------------------------------------------------------------------------------------


def _about_tau(spread: Spread) -> str:
    lower, upper = np.quantile(spread.tau, _ends(spread))
    family = spread.fit.family
    logs = f"log {family.mean_words}s"
    values = {"identity": "means", "logit": "log-odds", "log": logs}[family.link]
    if effect := spread.fit.data.effect:
        values = re.sub(r"\b(ratio|difference)\b", r"\1s", effect.link_words)
    share = (
        f"; {chance(spread.i2)} of the variance of a typical raw estimate is difference between "
        "groups, not sampling error (I2)"
    )
    return (
        f"tau, the standard deviation of the groups' {values}, is "
        f"{short(float(spread.tau.mean()))} ({percent(spread.prob)} interval {short(lower)} to "
        f"{short(upper)}){share if spread.kind in ('partial', 'none') else ''}."
    )


def _about_new_groups(spread: Spread) -> str:
    sure = percent(spread.prob)
    words = (
        f"A new group has a {noun(spread.fit)} between {between(*spread.new_group())} with "
        f"probability {sure}"
    )
    if spread.kind == "undecided":
        lower, upper = np.quantile(spread.tau, _ends(spread))
        words += (
            f": between {between(*spread.new_group(lower))} if tau is at the low end, and between "
            f"{between(*spread.new_group(upper))} if it is at the high end"
        )
    data = spread.fit.data
    known = [f"average {names}"] if (names := predictor_words(data.predictors)) else []
    if names := predictor_words(None, data.levels):
        known.append(f"levels of {names} that are not yet seen")
    if known:
        words += f" (that is a group with {' and '.join(known)})"
    return f"{words}."


def _about_prior(spread: Spread) -> str:
    if spread.mostly_prior:
        taken = percent(round(max(spread.contraction, 0.0), 2))
        return (
            f"{'tau' if spread.kind == 'undecided' else 'The size of tau'} is mostly prior here: "
            f"the data took away only {taken} of the variance of its prior, {spread.prior}. "
            "prior_sensitivity(fit) shows what other priors would say."
        )
    edge = float(spread.prior.quantile(0.975))
    if np.median(spread.tau) > edge:
        return (
            f"The prior of tau, {spread.prior}, disagrees with the data and holds tau down: it "
            f"puts 97.5% below {short(edge)}. A wider prior would give a larger tau."
        )
    return ""


def _ends(spread: Spread) -> tuple[float, float]:
    return (1 - spread.prob) / 2, (1 + spread.prob) / 2
