"""Effect sizes: from the raw numbers of two-arm trials to an estimate and its standard error."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Hashable

import numpy as np
import pandas as pd

from hierstan.data.frames import open_table
from hierstan.data.labels import fetch_rows
from hierstan.data.validation import check
from hierstan.errors import DataError, HierstanWarning
from hierstan.text.wording import listed, marked


def effect_sizes(
    frame: object,
    *,
    group: Hashable,
    measure: str = "OR",
    events_treatment: Hashable | None = None,
    total_treatment: Hashable | None = None,
    events_control: Hashable | None = None,
    total_control: Hashable | None = None,
    mean_treatment: Hashable | None = None,
    sd_treatment: Hashable | None = None,
    n_treatment: Hashable | None = None,
    mean_control: Hashable | None = None,
    sd_control: Hashable | None = None,
    n_control: Hashable | None = None,
    correction: float | None = 0.5,
) -> pd.DataFrame:
    r"""Turn the raw numbers of two-arm trials into effect sizes and standard errors.

    With ``a`` of ``n1`` treated people having the event, ``b = n1 - a``, and ``c`` of ``n2``
    controls, ``d = n2 - c``; or with means ``m``, standard deviations ``s`` and sizes ``n`` of arms
    1 (treatment) and 2 (control):

    ======= ========================== ===================================================
    measure estimate                   variance (``se`` squared)
    ======= ========================== ===================================================
    ``OR``  ``log(a d / (b c))``       ``1/a + 1/b + 1/c + 1/d``
    ``RR``  ``log((a/n1) / (c/n2))``   ``1/a - 1/n1 + 1/c - 1/n2``
    ``RD``  ``a/n1 - c/n2``            ``a b / n1^3 + c d / n2^3``
    ``MD``  ``m1 - m2``                ``s1^2 / n1 + s2^2 / n2``
    ``SMD`` ``g = J (m1 - m2) / s``    ``1/n1 + 1/n2 + g^2 / (2 (n1 + n2))``
    ======= ========================== ===================================================

    Odds ratios and risk ratios are on the log scale, where zero means no effect. The standardised
    mean difference is Hedges' g: ``s`` is the standard deviation pooled over the arms, and
    ``J = gamma(k/2) / (sqrt(k/2) gamma((k-1)/2))``, ``k = n1 + n2 - 2``, takes out the bias of
    small samples exactly [1]_. The variances are the large-sample ones that meta-analysts use [2]_.

    Parameters
    ----------
    frame : pandas.DataFrame, or a frame of any engine `GroupedData` takes
        One row per trial.
    group : label
        Column that names the trials; each name occurs once.
    measure : {"OR", "RR", "RD", "MD", "SMD"}
        Odds ratio, risk ratio, risk difference; mean difference, standardised mean difference.
    events_treatment, total_treatment, events_control, total_control : label
        Columns with the number of people who had the event, and of all people, in each arm. Needed
        by ``OR``, ``RR`` and ``RD``.
    mean_treatment, sd_treatment, n_treatment, mean_control, sd_control, n_control : label
        Columns with mean, standard deviation and size of each arm. Needed by ``MD`` and ``SMD``.
    correction : float or None
        What to do about rare events. A number is added to all four cells of those tables where one
        of the four (``a``, ``b``, ``c``, ``d``) is zero, and to no others; with ``None`` nothing is
        added, and tables that have no finite estimate or no standard error are an error. A table
        without events in either arm (or with nothing but events) says nothing about a ratio: what
        comes out is the correction's own, and a warning names such trials; consider leaving them
        out.

    Returns
    -------
    pandas.DataFrame
        One row per trial, in the order of `frame`: the column `group` under its own name,
        ``estimate`` and ``se``, as `GroupedData.from_estimates` takes them. The measure goes along,
        in ``.attrs["measure"]``.

    Raises
    ------
    DataError
        A column is missing or holds values that cannot be, a trial occurs twice, or
        ``correction=None`` meets tables that need one.

    Warns
    -----
    HierstanWarning
        A ratio is asked of trials whose arms have no events, or nothing but events.

    References
    ----------
    .. [1] Hedges (1981), Journal of Educational Statistics 6(2), 107-128.
    .. [2] Borenstein et al. (2009), Introduction to Meta-Analysis, chapters 4 and 5; for ``SMD``,
       Hedges and Olkin (1985), Statistical Methods for Meta-Analysis, p. 86.

    Examples
    --------
    Thirteen trials of a vaccine against tuberculosis:

    >>> from hierstan import effect_sizes, load_dataset
    >>> trials = effect_sizes(
    ...     load_dataset("bcg"), group="trial", measure="RR",
    ...     events_treatment="vaccinated_positive", total_treatment="vaccinated_total",
    ...     events_control="control_positive", total_control="control_total",
    ... )
    >>> trials.head(2).round(3)
                       trial  estimate     se
    0           Aronson 1948    -0.889  0.571
    1  Ferguson & Simes 1949    -1.585  0.441
    """
    given = {
        "events_treatment": events_treatment,
        "total_treatment": total_treatment,
        "events_control": events_control,
        "total_control": total_control,
        "mean_treatment": mean_treatment,
        "sd_treatment": sd_treatment,
        "n_treatment": n_treatment,
        "mean_control": mean_control,
        "sd_control": sd_control,
        "n_control": n_control,
    }
    roles = _roles(measure, {role for role, column in given.items() if column is not None})
    trials, columns = _read(frame, {"group": group} | {role: given[role] for role in roles})
    if measure in _OF_COUNTS:
        estimate, variance = _of_counts(measure, list(columns.values()), correction, trials)
    else:
        _check_sizes(columns, trials, given)
        estimate, variance = _of_means(measure, list(columns.values()), trials)
    table = pd.DataFrame({group: trials, "estimate": estimate, "se": np.sqrt(variance)})
    table.attrs["measure"] = measure
    return table


# internal ----------------------------------------------------------------------------------------

_Array = np.ndarray
_Sizes = tuple[_Array, _Array]  # estimates and their variances, one per trial
_Names = dict[str, Hashable | None]  # the user's column for each role


def _odds_ratio(a: _Array, b: _Array, c: _Array, d: _Array) -> _Sizes:
    return np.log(a) + np.log(d) - np.log(b) - np.log(c), 1 / a + 1 / b + 1 / c + 1 / d


def _risk_ratio(a: _Array, b: _Array, c: _Array, d: _Array) -> _Sizes:
    # b / (a n1) is 1/a - 1/n1 without the rounding error of a difference of near equals.
    n1, n2 = a + b, c + d
    return np.log(a / n1) - np.log(c / n2), b / (a * n1) + d / (c * n2)


def _risk_difference(a: _Array, b: _Array, c: _Array, d: _Array) -> _Sizes:
    n1, n2 = a + b, c + d
    return a / n1 - c / n2, a * b / n1**3 + c * d / n2**3


def _mean_difference(
    m1: _Array, s1: _Array, n1: _Array, m2: _Array, s2: _Array, n2: _Array
) -> _Sizes:
    return m1 - m2, s1**2 / n1 + s2**2 / n2


def _standardised_mean_difference(
    m1: _Array, s1: _Array, n1: _Array, m2: _Array, s2: _Array, n2: _Array
) -> _Sizes:
    from scipy.special import poch  # gamma(x + 1/2) / gamma(x), also where both overflow

    k = n1 + n2 - 2
    pooled = np.sqrt(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / k)
    g = poch(k / 2 - 0.5, 0.5) / np.sqrt(k / 2) * (m1 - m2) / pooled
    return g, 1 / n1 + 1 / n2 + g**2 / (2 * (n1 + n2))


_Measure = Callable[..., _Sizes]
_OF_COUNTS: dict[str, _Measure] = {"OR": _odds_ratio, "RR": _risk_ratio, "RD": _risk_difference}
_OF_MEANS: dict[str, _Measure] = {"MD": _mean_difference, "SMD": _standardised_mean_difference}
_ARMS = ("treatment", "control")
_COUNTS = tuple(f"{part}_{arm}" for arm in _ARMS for part in ("events", "total"))
_MEANS = tuple(f"{part}_{arm}" for arm in _ARMS for part in ("mean", "sd", "n"))
# What the column of a role must hold, in the words of `validation.KINDS`.
_KINDS = {"events": "count", "total": "trials", "mean": "real", "sd": "positive", "n": "trials"}


def _roles(measure: str, given: set[str]) -> tuple[str, ...]:
    """Return the arguments that `measure` computes with, having refused any others."""
    measures = sorted(_OF_COUNTS | _OF_MEANS)
    if measure not in measures:
        raise DataError(f"There is no measure {measure!r}. Valid measures: {', '.join(measures)}.")
    roles = _COUNTS if measure in _OF_COUNTS else _MEANS
    missing = [f"{role}=" for role in roles if role not in given]
    surplus = [f"{role}=" for role in sorted(given - set(roles))]
    problem = [f"lacks {', '.join(missing)}"] * bool(missing)
    problem += [f"has no use for {', '.join(surplus)}"] * bool(surplus)
    if problem:
        raise DataError(
            f"measure={measure!r} {' and '.join(problem)}. "
            f"It takes exactly these columns: {', '.join(roles)}."
        )
    return roles


def _read(frame: object, names: dict[str, Hashable]) -> tuple[pd.Index, dict[str, _Array]]:
    """Return the trials, each of them once, and the numbers of every role."""
    if names["group"] in ("estimate", "se"):
        raise DataError(f"group={names['group']!r} names a column of the result; rename yours.")
    table = open_table(frame, names)
    check(table, {role: _KINDS[role.partition("_")[0]] for role in names if role != "group"})
    groups, rows = fetch_rows(table)
    if len(groups) < len(rows):
        count = rows["group"].value_counts(sort=False)
        twice = groups[count[count > 1].index].tolist()
        raise DataError(
            f"{table.column('group')} must name each trial once, but {len(twice)} occur more "
            f"often: {listed(twice)}. Add up a trial's rows, or name its comparisons apart."
        )
    trials = groups[rows.pop("group")]
    return trials, {str(role): rows[role].to_numpy(dtype=float) for role in rows}


def _check_sizes(columns: dict[str, _Array], trials: pd.Index, names: _Names) -> None:
    for arm in _ARMS:
        size = columns[f"n_{arm}"]
        if (size < 2).any():
            raise DataError(
                f"Column {names[f'n_{arm}']!r}: n_{arm} must be at least 2, since one person has "
                f"no standard deviation, but is not in "
                f"{marked(trials, size < 2, [f'{n:g}' for n in size])}. Correct or drop those rows."
            )


def _of_counts(
    measure: str, counts: list[_Array], correction: float | None, trials: pd.Index
) -> _Sizes:
    """Compute a measure of 2 x 2 tables, with the correction for zero cells."""
    if correction is not None and not 0 < correction < math.inf:
        raise DataError(
            f"correction must be a number above zero, or None for none, but got {correction!r}."
        )
    a, n1, c, n2 = counts
    cells = np.array([a, n1 - a, c, n2 - c])
    empty = (cells[[0, 2]] == 0).all(axis=0) | (cells[[1, 3]] == 0).all(axis=0)
    texts = [f"{i:g} of {j:g} and {k:g} of {m:g}" for i, j, k, m in zip(*counts, strict=True)]
    if correction is not None:
        cells += correction * (cells == 0).any(axis=0)
        if measure != "RD" and empty.any():
            _warn_of_empty(measure, marked(trials, empty, texts))
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate, variance = _OF_COUNTS[measure](*cells)
    bad = ~(np.isfinite(estimate) & np.isfinite(variance) & (variance > 0))
    if bad.any():
        raise DataError(
            f"{measure} has no finite estimate, or no standard error, in these trials (events of "
            f"treatment and control): {marked(trials, bad, texts)}. In {int((bad & empty).sum())} "
            "of them neither arm has an event, or neither has anything else. Add a correction for "
            "zero cells (correction=0.5), or leave those trials out."
        )
    return estimate, variance


def _of_means(measure: str, values: list[_Array], trials: pd.Index) -> _Sizes:
    """Compute a measure of means, and refuse it where it cannot be squared."""
    with np.errstate(over="ignore"):
        estimate, variance = _OF_MEANS[measure](*values)
    bad = ~np.isfinite(variance)
    if bad.any():
        texts = [f"{m:g} and {c:g}" for m, c in zip(values[0], values[3], strict=True)]
        raise DataError(
            f"{measure} is too large to compute with in these trials (means of treatment and "
            f"control): {marked(trials, bad, texts)}. Are means and standard deviations in one "
            "unit?"
        )
    return estimate, variance


def _warn_of_empty(measure: str, told: str) -> None:
    warnings.warn(
        f"Neither arm of these trials has an event, or neither has anything else: {told}. They say "
        f"nothing about a ratio ({measure}), so their estimates are the correction's own. Consider "
        "leaving them out.",
        HierstanWarning,
        stacklevel=4,
    )
