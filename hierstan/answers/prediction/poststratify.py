"""Population means from a table of cells and their weights."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from hierstan.answers.prediction.design import check_seed
from hierstan.answers.prediction.newcomers import (
    described,
    group_labels,
    predictors_of,
    standardized_of,
)
from hierstan.data.frames import as_pandas, hashable
from hierstan.errors import DataError
from hierstan.fit import group_summaries
from hierstan.fit.centers import NewGroups, unknown_groups
from hierstan.fit.fit import Fit
from hierstan.fit.marked import mark_infinite
from hierstan.fit.new_outcomes import new_means
from hierstan.fit.settings import check_prob
from hierstan.fit.taken import check_fit
from hierstan.sampling.streams import stream
from hierstan.text.answer import answer
from hierstan.text.tables import percent
from hierstan.text.wording import did_you_mean, listed, show

BLOCK = 2**21  # draws x cells at a time, 16 MB


def poststratify(
    fit: Fit,
    weights: object,
    *,
    by: Hashable | Sequence[Hashable] | None = None,
    weight: Hashable = "weight",
    prob: float | None = None,
    seed: int | None = None,
) -> pd.DataFrame:
    """Average the groups' means over a population of known make-up.

    Parameters
    ----------
    fit : Fit
        Of any pooling.
    weights : dataframe
        One line per cell, in any of the dataframes that `GroupedData` takes: the columns of the
        groups (or, in pandas, their labels as its index), those of the factors and predictors of
        groups that the fit has not seen, and a weight, such as the number of people. Cells without
        any data have their mean from what is known of them.
    by : str or list of str, optional
        Columns of `weights`, such as a region: one mean for each of their combinations. By default
        one for the whole population.
    weight : str
        The column of the weights, at least 0.
    prob : float, optional
        Probability of the equal-tailed intervals; by default that of `hierstan.options`.
    seed : int, optional
        Of what is drawn for cells not seen; by default that of the fit's draws.

    Returns
    -------
    pandas.DataFrame
        ``mean``, ``sd``, ``lower``, ``upper`` of the weighted mean of the groups' means, on the
        response scale (rates, not log-odds): one line, or one for each combination of `by`.
        ``.attrs["draws"]`` holds the draws, (S, lines). A mean or sd that does not exist, as where
        a wide prior of ``tau`` leaves a cell not seen with an infinite one, is inf, and
        ``.attrs["advice"]`` says so.

    Raises
    ------
    DataError
        For missing columns, weights that are no weights, or cells that come twice.

    References
    ----------
    Gelman and Little 1997, Poststratification into many categories using hierarchical logistic
    regression; Park, Gelman and Bafumi 2004, doi:10.1093/pan/mph024.

    Examples
    --------
    >>> import hierstan as hs
    >>> import pandas as pd
    >>> seen = pd.DataFrame({"age": ["young", "young", "old"], "sex": ["f", "m", "f"],
    ...                      "yes": [30, 35, 60], "asked": 100})
    >>> data = hs.GroupedData.from_counts(seen, group=["age", "sex"], successes="yes",
    ...                                   trials="asked")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    >>> census = pd.DataFrame({"age": ["young", "young", "old", "old"], "sex": list("fmfm"),
    ...                        "weight": [40, 30, 20, 10]})
    >>> hs.poststratify(fit, census, by="age").index.tolist()
    ['young', 'old']
    """
    prob = check_prob(prob)
    check_fit(fit, "poststratify")
    weights = as_pandas(weights, "weights")
    size = _weights(weights, weight)
    names = _by(weights, by)
    if names:
        keys = weights[names].drop_duplicates()
        line = weights[names].groupby(names, sort=False, observed=True).ngroup().to_numpy()
        index = (
            pd.MultiIndex.from_frame(keys) if len(names) > 1
            else pd.Index(keys[names[0]], name=names[0], tupleize_cols=False)
        )  # fmt: skip
    else:
        line, index = np.zeros(len(weights), dtype=int), pd.Index(["population"], name="by")
    seed = stream(fit.seed, fit.arrays, "poststratify") if seed is None else check_seed(seed)
    total = np.bincount(line, weights=size, minlength=len(index))
    if (total == 0).any():
        raise DataError(f"The weights of {listed(index[total == 0].tolist())} add up to 0.")
    codes = _codes(fit, weights)
    about = _of_new(fit, weights.loc[codes < 0].reset_index(drop=True))
    draws = _averages(fit, codes, about, size / total[line], line, len(index), seed)
    table = pd.DataFrame(
        dict(zip(group_summaries.COLUMNS, group_summaries.summarise(draws, prob), strict=True)),
        index=index,
    )
    table.attrs["caption"] = (
        f"Weighted mean of {len(weights):,} cells' {fit.family.mean_words}s: mean, standard "
        f"deviation and equal-tailed {percent(prob)} interval"
    )
    table.attrs["draws"] = draws
    if about is not None:
        table.attrs |= _mark_infinite(fit, table, about, line[codes < 0], size[codes < 0] > 0)
    return answer(table)


# internals ------------------------------------------------------------------------------------


def _mark_infinite(
    fit: Fit, table: pd.DataFrame, about: NewGroups, line: np.ndarray, counts: np.ndarray
) -> dict[str, str]:
    """Mark the lines of cells not seen whose moments are infinite; return what to say of it."""
    said: dict[str, str] = {}
    for what, fresh in (("cells", False), ("levels", True)):
        lines = np.isin(np.arange(len(table)), line[counts & (about.of_new_levels == fresh)])
        if not lines.any():
            continue
        if guilty := mark_infinite(fit, table, lines, of="response", levels_known=not fresh):
            said.setdefault(str(guilty), what)
    if not said:
        return {}
    words = [f"Where the fit has not seen all {what}, {why}." for why, what in said.items()]
    read = "Read the interval, and the median of the draws in .attrs['draws']."
    return {"advice": " ".join([*words, read])}


def _codes(fit: Fit, frame: pd.DataFrame) -> np.ndarray:
    """Return the position of each cell among the fit's groups, -1 where it is new."""
    labels = group_labels(fit.data, frame)
    if labels.has_duplicates:
        doubled = labels[labels.duplicated()].tolist()
        raise DataError(f"Cells come twice: {listed(doubled)}. Add up their weights.")
    code_of = {label: code for code, label in enumerate(fit.data.groups)}
    return np.array([code_of.get(label, -1) for label in labels])


