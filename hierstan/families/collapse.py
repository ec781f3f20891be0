"""How rows become sufficient statistics, inside the user's own dataframe engine.

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

import warnings
from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

Frame = nw.DataFrame[Any] | nw.LazyFrame[Any]
BLOCK = 2**21  # rows at a time


def keys_of(frame: Frame) -> list[str]:
    """Return the columns whose combinations are the groups: "group", or "group 1", "group 2", …."""
    return [name for name in frame.collect_schema().names() if name.split()[0] == "group"]


def sums(frame: Frame) -> Frame:
    """Reduce rows to the sum ``y`` and the ``count`` of each group."""
    keys = keys_of(frame)
    whole = frame.select(*keys, nw.col("y").cast(nw.Int64).alias("each"))
    return _summed(whole, {"y": nw.col("each")}, {}).with_columns(nw.col("y").cast(nw.Int64))


def values(frame: Frame) -> Frame:
    """Reduce rows to the different values ``y`` of each group, and the ``count`` of each."""
    keys = keys_of(frame)
    whole = frame.select(*keys, nw.col("y").cast(nw.Int64))
    return whole.group_by(*keys, "y").agg(nw.len().alias("count"))


def moments(frame: Frame, **columns: nw.Expr) -> Frame:
    """Reduce rows to ``count``, and to ``mean_`` and ``squares_`` (about it) of some columns."""
    names = tuple(columns)
    keys = keys_of(frame)
    frame = frame.select(*keys, *(column.alias(name) for name, column in columns.items()))
    totals = _summed(frame, {f"mean_{n}": nw.col(n) for n in names}, {})
    means = totals.select(*keys, *(nw.col(f"mean_{n}") / nw.col("count") for n in names))
    off = {f"off_{n}": nw.col(n) - nw.col(f"mean_{n}") for n in names}
    squares = {f"sq_{n}": nw.col(f"off_{n}") * nw.col(f"off_{n}") for n in names}
    return _summed(frame, off, squares, means).with_columns(
        *(corrected for n in names for corrected in _corrected(n))
    )


def products(frame: Frame, names: list[str]) -> Frame:
    """Reduce rows to ``count``, ``mean__y`` and ``y__z``: sums of products of deviations.

    Of every pair of some columns, themselves among them, in their order.
    """
    keys = keys_of(frame)
    frame = frame.select(*keys, *(nw.col(name).cast(nw.Float64) for name in names))
    count = nw.col("count")
    totals = _summed(frame, {f"mean__{n}": nw.col(n) for n in names}, {})
    means = totals.select(*keys, *(nw.col(f"mean__{n}") / count for n in names))
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i:]]
    off = {f"off__{n}": nw.col(n) - nw.col(f"mean__{n}") for n in names}
    both = {f"{a}__{b}": nw.col(f"off__{a}") * nw.col(f"off__{b}") for a, b in pairs}
    return _summed(frame, off, both, means).with_columns(
        *((nw.col(f"mean__{n}") + nw.col(f"off__{n}") / count).alias(f"mean__{n}") for n in names),
        *(
            (nw.col(f"{a}__{b}") - nw.col(f"off__{a}") * nw.col(f"off__{b}") / count).alias(
                f"{a}__{b}"
            )
            for a, b in pairs
        ),
    )


def weighted_moments(frame: Frame) -> Frame:
    """Reduce rows of a ``weight`` to what a normal likelihood of each group depends on.

    ``count``, the sum ``weight``, the weighted mean ``y``, the weighted ``squares`` about it, and
    ``sum_log_weight``: the sum of the logs of the weights less the log of their sum.
    """
    keys, w = keys_of(frame), nw.col("weight")
    frame = frame.select(*keys, *(nw.col(name).cast(nw.Float64) for name in ("y", "weight")))
    totals = _summed(frame, {"wy": w * nw.col("y"), "total": w}, {})
    means = totals.select(*keys, "total", (nw.col("wy") / nw.col("total")).alias("mean"))
    off, total = nw.col("y") - nw.col("mean"), nw.col("total")
    sums = {"off": w * off, "log_w": w.log()}
    return _summed(frame, sums, {"sq": nw.col("off") * off}, means).with_columns(
        (nw.col("mean") + nw.col("off") / total).alias("y"),
        (nw.col("sq") - nw.col("off") * nw.col("off") / total).alias("squares"),
        (nw.col("log_w") - total.log()).alias("sum_log_weight"),
        total.alias("weight"),
    )


def settled(few: Frame, many: Frame) -> Frame:
    """Compute the few rows that `many` will be joined with, where the engine would else hold all.

    Polars and Dask keep every row in memory for its second use; SQL engines read them twice.
    """
    if isinstance(few, nw.DataFrame):
        return few
    if few.implementation.is_polars():
        return few.collect(engine="streaming").lazy()
    if few.implementation.is_dask():
        # a single partition is handed to each of the other's; several would shuffle all rows
        native = nw.to_native(few).persist().repartition(npartitions=1)
        types = {key: nw.to_native(many)[key].dtype for key in keys_of(many)}
        other = {key: dtype for key, dtype in types.items() if native[key].dtype != dtype}
        return adopted(native.astype(other) if other else native)
    return few


def adopted(native: Any) -> Frame:
    """Return a frame of any engine as narwhals takes it."""
    with warnings.catch_warnings():
        # that a later narwhals will want a plugin for Dask: pyproject.toml caps it before that one
        warnings.filterwarnings("ignore", "Dask support is moving", FutureWarning)
        frame: Frame = nw.from_native(native)
    return frame


# internals --------------------------------------------------------------------------------------


def _summed(
    frame: Frame,
    first: Mapping[str, nw.Expr],
    then: Mapping[str, nw.Expr],
    known: Frame | None = None,
) -> Frame:
    """Return each group's ``count`` and sums over its rows, and what is `known` of it.

    The sums may be of expressions in what is known, and those of `then` in those of `first`.
    """
    made = [[each.alias(name) for name, each in some.items()] for some in (first, then) if some]
    if frame.implementation.is_pandas() and keys_of(frame) == ["group"]:
        return _summed_by_code(frame, made, known)
    keys, joined, carried = keys_of(frame), frame, []
    if known is not None:
        carried = [name for name in known.collect_schema().names() if name not in keys]
        joined = joined.join(settled(known, frame), on=keys, how="inner")  # type: ignore[arg-type]
    for expressions in made:
        joined = joined.with_columns(*expressions)
    return joined.group_by(*keys).agg(
        nw.len().alias("count"),
        *(nw.col(name).max() for name in carried),
        *(nw.col(name).sum() for name in (*first, *then)),
    )


def _summed_by_code(frame: Frame, made: list[list[nw.Expr]], known: Frame | None) -> Frame:
    """Do so with pandas, whose groups are numbers from 0 by then: joins would take far longer."""
    rows = nw.to_native(frame)
    code = rows["group"].to_numpy()
    count = np.bincount(code)
    there = np.flatnonzero(count)
    found = {"group": there, "count": count[there]}
    if known is not None:
        few, place = nw.to_native(known).drop(columns="group"), np.cumsum(count > 0) - 1
        found |= {name: few[name].to_numpy() for name in few}
    totals: dict[str, np.ndarray] = {}
    for start in range(0, len(rows), BLOCK):
        part, codes = rows.iloc[start : start + BLOCK], code[start : start + BLOCK]
        if known is not None:
            part = part.assign(**{name: few[name].to_numpy()[place[codes]] for name in few})
        wide = adopted(part)
        for expressions in made:
            wide = wide.with_columns(*expressions)
        values = nw.to_native(wide)
        for name in values.columns.difference(part.columns, sort=False):
            each = np.bincount(codes, weights=values[name].to_numpy(), minlength=len(count))
            totals[name] = totals.get(name, 0.0) + each
    return adopted(pd.DataFrame(found | {name: each[there] for name, each in totals.items()}))


def _corrected(name: str) -> tuple[nw.Expr, nw.Expr]:
    """Remove from mean and squares what rounding left in the sum of the residuals."""
    residual, count = nw.col(f"off_{name}"), nw.col("count")
    squares = nw.col(f"sq_{name}") - residual * residual / count
    mean = nw.col(f"mean_{name}") + residual / count
    return mean.alias(f"mean_{name}"), squares.alias(f"squares_{name}")
