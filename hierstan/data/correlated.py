"""Estimates whose errors go together: several of one study, that share its participants."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from numbers import Real

import numpy as np
import pandas as pd

from hierstan.data import predictors, published, structure
from hierstan.data.frames import Table
from hierstan.data.intake import Intake, described
from hierstan.data.labels import fetch_rows
from hierstan.data.validation import check
from hierstan.errors import DataError
from hierstan.families import FAMILIES, default
from hierstan.families.normal_correlated import covariance_columns
from hierstan.text.wording import listed, show

LEAST = 1e-10  # eigenvalue of a matrix of correlations: below, it is singular but for rounding


def check_arguments(within: Hashable | None, correlation: object, covariance: object) -> None:
    """Refuse arguments that say too little, or the same thing twice."""
    if correlation is not None and covariance is not None:
        raise DataError(
            "correlation= and covariance= both say how errors go together. Leave one of them out."
        )
    matrix = covariance is not None and not isinstance(covariance, Mapping)
    if within is None and not matrix:
        raise DataError(
            "correlation= is that of the errors within a study, and covariance= by study is "
            "looked up by its label: name the column of the study, as within='study'."
        )
    if within is not None and correlation is None and covariance is None:
        raise DataError(
            f"within={within!r} says which errors go together, but not how much. Give their "
            "correlation, such as correlation=0.5, or their covariance= by study."
        )
    if correlation is not None:
        number = None if isinstance(correlation, bool) else correlation
        if not isinstance(number, Real) or not -1 < float(number) < 1:
            raise DataError(f"correlation must lie between -1 and 1; got {show(correlation)}.")


def take(
    table: Table, correlation: float | None, covariance: object, *, prob: float, ratios: bool
) -> Intake:
    """Check and take estimates, and what is known of the covariance of their errors.

    Parameters
    ----------
    table : Table
        With ``estimate``, and ``se`` or limits unless `covariance` has the variances; ``within``
        unless that is a matrix for all rows.
    correlation : float or None
        Of any two errors of a study.
    covariance : mapping or array or None
        By study, in the order of its rows; or of all rows.
    prob, ratios
        See `hierstan.data.published.take_intervals`.
    """
    if covariance is not None and not table.keeps_order:
        raise DataError(
            "covariance= goes by the order of the rows, which this frame does not keep. Collect it "
            "into pandas or polars first."
        )
    groups, rows, given = _fetched(table, prob, ratios)
    if correlation is not None:
        study, blocks = _equally(rows, given, correlation)
    elif "within" in rows:
        study, blocks = _by_study(rows, given, covariance)
    else:
        study, blocks = _of_all(len(rows), covariance)
    _check_variances(rows, blocks, table)
    rows = rows.assign(study=study, place=0, count=1.0)
    wide = max(len(V) for _, _, V in blocks)
    V_rows, se = np.zeros((len(rows), wide)), np.zeros(len(rows))
    for label, member, V in blocks:
        _check_definite(label, V, correlation)
        rows.loc[member, "place"] = np.arange(len(member))
        V_rows[member, : len(V)] = V
        se[member] = np.sqrt(np.diag(V))
    rows = rows.assign(se=se, **covariance_columns(V_rows))
    family = FAMILIES[default("correlated")]
    single, cells = family.single(rows), family.collapsed(rows)
    if len(cells) == len(rows):
        single = cells
    taken = Intake(family.name, groups, cells, single, len(rows), structure.columns(table))
    return described(taken, table, rows)


# internals --------------------------------------------------------------------------------------

Block = tuple[Hashable, np.ndarray, np.ndarray]  # label of a study, its rows and its covariance


def _fetched(
    table: Table, prob: float, ratios: bool
) -> tuple[pd.Index, pd.DataFrame, np.ndarray | None]:
    """Return the groups, all rows with ``y``, and their standard errors where they were given."""
    names, more = table.names, predictors.kinds(table)
    se: np.ndarray | None = None
    if "lower" in names:
        derived = published.from_intervals(table, prob, ratios)
        groups, rows = fetch_rows(table)
        found = derived(rows)
        rows, se = rows.assign(y=found["y"]), found["se"].to_numpy(float)
    else:
        kinds = {"estimate": "real", "se": "positive"}
        check(table, {**{role: kinds[role] for role in kinds if role in names}, **more})
        groups, rows = fetch_rows(table)
        rows = rows.assign(y=rows["estimate"].astype(float))
        if "se" in rows:
            se = rows["se"].to_numpy(float)
    if "within" in rows:
        missing = np.flatnonzero(pd.isna(rows["within"]))
        if missing.size:
            raise DataError(
                f"{table.column('within')} must not have missing values: {table.rows_at(missing)}. "
                "Fill in the study; an estimate whose error goes with no other is one of its own."
            )
    return groups, rows, se


def _equally(
    rows: pd.DataFrame, se: np.ndarray | None, correlation: float
) -> tuple[np.ndarray, list[Block]]:
    """Return the studies and their covariances where any two errors have one correlation."""
    if se is None:
        raise DataError("correlation= needs the standard errors: give se=, or lower= and upper=.")
    study, labels = pd.factorize(rows["within"])
    blocks: list[Block] = []
    for code, member in enumerate(_members(study)):
        V = correlation * np.outer(se[member], se[member])
        np.fill_diagonal(V, se[member] ** 2)
        blocks.append((labels[code], member, V))
    return study, blocks


def _by_study(
    rows: pd.DataFrame, se: np.ndarray | None, covariance: object
) -> tuple[np.ndarray, list[Block]]:
    """Return the studies and the covariances given for them."""
    study, labels = pd.factorize(rows["within"])
    if not isinstance(covariance, Mapping):
        return _of_all(len(rows), covariance)
    unknown = [label for label in covariance if label not in set(labels)]
    if unknown:
        raise DataError(
            f"covariance= has {listed(unknown)}, which is no study of within=. Studies: "
            f"{listed(list(labels), 8)}."
        )
    blocks: list[Block] = []
    for code, member in enumerate(_members(study)):
        label, m = labels[code], len(member)
        if label in covariance:
            V = _matrix(covariance[label], m, f"covariance= of study {show(label)}")
        elif se is not None and m == 1:
            V = np.array([[se[member[0]] ** 2]])
        else:
            raise DataError(
                f"covariance= has no matrix for study {show(label)}, which has {m} "
                f"estimate{'s' * (m > 1)}. Studies of one estimate can be left out where se= is "
                "given; for errors that do not go together give a diagonal matrix."
            )
        blocks.append((label, member, V))
    return study, blocks


def _of_all(N: int, covariance: object) -> tuple[np.ndarray, list[Block]]:
    """Return what goes together by a matrix of all rows, and its blocks."""
    from scipy.sparse import csgraph

    V = _matrix(covariance, N, "covariance=")
    study = csgraph.connected_components(V != 0, directed=False)[1].astype(np.int64)
    return study, [(f"of row {m[0]}", m, V[np.ix_(m, m)]) for m in _members(study)]


def _members(study: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each study, in their order."""
    order = np.argsort(study, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(study[order])) + 1)


