"""What groups that have structure say, roughly: a normal approximation, and sds by moments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.data.own_estimates import raw_estimates, regression
from hierstan.families import FAMILIES
from hierstan.sampling.approximation import LONGEST, columns

if TYPE_CHECKING:
    import scipy.sparse as sp

ROUNDS = 6
WIDE = 1e3  # prior sd of mu and beta, in sds of the estimates: they are free
DENSE = 400  # equations that are solved at once; above, by conjugate gradients


@dataclass(frozen=True)
class Rough:
    """A normal approximation to what the groups' data say, and the variances between them.

    Attributes
    ----------
    estimate, precision : numpy.ndarray
        What each group's own data say about its mean, (J,) each, on the link scale.
    tau2 : float
        Variance between groups that are alike in their factors.
    level_tau2 : numpy.ndarray
        Variance between the levels of each factor, (F,); above 0.
    """

    estimate: np.ndarray
    precision: np.ndarray
    tau2: float
    level_tau2: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """Precision of each estimate around the center of its group, (J,)."""
        return self.precision / (1 + self.tau2 * self.precision)


def rough(data: GroupedData, *, alike: bool = False) -> Rough:
    """Return the approximation: penalized quasi-likelihood with variances by moments.

    Log likelihoods are expanded around where a group's data and its center put its mean (Breslow
    and Clayton 1993, doi:10.1080/01621459.1993.10594284). The variances make the weighted sums of
    squares of the levels' totals what they are expected to be (MINQUE's equations; Rao 1971,
    doi:10.1016/0047-259X(71)90001-7), none of them below 0. With `alike` there is none between
    groups that are alike in their factors.

    Examples
    --------
    >>> import hierstan as hs
    >>> import pandas as pd
    >>> stores = pd.DataFrame({"store": range(6), "region": list("nnssww"), "se": 0.1,
    ...                        "lift": [1.0, 1.2, 2.0, 2.2, 3.0, 3.2]})
    >>> data = hs.GroupedData.from_estimates(
    ...     stores, group="store", estimate="lift", se="se", factors=["region"]
    ... )
    >>> found = rough(data)
    >>> bool(found.level_tau2[0] > 10 * found.tau2)
    True
    """
    kept = _KEPT.setdefault(data, {})
    if alike not in kept:
        kept[alike] = _approximated(data, alike=alike)
    return kept[alike]


def level_log_variances(data: GroupedData, found: Rough) -> np.ndarray:
    """Return the rough posterior variance of the log sd of each factor, (F,), at most 1.

    The inverse of the information that the estimates carry about it at the other sds, free mean and
    slopes taken out (Searle, Casella and McCulloch 1992, doi:10.1002/9780470316856, chapter 6).
    There is little where levels hardly differ.

    Examples
    --------
    >>> import hierstan as hs
    >>> import pandas as pd
    >>> stores = pd.DataFrame({"store": range(9), "region": list("nnnssswww"), "se": 1e-6,
    ...                        "lift": [1.0, 1.2, 1.1, 2.0, 2.2, 2.1, 3.0, 3.2, 3.1]})
    >>> data = hs.GroupedData.from_estimates(
    ...     stores, group="store", estimate="lift", se="se", factors=["region"]
    ... )
    >>> level_log_variances(data, rough(data)).round(2)  # of three values, 1 / (2 * 2)
    array([0.25])
    """
    codes, factor = level_of_groups(data)
    Z, v, K = _in_sds(found, data.design, codes, factor), found.weights, data.design.shape[1]
    if Z.shape[1] > DENSE:
        own = ((Z * Z).T @ v)[K:]
        squares = (own / (1 + own)) ** 2
        told = [squares[factor == f].sum() - squares[factor == f].mean() for f in range(len(codes))]
    else:
        left = np.linalg.inv((Z.T @ (Z * v[:, None])).toarray() + np.eye(Z.shape[1]))
        squares = (np.eye(Z.shape[1]) - left)[K:, K:] ** 2
        told = [squares[np.ix_(factor == f, factor == f)].sum() for f in range(len(codes))]
    return 1 / np.maximum(2 * np.array(told), 1.0)


def level_of_groups(data: GroupedData) -> tuple[np.ndarray, np.ndarray]:
    """Return the level of each group by factor, (F, J), and the factor of each, (L,), from 0."""
    known = data.stan_data()
    J = len(data.groups)
    level = np.asarray(known.get("level", np.zeros((0, J)))).reshape(-1, J)
    return level.astype(int) - 1, np.asarray(known.get("factor", [])).astype(int) - 1


def indicators(codes: np.ndarray, levels: int) -> sp.csr_array:
    """Return 1 where a group has a level, (J, L)."""
    import scipy.sparse as sp

    F, J = codes.shape
    places = (np.tile(np.arange(J), F), codes.ravel())
    return sp.csr_array((np.ones(F * J), places), shape=(J, levels))


# internals ------------------------------------------------------------------------------------

_KEPT: WeakKeyDictionary[GroupedData, dict[bool, Rough]] = WeakKeyDictionary()


def _approximated(data: GroupedData, *, alike: bool) -> Rough:
    family, raw = FAMILIES[data.family], columns(raw_estimates(data))
    estimate, precision = raw["link"], raw["link_se"] ** -2.0
    codes, factor = level_of_groups(data)
    total, mode = _plain_variance(estimate, precision), None
    for _ in range(ROUNDS):
        now = Rough(
            estimate, precision, *_variances(estimate, precision, data.design, codes, total)
        )
        now = replace(now, tau2=0.0) if alike else now
        total = now.tau2 + float(now.level_tau2.sum())
        if not family.curved:
            continue
        center = _centers(now, data.design, codes, factor)
        aim = estimate + (center - estimate) / (1 + now.tau2 * precision)
        mode = aim if mode is None else mode + np.clip(aim - mode, -LONGEST, LONGEST)
        estimate, precision = family.expansion(raw, mode)
    return Rough(estimate, precision, now.tau2, now.level_tau2)


def _plain_variance(estimate: np.ndarray, precision: np.ndarray) -> float:
    says = precision > 0
    noise = float(np.median(1 / precision[says]))
    return max(float(np.var(estimate[says])) - noise, 0.1 * noise)


def _variances(
    estimate: np.ndarray,
    precision: np.ndarray,
    design: np.ndarray,
    codes: np.ndarray,
    total: float,
) -> tuple[float, np.ndarray]:
    """Return the variance between alike groups and between the levels of each factor, by moments.

    Of the groups' totals, and of those of each factor's levels, around the weighted mean.
    """
    from scipy.optimize import nnls

    w = precision / (1 + total * precision)
    rest = w * (estimate - design @ regression(estimate, design, w))
    groups = np.arange(len(w))
    parts = [np.unique(each, return_inverse=True)[1] for each in (groups, *codes)]
    sums = [np.bincount(part, w) for part in parts]
    W, noise = w.sum(), w / (1 + total * precision)  # w^2 / precision
    expected, observed = np.empty((len(parts), len(parts))), np.empty(len(parts))
    for f, part in enumerate(parts):
        own = float(sums[f] @ sums[f])
        of_noise = noise @ (1 - 2 * sums[f][part] / W + own / W**2)
        observed[f] = (np.bincount(part, rest) ** 2).sum() - of_noise
        for g, other in enumerate(parts):
            both, place = np.unique(part * len(sums[g]) + other, return_inverse=True)
            shared = np.bincount(place, w)
            a, b = sums[f][both // len(sums[g])], sums[g][both % len(sums[g])]
            expected[f, g] = shared @ (shared - 2 * a * b / W) + own * (sums[g] @ sums[g]) / W**2
    alone = [len(each) == 1 for each in sums]  # a factor of which one level is left says nothing
    expected[alone] = expected[:, alone] = observed[alone] = 0.0
    diagonal = np.diag(expected)[:, None]
    scale = np.where(diagonal > 0, diagonal, 1.0)
    found = nnls(expected / scale, observed / scale[:, 0])[0]
    least = 0.1 * np.array([np.median(1 / s[s > 0]) for s in (precision, *sums[1:])])
    found = found + least
    return float(found[0]), found[1:]


def _centers(now: Rough, design: np.ndarray, codes: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Return where data and factors together put the centers of the groups, (J,)."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import LinearOperator, cg

    v, Z = now.weights, _in_sds(now, design, codes, factor)
    around = float(np.average(now.estimate, weights=v))
    right = Z.T @ (v * (now.estimate - around))
    if len(right) <= DENSE:
        left = (Z.T @ (Z * v[:, None])).toarray() + np.eye(len(right))
        return around + Z @ np.linalg.solve(left, right)
    diagonal = 1 + (Z * Z).T @ v
    left = LinearOperator((len(right),) * 2, matvec=lambda x: x + Z.T @ (v * (Z @ x)))
    found, _ = cg(left, right, rtol=1e-4, maxiter=200, M=sp.diags_array(1 / diagonal))
    return around + Z @ found


def _in_sds(now: Rough, design: np.ndarray, codes: np.ndarray, factor: np.ndarray) -> sp.csr_array:
    """Return what one sd more of each mean, slope and level moves each group by, (J, K + L)."""
    import scipy.sparse as sp

    free = np.full(design.shape[1], WIDE * np.sqrt(now.tau2 + now.level_tau2.sum()))
    unit = np.concatenate([free, np.sqrt(now.level_tau2)[factor]])
    return sp.hstack([sp.csr_array(design), indicators(codes, len(factor))]).tocsr() * unit
