"""Coordinates of mu, beta and the levels of factors together, as data of the programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.priors import Prior
from hierstan.sampling.structure import Rough, indicators, level_of_groups

QUARTILES = 1.349  # of a standard normal are so far apart
TOGETHER = 20  # of mu, beta and the levels are all near
MOST = 100  # near ones, whose matrix is factored at each step
EXACT = 20_000  # groups times near ones squared: what they say is summed at each step
SOLVED = 1500  # far ones of several factors that are eliminated at once
MIXED = 600  # and that are measured together: a matrix of them is data of the program


Entries = dict[str, np.ndarray | float]  # of what a program reads, by name


class AsNormal(NamedTuple):
    """A normal distribution that is about as wide as a prior, and where it is."""

    location: float
    scale: float


def as_normal(prior: Prior) -> AsNormal:
    """Return the normal distribution with a prior's quartiles."""
    low, middle, high = prior.quantile(np.array([0.25, 0.5, 0.75]))
    return AsNormal(float(middle), float(high - low) / QUARTILES)


def joint(
    data: GroupedData,
    found: Rough,
    priors: Mapping[str, Prior],
    dispersed: tuple[np.ndarray, np.ndarray],
    *,
    prior_only: bool,
) -> Entries:
    """Return what ``sampling/structured_pooling.stan`` measures ``mu``, ``beta`` and ``u`` from.

    Given the sds, a normal approximation to the likelihoods makes these jointly normal, with the
    group means integrated out. With few groups, what they say is weighted anew at each value of
    ``tau``; with many, they are summed here at a plausible one, and only the total follows
    ``tau``. Levels of factors with many are far: they are measured given the near ones, those of
    several factors in directions that do not move together at plausible sds.

    Parameters
    ----------
    data : GroupedData
    found : Rough
    priors : mapping of str to Prior
    dispersed : tuple of numpy.ndarray
        How precise each group's estimate is for an endless ``phi``, and what ``1 / phi`` adds to
        its variance, (J,) each.
    prior_only : bool
        Whether the outcomes are ignored.
    """
    design, factor = data.design, level_of_groups(data)[1]
    K, L = design.shape[1], len(factor)
    prior = np.array([as_normal(priors[name]) for name in ("mu", *["beta"] * (K - 1))])
    far = _far(factor, K)
    seen = _Seen(data, found, prior, far, dispersed, prior_only)
    order = np.concatenate([np.flatnonzero(~far), np.flatnonzero(far)])
    place = np.empty(L, dtype=int)
    place[order] = np.arange(L)
    return {
        **(seen.by_group() if seen.few else seen.summed()),
        "prior_middle": np.concatenate([prior[:, 0], np.zeros(L)]),
        "prior_width": prior[:, 1],
        "factor_of": (factor[order] + 1).astype(np.int32),
        "place": np.concatenate([np.arange(K), K + place]).astype(np.int32) + 1,
    }


# internals ------------------------------------------------------------------------------------


def _far(factor: np.ndarray, K: int) -> np.ndarray:
    """Return which levels are far: those of the factors with most, until few enough are left."""
    sizes = np.bincount(factor)
    near = np.ones(len(sizes), dtype=bool)
    left = K + len(factor)
    for largest in np.argsort(-sizes, kind="stable"):
        if left <= (TOGETHER if near.all() else MOST):
            break
        near[largest] = False
        left -= sizes[largest]
    return ~near[factor]