def _averages(
    fit: Fit,
    codes: np.ndarray,
    about: NewGroups | None,
    share: np.ndarray,
    line: np.ndarray,
    lines: int,
    seed: int,
) -> np.ndarray:
    """Return the weighted means of the cells of each line, (S, lines)."""
    S = len(fit.draws("theta_new" if fit.model.stands_alone else "mu"))
    result = np.zeros((S, lines))
    new = codes < 0
    means = None if about is None else new_means(fit, int(new.sum()), seed, about)
    place = np.cumsum(new) - 1
    width = max(1, BLOCK // S)
    for start in range(0, len(codes), width):
        part = np.arange(start, min(start + width, len(codes)))
        theta = np.empty((S, len(part)))
        old = codes[part] >= 0
        theta[:, old] = fit.theta(codes[part[old]])
        if means is not None:
            theta[:, ~old] = means[:, place[part[~old]]]
        weighted = fit.to_response(theta) * share[part]
        for number in np.unique(line[part]):
            result[:, number] += weighted[:, line[part] == number].sum(axis=1)
    return result


def _of_new(fit: Fit, frame: pd.DataFrame) -> NewGroups | None:
    """Return what is known of new cells, if there are any."""
    if not len(frame):
        return None
    x = None
    if fit.data.standards is not None:
        labels: list[Hashable] = list(range(len(frame)))
        x = standardized_of(fit, predictors_of(fit, frame), labels)
    if fit.data.factors is None:
        return unknown_groups(fit, len(frame), x)
    return described(fit, frame, x)


def _weights(frame: pd.DataFrame, weight: Hashable) -> np.ndarray:
    if not hashable(weight) or weight not in frame.columns:
        raise DataError(
            f"There is no column {show(weight)} of weights."
            f"{did_you_mean(weight, list(frame.columns))} weight= names it; the frame "
            f"has {listed(frame.columns.tolist(), 20)}."
        )
    values = frame[weight]
    if values.dtype.kind not in "iuf" or not np.isfinite(values.to_numpy(float)).all():
        raise DataError(f"Column {show(weight)} must hold finite numbers.")
    if (values < 0).any():
        raise DataError(f"Column {show(weight)} must not be negative.")
    return values.to_numpy(float)


def _by(frame: pd.DataFrame, by: object) -> list[Hashable]:
    names = [] if by is None else list(by) if isinstance(by, list) else [by]
    missing = [name for name in names if not hashable(name) or name not in frame.columns]
    if missing:
        hint = did_you_mean(missing[0], frame.columns.tolist())
        raise DataError(f"by= names no column of weights: {listed(missing)}.{hint}")
    return names
