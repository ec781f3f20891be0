"""What families share that estimate each group from its own data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

COLUMNS = pd.Index(["n", "raw", "raw_se", "link", "link_se"])
LOST = 1e-6  # share of a sum of squares below which a difference is rounding
SIZES = 8  # of rows, told apart in the information of a group


def summed(cells: pd.DataFrame, values: pd.Series | np.ndarray, J: int) -> np.ndarray:
    """Add values up over the cells of each group, (J,)."""
    return np.bincount(cells["group"], weights=np.asarray(values, dtype=float), minlength=J)


def table(
    n: np.ndarray, raw: np.ndarray, raw_se: np.ndarray, link: np.ndarray, link_se: np.ndarray
) -> pd.DataFrame:
    """Lay out raw estimates, (J,) each, on the response and on the link scale."""
    # the folds of a leave-one-out make thousands: from a dict, each costs four times as much
    return pd.DataFrame(np.array([n, raw, raw_se, link, link_se], dtype=float).T, columns=COLUMNS)


def in_few_sizes(
    cells: pd.DataFrame, size: pd.Series, rows: pd.Series | np.ndarray, J: int
) -> np.ndarray:
    """Sort the rows of each group by size into a few classes of about as many cells.

    Parameters
    ----------
    cells : pandas.DataFrame
    size, rows : pandas.Series
        Of each cell: the size of its rows, such as their trials or exposure, and their number.
    J : int

    Returns
    -------
    numpy.ndarray
        The mean size and the number of rows of each class, (J, K, 2), with K up to 8, and 1 where
        no group has rows of different sizes. A class without rows has size 1.
    """
    order = np.lexsort((size, cells["group"]))
    group, sizes = cells["group"].to_numpy()[order], size.to_numpy(float)[order]
    number = np.asarray(rows, dtype=float)[order]
    new = np.append(True, (np.diff(group) != 0) | (np.diff(sizes) != 0))
    of = np.bincount(group[new], minlength=J)  # different sizes of each group
    rank = np.cumsum(new) - 1 - (np.cumsum(of) - of)[group]
    K = min(int(of.max()), SIZES)
    place = rank * K // np.maximum(of, K)[group]
    count, total = np.zeros((J, K)), np.zeros((J, K))
    np.add.at(count, (group, place), number)
    np.add.at(total, (group, place), number * sizes)
    mean = np.divide(total, count, out=np.ones((J, K)), where=count > 0)
    return np.stack([mean, count], axis=2)


def over_sizes(sizes: np.ndarray, of_row: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Add up what a row of each size says, of the sizes and numbers of `in_few_sizes`."""
    total: np.ndarray = sum(
        count * of_row(size) for size, count in np.moveaxis(sizes, (1, 2), (0, 1))
    )
    return total


def not_negative(cells: pd.DataFrame) -> pd.DataFrame:
    """Return cells without what rounding left of sums of squares of rows that are all alike."""
    return cells.assign(squares=np.maximum(cells["squares"].to_numpy(dtype=float), 0.0))


def moments(
    cells: pd.DataFrame, values: pd.Series | np.ndarray, J: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the groups' counts, means and sums of squared deviations, (J,) each.

    From cells with `values` as means, of which a group may have several.
    """
    values, code = np.asarray(values, dtype=float), cells["group"].to_numpy()
    rows, squares = cells["count"].to_numpy(), cells["squares"].to_numpy()
    count = np.bincount(code, rows, J)
    origin = values[0]
    mean = origin + np.bincount(code, rows * (values - origin), J) / count
    return count, mean, np.bincount(code, squares + rows * (values - mean[code]) ** 2, J)


def medians(cells: pd.DataFrame, J: int) -> np.ndarray:
    """Return the median of each group's rows, (J,)."""
    code, values = cells["group"].to_numpy(), cells["y"].to_numpy(float)
    ordered, count = values[np.lexsort((values, code))], np.bincount(code, minlength=J)
    first = np.cumsum(count) - count
    return (ordered[first + (count - 1) // 2] + ordered[first + count // 2]) / 2


def without_each(
    group: np.ndarray, values: np.ndarray, J: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what is left of the group of each of N rows without it.

    Sums of squares without a row that makes nearly all of them are computed anew: the difference
    would be rounding. Of a row that is alone nothing is left, of one of two no deviation.

    Parameters
    ----------
    group : numpy.ndarray
        Of each row, as a number below J, (N,).
    values : numpy.ndarray
        Of K columns, (N, K).
    J : int

    Returns
    -------
    tuple of numpy.ndarray
        The number of rows (N,), their means (N, K), and the sums of products of deviations from
        these (N, K, K).
    """
    count, K = np.bincount(group, minlength=J), values.shape[1]
    total, sums = np.zeros((J, K)), np.zeros((J, K, K))
    np.add.at(total, group, values - values[0])
    means = values[0] + total / np.maximum(count, 1)[:, None]
    off = values - means[group]
    pairs = off[:, :, None] * off[:, None, :]
    np.add.at(sums, group, pairs)
    n, whole = count[group], sums[group]
    left = np.maximum(n - 1, 1)
    middle, rest = means[group] - off / left[:, None], whole - pairs * (n / left)[:, None, None]
    lost = (np.einsum("nkk->nk", rest) < LOST * np.einsum("nkk->nk", whole)).any(axis=1)
    for row in np.flatnonzero(lost & (n > 2)):
        others = np.delete(values[group == group[row]], (group[:row] == group[row]).sum(), axis=0)
        middle[row] = others.mean(axis=0)
        rest[row] = (others - middle[row]).T @ (others - middle[row])
    return n - 1, middle, np.where((n > 2)[:, None, None], rest, 0.0)


def pooled_sd(count: np.ndarray, squares: np.ndarray, means: np.ndarray) -> float:
    """Within-group standard deviation; that of the means where no group has two rows."""
    freedom = float((count - 1).sum())
    if freedom > 0 and squares.sum() > 0:
        return float(np.sqrt(squares.sum() / freedom))
    return float(np.std(means)) or max(abs(float(means.mean())), 1.0)


def sample_sd(squares: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Sample standard deviation; not a number for a group of one row."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(squares / (count - 1))


def of_rows(means: pd.Series, count: pd.Series, squares: pd.Series) -> tuple[float, float]:
    """Mean and standard deviation of all rows, from the groups' summaries."""
    mean, rows, within = (np.asarray(column) for column in (means, count, squares))
    total = float(rows.sum())
    location = float((rows * mean).sum() / total)
    between = float((rows * (mean - location) ** 2).sum())
    scale = float(np.sqrt((float(within.sum()) + between) / max(total - 1, 1)))
    return location, scale if scale > 0 else max(abs(location), 1.0)


def as_normal(cells: pd.DataFrame, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return variance of the mean of each cell's rows and the rest of their log density, (S, N).

    They are (S, 1) where all cells are alike, as single rows are.
    """
    count, squares = (_common(cells[name].to_numpy()) for name in ("count", "squares"))
    log_2pi = np.log(2 * np.pi)
    rest = -(count - 1) * (np.log(sigma) + 0.5 * log_2pi) - 0.5 * np.log(count)
    return sigma**2 / count, rest - squares / (2 * sigma**2)


def _common(values: np.ndarray) -> np.ndarray:
    """Return one value where all are the same."""
    return values[:1] if (values == values[:1]).all() else values