class _Seen:
    """What the groups say of the near and the far ones."""

    def __init__(
        self,
        data: GroupedData,
        found: Rough,
        prior: np.ndarray,
        far: np.ndarray,
        dispersed: tuple[np.ndarray, np.ndarray],
        prior_only: bool,
    ) -> None:
        import scipy.sparse as sp

        codes, factor = level_of_groups(data)
        levels = indicators(codes, len(factor))
        self._near = sp.hstack([sp.csr_array(data.design), levels[:, ~far]]).tocsr()
        self._levels, self._factor = levels[:, far], factor[far]
        self._found, self._dispersed = found, dispersed
        self._v = np.zeros_like(found.weights) if prior_only else found.weights
        self._rest = found.estimate - data.design @ prior[:, 0]
        sds = np.sqrt(found.level_tau2)[factor[~far]]
        self._unit = np.concatenate([prior[:, 1], sds])
        J, P = self._near.shape
        self.few = not far.any() and J * P**2 <= EXACT

    def by_group(self) -> Entries:
        """Return it group by group."""
        import scipy.sparse as sp

        near = self._near.toarray()
        return {
            **self._sizes(len(near)),
            "near_information": np.einsum("jp,jq,j->pqj", near, near, self._v).reshape(
                -1, len(near)
            ),
            "near_pull": (near * (self._v * self._rest)[:, None]).T,
            **self._noise("near", sp.eye_array(len(near)), self._v),
            **self._of_far(),
        }

    def summed(self) -> Entries:
        """Return it of all groups together."""
        v = self._v
        weighted = self._near * v[:, None]
        information = (self._near.T @ weighted).toarray()
        pull = weighted.T @ self._rest
        if self._levels.shape[1]:
            shared = (self._levels.T @ weighted).toarray()
            solved = self._eliminated(np.column_stack([shared, self._levels.T @ (v * self._rest)]))
            information -= shared.T @ solved[:, :-1]
            pull -= shared.T @ solved[:, -1]
        scaled = information * np.outer(self._unit, self._unit)
        values, vectors = np.linalg.eigh((scaled + scaled.T) / 2)
        says = vectors[:, values > 1e-10 * max(float(values.max()), 1e-300)]
        values = np.maximum(values, 0.0)
        return {
            **self._sizes(1),
            "near_information": (
                (vectors * values) @ vectors.T / np.outer(self._unit, self._unit)
            ).reshape(-1, 1),
            "near_pull": (says @ (says.T @ (self._unit * pull)) / self._unit)[:, None],
            **self._noise("near", np.ones((1, len(v))), v),
            **self._of_far(),
        }

    def _sizes(self, parts: int) -> dict[str, int]:
        return {"P": self._near.shape[1], "E": self._levels.shape[1], "M": parts}

    def _eliminated(self, right: np.ndarray) -> np.ndarray:
        """Solve the equations of the far ones."""
        from scipy.sparse.linalg import LinearOperator, cg

        levels, v = self._levels, self._v
        ridge = 1 / self._found.level_tau2[self._factor]
        diagonal = levels.T @ v + ridge
        if len(set(self._factor)) == 1:
            return np.asarray(right / diagonal[:, None])
        if len(ridge) <= SOLVED:
            left = (levels.T @ (levels * v[:, None])).toarray() + np.diag(ridge)
            return np.linalg.solve(left, right)
        left = LinearOperator(
            (len(ridge),) * 2, matvec=lambda x: ridge * x + levels.T @ (v * (levels @ x))
        )
        inverse = LinearOperator((len(ridge),) * 2, matvec=lambda x: x / diagonal)
        return np.column_stack(
            [cg(left, each, rtol=1e-6, maxiter=300, M=inverse)[0] for each in right.T]
        )

    def _of_far(self) -> Entries:
        """Return what the groups say of the far ones, of one factor after the other."""
        present = sorted(set(self._factor)) or [0]  # without any, arrays of none
        mixed = len(present) > 1 and len(self._factor) <= MIXED
        said = [self._of_factor(each, [] if mixed else present) for each in present]
        together = self._together() if mixed else np.zeros((0, 0))
        return {
            "X": len(together),
            "together": together,
            **{name: np.concatenate([each[name] for each in said]) for name in said[0]},
        }

    def _of_factor(self, factor: int, noisy: list[int]) -> dict[str, np.ndarray]:
        """Return what they say of each of its levels, those of other `noisy` factors as noise."""
        variances = self._found.level_tau2
        others = sum(float(variances[other]) for other in noisy if other != factor)
        v = self._v / (1 + others * self._v)
        levels = self._levels[:, self._factor == factor]
        total = levels.T @ v
        divided = np.where(total > 0, total, 1.0)
        return {
            "far": (levels.T @ (self._near * v[:, None])).toarray() / divided[:, None],
            "far_mean": (levels.T @ (v * self._rest)) / divided,
            "far_weight": total,
            **self._noise("far", levels.T, v, others),
        }

    def _together(self) -> np.ndarray:
        """Return how the far ones go together, given the near ones and plausible sds, (E, E).

        A root of their covariance, in the units that each has on its own.
        """
        units = np.sqrt(self._found.level_tau2)[self._factor]
        levels = self._levels * units
        precision = (levels.T @ (levels * self._v[:, None])).toarray() + np.eye(len(units))
        own = np.sqrt(np.diag(precision))
        root = np.linalg.cholesky(precision / np.outer(own, own))
        return np.asarray(np.linalg.inv(root).T)

    def _noise(
        self, of: str, parts: Any, weights: np.ndarray, others: float = 0.0
    ) -> dict[str, np.ndarray]:
        """Return what the variance of what parts of the groups say is made of, 1 in all.

        The share that grows with ``tau^2``, and noise: at the precisions, for an endless ``phi``,
        and what ``1 / phi`` adds to that.
        """
        total = parts @ weights
        says = total > 0
        most, added = self._dispersed

        def averaged(variance: np.ndarray) -> np.ndarray:
            squares = np.where(weights > 0, weights**2 * variance, 0.0)
            return np.where(says, parts @ squares / np.where(says, total, 1.0), 0.0)

        with np.errstate(divide="ignore", invalid="ignore"):
            noise, least = (averaged(1 / known + others) for known in (self._found.precision, most))
        return {
            f"{of}_noise": np.where(says, noise, 1.0),
            f"{of}_noise_least": np.where(says, least, 1.0),
            f"{of}_noise_added": averaged(added),
            f"{of}_share": averaged(np.ones_like(weights)),
        }
