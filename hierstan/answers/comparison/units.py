"""Units left out by importance weights, a block of groups at a time, equal ones once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace

import numpy as np

from hierstan.answers.comparison.importance import LeftOut, exactly, joined, psis
from hierstan.answers.comparison.integral import distinct_rows
from hierstan.answers.comparison.left_out import FoldPriors, group_of_units
from hierstan.answers.comparison.normal_integral import has_closed_form
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units
from hierstan.families.treatment import Treatment
from hierstan.fit.fit import Fit
from hierstan.text.bars import with_bar

MAX_VALUES = 1_000_000  # draws x units at a time, 8 MB an array
CLOSED, EXPLICIT, INTEGRATED = 2_000_000, 1_000_000, 300_000  # draws x units: about a second
ARMS = 40_000  # of two arms, both of whose means are integrated out
OWN = 100_000  # of what a group has of its own beside its mean
OVERHEAD = 70  # of evaluating a program once, in units
LEAST_DRAWS = 500
NO_PRIORS = FoldPriors({}, {})


def draws_to_use(fit: Fit, units: int) -> int:
    """Return how many draws leaving out so many distinct units can use: a second's worth."""
    if has_closed_form(fit):
        most = OWN if fit.family.of_group else CLOSED
        return max(LEAST_DRAWS, most // max(units, 1))
    if isinstance(fit.family, Treatment) and fit.family.base.known and not fit.conditional.edited:
        return max(LEAST_DRAWS, ARMS // max(units, 1))
    if fit.family.known and not fit.conditional.edited:
        return max(LEAST_DRAWS, EXPLICIT // max(units, 1))
    return max(LEAST_DRAWS, INTEGRATED // (OVERHEAD + units))


def distinct_units(fit: Fit, unit: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the first of each kind of equal units in a group, (D,), and each unit's kind, (U,)."""
    if unit != "observation":
        both = np.arange(len(group_of_units(fit.data, unit)))
        return both, both
    _, place = distinct_rows(fit.data)
    return np.unique(place, return_index=True)[1], place


def left_out_by_weights(
    fit: Fit,
    unit: str,
    hyper: Mapping[str, np.ndarray],
    priors: FoldPriors = NO_PRIORS,
    groups: np.ndarray | None = None,
    *,
    progress: bool = False,
) -> LeftOut:
    """Leave out every unit of all groups, or of some.

    Parameters
    ----------
    fit : Fit
    unit : {"observation", "arm", "group"}
    hyper : mapping of str to numpy.ndarray
        Draws of what is no group's own parameter.
    priors : FoldPriors
        Of every unit of the data, or of none.
    groups : numpy.ndarray, optional
        Positions of the groups, in order.
    progress : bool
        Whether to show a bar where it takes long.
    """
    first, place = distinct_units(fit, unit)
    times = np.bincount(place).astype(float)
    S = len(next(iter(hyper.values()))) if hyper else 1
    blocks = list(_blocks(fit, unit, S, groups))
    parts, kinds = [], []
    for block in with_bar(blocks, f"leaving out {unit}s, {fit.model.name}", shown=progress):
        units = np.flatnonzero(np.isin(group_of_units(fit.data, unit), block))
        kind = np.unique(place[units])
        column = np.searchsorted(units, first[kind])
        whole = len(block) == len(fit.data.groups)
        log_lik = log_lik_of_units(
            fit, hyper, unit,
            data=fit.data if whole else fit.data.only_groups(block),
            shift=priors.take(units).shift(),
            some=column,
        )  # fmt: skip
        kinds.append(kind)
        if len(log_lik) == 1:
            parts.append(exactly(log_lik[0]))
            continue
        correction = priors.take(first[kind]).correction(hyper, len(kind))
        parts.append(psis(log_lik, correction, times[kind]))
    chosen = np.flatnonzero(np.isin(place, np.concatenate(kinds)))
    order = np.argsort(np.concatenate(kinds))
    back = order[np.searchsorted(np.sort(np.concatenate(kinds)), place[chosen])]
    found = joined(parts)
    each = {f.name: getattr(found, f.name)[back] for f in fields(found) if f.name != "influence"}
    return replace(found, **each)


# internals ------------------------------------------------------------------------------------


def _blocks(fit: Fit, unit: str, S: int, groups: np.ndarray | None) -> Iterator[np.ndarray]:
    """Yield positions of groups, some at a time, of at most so many values where one has fewer."""
    frame = fit.data.rows if unit == "observation" else fit.data.cells
    assert frame is not None
    sizes = np.bincount(frame["group"].to_numpy(), minlength=len(fit.data.groups))
    groups = np.arange(len(sizes)) if groups is None else groups
    if fit.family.correlated:
        yield groups
        return
    total = np.cumsum(sizes[groups]) * S
    ends = np.unique(np.searchsorted(total, np.arange(1, total[-1] // MAX_VALUES + 1) * MAX_VALUES))
    yield from (block for block in np.split(groups, ends) if block.size)
