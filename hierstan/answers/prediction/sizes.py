"""The size of an observation to predict, and the arm that it is of."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

from hierstan.answers.prediction.by_label import by_label
from hierstan.engines import MAX_INT
from hierstan.errors import HierstanError
from hierstan.families.treatment import TREATED
from hierstan.fit.fit import Fit
from hierstan.fit.two_arms import check_baselines
from hierstan.text.wording import listed, show

MEANING = {
    "se": "a standard error, above 0",
    "trials": "a whole number of trials, at least 1",
    "exposure": "an exposure, above 0",
    "weight": "a weight, above 0",
    "rows": "a whole number of observations, at least 1",
}


def arm_to_predict(fit: Fit, given: dict[str, object]) -> dict[str, float]:
    """Return the arm to predict, where data have two: the treatment's unless told otherwise."""
    if not fit.family.treatment:
        return {}
    treated = given.pop("treated", True)
    if not isinstance(treated, bool):
        raise HierstanError(f"treated= takes True or False, got {show(treated)}.")
    return {TREATED: float(treated)}


def known_baselines(
    fit: Fit, given: dict[str, object], labels: list[Hashable], known: pd.Index
) -> np.ndarray | None:
    """Return means of the control arm of the new groups, (K,), where they are given."""
    value = given.pop("baseline", None)
    if value is None:
        return None
    if not fit.family.treatment:
        raise HierstanError(
            f"baseline= means nothing here: the fit is of {fit.data.family} data, without arms."
        )
    if not labels:
        raise HierstanError(
            "baseline= is of groups not yet seen; the groups of the fit have their own."
        )
    return check_baselines(fit, by_label("baseline=", value, labels, known))


def typical(fit: Fit, size: str, codes: np.ndarray, treated: Mapping[str, float]) -> np.ndarray:
    """Return the median size of each group's own observations; of all of them for a new group."""
    rows = fit.data.rows
    for name, arm in treated.items():
        rows = None if rows is None else rows[rows[name] == arm]
    if rows is None:  # so many that they were collapsed: each has size 1
        return np.ones(len(codes), dtype=np.int64 if size == "trials" else float)
    found = rows.groupby("group")[size].median().reindex(range(len(fit.data.groups)))
    median = found.fillna(rows[size].median()).to_numpy()
    sizes = np.append(median, rows[size].median())[np.minimum(codes, len(median))]
    return np.rint(sizes).astype(np.int64) if size == "trials" else sizes


def spread(name: str, value: object, labels: pd.Index, known: pd.Index) -> np.ndarray:
    """Return one number for each group, from a number, a mapping by label or a sequence."""
    return _checked(name, by_label(f"{name}=", value, list(labels), known))


# internals ------------------------------------------------------------------------------------


def _checked(name: str, values: np.ndarray) -> np.ndarray:
    whole = name in ("trials", "rows")
    if values.dtype.kind in "iuf" and np.isfinite(values).all() and (values > 0).all():
        if not whole:
            return values.astype(float)
        if (values == np.rint(values)).all() and (values < MAX_INT).all():
            return values.astype(np.int64)
    most = f", and below {MAX_INT:,}, Stan's largest integer" if whole else ""
    raise HierstanError(f"{name}= must be {MEANING[name]}{most}; got {listed(values.tolist())}.")
