"""Rows without variation: a family with a scale of its own has no posterior there.

Where every row equals its group's mean, the density of the rows grows as ``sigma^-(N - J)`` while
sigma goes to 0, whatever the prior, and no posterior exists. Student's t needs less for that: rows
that share their group's value count for it, each of the others against it by at least the least
degrees of freedom (Fernandez and Steel 1999, doi:10.1093/biomet/86.1.153).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.errors import DataError
from hierstan.families import FAMILIES
from hierstan.text.numbers import figure
from hierstan.text.wording import show

STEEPEST = 4.0  # of `_check_each`: 1 / 0.5^2, of the default prior
ROUNDING = 16 * np.finfo(float).eps  # relative: what adding and subtracting a few numbers leaves


def check_variation(data: GroupedData) -> None:
    """Refuse rows whose likelihood is unbounded.

    Parameters
    ----------
    data : GroupedData
        Also of folds, which may lack variation that all data have.

    Raises
    ------
    DataError
        Where nothing varies within groups of several rows, or nothing at all; for families of
        single rows, where too many share one value.
    """
    family = FAMILIES[data.family]
    if family.unbounded == "ties":
        _check_ties(data)
    elif family.unbounded:
        _check_equal(data)
    if family.unbounded == "no variation in a group":
        _check_each(data)


def varies(data: GroupedData) -> bool:
    """Whether rows have a likelihood that is bounded."""
    try:
        check_variation(data)
    except DataError:
        return False
    return True


# internals --------------------------------------------------------------------------------------


def _check_equal(data: GroupedData) -> None:
    cells = data.cells
    count, y = cells["count"].to_numpy(), cells["y"].to_numpy()
    within, between, limit = _variation(data)
    several = bool((count > 1).any())
    if within > limit or (not several and between > limit):
        return
    if between <= limit:
        found = f"is the same in all {int(count.sum()):,} rows: {figure(y[0], 6)}"
    else:
        order = np.argsort(-count, kind="stable")
        found = "does not vary within any group: " + _told(
            data.groups, count[order], y[order], order
        )
    raise _no_variation(data, found)


def _check_each(data: GroupedData) -> None:
    """Refuse groups of several equal rows, where their own standard deviations can go to 0.

    With ``n`` of them in each, integrating these leaves ``exp(E sd^2 / 2)`` for a large sd of the
    logarithms, ``E = sum (n - 1)^2 + (sum (n - 1) - 1)^2 / M``, with ``M`` groups that do vary: the
    typical standard deviation follows the ones to 0 as far as the others let it. The default prior
    of that sd has ``exp(-4 sd^2 / 2)``.
    """
    cells = data.cells
    limit = ROUNDING * float(np.abs(cells["y"]).max())
    size, squares = cells["count"].to_numpy(), cells["squares"].to_numpy()
    equal = (size > 1) & (np.sqrt(squares / size) <= limit)
    found = np.flatnonzero(equal)
    freedom = size[found] - 1
    vary = max(int(((size > 1) & ~equal).sum()), 1)
    if found.size and (freedom**2).sum() + (freedom.sum() - 1) ** 2 / vary >= STEEPEST:
        count, y = freedom + 1, cells["y"].to_numpy()[found]
        code = cells["group"].to_numpy()[found]
        raise DataError(
            f"{_column(data)} does not vary within {found.size:,} of {len(data.groups):,} groups: "
            f"{_told(data.groups, count, y, code)}. A group of equal rows has no standard "
            f"deviation of its own, which family={data.family!r} estimates: the likelihood grows "
            "without bound. Use family='normal', which has one for all groups. If the values were "
            "rounded, take more digits."
        )


def _no_variation(data: GroupedData, found: str) -> DataError:
    return DataError(
        f"{_column(data)} {found}. Without any variation family={data.family!r} has nothing to "
        "estimate: the likelihood grows without bound. Values that are known exactly, such as list "
        "prices, need no model: compare them as they are (where each buyer pays the same price, "
        "fit who buys, with family='bernoulli', and multiply the rates by the prices). If rows "
        "were copied, keep one row for each group. If they were rounded, take more digits."
    )


def _variation(data: GroupedData) -> tuple[float, float, float]:
    """Return the sds within groups and of all rows, and what rounding alone could make of them."""
    cells = data.cells
    count, y = cells["count"].to_numpy(), cells["y"].to_numpy()
    N = count.sum()
    if "mean_log" in cells:  # the log of the mean minus the mean log is half a squared deviation
        gap = np.maximum(np.log(y) - cells["mean_log"].to_numpy(), 0)
        squares, limit = 2 * count * gap, np.sqrt(ROUNDING) * max(1.0, np.abs(np.log(y)).max())
        y = np.log(y)
    elif FAMILIES[data.family].link == "log":
        squares, y = cells["squares"].to_numpy(), np.log(y)
        limit = ROUNDING * max(1.0, float(np.abs(y).max()))
    else:
        squares, limit = cells["squares"].to_numpy(), ROUNDING * float(np.abs(y).max())
    middle = (count * y).sum() / N
    between = (count * (y - middle) ** 2).sum()
    within = squares.sum()
    return float(np.sqrt(within / N)), float(np.sqrt((within + between) / N)), float(limit)


def _told(groups: pd.Index, count: np.ndarray, value: np.ndarray, code: np.ndarray) -> str:
    lines = [
        f"{int(n):,} × {figure(v, 6)} in {show(groups[g])}"
        for n, v, g in zip(count[:3], value[:3], code[:3], strict=True)
    ]
    return ", ".join(lines) + (", …" if len(count) > 3 else "")


def _check_ties(data: GroupedData) -> None:
    """Refuse ties that outweigh all other rows, around the groups' own values or one of them all.

    With ``m`` of the ``n`` rows of a group at one value, integrating its mean leaves
    ``sigma^(1 - m + nu (n - m))`` near 0, which has no finite integral over sigma once the sum of
    exponents is -1 or less; nu may be as small as its lower bound, 1.
    """
    groups, code = data.groups, data.cells["group"].to_numpy()
    for of in (code, np.zeros_like(code)):
        J, N = len(np.unique(of)), len(of)
        tied, value = _most_frequent(of, data.cells["y"].to_numpy())
        if 2 * tied.sum() < N + J + 1:
            continue
        if tied.sum() == N:
            found = f"is the same in all {N:,} rows: {figure(value[0], 6)}"
            if J > 1:
                found = (
                    f"does not vary within any group: {_told(groups, tied, value, np.arange(J))}"
                )
            raise _no_variation(data, found)
        size = np.bincount(of)
        where = [f" in {show(groups[j])}" if len(groups) == J else "" for j in range(J)]
        told = [
            f"{tied[j]:,} of {size[j]:,} rows{where[j]} are {figure(value[j], 6)}"
            for j in np.argsort(-tied, kind="stable")[:3]
        ]
        raise DataError(
            f"{_column(data)} has too many equal rows for family={data.family!r}: {', '.join(told)}"
            f"{', …' if J > 3 else ''}. With more than half of the rows at their group's most "
            "frequent value the likelihood grows without bound as sigma goes to 0. Use "
            "family='normal'. If the ties are a value of its own, such as 0 for customers who "
            "did not buy, use hs.TwoPart. If they come from rounding, take more digits."
        )


def _column(data: GroupedData) -> str:
    return f"Column {data.columns.get('outcome', 'y')!r} (outcome)"


def _most_frequent(code: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many rows of each group share its most frequent value, and that value."""
    order = np.lexsort((y, code))
    code, y = code[order], y[order]
    limit = ROUNDING * np.abs(y).max()
    starts = np.r_[True, (np.diff(code) != 0) | (np.diff(y) > limit)]
    first = np.flatnonzero(starts)
    length = np.diff(np.r_[first, len(y)])
    best = np.lexsort((first, -length, code[first]))  # the longest run of each group comes first
    best = best[np.r_[True, np.diff(code[first][best]) != 0]]
    return length[best], y[first[best]]
