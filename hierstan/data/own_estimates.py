"""Each group on its own: its raw estimate and sampling variance, without the other groups."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData

# What a group's data are counted in: the column of its cells, and the word for it.
UNITS = {
    "normal_known": (None, "estimates"),
    "normal": ("count", "rows"),
    "lognormal": ("count", "rows"),
    "gamma": ("count", "rows"),
    "student_t": (None, "rows"),
    "neg_binomial": ("weight", "rows"),
    "binomial": ("trials", "trials"),
    "two_arm": (["trials", "control_trials"], "people"),
    "bernoulli": ("trials", "rows"),
    "poisson": ("exposure", "exposure"),
}


def raw_estimates(data: GroupedData) -> pd.DataFrame:
    """Estimate every group from its own data alone.

    Parameters
    ----------
    data : GroupedData

    Returns
    -------
    pandas.DataFrame
        One line per group, in the order of ``data.groups``: ``n`` (rows), ``raw`` and ``raw_se`` on
        the response scale, ``link`` and ``link_se`` on the link scale. Counts get half a success,
        failure or event added on the link scale and in the standard errors, so that groups without
        any have a finite estimate and an error above 0 (Gart and Zweifel 1967,
        doi:10.1093/biomet/54.1-2.181). ``link_se`` is the inverse root of the Fisher information;
        where the family has a standard deviation or dispersion of its own,
        that is estimated from all groups together.

    Examples
    --------
    >>> import hierstan as hs
    >>> frame = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    >>> from hierstan.data.own_estimates import raw_estimates
    >>> print(raw_estimates(data).loc["A", ["raw", "raw_se"]].tolist())
    [28.0, 15.0]
    """
    table = _ESTIMATORS[data.family](data.cells, len(data.groups))
    table.index = data.groups
    return table


def between_variance(raw: pd.DataFrame, design: np.ndarray, target: float) -> float:
    """Return the variance between groups at which their weighted sum of squares equals `target`.

    Parameters
    ----------
    raw : pandas.DataFrame
        From `raw_estimates`, J groups.
    design : numpy.ndarray
        Of the data, (J, 1 + K): squares are taken around the weighted regression on it, without
        predictors around the weighted mean.
    target : float
        ``J - K - 1`` gives the estimate of Paule and Mandel (1982); quantiles of the chi-squared
        distribution with as many degrees of freedom give the limits of the Q-profile interval
        (Viechtbauer 2007, doi:10.1002/sim.2514).

    Returns
    -------
    float
        On the link scale; 0 where even without any variance between groups the sum is smaller.
    """
    from scipy import optimize

    link, variance = raw["link"].to_numpy(), raw["link_se"].to_numpy() ** 2

    def excess(tau2: float) -> float:
        weights = 1 / (variance + tau2)
        rest = link - design @ regression(link, design, weights)
        return float((weights * rest**2).sum()) - target

    at_zero = excess(0.0)
    if at_zero <= 0:
        return 0.0
    top = len(link) * float(np.ptp(link)) ** 2 / target
    return float(optimize.brentq(excess, 0.0, top))


def regression(link: np.ndarray, design: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the coefficients of the weighted least squares regression on a design, (1 + K,)."""
    root = np.sqrt(weights)[:, None]
    return np.linalg.lstsq(root * design, root[:, 0] * link, rcond=None)[0]


def group_sizes(data: GroupedData) -> np.ndarray:
    """Return how much data each group has, (J,), in the family's natural unit (see `UNITS`)."""
    column, _ = UNITS[data.family]
    if column is None:
        weights = np.ones(len(data.cells))
    else:
        weights = data.cells[column].to_numpy(float).reshape(len(data.cells), -1).sum(axis=1)
    return np.bincount(data.cells["group"], weights=weights, minlength=len(data.groups))


# internals ------------------------------------------------------------------------------------


def _sum(cells: pd.DataFrame, values: pd.Series | np.ndarray, J: int) -> np.ndarray:
    return np.bincount(cells["group"], weights=np.asarray(values, dtype=float), minlength=J)


def _table(
    n: np.ndarray, raw: np.ndarray, raw_se: np.ndarray, link: np.ndarray, link_se: np.ndarray
) -> pd.DataFrame:
    return pd.DataFrame({"n": n, "raw": raw, "raw_se": raw_se, "link": link, "link_se": link_se})


def _known(cells: pd.DataFrame, J: int) -> pd.DataFrame:
    y, se = (_sum(cells, cells[name], J) for name in ("y", "se"))
    return _table(np.ones(J), y, se, y, se)


def _pooled_sd(count: np.ndarray, squares: np.ndarray, means: np.ndarray) -> float:
    """Within-group standard deviation; that of the means where no group has two rows."""
    freedom = float((count - 1).sum())
    if freedom > 0 and squares.sum() > 0:
        return float(np.sqrt(squares.sum() / freedom))
    return float(np.std(means)) or max(abs(float(means.mean())), 1.0)


