"""The likelihood of the standard deviation between groups, with all else integrated out.

At one value of ``tau`` after the other: groups are independent given the mean of the population
(with slopes of predictors, and the family's own parameter if it has one), so that each group's mean
is integrated out alone, in closed form or by an adaptive Gauss-Hermite rule. What is left has few
dimensions: see `hierstan.fit.integrals`. No draws enter it but to say where to look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.families.family import Family
from hierstan.fit.integrals import log_integrals
from hierstan.fit.nodes import mode_of, nodes_around
from hierstan.fit.own_coordinates import log_prior, parameters
from hierstan.priors import Prior
from hierstan.sampling.approximation import normal_approximation

MOST = 20_000  # groups, above which it takes too long
MANY = 500  # groups, from which what is left is so well known that few nodes do
NODES, FEW_NODES = 15, 5  # in each dimension of what is left
OTHERS = (1, 3, 5, 7, 9, 11, 15)  # in more, or where likelihoods take long: the most that is quick
MOST_POINTS = 12_000  # of all dimensions together, times rows
WIDE, ENOUGH = 1.5, 9  # the log of an sd of logs has a long tail, which so many nodes reach
OF_GROUP = 15  # and for a group's mean
IQR = 1.349  # of a standard normal
VALUES = 2_000_000  # at a time
ROOT = 0.5 * np.log(2 * np.pi)


@dataclass(frozen=True)
class TauLikelihood:
    """The log likelihood of some values of ``tau``.

    Parameters
    ----------
    data : GroupedData
    priors : mapping of str to Prior
        Those of a partial pooling fit; that of ``tau`` is not asked.
    own : tuple of numpy.ndarray
        About where the family's own parameters are, as `own_coordinates`, and how wide; (D,) each.
    """

    data: GroupedData
    priors: Mapping[str, Prior]
    own: tuple[np.ndarray, np.ndarray] = (np.zeros(0), np.zeros(0))

    @staticmethod
    def takes(data: GroupedData) -> bool:
        """Whether this can be computed for data."""
        family = FAMILIES[data.family]
        one_mean = not (family.treatment or family.correlated)
        known = family.known or family.marginal
        return one_mean and known and data.factors is None and len(data.groups) <= MOST

    def __call__(self, tau: np.ndarray) -> np.ndarray:
        """Return it at T values, which may be 0; shape (T,)."""
        center, root = self._start(tau)

        def log_density(points: np.ndarray) -> np.ndarray:
            T, K, d = points.shape
            return self._at(np.repeat(tau, K), points.reshape(-1, d)).reshape(T, K)

        count = self._nodes(center.shape[1])
        wide = WIDE if self._family.of_group and count >= ENOUGH else 1.0
        return log_integrals(log_density, center, root, count, wide)

    # internals ----------------------------------------------------------------------------------

    def _nodes(self, d: int) -> int:
        """Return how many nodes each of d dimensions gets; with one it is Laplace's method."""
        no_more = self._family.known and not self._family.parameters
        if (no_more or self._family.marginal) and d <= 2:
            return FEW_NODES if len(self.data.groups) >= MANY else NODES
        rows = len(self.data.cells)
        return max(count for count in OTHERS if count == 1 or rows * count**d <= MOST_POINTS)

    @cached_property
    def _family(self) -> Family:
        return FAMILIES[self.data.family]

    @cached_property
    def _design(self) -> np.ndarray:
        return self.data.design

    @cached_property
    def _about(self) -> tuple[np.ndarray, np.ndarray]:
        return normal_approximation(self.data)

    def _start(self, tau: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return about where the rest is at each tau, (T, d), and roots of its covariance."""
        (estimate, precision), design = self._about, self._design
        P, d = design.shape[1], design.shape[1] + len(self.own[0])
        center, root = np.empty((len(tau), d)), np.zeros((len(tau), d, d))
        before = [self.priors[name] for name in ("mu", *["beta"] * (P - 1))]
        low, middle, high = np.array([prior.quantile([0.25, 0.5, 0.75]) for prior in before]).T
        known = (IQR / (high - low)) ** 2
        for t, one in enumerate(tau):
            weights = precision / (1 + one**2 * precision)
            information = (design.T * weights) @ design + np.diag(known)
            pull = design.T @ (weights * estimate) + known * middle
            center[t, :P] = np.linalg.solve(information, pull)
            root[t, :P, :P] = np.linalg.cholesky(np.linalg.inv(information))
        for place, (at, width) in enumerate(zip(*self.own, strict=True), P):
            center[:, place], root[:, place, place] = at, width
        return center, root

    def _at(self, tau: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Return log prior plus log likelihood with group means integrated out, (S,)."""
        size = max(1, VALUES // max(len(self.data.groups), len(self.data.cells)))
        parts = [
            self._some(tau[first : first + size], points[first : first + size])
            for first in range(0, len(tau), size)
        ]
        found = np.concatenate(parts)
        return np.where(np.isnan(found), -np.inf, found)

    def _some(self, tau: np.ndarray, points: np.ndarray) -> np.ndarray:
        family, cells, P = self._family, self.data.cells, self._design.shape[1]
        total = self.priors["mu"].log_density(points[:, 0])
        if P > 1:
            total = total + self.priors["beta"].log_density(points[:, 1:P]).sum(axis=1)
        own, log_volume = parameters(family, self._sizes, points[:, P:])
        total = total + log_volume + log_prior(family, self.priors, own)
        center = points[:, :P] @ self._design.T
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if family.of_group:
                return np.asarray(total + self._by_own(center, own, tau).sum(axis=1))
            if family.marginal:
                value, variance, rest = family.as_normal(cells, own)
                normal = _normal(cells["group"].to_numpy(), value, variance, rest, center, tau)
                return np.asarray(total + normal.sum(axis=1))
            cells, kinds, times = self._kinds
            return np.asarray(
                total + self._by_nodes(cells, center[:, kinds], kinds, tau, own) @ times
            )

    @cached_property
    def _sizes(self) -> dict[str, int]:
        return self._family.sizes_of(self.data.cells)

    @cached_property
    def _kinds(self) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        """Return the cells of the first group of each kind, its place, and how many are alike."""
        cells, J = self.data.cells, len(self.data.groups)
        if len(cells) > J:
            return cells, np.arange(J), np.ones(J)
        table = np.column_stack([cells[list(self._family.columns)].to_numpy(float), self._design])
        _, first, times = np.unique(table, axis=0, return_index=True, return_counts=True)
        return cells.iloc[first].assign(group=np.arange(len(first))), first, times.astype(float)

    def _by_nodes(
        self,
        cells: pd.DataFrame,
        center: np.ndarray,
        kinds: np.ndarray,
        tau: np.ndarray,
        own: Mapping[str, np.ndarray],
    ) -> np.ndarray:
        """Return the log likelihood of some groups, (S, K)."""
        family, group = self._family, cells["group"].to_numpy()
        columns, added = family.floats(cells), _adder(group, center.shape[1])
        result, flat = np.empty(center.shape), tau == 0

        def own_of(some: np.ndarray) -> dict[str, np.ndarray]:
            return {name: values[some] for name, values in own.items()}

        result[flat] = added(family.log_lik(columns, center[flat][:, group], own_of(flat)))
        center, tau, own = center[~flat], tau[~flat][:, None], own_of(~flat)
        if not len(tau):
            return result

        def log_integrand(theta: np.ndarray, rows: np.ndarray) -> np.ndarray:
            log_lik = added(family.log_lik(columns, theta[:, group], own_of(rows)))
            apart = (theta - center[rows]) / tau[rows]
            return np.asarray(log_lik - 0.5 * apart**2 - np.log(tau[rows]))

        estimate, precision = (values[kinds] for values in self._about)
        share = tau**2 * precision / (1 + tau**2 * precision)
        theta, scale = mode_of(
            log_integrand, center + share * (estimate - center), tau * np.sqrt(1 - share)
        )
        found, every = np.full(theta.shape, -np.inf), np.arange(len(theta))
        for at, log_weight in nodes_around(theta, scale, OF_GROUP):
            found = np.logaddexp(found, log_integrand(at, every) + log_weight)
        result[~flat] = found - ROOT
        return result

    def _by_own(
        self, center: np.ndarray, own: Mapping[str, np.ndarray], tau: np.ndarray
    ) -> np.ndarray:
        """Return it with what each group has of its own integrated out, (S, J).

        Given that, groups are normal, and their means are integrated out in closed form.
        """
        family, cells = self._family, self.data.cells
        middle, sd = family.log_population(own)
        estimate, precision = family.log_of_group(cells, center.shape[1], own)

        def log_integrand(log: np.ndarray, rows: np.ndarray) -> np.ndarray:
            given = {name: values[rows] for name, values in own.items()}
            value, variance, rest = family.as_normal(cells, {**given, family.of_group: np.exp(log)})
            total = variance + tau[rows][:, None] ** 2
            normal = np.log(total) + (value - center[rows]) ** 2 / total
            apart = (log - middle[rows]) / sd[rows]
            found = rest - 0.5 * (normal + apart**2) - np.log(sd[rows])
            return np.where(np.isfinite(found), found, -np.inf)

        known = precision + sd**-2
        start = (precision * estimate + middle * sd**-2) / known
        log, scale = mode_of(log_integrand, start, 1 / np.sqrt(known))
        found, every = np.full(center.shape, -np.inf), np.arange(len(center))
        for place, log_weight in nodes_around(log, scale, OF_GROUP):
            found = np.logaddexp(found, log_integrand(place, every) + log_weight)
        return found - 2 * ROOT


# internals ------------------------------------------------------------------------------------


def _adder(group: np.ndarray, J: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that adds up the cells of each group, (S, N) to (S, J)."""
    if len(group) == J and (group == np.arange(J)).all():
        return lambda values: values
    from scipy import sparse

    N = len(group)
    matrix = sparse.csr_matrix((np.ones(N), (group, np.arange(N))), shape=(J, N))
    return lambda values: np.asarray((matrix @ values.T).T)


def _normal(
    group: np.ndarray,
    value: np.ndarray,
    variance: np.ndarray,
    rest: np.ndarray,
    center: np.ndarray,
    tau: np.ndarray,
) -> np.ndarray:
    """Return the same in closed form, (S, J)."""
    member = _adder(group, center.shape[1])
    weight = np.broadcast_to(1 / variance, (len(center), len(group)))
    off = value - center[:, group]
    total, pull = member(weight), member(weight * off)
    mean = pull / total
    within = member(rest + 0.5 * np.log(weight) - 0.5 * weight * (off - mean[:, group]) ** 2)
    spread = tau[:, None] ** 2 * total
    return np.asarray(within - 0.5 * (np.log1p(spread) + mean**2 * total / (1 + spread)))
