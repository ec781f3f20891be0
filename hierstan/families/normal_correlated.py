"""Estimates with known standard errors, whose errors go together within a study."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from hierstan.families.family import Role
from hierstan.families.normal_known import NormalKnown

ALONE = -1  # the study of an estimate whose error goes with no other


class NormalCorrelated(NormalKnown):
    """``y ~ multi_normal(theta[group], V)``, with `V` known and a block of it for each study.

    A row holds its covariances with the rows of its study in columns ``covariance 0``, …, one for
    each ``place`` in the study, so that what is left of a study needs no other.
    """

    name = "normal_correlated"
    words = "normal with known standard errors, correlated within a study, identity link"
    columns = {"y": "real", "se": "real", "count": "real", "study": "int", "place": "int"}
    vectors = ("covariance",)
    takes = {"correlated": {"estimate": Role("y", "real"), "se": Role("se", "positive")}}
    once = ""
    observation = {"y": 1, "count": 1, "study": ALONE, "place": 0}
    size = ("count",)
    collapses = True
    correlated = True

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return each group's estimate; of several, the best linear unbiased one."""
        found = super().raw_estimates(cells, J)
        return found.assign(n=self.sizes(cells, J))

    def collapsed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Reduce the estimates of each group to their generalised least squares estimate.

        With ``W`` its covariance between groups, the likelihood of the group means is that of
        ``multi_normal(theta, W)``.
        """
        if not rows["group"].duplicated().any():
            return self.typed(rows.sort_values("group"))
        parts = []
        for study, (member, V) in enumerate(self.components(rows)):
            part = rows.iloc[member]
            groups, of = np.unique(part["group"], return_inverse=True)
            Z = np.eye(len(groups))[of]
            weighted = np.linalg.solve(V, Z)
            W = np.linalg.inv(Z.T @ weighted)
            W = (W + W.T) / 2
            estimate = W @ weighted.T @ part["y"].to_numpy()
            table = {"group": groups, "y": estimate, "se": np.sqrt(np.diag(W))}
            table |= {"count": Z.T @ part["count"].to_numpy(), "study": study}
            table |= {"place": np.arange(len(groups))} | covariance_columns(W)
            parts.append(pd.DataFrame(table))
        return self.typed(pd.concat(parts).fillna(0.0).sort_values("group"))

    def components(self, rows: pd.DataFrame) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield positions and covariance of rows that share studies or groups, directly or not."""
        from scipy import sparse

        N, group = len(rows), rows["group"].to_numpy()
        pairs, values = [np.empty((0, 2), int)], [np.empty(0)]
        for index, V in self.blocks(rows):
            i, j = np.broadcast_arrays(index[:, :, None], index[:, None, :])
            pairs.append(np.column_stack([i.ravel(), j.ravel()]))
            values.append(V.ravel())
        i, j = np.vstack(pairs).T
        V = sparse.csr_matrix((np.concatenate(values), (i, j)), shape=(N, N))
        i, j = np.append(i, np.arange(N)), np.append(j, N + group)
        size = N + int(group.max()) + 1
        linked = sparse.coo_matrix((np.ones(len(i)), (i, j)), shape=(size, size))
        label = sparse.csgraph.connected_components(linked, directed=False)[1][:N]
        order = np.argsort(label, kind="stable")
        for member in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
            yield member, V[member][:, member].toarray()

    def axes(self, cells: pd.DataFrame) -> tuple[Any, np.ndarray]:
        """Return the matrix (J, J) to where errors are independent, and their variances there."""
        from scipy import sparse

        read = self.entries(cells)
        N, M = read["to_axes"].shape
        place = (np.repeat(np.arange(N), M), read["other"].ravel() - 1)
        return sparse.csr_matrix((read["to_axes"].ravel(), place), (N, N)), read["variance"]

    def blocks(self, cells: pd.DataFrame) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the studies of each size m: positions of their rows, (B, m), and V, (B, m, m)."""
        study, place = cells["study"].to_numpy(), cells["place"].to_numpy()
        names = [name for name in cells if str(name).split()[0] in self.vectors]
        covariance = cells[names].to_numpy(float)
        alone = np.flatnonzero(study == ALONE)
        if alone.size:
            yield alone[:, None], cells["se"].to_numpy()[alone, None, None] ** 2
        order = np.argsort(study, kind="stable")[alone.size :]
        _, first, size = np.unique(study[order], return_index=True, return_counts=True)
        for m in np.unique(size):
            index = order[first[size == m][:, None] + np.arange(m)]
            yield index, covariance[index[:, :, None], place[index][:, None, :]]

    def entries(self, cells: pd.DataFrame) -> dict[str, Any]:
        """Return the estimates, and V in the two forms that the programs read.

        As regressions of each error on those above it in its study, and by the axes (eigenvectors)
        of each study's block.
        """
        N, blocks = len(cells), list(self.blocks(cells))
        M = max((index.shape[1] for index, _ in blocks), default=1)
        own = np.tile(np.arange(1, N + 1, dtype=np.int32)[:, None], M)
        found: dict[str, Any] = {"W": M, "above": own.copy(), "other": own}
        found |= {name: np.zeros((N, M)) for name in ("weight", "to_axes", "from_axes")}
        found |= {"own_se": np.zeros(N), "variance": np.zeros(N)}
        for index, V in blocks:
            m = index.shape[1]
            root = np.linalg.cholesky(V)
            own_se = np.diagonal(root, axis1=1, axis2=2)
            found["own_se"][index] = own_se
            found["weight"][index, :m] = -np.tril(own_se[:, :, None] * np.linalg.inv(root), -1)
            lower = np.tril(np.ones((m, m), dtype=bool), -1)
            every = np.broadcast_to(index[:, None, :] + 1, V.shape)
            found["above"][index, :m] = np.where(lower, every, index[:, :, None] + 1)
            found["other"][index, :m] = every
            found["variance"][index], axes = np.linalg.eigh(V)
            found["from_axes"][index, :m] = axes
            found["to_axes"][index, :m] = np.swapaxes(axes, 1, 2)
        return {"y": cells["y"].to_numpy(float), **found}

    def deviations(
        self, cells: pd.DataFrame, noise: np.ndarray, sd: np.ndarray, spread: np.ndarray
    ) -> np.ndarray:
        """Return how far theta is from its mean given all else, which goes together in a study."""
        found = np.empty_like(noise)
        for index, V in self.blocks(cells):
            variance, axes = np.linalg.eigh(V)
            s = spread[:, None, None]
            along = noise[:, index] * s * np.sqrt(variance / (s**2 + variance))
            found[:, index] = np.einsum("bnk,sbk->sbn", axes, along)
        return found


def covariance_columns(V: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns that hold the covariance of the rows of a study."""
    return {f"covariance {k}": column for k, column in enumerate(V.T)}