def _matrix(value: object, size: int, what: str) -> np.ndarray:
    try:
        V = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise DataError(f"{what} must be a matrix of numbers; got {show(value)}.") from None
    if V.shape != (size, size):
        raise DataError(
            f"{what} must be a {size} × {size} matrix, in the order of its {size} rows; got shape "
            f"{V.shape}."
        )
    if not np.isfinite(V).all() or not np.allclose(V, V.T, rtol=1e-8, atol=0):
        raise DataError(
            f"{what} must be symmetric and finite: the covariance of two errors is one number."
        )
    if (np.diag(V) <= 0).any():
        raise DataError(f"{what} must have variances above 0 on its diagonal.")
    return (V + V.T) / 2


def _check_definite(label: Hashable, V: np.ndarray, correlation: float | None) -> None:
    """Refuse a matrix by which some difference of estimates would be known without error."""
    se = np.sqrt(np.diag(V))
    least = float(np.linalg.eigvalsh(V / np.outer(se, se))[0])
    if least > LEAST:
        return
    m = len(V)
    if correlation is not None:
        raise DataError(
            f"correlation={correlation:g} is impossible for the {m} estimates of study "
            f"{show(label)}: of {m} errors, no common correlation can be below "
            f"-1 / {m - 1} = {-1 / (m - 1):.3g}. Give one above that, or covariance= by study."
        )
    raise DataError(
        f"The covariance of study {show(label)} is not positive definite: by it, some sum of its "
        f"{m} estimates would be known without error (the smallest eigenvalue of its correlations "
        f"is {least:.2g}). Correct it; estimates that repeat what others say are to be left out."
    )


def _check_variances(rows: pd.DataFrame, blocks: list[Block], table: Table) -> None:
    """Refuse variances that are not those of the standard errors given beside them."""
    if "se" not in rows:
        return
    se = rows["se"].to_numpy(float)
    for label, member, V in blocks:
        off = np.flatnonzero(~np.isclose(np.sqrt(np.diag(V)), se[member], rtol=0.01))
        if off.size:
            raise DataError(
                f"The covariance of study {show(label)} has the variance "
                f"{V[off[0], off[0]]:.4g} in {table.rows_at(member[off[:1]])}, whose "
                f"{table.names['se']} is {se[member[off[0]]]:.4g} (variance "
                f"{se[member[off[0]]] ** 2:.4g}). Is it in the order of the rows? Leave se= out to "
                "go by the covariance alone."
            )
