"""The likelihood of standard deviations, of normal approximations of the groups' data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.data.own_estimates import regression
from hierstan.families import FAMILIES
from hierstan.sampling.structure import indicators

WIDE = 100.0  # sd of a flat prior of the mean and the slopes, in ranges of the estimates


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
        self.levels, self.wide = (
            part if axes is None else sp.csr_array(axes @ part) for part in (levels, wide)
        )
        self.sizes = list(map(len, data.levels.values()))

    def __call__(self, sds: Mapping[str, float]) -> float:
        """Return it at the standard deviations of groups and levels, by name."""
        import scipy.sparse as sp

        weights = 1 / (self.variance + sds["tau"] ** 2)
        rest = self.estimate - self.design @ regression(self.estimate, self.design, weights)
        total = float(np.log(weights).sum() - (weights * rest**2).sum())
        if not self.names:
            information = (self.design.T * weights) @ self.design
            return 0.5 * (total - float(np.linalg.slogdet(information)[1]))
        scale = np.repeat([sds[name] for name in self.names], self.sizes)
        columns = sp.hstack([self.levels * scale, self.wide]).tocsr()
        weighted = columns.T * weights
        root = np.linalg.cholesky(np.eye(columns.shape[1]) + (weighted @ columns).toarray())
        gained = np.linalg.solve(root, weighted @ rest)
        return 0.5 * (total + float(gained @ gained) - 2 * float(np.log(np.diag(root)).sum()))
