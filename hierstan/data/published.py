"""What papers print instead of data: means with standard deviations, estimates with intervals."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial

import narwhals as nw
import numpy as np
import pandas as pd

from hierstan.data import predictors
from hierstan.data.frames import Table, column_names
from hierstan.data.intake import Intake, take_summaries
from hierstan.data.measures import MEASURES
from hierstan.data.validation import check
from hierstan.errors import DataError, warn
from hierstan.families import accepted_by, default
from hierstan.text.wording import did_you_mean, show

SD_NAMES = re.compile(r"(^|[^a-z])(sd|std|stdev|std[_ .]?dev|standard[_ .]?deviation)s?([^a-z]|$)")
SE_NAMES = re.compile(r"(^|[^a-z])(se|sem|s\.e\.?)([^a-z]|$)|std[_ .]?err|error")
SIZE_NAMES = ("n", "size", "n_obs", "nobs", "sample_size", "samplesize", "sample size")


def take_means(table: Table, family: str, *, describe: bool = True) -> Intake:
    """Check and take the mean, standard deviation and number of rows of each group."""
    if family not in accepted_by("means"):
        raise DataError(
            f"mean=, sd= and n= are all that family={' or '.join(map(repr, accepted_by('means')))} "
            f"needs of rows, but not {show(family)}. Choose one of these, or give rows, with "
            "outcome=."
        )
    more = predictors.kinds(table)
    check(table, {"mean": "real", "n": "trials", **more})
    if table.frame.collect_schema()["sd"].is_numeric():  # one row has no standard deviation
        sd = nw.when(nw.col("n") == 1).then(nw.lit(0.0)).otherwise(nw.col("sd"))
        table = replace(table, frame=table.frame.with_columns(sd.alias("sd")))
    check(table, {"mean": "real", "sd": "not negative", "n": "trials", **more})
    taken = take_summaries(table, family, _sufficient, describe=describe)
    return taken._replace(rows=None, n_rows=int(taken.cells["count"].sum()))


def take_intervals(table: Table, prob: float, ratios: bool) -> Intake:
    """Check and take estimates with intervals that hold their true value with a probability."""
    return take_summaries(table, default("estimates"), from_intervals(table, prob, ratios))


def from_intervals(
    table: Table, prob: float, ratios: bool
) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Check intervals; return what makes ``y`` and ``se`` of their rows."""
    from scipy import stats

    if not (isinstance(prob, int | float) and 0 < prob < 1):
        raise DataError(f"prob must lie between 0 and 1, such as 0.95; got {show(prob)}.")
    roles = ("estimate", "lower", "upper")
    kind = "ratio" if ratios else "real"
    check(table, {**dict.fromkeys(roles, kind), **predictors.kinds(table)})
    width = 2 * float(stats.norm.isf((1 - prob) / 2))
    return partial(_from_intervals, table=table, width=width, ratios=ratios)


def measure_of(frame: object, measure: str | None, ratios: bool = False) -> str | None:
    """Return the key of a measure: what is said, else what `effect_sizes` said of the frame."""
    if measure is None:
        found = frame.attrs.get("measure") if isinstance(frame, pd.DataFrame) else None
        return found if found in MEASURES else "RATIO" if ratios else None
    key = str(measure).upper()
    if key not in MEASURES:
        raise DataError(
            f"There is no measure {show(measure)}.{did_you_mean(measure, list(MEASURES))} "
            f"Valid measures: {', '.join(sorted(MEASURES))}."
        )
    if ratios and not MEASURES[key].ratio:
        raise DataError(
            f"A {MEASURES[key].words} (measure={measure!r}) is not a ratio, so ratios=True would "
            "take logs of what has none. Leave one of the two out."
        )
    return key


def warn_of_deviations(frame: object, se: Hashable) -> None:
    """Warn where what is given as a standard error looks like a standard deviation."""
    name = str(se).lower()
    sizes = [column for column in column_names(frame) if str(column).lower() in SIZE_NAMES]
    if SE_NAMES.search(name):
        return
    if SD_NAMES.search(name):
        reason = "its name says that it holds standard deviations"
    elif sizes:
        reason = f"column {sizes[0]!r} beside it looks like numbers of observations"
    else:
        return
    warn(
        f"Column {se!r} is given as se=, but {reason}. A standard error is sd / sqrt(n). If these "
        "are standard deviations, use GroupedData.from_means(frame, group=, mean=, sd=, n=); if "
        "they are standard errors, a column named 'se' keeps this warning away."
    )


# internals ------------------------------------------------------------------------------------


def _sufficient(rows: pd.DataFrame) -> pd.DataFrame:
    count = rows["n"].astype(float)
    squares = (count - 1) * rows["sd"].astype(float) ** 2
    return rows[["group"]].assign(y=rows["mean"].astype(float), count=count, squares=squares)


def _from_intervals(
    rows: pd.DataFrame, *, table: Table, width: float, ratios: bool
) -> pd.DataFrame:
    """Return estimates and standard errors, on the log scale where they are ratios."""
    estimate, lower, upper = (
        rows[name].to_numpy(dtype=float) for name in ("estimate", "lower", "upper")
    )
    bad = np.flatnonzero(~((lower < upper) & (lower <= estimate) & (estimate <= upper)))
    if bad.size:
        told = "; ".join(f"{estimate[i]:g} in ({lower[i]:g}, {upper[i]:g})" for i in bad[:3])
        raise DataError(
            f"Each {table.column('estimate').removeprefix('Column ')} must lie between its lower "
            f"and upper limit, but {bad.size:,} of {len(rows):,} do not: {told}, in "
            f"{table.rows_at(bad)}. Correct those rows. Were lower= and upper= swapped?"
        )
    if ratios:
        estimate, lower, upper = np.log(estimate), np.log(lower), np.log(upper)
    elif (lower > 0).all():
        _warn_of_ratios(estimate, lower, upper)
    return rows[["group"]].assign(y=estimate, se=(upper - lower) / width)


def _warn_of_ratios(estimate: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> None:
    """Warn where intervals lie around their estimates as those of ratios do."""

    def off_centre(centre: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
        return float(np.median(np.abs((low + high) / 2 - centre) / (high - low)))

    plain = off_centre(estimate, lower, upper)
    if plain > 0.05 and off_centre(*np.log([estimate, lower, upper])) < plain / 2:
        warn(
            "The intervals reach further above their estimates than below, as those of ratios do. "
            "If these are odds, risk or hazard ratios, say ratios=True, so that they are taken on "
            "the log scale."
        )
