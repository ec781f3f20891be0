"""What the rows within groups look like, in data and in replicated data: the statistics of checks.

Each takes outcomes (S, N), the rows' `Rows`, and returns (S,). None looks at differences between
groups, which are what a model estimates: all are taken around the groups' own means. NaN says that
there is nothing to look at, such as the shape of groups of three rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

FEW = 4  # rows: fewer have no shape


@dataclass(frozen=True)
class Rows:
    """The rows that outcomes belong to.

    Attributes
    ----------
    group : numpy.ndarray
        Codes from 0 to J - 1 of the groups, or of their arms, (N,).
    J : int
    size : numpy.ndarray
        Trials or exposures, (N,); ones without.
    trials : bool
        Whether `size` bounds the outcomes.
    """

    group: np.ndarray
    J: int
    size: np.ndarray
    trials: bool

    @classmethod
    def of(cls, rows: pd.DataFrame, group: np.ndarray) -> Rows:
        """Take them from a family's rows, and the sets that have one mean each."""
        trials = "trials" in rows
        size = next((rows[name] for name in ("trials", "exposure") if name in rows), None)
        values = np.ones(len(rows)) if size is None else size.to_numpy(float)
        return cls(group, int(group.max()) + 1, values, trials)

    def total(self, values: np.ndarray) -> np.ndarray:
        """Add values (S, N) up by group, (S, J)."""
        S = len(values)
        codes = (np.arange(S)[:, None] * self.J + self.group).ravel()
        return np.bincount(codes, values.ravel(), S * self.J).reshape(S, self.J)

    @property
    def count(self) -> np.ndarray:
        """Rows of each group, (J,)."""
        return np.bincount(self.group, minlength=self.J)


def dispersion(y: np.ndarray, rows: Rows, kept: np.ndarray | None = None) -> np.ndarray:
    """Pearson's chi-square around the groups' own rates, over its degrees of freedom.

    Of all rows, or of those `kept` (S, N).
    """
    kept = np.ones(y.shape) if kept is None else kept.astype(float)
    size = rows.total(kept * rows.size)
    rate = np.divide(rows.total(kept * y), size, out=np.zeros_like(size), where=size > 0)
    expected = rate[:, rows.group] * rows.size
    variance = expected * (1 - rate[:, rows.group]) if rows.trials else expected
    used = (variance > 0) & (kept > 0)
    off = np.divide((y - expected) ** 2, variance, out=np.zeros_like(expected), where=used)
    freedom = np.maximum(rows.total(used.astype(float)) - 1, 0).sum(axis=1)
    return off.sum(axis=1) / np.maximum(freedom, 1)


def above(y: np.ndarray, rows: Rows) -> np.ndarray:
    """Dispersion of outcomes above 0, which extra zeros have no part in."""
    return dispersion(y, rows, y > 0)


def zeros(y: np.ndarray, rows: Rows) -> np.ndarray:
    """Share of outcomes that are 0."""
    return (y == 0).mean(axis=1)


def lump(y: np.ndarray, rows: Rows) -> np.ndarray:
    """Dispersion of all outcomes over that of those above 0, which extra zeros make large."""
    return dispersion(y, rows) / np.maximum(above(y, rows), 0.1)


def unequal(y: np.ndarray, rows: Rows) -> np.ndarray:
    """Bartlett's statistic of equal variances, over its degrees of freedom."""
    squares = rows.total(_residuals(y, rows) ** 2)
    freedom = rows.count - 1.0
    several = freedom > 0
    freedom, squares = freedom[several], np.maximum(squares[:, several], 1e-300)
    pooled = np.log(squares.sum(axis=1) / freedom.sum())
    own = np.log(squares / freedom) @ freedom
    return (freedom.sum() * pooled - own) / max(len(freedom) - 1, 1)


def divided(y: np.ndarray, rows: Rows) -> np.ndarray:
    """Pearson's statistic of equal variances, over its degrees of freedom.

    Of scores, all of which may be the same in a small group: its logarithm is not to be had.
    """
    freedom = np.maximum(rows.count - 1.0, 0.0)
    squares = rows.total(_residuals(y, rows) ** 2)
    pooled = np.maximum(squares.sum(axis=1, keepdims=True) / max(freedom.sum(), 1), 1e-300)
    relative = np.divide(squares, freedom, out=np.zeros_like(squares), where=freedom > 0) / pooled
    return ((relative - 1) ** 2 @ freedom) / (2 * max((freedom > 0).sum() - 1, 1))


