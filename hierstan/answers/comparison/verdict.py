"""Which pooling the data support: the evidence about tau, and what prediction adds to it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hierstan.answers.comparison.elpd import Elpd
from hierstan.data.predictors import predictor_words
from hierstan.families.treatment import arm_of
from hierstan.fit.fit import Fit
from hierstan.fit.tau_evidence import spread_of
from hierstan.fit.tau_words import headline
from hierstan.priors import Prior
from hierstan.text.wording import pooling_words

CLEAR = 4.0  # |elpd difference| below which models cannot be told apart (Sivula et al. 2020)

Judgement = tuple[str, str | None]  # words, and the name of the fit that they are for


def judge_poolings(
    results: Mapping[str, Elpd],
    fits: Mapping[str, Fit],
    poolings: Mapping[str, str],
    tau_prior: Prior | None,
    trouble: str,
) -> Judgement:
    """Say what `hierstan.heterogeneity` says, and how well each pooling predicts.

    Parameters
    ----------
    results, fits : mapping
        By the user's names.
    poolings : mapping
        The user's names by pooling; partial pooling is among them.
    tau_prior : Prior or None
        Of tau, instead of the one that was fitted.
    trouble : str
        Why leave-one-out cannot be relied on, if so: then it is not told.
    """
    partial = fits[poolings["partial"]]
    spread = spread_of(partial, prior=tau_prior)
    words = [headline(spread)]
    others = [name for pooling, name in poolings.items() if pooling != "partial"]
    ranked = [name for name in others if not scores_its_prior(fits[name], results[name].unit)]
    told = [_predicts(fits, results, name, poolings["partial"]) for name in ranked]
    if told and not trouble:
        units = f"{len(results[ranked[0]].elpd_i):,} {results[ranked[0]].unit}s"
        words.append(
            "Leave-one-out, as the difference in elpd from partial pooling ± its standard error "
            f"over {units}: {'; '.join(told)}."
        )
    words += [trouble] * bool(trouble)
    words += [_unranked(fits[name], results[name].unit) for name in others if name not in ranked]
    names = predictor_words(partial.data.predictors, partial.data.levels)
    if names and "complete" in poolings:
        words.append(f"(Complete pooling here lets the groups differ by {names} alone.)")
    pooling = spread.kind if spread.kind in poolings else "partial"
    return " ".join(words), None if spread.kind == "undecided" else poolings[pooling]


def scores_its_prior(fit: Fit, unit: str) -> bool:
    """Whether leaving out a unit leaves a group to the prior of no pooling, and no data.

    An effect takes data of both arms.
    """
    if not fit.model.stands_alone:
        return False
    if unit != "observation":
        return True
    rows = fit.data.rows
    assert rows is not None
    own = arm_of(rows) if fit.family.treatment else rows["group"].to_numpy()
    return bool(np.unique(own, return_counts=True)[1].min() == 1)


def how_well(results: Mapping[str, Elpd], name: str, best: str) -> str:
    """Say how well a fit predicts beside another one, with the difference and its error."""
    apart = results[name].elpd_i - results[best].elpd_i
    dse = np.sqrt(len(apart) * np.var(apart, ddof=1))
    difference = float(apart.sum())
    how = "predicts about as well"
    if abs(difference) > max(CLEAR, 2 * dse):
        how = "predicts worse" if difference < 0 else "predicts better"
    elif abs(difference) > CLEAR:
        how = "may predict worse" if difference < 0 else "may predict better"
    return f"{how} ({difference:+,.1f} ± {dse:,.1f})"


# internals ------------------------------------------------------------------------------------


def _predicts(fits: Mapping[str, Fit], results: Mapping[str, Elpd], name: str, best: str) -> str:
    return f"{pooling_words(fits[name].model.name)} {how_well(results, name, best)}"


def _unranked(fit: Fit, unit: str) -> str:
    arms = fit.family.treatment
    whose = "an arm" if arms else "a group"
    units = {"observation": f"{whose}'s only observation, left out,", "arm": "an arm left out"}
    prior = "the prior of the effect" if arms else "the prior of its mean"
    return (
        f"No pooling is not ranked: {units.get(unit, 'a group that is left out')} leaves nothing "
        f"but {prior}, so that "
        "leave-one-out would score how wide that prior is."
    )
