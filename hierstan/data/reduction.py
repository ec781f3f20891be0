"""Rows to cells: what the likelihood needs of the rows of one group, computed in their own engine.

The sums of squares take two passes (group means, then deviations from them), corrected by the sum
of the residuals. A sum of squares of the raw values would lose every digit where the mean is large
against the spread.

References
----------
Chan, T. F., Golub, G. H. and LeVeque, R. J. (1983). Algorithms for computing the sample variance:
analysis and recommendations. *The American Statistician* 37(3), 242-247 (their equation 1.7, the
corrected two-pass algorithm).
"""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from hierstan.data.frames import Frame, settled
from hierstan.families.family import FAMILIES

COLLAPSING = ("bernoulli", "gamma", "lognormal", "neg_binomial", "normal", "poisson")


def collapse(family: str, frame: Frame) -> Frame:
    """Reduce rows to raw cells, inside the frame's engine.

    Parameters
    ----------
    family : str
        One of `COLLAPSING`.
    frame : narwhals frame
        Columns ``group`` (labels or codes) and ``y``, checked.

    Returns
    -------
    narwhals frame
        As lazy as the input: one line per group (neg_binomial: per group and value), with
        ``count`` and sums, or means and sums of squared deviations; `finished` turns them into
        the family's columns.
    """
    y = nw.col("y")
    if family in ("gamma", "lognormal", "normal"):
        real = y.cast(nw.Float64)
        parts = {"y": real} if family == "normal" else {"y": real, "log_y": real.log()}
        if family == "lognormal":
            del parts["y"]
        named = frame.select("group", *(part.alias(name) for name, part in parts.items()))
        return _moments(named, tuple(parts))
    frame = frame.select("group", y.cast(nw.Int64))
    if family == "neg_binomial":
        return frame.group_by("group", "y").agg(nw.len().alias("count"))
    return frame.group_by("group").agg(y.sum(), nw.len().alias("count"))


def collapse_in_pandas(family: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Reduce rows (``group`` as codes, ``y``) that are in pandas already to finished cells."""
    raw = collapse(family, nw.from_native(rows[["group", "y"]], eager_only=True))
    return finished(family, nw.to_native(raw))


def finished(family: str, raw: pd.DataFrame) -> pd.DataFrame:
    """Turn raw cells, their groups coded, into the family's columns, in the groups' order."""
    if family in ("gamma", "normal"):
        cells = raw.rename(columns={"mean_y": "y", "squares_y": "squares"})
        cells = cells.rename(columns={"mean_log_y": "mean_log"})
    elif family == "lognormal":
        cells = raw.rename(columns={"squares_log_y": "squares"})
        cells["y"] = np.exp(cells["mean_log_y"].to_numpy(dtype=float))
    else:
        role = {"bernoulli": "trials", "neg_binomial": "weight", "poisson": "exposure"}[family]
        cells = raw.rename(columns={"count": role})
    cells = cells.sort_values(["group", "y"] if family == "neg_binomial" else "group")
    return typed(family, cells)


def single(family: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Write observations (``group``, ``y``, ...) as cells of one row each."""
    rest: dict[str, Any] = {"count": 1.0, "exposure": 1.0, "squares": 0.0, "trials": 1}
    rest["weight"] = 1.0
    if "mean_log" in FAMILIES[family].columns:
        rest["mean_log"] = np.log(rows["y"].to_numpy(dtype=float))
    added = {name: value for name, value in rest.items() if name not in rows}
    return typed(family, rows.assign(**added))


def typed(family: str, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the family's columns, and no others, as 64-bit numbers with a fresh index."""
    kinds = FAMILIES[family].columns
    types = {name: np.int64 if kind == "int" else np.float64 for name, kind in kinds.items()}
    return cells[["group", *types]].astype({"group": np.int64, **types}).reset_index(drop=True)


def summarised(family: str, cells: pd.DataFrame, n_groups: int) -> pd.DataFrame:
    """Return one line per group: what its own rows say, in the family's natural quantities."""
    if family == "student_t":
        return summarised("normal", collapse_in_pandas("normal", cells), n_groups)
    total = {
        name: np.bincount(cells["group"], weights=cells[name], minlength=n_groups)
        for name in FAMILIES[family].columns
    }
    if family == "normal_known":
        return pd.DataFrame({"estimate": total["y"], "se": total["se"]})
    if family == "two_arm":
        names = ("events_treatment", "total_treatment", "rate_treatment")
        treatment = _rates(total["y"], total["trials"], *names)
        names = ("events_control", "total_control", "rate_control")
        return treatment.join(_rates(total["control"], total["control_trials"], *names))
    if family in ("bernoulli", "binomial"):
        return _rates(total["y"], total["trials"], "successes", "trials", "rate")
    if family == "poisson":
        return _rates(total["y"], total["exposure"], "events", "exposure", "rate")
    if family == "gamma":
        return pd.DataFrame({"mean": total["y"], "mean_log": total["mean_log"]})
    if family == "neg_binomial":
        count, weight = total["weight"], cells["weight"]
        mean = np.bincount(cells["group"], weights=weight * cells["y"], minlength=n_groups) / count
        off = cells["y"] - mean[cells["group"]]
        squares = np.bincount(cells["group"], weights=weight * off**2, minlength=n_groups)
        return pd.DataFrame({"mean": mean, "sd": _sd(squares, count)})
    sd = _sd(total["squares"], total["count"])
    if family == "lognormal":
        return pd.DataFrame({"mean_log": np.log(total["y"]), "sd_log": sd})
    return pd.DataFrame({"mean": total["y"], "sd": sd})


# internals --------------------------------------------------------------------------------------


def _rates(y: np.ndarray, of: np.ndarray, y_name: str, of_name: str, rate: str) -> pd.DataFrame:
    whole = of if of_name == "exposure" else of.astype(np.int64)
    return pd.DataFrame({y_name: y.astype(np.int64), of_name: whole, rate: y / of})


def _sd(squares: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Sample standard deviation; not a number for a group of one row."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(squares / (count - 1))


def _moments(frame: Frame, names: tuple[str, ...]) -> Frame:
    """Count, mean and sum of squared deviations of columns, per group, by two passes."""
    means = frame.group_by("group").agg(*(nw.col(n).mean().alias(f"mean_{n}") for n in names))
    off = [(nw.col(n) - nw.col(f"mean_{n}")).alias(f"off_{n}") for n in names]
    sq = [(nw.col(f"off_{n}") * nw.col(f"off_{n}")).alias(f"sq_{n}") for n in names]
    joined: Any = frame
    return (
        joined.join(settled(means, frame), on="group", how="inner")
        .with_columns(*off)
        .with_columns(*sq)
        .group_by("group")
        .agg(
            nw.len().alias("count"),
            *(nw.col(f"mean_{n}").max() for n in names),
            *(nw.col(f"off_{n}").sum() for n in names),
            *(nw.col(f"sq_{n}").sum() for n in names),
        )
        .with_columns(*(corrected for n in names for corrected in _corrected(n)))
    )


def _corrected(name: str) -> tuple[nw.Expr, nw.Expr]:
    """Remove from mean and squares what rounding left in the sum of the residuals."""
    residual, count = nw.col(f"off_{name}"), nw.col("count")
    squares = nw.col(f"sq_{name}") - residual * residual / count
    mean = nw.col(f"mean_{name}") + residual / count
    return mean.alias(f"mean_{name}"), squares.alias(f"squares_{name}")
