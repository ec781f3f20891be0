"""The likelihood without group means where outcomes are correlated, too: dense algebra.

All estimates that share studies or groups, directly or not, are normal together: with the
covariance of their errors, and that of the means of their groups. What is left out is predicted
given all others. A precision matrix P holds that for each of them: given the others, y[n] is normal
around ``y[n] - (P (y - center))[n] / P[n, n]`` with variance ``1 / P[n, n]``.

References
----------
Bürkner, Gabry and Vehtari 2021, Efficient leave-one-out cross-validation for Bayesian
non-factorized normal and Student-t models, doi:10.1007/s00180-020-01045-4.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hierstan.answers.comparison.normal_integral import LOG_2PI, Shift, population
from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.families.normal_correlated import NormalCorrelated
from hierstan.fit.fit import Fit

MAX_VALUES = 2**21  # of all covariance matrices at a time


def correlated_log_lik(
    fit: Fit,
    data: GroupedData,
    hyper: Mapping[str, np.ndarray],
    unit: str,
    shift: Shift | None = None,
) -> np.ndarray:
    """Return the log density of every unit given all others at every draw, (S, U).

    Parameters
    ----------
    fit : Fit
        Whose pooling, family and priors these are.
    data : GroupedData
        Whose units.
    hyper : mapping of str to numpy.ndarray
        Draws of every parameter but ``theta``, (S, ...). Empty where there are none.
    unit : {"observation", "group", "all"}
        With ``"all"`` the log density of all data, (S, 1).
    shift : Shift, optional
        How the prior of ``theta`` differs in each unit's fold.
    """
    family, rows = FAMILIES[data.family], data.rows
    assert isinstance(family, NormalCorrelated)
    assert rows is not None
    group, y = rows["group"].to_numpy(), rows["y"].to_numpy()
    center, spread2 = population(fit, data, hyper)
    S = max(len(center), len(spread2))
    spread2 = np.broadcast_to(spread2, (S, 1))
    off = np.broadcast_to(y - (center if center.shape[1] == 1 else center[:, group]), (S, len(y)))
    size = {"observation": len(y), "group": len(data.groups), "all": 1}[unit]
    result = np.zeros((S, size))
    for member, V in family.components(rows):
        same = (group[member][:, None] == group[member]).astype(float)
        of = {"observation": member, "group": group[member], "all": 0 * member}[unit]
        for some in np.array_split(np.arange(S), -(-S * V.size // MAX_VALUES)):
            if shift is None:
                C = V + spread2[some, :, None] * same
                _add(result, some, of, off[np.ix_(some, member)], C)
                continue
            for u in np.unique(of):  # every fold has a prior of its own
                moved = shift.location[u] - fit.priors["theta"].numbers()["location"]
                fold, rest = np.zeros_like(result), off[np.ix_(some, member)] - moved
                _add(fold, some, of, rest, (V + shift.scale[u] ** 2 * same)[None])
                result[some, u] = fold[some, u]
    return result


# internals ------------------------------------------------------------------------------------


def _add(
    result: np.ndarray, draws: np.ndarray, of: np.ndarray, off: np.ndarray, C: np.ndarray
) -> None:
    """Add the log densities of the units of a component, given the others of it, (s, M)."""
    precision = np.linalg.inv(C)
    pull = np.einsum("sij,sj->si", precision, off)
    for unit in np.unique(of):
        mine = np.flatnonzero(of == unit)
        own = precision[:, mine[:, None], mine]
        root = np.linalg.cholesky(own)
        z = np.linalg.solve(root, pull[:, mine, None])[:, :, 0]
        log_det = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
        result[draws, unit] += log_det - 0.5 * (len(mine) * LOG_2PI + (z**2).sum(axis=1))
