"""The arithmetic of choosing between groups, over the draws: wins, losses, differences."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd

from hierstan.answers.decisions.worth import Values, warn_if_heavy
from hierstan.errors import HierstanError
from hierstan.fit import group_summaries
from hierstan.fit.settings import check_number
from hierstan.text.tables import called, percent
from hierstan.text.wording import listed, show


def best_shares(values: Values) -> np.ndarray:
    """Return the share of draws that each group wins, those won together in equal parts, (J,)."""
    S, J = values.sizes
    total = np.zeros(J)
    for block in values.goodness():
        winners = block == block.max(axis=1, keepdims=True)
        total += (winners / winners.sum(axis=1, keepdims=True)).sum(axis=0)
    return total / S


def ordered(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the groups from best to worst at each draw, (s, J), and which draws have ties."""
    order = np.argsort(-block, axis=1, kind="stable")
    ordered = np.take_along_axis(block, order, axis=1)
    return order, (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)


def ranks(values: Values) -> np.ndarray:
    """Return the rank of every group at every draw, (S, J); 1 is best.

    Ties are broken at random, always in the same way. Needs 2 bytes per draw and group.
    """
    S, J = values.sizes
    found = np.empty((S, J), dtype=np.uint16 if J < 2**16 else np.uint32)
    places = np.arange(1, J + 1, dtype=found.dtype)[None, :]
    rng, start = np.random.default_rng(1), 0
    for block in values.goodness():
        order, tied = ordered(block)
        for row in np.flatnonzero(tied):
            order[row] = np.lexsort((rng.random(J), -block[row]))
        np.put_along_axis(found[start : start + len(block)], order, places, axis=1)
        start += len(block)
    return found


def mean_losses(values: Values) -> np.ndarray:
    """Return what each group is worse by than the best of each draw, on average, (J,)."""
    values.require_means()
    S, J = values.sizes
    total, largest = np.zeros(J), []
    for block in values.by_draws():
        total += losses(values, block).sum(axis=0)
        largest.append(block.max(axis=1))
    if values.exponential:
        warn_if_heavy(np.concatenate(largest), "The expected loss", "Take scale='link'")
    return total / S


def losses(values: Values, block: np.ndarray) -> np.ndarray:
    """Return what each group is worse by than the best of its draw, (s, J), at least 0."""
    if values.larger_is_better:
        return block.max(axis=1, keepdims=True) - block
    return block - block.min(axis=1, keepdims=True)


def half_ties(difference: np.ndarray) -> np.ndarray:
    """Return the share of draws above 0 of (S, K), ties counting half, (K,)."""
    return (difference > 0).mean(axis=0) + (difference == 0).mean(axis=0) / 2


def differences(
    values: Values,
    control: Hashable,
    *,
    relative: bool = False,
    caring: object = None,
    prob: float = 0.9,
) -> pd.DataFrame:
    """Summarise the differences of all groups to one of them; see `hierstan.uplift`."""
    low, high = equivalent(caring)
    values.require_means()
    reference = values.of(control)[:, None]
    base = positive(values, control)[:, None] if relative else 1.0
    table, chances = np.empty((4, values.sizes[1])), np.empty((3, values.sizes[1]))
    largest = np.full(len(reference), -np.inf)
    for part, block in values.by_groups():
        difference = (block - reference) / base
        table[:, part] = group_summaries.summarise(difference, prob)
        above, below = (difference > high).mean(axis=0), (difference < low).mean(axis=0)
        better, worse = (above, below) if values.larger_is_better else (below, above)
        chances[:, part] = better, worse, np.maximum(1 - better - worse, 0)
        largest = np.maximum(largest, np.abs(difference).max(axis=1))
    infinite = values.infinite_sd()
    table[1, infinite | infinite[values.position(control)]] = np.inf
    if relative:
        warn_if_heavy(largest, "The mean uplift", "Take relative=False")
    elif values.exponential:
        warn_if_heavy(largest, "The mean uplift", "Take scale='link'")
    names = ["prob_better", "prob_worse", "prob_equivalent"]
    if caring is None:
        chances, names = chances[:1] + chances[2:] / 2, names[:1]
    columns = [*group_summaries.COLUMNS, *names]
    frame = pd.DataFrame(np.vstack([table, chances]).T, index=values.groups, columns=columns)
    frame.attrs["caption"] = (
        f"{'Relative difference' if relative else 'Difference'} to {called(control)}: posterior "
        f"mean, standard deviation and equal-tailed {percent(prob)} interval"
    )
    return frame


def positive(values: Values, label: Hashable) -> np.ndarray:
    """Return the draws of a group that is to be divided by, (S,)."""
    draws = values.of(label)
    if (draws <= 0).any():
        raise HierstanError(
            f"relative=True divides by the mean of group {show(label)}, which may be 0 or below: "
            f"{percent(round(float((draws <= 0).mean()), 4))} of its draws are. Use relative=False."
        )
    return draws


def check_control(values: Values, control: object) -> None:
    """Refuse to compare with nothing."""
    if control is None:
        two_arms = getattr(values.fit, "family", None) and values.fit.family.treatment
        own = " What the treatment changes in each group: absolute_effects(fit)." * bool(two_arms)
        raise HierstanError(
            "There has to be a group to compare the others with: control=. "
            f"Groups: {listed(values.groups.tolist(), 8)}.{own}"
        )


def equivalent(caring: object) -> tuple[float, float]:
    """Return the ends between which differences do not matter, (0, 0) where every one does."""
    if caring is None:
        return 0.0, 0.0
    if not isinstance(caring, (tuple, list)):
        size = check_number("caring", caring, least=0.0)
        return -size, size
    if len(caring) != 2:
        raise HierstanError(f"caring= takes a number or two, (low, high); got {called(caring)}.")
    low, high = (check_number("caring", end) for end in caring)
    if low >= high:
        raise HierstanError(f"caring= takes the lower number first; got {called(caring)}.")
    return low, high
