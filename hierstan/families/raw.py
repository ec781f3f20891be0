"""What families share that estimate each group from its own data."""

from __future__ import annotations

import numpy as np
import pandas as pd


def summed(cells: pd.DataFrame, values: pd.Series | np.ndarray, J: int) -> np.ndarray:
    """Add values up over the cells of each group, (J,)."""
    return np.bincount(cells["group"], weights=np.asarray(values, dtype=float), minlength=J)


def table(
    n: np.ndarray, raw: np.ndarray, raw_se: np.ndarray, link: np.ndarray, link_se: np.ndarray
) -> pd.DataFrame:
    """Lay out raw estimates, (J,) each, on the response and on the link scale."""
    return pd.DataFrame({"n": n, "raw": raw, "raw_se": raw_se, "link": link, "link_se": link_se})


def moments(
    cells: pd.DataFrame, values: pd.Series | np.ndarray, J: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the groups' counts, means and sums of squared deviations, (J,) each.

    From cells with `values` as means, of which a group may have several.
    """
    values, code = np.asarray(values, dtype=float), cells["group"].to_numpy()
    count = summed(cells, cells["count"], J)
    origin = values[0]
    mean = origin + summed(cells, cells["count"] * (values - origin), J) / count
    between = cells["count"] * (values - mean[code]) ** 2
    return count, mean, summed(cells, cells["squares"] + between, J)


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
    total = float(count.sum())
    location = float((count * means).sum() / total)
    between = float((count * (means - location) ** 2).sum())
    scale = float(np.sqrt((float(squares.sum()) + between) / max(total - 1, 1)))
    return location, scale if scale > 0 else max(abs(location), 1.0)


def as_normal(cells: pd.DataFrame, sigma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return variance of the mean of each cell's rows and the rest of their log density, (S, N)."""
    count, squares = cells["count"].to_numpy(), cells["squares"].to_numpy()
    log_2pi = np.log(2 * np.pi)
    rest = -(count - 1) * (np.log(sigma) + 0.5 * log_2pi) - 0.5 * np.log(count)
    return sigma**2 / count, rest - squares / (2 * sigma**2)