def tails(y: np.ndarray, rows: Rows) -> np.ndarray:
    """Kurtosis within groups, each group in units of its own standard deviation."""
    return _standardized(y, rows, 4)


def below(y: np.ndarray, rows: Rows) -> np.ndarray:
    """Share of rows below the mean of their group, of groups of several rows."""
    several = rows.count[rows.group] >= FEW
    if not several.any():
        return np.full(len(y), np.nan)
    off = _residuals(y, rows)[:, several]
    return ((off < 0) + 0.5 * (off == 0)).mean(axis=1)


def lopsided(y: np.ndarray, rows: Rows) -> np.ndarray:
    """Share above their group's median of those rows that are farther from it than half of them.

    Of outcomes whose mean is anywhere, outliers deciding it.
    """
    order = np.argsort(rows.group, kind="stable")
    ends = np.cumsum(rows.count)
    above, far = np.zeros(len(y)), np.zeros(len(y))
    for end, count in zip(ends, rows.count, strict=True):
        if count < FEW:
            continue
        own = y[:, order[end - count : end]]
        off = own - np.median(own, axis=1, keepdims=True)
        distance = np.abs(off)
        beyond = distance > np.median(distance, axis=1, keepdims=True)
        above += (beyond & (off > 0)).sum(axis=1)
        far += beyond.sum(axis=1)
    return np.divide(above, far, out=np.full(len(y), np.nan), where=far > 0)


def skew(y: np.ndarray, rows: Rows) -> np.ndarray:
    """Skewness within groups, each group in units of its own standard deviation."""
    return _standardized(y, rows, 3)


STATISTICS: dict[str, Callable[[np.ndarray, Rows], np.ndarray]] = {
    "dispersion": dispersion,
    "above": above,
    "zeros": zeros,
    "lump": lump,
    "unequal": unequal,
    "divided": divided,
    "tails": tails,
    "below": below,
    "lopsided": lopsided,
    "skew": skew,
}


def outlying(link: np.ndarray, variance: np.ndarray, tau: float) -> np.ndarray:
    """Distance of each group from the population of the others, in their standard deviations.

    Externally studentized, so that an outlier does not hide by widening the population: mean and
    variance between groups come from the others, by the generalized method of moments
    (DerSimonian and Kacker 2007, doi:10.1016/j.cct.2006.04.004) with weights at a common `tau`.

    Parameters
    ----------
    link : numpy.ndarray
        Estimates on the link scale, (S, J).
    variance : numpy.ndarray
        Their sampling variances, (J,).
    tau : float
    """
    w = 1 / (variance + tau**2)
    center = link.mean(axis=1, keepdims=True)
    off = link - center  # about a point among them: sums of squares lose no digits
    W, W2 = w.sum() - w, (w**2).sum() - w**2
    first = (w * off).sum(axis=1, keepdims=True) - w * off
    mean = first / W
    Q = (w * off**2).sum(axis=1, keepdims=True) - w * off**2 - first * mean
    noise = (w * variance).sum() - w * variance
    noise = noise - ((w**2 * variance).sum() - w**2 * variance) / W
    tau2 = np.maximum((Q - noise) / (W - W2 / W), 0)
    of_mean = ((w**2 * variance).sum() - w**2 * variance + tau2 * W2) / W**2
    return np.asarray((off - mean) / np.sqrt(tau2 + variance + of_mean))


# internals --------------------------------------------------------------------------------------


def _standardized(y: np.ndarray, rows: Rows, power: int) -> np.ndarray:
    """Return the mean power of rows within groups, in units of the group's standard deviation."""
    if not (rows.count >= FEW).any():
        return np.full(len(y), np.nan)
    off = _residuals(y, rows)
    sd = np.sqrt(rows.total(off**2) / np.maximum(rows.count, 1))
    large = (rows.count >= FEW) & (sd > 0)
    moment = np.divide(rows.total(off**power), sd**power, out=np.zeros_like(sd), where=large)
    return moment.sum(axis=1) / np.maximum((large * rows.count).sum(axis=1), 1)


def _residuals(y: np.ndarray, rows: Rows) -> np.ndarray:
    mean = rows.total(y) / np.maximum(rows.count, 1)
    return y - mean[:, rows.group]
