"""The likelihood of standard deviations, of normal approximations of the groups' data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.data.own_estimates import regression
from hierstan.families import FAMILIES
from hierstan.sampling.structure import indicators

LARGEST = 1_000_000  # numbers at a time
WIDE = 100.0  # sd of a flat prior of the mean and the slopes, in ranges of the estimates
UNEVEN = 1e8  # ratio of weights beyond which sums of squares lose what the smaller ones say


class NormalLikelihood:
    """The log likelihood of estimates, normal around all that describes the groups.

    Up to a constant. What the levels of factors add is integrated out by Woodbury's identity.
    Groups that say nothing, such as those with one of two arms, are left out.
    """

    def __init__(self, data: GroupedData, estimate: np.ndarray, precision: np.ndarray) -> None:
        import scipy.sparse as sp

        family, known, axes = FAMILIES[data.family], precision > 0, None
        estimate, variance, design = estimate[known], 1 / precision[known], data.design[known]
        if family.correlated:
            axes, variance = family.axes(data.cells)
            estimate, design = axes @ estimate, axes @ design
        self.estimate, self.variance, self.design = estimate, variance, design
        self.names = data.tau_names
        if data.factors is None:
            return
        entries = data.stan_data()
        levels = indicators(entries["level"][:, known] - 1, entries["L"])
        wide = sp.csr_array(data.design[known] * WIDE * np.ptp(estimate))
        levels, wide = (
            part if axes is None else sp.csr_array(axes @ part) for part in (levels, wide)
        )
        self.columns = sp.hstack([levels, wide]).tocsr()
        self.sizes = list(map(len, data.levels.values()))

    def __call__(self, sds: Mapping[str, float]) -> float:
        """Return it at the standard deviations of groups and levels, by name."""
        levels = np.array([[sds[name] for name in self.names]])
        return float(self.at(np.array([sds["tau"]]), levels)[0])

    def at(self, tau: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Return it at several standard deviations of groups (S,) and of levels (S, factors)."""
        found = np.empty(len(tau))
        for value in np.unique(tau):
            same = tau == value
            found[same] = self._at(float(value), levels[same])
        return found

    def _at(self, tau: float, levels: np.ndarray) -> np.ndarray:
        weights = 1 / (self.variance + tau**2)
        rest = self.estimate - self.design @ regression(self.estimate, self.design, weights)
        total = float(np.log(weights).sum() - (weights * rest**2).sum())
        if not self.names:
            information = (self.design.T * weights) @ self.design
            return np.full(len(levels), 0.5 * (total - float(np.linalg.slogdet(information)[1])))
        if weights.max() > UNEVEN * weights.min():
            return 0.5 * (float(np.log(weights).sum()) + self._rotated(weights, rest, levels))
        weighted = self.columns.T * weights
        squares, products = (weighted @ self.columns).toarray(), weighted @ rest
        scale, found = self._scale(levels), []
        for some in np.array_split(scale, 1 + scale.size * len(products) // LARGEST):
            root = np.linalg.cholesky(
                np.eye(len(products)) + some[:, :, None] * squares * some[:, None, :]
            )
            gained = np.linalg.solve(root, (some * products)[..., None])[..., 0]
            logs = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
            found.append((gained**2).sum(axis=1) - 2 * logs)
        return 0.5 * (total + np.concatenate(found))

    def _rotated(self, weights: np.ndarray, rest: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Return the same by rotations of the rows, the surest first, without sums of squares."""
        order, root = np.argsort(-weights), np.sqrt(weights)[:, None]
        columns = (root * self.columns.toarray())[order]
        seen, (J, K) = (root[:, 0] * rest)[order], columns.shape
        scale, found = self._scale(levels), []
        for some in np.array_split(scale, 1 + len(scale) * (J + K) * K // LARGEST):
            stacked = np.zeros((len(some), J + K, K + 1))
            stacked[:, :J, :K] = columns * some[:, None, :]
            stacked[:, :J, K] = seen
            stacked[:, J:, :K] = np.eye(K)
            ends = np.diagonal(np.linalg.qr(stacked, mode="r"), axis1=1, axis2=2)
            found.append(-(ends[:, K] ** 2) - 2 * np.log(np.abs(ends[:, :K])).sum(axis=1))
        return np.concatenate(found)

    def _scale(self, levels: np.ndarray) -> np.ndarray:
        """Return the sds of what the columns multiply, (S, columns)."""
        scale = np.ones((len(levels), self.columns.shape[1]))
        scale[:, : sum(self.sizes)] = np.repeat(levels, self.sizes, axis=1)
        return scale


class ArmsLikelihood:
    """The log likelihood of estimates of two arms, normal around baselines that go with effects.

    Up to a constant. The means of baselines and effects, and slopes of predictors, have flat priors
    and are integrated out.

    Parameters
    ----------
    design : numpy.ndarray
        Of the mean effect, (J, 1 + K).
    arms : mapping
        Of ``"control"`` and ``"treatment"`` the estimates and their precisions, (J,) each.
    """

    def __init__(
        self, design: np.ndarray, arms: Mapping[str, tuple[np.ndarray, np.ndarray]]
    ) -> None:
        estimate, precision = np.stack([arms["control"], arms["treatment"]], axis=2)
        width = max(float(np.ptp(estimate[precision > 0])), 1 / precision.max() ** 0.5)
        self.estimate, self.design = estimate, design
        self.variance = 1 / np.where(precision > 0, precision, (WIDE * width) ** -2)

    def __call__(self, tau: float, slope: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """Return it at an sd of effects and at slopes and sds of baselines, (S,) each."""
        moves = np.stack([slope, 1 + slope], axis=1)  # of both arms with the effect, (S, 2)
        own = tau**2 * moves[:, :, None] * moves[:, None, :] + spread[:, None, None] ** 2
        known = np.linalg.inv(own[:, None] + self.variance[:, :, None] * np.eye(2))
        S, (J, K) = len(slope), self.design.shape
        X = np.ones((S, J, 2, 1 + K))
        X[..., 1:] = moves[:, None, :, None] * self.design[:, None, :]
        weighed = np.einsum("sjab,sjbp->sjap", known, X)
        information = np.einsum("sjap,sjaq->spq", weighed, X)
        center = np.linalg.solve(
            information, np.einsum("sjap,ja->sp", weighed, self.estimate)[..., None]
        )
        rest = self.estimate - np.einsum("sjap,sp->sja", X, center[..., 0])
        squares = np.einsum("sja,sjab,sjb->s", rest, known, rest)
        determinants = np.linalg.slogdet(known)[1].sum(axis=1) - np.linalg.slogdet(information)[1]
        return np.asarray(0.5 * (determinants - squares))
