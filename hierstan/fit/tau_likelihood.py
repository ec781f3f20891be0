"""The likelihood of the standard deviation between groups, with all else integrated out.

At one value of ``tau`` after the other: groups are independent given the mean of the population
(with slopes of predictors, and the family's own parameter if it has one), so that each group's mean
is integrated out alone, in closed form or by an adaptive Gauss-Hermite rule. What is left has few
dimensions: a product of such rules around its mode, or Laplace's approximation where there are more
than two (Tierney and Kadane 1986, doi:10.1080/01621459.1986.10478240). No draws enter it but to say
where to look.
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
from hierstan.fit.nodes import mode_of, nodes_around
from hierstan.priors import Prior
from hierstan.sampling.coordinates import normal_approximation

MOST = 20_000  # groups, above which it takes too long
MANY = 500  # groups, from which what is left is so well known that few nodes do
NODES, FEW_NODES = 15, 5  # in each dimension of what is left
OF_GROUP = 15  # and for a group's mean
STEPS, SETTLED = 25, 0.05  # of Newton's method, and when it ends, in standard deviations
IQR = 1.349  # of a standard normal
LONGEST = 3.0  # standard deviations at a time
SCALES_APART = 0.3  # finite differences
VALUES = 2_000_000  # at a time


@dataclass(frozen=True)
class TauLikelihood:
    """The log likelihood of some values of ``tau``.

    Parameters
    ----------
    data : GroupedData
    priors : mapping of str to Prior
        Those of a partial pooling fit; that of ``tau`` is not asked.
    own : mapping of str to (float, float)
        About where the logarithm of each of the family's own parameters is, and how wide.
    """

    data: GroupedData
    priors: Mapping[str, Prior]
    own: Mapping[str, tuple[float, float]]

    @staticmethod
    def takes(data: GroupedData) -> bool:
        """Whether this can be computed for data."""
        family = FAMILIES[data.family]
        one_mean = not (family.treatment or family.correlated or family.of_group)
        known = family.explicit or (family.marginal and len(family.parameters) < 2)
        return one_mean and known and data.factors is None and len(data.groups) <= MOST

    def __call__(self, tau: np.ndarray) -> np.ndarray:
        """Return it at T values, which may be 0; shape (T,)."""
        center, root = self._start(tau)
        center, root = self._mode(tau, center, root)
        d = center.shape[1]
        half_log_2pi = 0.5 * np.log(2 * np.pi)
        log_root = np.log(np.abs(np.diagonal(root, axis1=1, axis2=2))).sum(axis=1)
        if d > 2:
            return self._at(tau, center) + log_root + d * half_log_2pi
        count = NODES if len(self.data.groups) < MANY else FEW_NODES
        line, weight = np.polynomial.hermite.hermgauss(count)
        grid = np.sqrt(2) * np.stack(np.meshgrid(*[line] * d, indexing="ij"), -1).reshape(-1, d)
        log_weight = (
            np.log(np.stack(np.meshgrid(*[weight] * d, indexing="ij"), -1))
            .reshape(-1, d)
            .sum(axis=1)
        )
        log_weight = log_weight + 0.5 * (grid**2).sum(axis=1) + d * 0.5 * np.log(2)
        points = center[:, None] + grid @ root.swapaxes(1, 2)
        values = self._at(np.repeat(tau, len(grid)), points.reshape(-1, d)).reshape(len(tau), -1)
        terms = values + log_weight
        best = terms.max(axis=1)
        return np.asarray(best + np.log(np.exp(terms - best[:, None]).sum(axis=1)) + log_root)

    # internals ----------------------------------------------------------------------------------

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
        P, d = design.shape[1], design.shape[1] + len(self.own)
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
        for place, (at, width) in enumerate(self.own.values(), P):
            center[:, place], root[:, place, place] = at, width
        return center, root

    def _mode(
        self, tau: np.ndarray, center: np.ndarray, root: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the mode of the rest at each tau, and a root of the covariance there, by Newton.

        Derivatives are finite differences along the columns of the root found before.
        """
        T, d = center.shape
        h = SCALES_APART
        unit = np.eye(d)
        pairs = [(j, k) for j in range(d) for k in range(j)]
        signs = [(1, 1), (-1, -1), (1, -1), (-1, 1)]
        mixed = [a * unit[j] + b * unit[k] for j, k in pairs for a, b in signs]
        shifts = h * np.array([np.zeros(d), *unit, *-unit, *mixed])
        for _ in range(STEPS):
            points = center[:, None] + shifts @ root.swapaxes(1, 2)
            values = self._at(np.repeat(tau, len(shifts)), points.reshape(-1, d)).reshape(T, -1)
            here, ahead, behind = values[:, :1], values[:, 1 : d + 1], values[:, d + 1 : 2 * d + 1]
            slope = (ahead - behind) / (2 * h)
            curvature = np.zeros((T, d, d))
            bend = (2 * here - ahead - behind) / h**2
            curvature[:, range(d), range(d)] = np.clip(bend, 0.04, 25.0)
            for place, (j, k) in enumerate(pairs):
                four = values[:, 2 * d + 1 + 4 * place : 2 * d + 5 + 4 * place]
                across = -(four[:, 0] + four[:, 1] - four[:, 2] - four[:, 3]) / (4 * h**2)
                most = 0.95 * np.sqrt(curvature[:, j, j] * curvature[:, k, k])
                curvature[:, j, k] = curvature[:, k, j] = np.clip(across, -most, most)
            step = np.linalg.solve(curvature, slope[..., None])[..., 0]
            step = np.clip(np.nan_to_num(step), -LONGEST, LONGEST)
            center = center + (root @ step[..., None])[..., 0]
            root = root @ np.linalg.cholesky(np.linalg.inv(curvature))
            if float(np.abs(step).max()) < SETTLED:
                break
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
        own = {name: np.exp(points[:, [P + place]]) for place, name in enumerate(self.own)}
        for place, (name, value) in enumerate(own.items()):
            total = total + self.priors[name].log_density(value[:, 0]) + points[:, P + place]
        center = points[:, :P] @ self._design.T
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if family.marginal:
                value, variance, rest = family.as_normal(cells, own)
                normal = _normal(cells["group"].to_numpy(), value, variance, rest, center, tau)
                return np.asarray(total + normal.sum(axis=1))
            cells, kinds, times = self._kinds
            return np.asarray(total + self._by_nodes(cells, center[:, kinds], kinds, tau) @ times)

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
        self, cells: pd.DataFrame, center: np.ndarray, kinds: np.ndarray, tau: np.ndarray
    ) -> np.ndarray:
        """Return the log likelihood of some groups, (S, K)."""
        family, group = self._family, cells["group"].to_numpy()
        columns, added = family.floats(cells), _adder(group, center.shape[1])
        result, flat = np.empty(center.shape), tau == 0
        result[flat] = added(family.log_lik(columns, center[flat][:, group]))
        center, tau = center[~flat], tau[~flat][:, None]
        if not len(tau):
            return result

        def log_integrand(theta: np.ndarray, rows: np.ndarray) -> np.ndarray:
            log_lik = added(family.log_lik(columns, theta[:, group]))
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
        result[~flat] = found - 0.5 * np.log(2 * np.pi)
        return result


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
