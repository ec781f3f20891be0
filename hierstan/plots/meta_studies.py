"""The studies of a meta-analysis: what each says alone, what it weighs, and the words for that."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from hierstan.data.own_estimates import shown_estimates
from hierstan.errors import HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.information import BLOCK, sampling_variance
from hierstan.fit.observed_information import numeric
from hierstan.plots.groups import group_table, mean_words, on_scale

LARGEST = 300.0  # log of a ratio: farther out, an axis has no numbers left


def studies_of(fit: Fit, prob: float, scale: str) -> pd.DataFrame:
    """Return raw estimates with their confidence intervals, pooled ones, and weights."""
    from scipy.stats import norm

    table = group_table(fit, prob, scale).drop(columns=["se", "inner_lower", "inner_upper"])
    own = shown_estimates(fit.data, "link").to_numpy().T
    reach = norm.ppf((1 + prob) / 2) * own[1]
    ends = on_scale(fit, np.stack([own[0] - reach, own[0] + reach]), scale)
    # a rate of 0 has an interval that starts above it
    table["raw_lower"] = np.fmin(ends[0], table["raw"])
    table["raw_upper"] = np.fmax(ends[1], table["raw"])
    table["weight"] = weights_of(fit)
    return table


def weights_of(fit: Fit) -> np.ndarray:
    """Return each study's weight in mu, (J,): posterior means of 1 / (V + tau^2), summing to 1."""
    J = len(fit.data.groups)
    partial = fit.model.has_population
    tau = fit.draws("tau") if partial else np.zeros(len(fit.draws("mu")))
    width = J if numeric(fit) else max(1, BLOCK // len(tau))
    blocks = [slice(start, start + width) for start in range(0, J, width)]

    def precisions(block: slice) -> np.ndarray:
        with np.errstate(over="ignore"):  # a group that says nothing has no weight
            variance = np.atleast_2d(sampling_variance(fit, block))
        used = tau[:: -(-len(tau) // len(variance))] if len(variance) > 1 else tau
        return np.asarray(1 / (variance + used[:, None] ** 2))

    total = sum(precisions(block).sum(axis=1, keepdims=True) for block in blocks)
    return np.concatenate([(precisions(block) / total).mean(axis=0) for block in blocks])


def exponentiated(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its logs turned into ratios."""
    logs = table.columns[~table.columns.isin(["label", "weight", "precision"])]
    return table.assign(**{name: np.exp(table[name].clip(-LARGEST, LARGEST)) for name in logs})


def no_effect_of(fit: Fit, scale: str, exponentiate: bool) -> float | None:
    """Return where there is no effect, if this scale has such a place."""
    if exponentiate:
        return 1.0
    return 0.0 if scale == "link" or fit.family.link == "identity" else None


def ratio_words(fit: Fit, scale: str) -> str:
    """Return what exponentiated estimates are: "odds ratio", or the column without its "log"."""
    if fit.data.effect:
        return fit.data.effect.words
    return re.sub(r"^(log|ln)[ _.]+", "", mean_words(fit, scale), flags=re.IGNORECASE)


def check_logs(fit: Fit) -> None:
    """Refuse estimates that are no logs of ratios."""
    effect = fit.data.effect
    if effect and not effect.ratio:
        raise HierstanError(
            f"exponentiate=True is for logs of ratios, but these estimates are of a {effect.words} "
            f'(measure="{effect.key}"). Leave it out.'
        )
    if not (fit.family.estimates or fit.family.treatment):
        raise HierstanError(
            "exponentiate=True is for estimates that are logs of ratios, as in "
            f"GroupedData.from_estimates, but these data are {fit.data.family}. Leave it out: "
            'scale="response" has their rates and means.'
        )
