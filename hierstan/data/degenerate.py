"""Rows without variation: a family with a scale of its own has no posterior there.

Where every row equals its group's mean, the density of the rows grows as ``sigma^-(N - J)`` while
sigma goes to 0, whatever the prior, and no posterior exists. Student's t needs less for that: rows
that share their group's value count for it, each of the others against it by at least the least
degrees of freedom (Fernandez and Steel 1999, doi:10.1093/biomet/86.1.153).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.errors import DataError
from hierstan.families import FAMILIES
from hierstan.families.treatment import arm_of
from hierstan.text.numbers import figure
from hierstan.text.wording import show

STEEPEST = 4.0  # of `check_each`: 1 / 0.5^2, of the default prior
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
        check_each(data)


def varies(data: GroupedData, check: Callable[[GroupedData], None] = check_variation) -> bool:
    """Whether a check of the rows refuses nothing."""
    try:
        check(data)
    except DataError:
        return False
    return True


def check_each(data: GroupedData) -> None:
    """Refuse groups of several equal rows, where their own standard deviations can go to 0.

    With ``n`` of them in each, integrating these leaves ``exp(E sd^2 / 2)`` for a large sd of the
    logarithms, ``E = sum (n - 1)^2 + (sum (n - 1) - 1)^2 / M``, with ``M`` groups that do vary: the
    typical standard deviation follows the ones to 0 as far as the others let it. The default prior
    of that sd has ``exp(-4 sd^2 / 2)``.
    """
    cells, J = data.cells, len(data.groups)
    limit = ROUNDING * float(np.abs(cells["y"]).max())
    of, size = cells["group"].to_numpy(), cells["count"].to_numpy()
    freedom = np.bincount(of, size - 1, J)
    sd = np.sqrt(np.bincount(of, cells["squares"], J) / np.bincount(of, size, J))
    equal = (freedom > 0) & (sd <= limit)
    found = freedom[equal]
    vary = max(int(((freedom > 0) & ~equal).sum()), 1)
    if found.size and (found**2).sum() + (found.sum() - 1) ** 2 / vary >= STEEPEST:
        within = "within" if _kind(data) == "group" else "within the arms of"
        some = equal[of] & (size > 1)
        told = _told(data, size[some], cells["y"].to_numpy()[some], _code(data)[some])
        raise DataError(
            f"{_column(data)} does not vary {within} {found.size:,} of {J:,} groups: {told}. "
            "A group of equal rows has no standard deviation of its own, which "
            f"family={_asked_for(data)!r} estimates: the likelihood grows without bound. Use "
            "family='normal', which has one for all groups. If the values were rounded, take more "
            "digits."
        )


# internals --------------------------------------------------------------------------------------


def _check_equal(data: GroupedData) -> None:
    count, y = data.cells["count"].to_numpy(), data.cells["y"].to_numpy()
    within, between, limit = _variation(data)
    several = bool((count > 1).any())
    if within > limit or (not several and between > limit):
        return
    if between <= limit:
        found = f"is the same in all {int(count.sum()):,} rows: {figure(y[0], 6)}"
    else:
        order = np.argsort(-count, kind="stable")
        told = _told(data, count[order], y[order], _code(data)[order])
        found = f"does not vary within any {_kind(data)}: {told}"
    raise _no_variation(data, found)


def _no_variation(data: GroupedData, found: str) -> DataError:
    return DataError(
        f"{_column(data)} {found}. Without any variation family={_asked_for(data)!r} has nothing "
        "to estimate: the likelihood grows without bound. Values that are known exactly, such as "
        "list prices, need no model: compare them as they are (where each buyer pays the same "
        "price, fit who buys, with family='bernoulli', and multiply the rates by the prices). If "
        "rows were copied, keep one row for each group. If they were rounded, take more digits."
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
    elif FAMILIES[data.family].outcomes.link == "log":
        squares, y = cells["squares"].to_numpy(), np.log(y)
        limit = ROUNDING * max(1.0, float(np.abs(y).max()))
    else:
        squares, limit = cells["squares"].to_numpy(), ROUNDING * float(np.abs(y).max())
    middle = (count * y).sum() / N
    between = (count * (y - middle) ** 2).sum()
    within = squares.sum()
    return float(np.sqrt(within / N)), float(np.sqrt((within + between) / N)), float(limit)


def _told(data: GroupedData, count: np.ndarray, value: np.ndarray, code: np.ndarray) -> str:
    """Tell how many rows have which value, and where (see `_code`), of the first three."""
    places, first = _places(data), zip(count[:3], value[:3], code[:3], strict=True)
    lines = [f"{int(n):,} × {figure(y, 6)} in {places[place]}" for n, y, place in first]
    return ", ".join(lines) + ", …" * (len(count) > 3)


def _code(data: GroupedData) -> np.ndarray:
    """Return the number of what each cell is of: its group, or its arm of a group."""
    if FAMILIES[data.family].treatment:
        return np.unique(arm_of(data.cells), return_inverse=True)[1]
    return data.cells["group"].to_numpy()


def _places(data: GroupedData) -> list[str]:
    """Return what these are called, by their numbers."""
    if data.arms is None:
        return [show(group) for group in data.groups]
    codes = np.unique(arm_of(data.cells))
    return [f"{show(data.groups[code // 2])} ({data.arms[code % 2]})" for code in codes]


def _kind(data: GroupedData) -> str:
    return "arm of a group" if FAMILIES[data.family].treatment else "group"


def _asked_for(data: GroupedData) -> str:
    """Return the family that was asked for."""
    return FAMILIES[data.family].outcomes.name.removesuffix("_adjusted")


def _check_ties(data: GroupedData) -> None:
    """Refuse ties that outweigh all other rows, around the groups' own values or one of them all.

    In two arms, around those of the arms.

    With ``m`` of the ``n`` rows of a group at one value, integrating its mean leaves
    ``sigma^(1 - m + nu (n - m))`` near 0, which has no finite integral over sigma once the sum of
    exponents is -1 or less; nu may be as small as its lower bound, 1.
    """
    code, places = _code(data), _places(data)
    for of in (code, np.zeros_like(code)):
        J, N = len(np.unique(of)), len(of)
        tied, value = _most_frequent(of, data.cells["y"].to_numpy())
        if 2 * tied.sum() < N + J + 1:
            continue
        if tied.sum() == N:
            found = f"is the same in all {N:,} rows: {figure(value[0], 6)}"
            if J > 1:
                each = _told(data, tied, value, np.arange(J))
                found = f"does not vary within any {_kind(data)}: {each}"
            raise _no_variation(data, found)
        size = np.bincount(of)
        where = [f" in {place}" for place in places] if len(places) == J else [""]
        told = [
            f"{tied[j]:,} of {size[j]:,} rows{where[j]} are {figure(value[j], 6)}"
            for j in np.argsort(-tied, kind="stable")[:3]
        ]
        raise DataError(
            f"{_column(data)} has too many equal rows for family={_asked_for(data)!r}: "
            f"{', '.join(told)}{', …' if J > 3 else ''}. With more than half of the rows at the "
            f"most frequent value of their {_kind(data)} the likelihood grows without bound as "
            "sigma goes to 0. Use family='normal'. If the ties are a value of its own, such as 0 "
            "for customers who did not buy, use hs.TwoPart. If they come from rounding, take more "
            "digits."
        )


def _column(data: GroupedData) -> str:
    role = "mean" if "mean" in data.columns else "outcome"
    return f"Column {data.columns.get(role, 'y')!r} ({role})"


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