def _moments(cells: pd.DataFrame, J: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(_sum(cells, cells[name], J) for name in ("count", "y", "squares"))  # type: ignore[return-value]


def _normal(cells: pd.DataFrame, J: int) -> pd.DataFrame:
    count, mean, squares = _moments(cells, J)
    se = _pooled_sd(count, squares, mean) / np.sqrt(count)
    return _table(count, mean, se, mean, se)


def _lognormal(cells: pd.DataFrame, J: int) -> pd.DataFrame:
    count, median, squares = _moments(cells, J)
    se = _pooled_sd(count, squares, np.log(median)) / np.sqrt(count)
    return _table(count, median, median * se, np.log(median), se)


def _student_t(cells: pd.DataFrame, J: int) -> pd.DataFrame:
    """Group medians; their standard errors from the pooled median absolute deviation."""
    count = _sum(cells, np.ones(len(cells)), J)
    median = cells.groupby("group")["y"].median().to_numpy()
    apart = np.abs(cells["y"].to_numpy() - median[cells["group"]])
    scale = 1.4826 * float(np.median(apart[count[cells["group"]] > 1])) if (count > 1).any() else 0
    se = (scale or float(np.std(median)) or 1.0) * np.sqrt(np.pi / 2) / np.sqrt(count)
    return _table(count, median, se, median, se)


def _rate(cells: pd.DataFrame, J: int) -> pd.DataFrame:
    y, n = _sum(cells, cells["y"], J), _sum(cells, cells["trials"], J)
    rate = y / n
    link = np.log((y + 0.5) / (n - y + 0.5))
    link_se = np.sqrt(1 / (y + 0.5) + 1 / (n - y + 0.5))
    smoothed = (y + 0.5) / (n + 1)
    return _table(n, rate, np.sqrt(smoothed * (1 - smoothed) / n), link, link_se)


def _odds_ratio(cells: pd.DataFrame, J: int) -> pd.DataFrame:
    """Log odds ratios of two arms; their variance is the sum of the arms'."""
    names = {"control": "y", "control_trials": "trials"}
    columns = ["n", "link", "link_se"]
    n, treated, se = _rate(cells, J)[columns].to_numpy().T
    rest = cells.drop(columns=["y", "trials"]).rename(columns=names)
    m, untreated, other_se = _rate(rest, J)[columns].to_numpy().T
    link, both = treated - untreated, np.hypot(se, other_se)
    return _table(n + m, link, both, link, both)


def _events(cells: pd.DataFrame, J: int) -> pd.DataFrame:
    y, exposure = _sum(cells, cells["y"], J), _sum(cells, cells["exposure"], J)
    return _table(
        _sum(cells, np.ones(len(cells)), J),
        y / exposure,
        np.sqrt(y + 0.5) / exposure,
        np.log((y + 0.5) / exposure),
        1 / np.sqrt(y + 0.5),
    )


def _counts(cells: pd.DataFrame, J: int) -> pd.DataFrame:
    """Mean counts, with the overdispersion (in 1/phi) of all groups together by moments."""
    n = _sum(cells, cells["weight"], J)
    mean = _sum(cells, cells["weight"] * cells["y"], J) / n
    squares = _sum(cells, cells["weight"] * (cells["y"] - mean[cells["group"]]) ** 2, J)
    freedom = (n - 1).sum()
    excess = 0.0
    if freedom > 0 and mean.sum() > 0:
        excess = max(0.0, float((squares.sum() - (n * mean).sum()) / (n * mean**2).sum()))
    smoothed = mean + 0.5 / n
    link_se = np.sqrt((1 / smoothed + excess) / n)
    return _table(n, mean, np.sqrt((mean + excess * mean**2) / n), np.log(smoothed), link_se)


def _amounts(cells: pd.DataFrame, J: int) -> pd.DataFrame:
    """Means; the common shape from the mean gap between log mean and mean log (Minka 2002)."""
    n = _sum(cells, cells["count"], J)
    mean, mean_log = _sum(cells, cells["y"], J), _sum(cells, cells["mean_log"], J)
    several = n > 1
    gap = float(((np.log(mean) - mean_log) * n)[several].sum() / max((n - 1)[several].sum(), 1))
    if gap <= 0:
        gap = 0.5
    shape = (3 - gap + np.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap)
    link_se = 1 / np.sqrt(shape * n)
    return _table(n, mean, mean * link_se, np.log(mean), link_se)


_ESTIMATORS = {
    "normal_known": _known,
    "normal": _normal,
    "lognormal": _lognormal,
    "student_t": _student_t,
    "binomial": _rate,
    "two_arm": _odds_ratio,
    "bernoulli": _rate,
    "poisson": _events,
    "neg_binomial": _counts,
    "gamma": _amounts,
}
