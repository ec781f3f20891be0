"""Normal rows that differ by covariates: the analysis of covariance."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd

from hierstan.families import collapse, raw
from hierstan.families.adjusted import Adjusted, covariates
from hierstan.families.collapse import Frame
from hierstan.families.family import Draws
from hierstan.families.normal import Normal

LOG_2PI = np.log(2 * np.pi)


class NormalAdjusted(Adjusted, Normal):
    """``y ~ normal(theta + z * gamma, sigma)``.

    Rows collapse whatever their covariates: to the means of `y` and `z` in each group, and to the
    sums of squares and products of what is left.
    """

    name = "normal_adjusted"
    words = "normal around the group's mean, identity link; rows adjusted for covariates"
    distribution = "normal"
    vectors = ("z", "zy", "zz")
    parameters: ClassVar[tuple[str, ...]] = ("sigma", "gamma")
    lower_bounds = {"gamma": -np.inf}
    additive = False
    checks = {"below": (), "tails": (), "unequal": ()}

    def collapse(self, frame: Frame) -> Frame:
        """Count, means, squares and products of deviations of the rows of each group."""
        names = frame.collect_schema().names()
        return collapse.products(frame, ["y", *(name for name in names if name.split()[0] == "z")])

    def finished(self, found: pd.DataFrame) -> pd.DataFrame:
        """Name them as the Stan program does."""
        names = [
            str(name).removeprefix("mean__") for name in found if str(name).startswith("mean__")
        ]
        K = len(names)
        pairs = [[f"{names[min(i, k)]}__{names[max(i, k)]}" for k in range(K)] for i in range(K)]
        products = np.stack([found[of].to_numpy(float) for of in pairs], axis=1)
        means = found[[f"mean__{name}" for name in names]].to_numpy(float)
        return self._named(found[["group", "count"]], means, products).sort_values(
            "group", ignore_index=True
        )

    def without_each(self, rows: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return what is left of the group of each row without it."""
        values = np.column_stack([rows["y"].to_numpy(), covariates(rows)])
        count, means, products = raw.without_each(rows["group"].to_numpy(), values, J)
        return self._named(rows[["group"]].assign(count=count), means, products)

    def _named(self, of: pd.DataFrame, means: np.ndarray, products: np.ndarray) -> pd.DataFrame:
        """Lay out means (N, 1 + C) of `y` and `z`, and sums of products (N, 1 + C, 1 + C)."""
        C = means.shape[1] - 1
        table = {"y": means[:, 0], "squares": np.maximum(products[:, 0, 0], 0.0)}
        table |= {f"z {k}": means[:, 1 + k] for k in range(C)}
        table |= {f"zy {k}": products[:, 0, 1 + k] for k in range(C)}
        pairs = [(k, m) for k in range(C) for m in range(C)]
        table |= {f"zz {i}": products[:, 1 + k, 1 + m] for i, (k, m) in enumerate(pairs)}
        return self.typed(of.assign(**table))

    def single(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Write observations as cells of one row each."""
        C = covariates(rows).shape[1]
        zero = {f"zy {k}": 0.0 for k in range(C)} | {f"zz {i}": 0.0 for i in range(C**2)}
        return super().single(rows.assign(**zero))

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Means where the covariates are average; errors from what is left within all groups."""
        slopes = self.slopes(cells)[0]
        return super(Adjusted, self).raw_estimates(self.without_covariates(cells, slopes), J)

    def without_covariates(self, cells: pd.DataFrame, slopes: np.ndarray) -> pd.DataFrame:
        """Return the cells of the rows less what their covariates say."""
        y = cells["y"].to_numpy() - covariates(cells) @ slopes
        left = self._left(cells, slopes[None, None])[0]
        return cells.assign(y=y, squares=np.maximum(left, 0.0))

    def slopes(self, cells: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return the least squares slopes within groups, (C,), and their standard errors."""
        z, y = covariates(cells), cells["y"].to_numpy()
        group, count = cells["group"].to_numpy(), cells["count"].to_numpy()
        C = z.shape[1]
        total = np.bincount(group, count)
        both = np.column_stack([z, y - y[0]])
        means = np.column_stack([np.bincount(group, count * v) for v in both.T])
        apart = both - (means / np.maximum(total, 1e-300)[:, None])[group]
        products = (apart.T * count) @ apart
        zz = products[:C, :C] + self._sums(cells, "zz", C * C).reshape(C, C)
        zy = products[:C, C] + self._sums(cells, "zy", C)
        yy = products[C, C] + cells["squares"].sum()
        size = np.trace(zz) / C
        zz = zz + np.eye(C) * (1e-9 * size if size > 0 else 1.0)
        slopes = np.linalg.solve(zz, zy)
        freedom = max(float(count.sum()) - len(total[total > 0]) - C, 1.0)
        variance = max(float(yy - slopes @ zy), 1e-12 * float(yy)) / freedom
        return slopes, np.sqrt(variance * np.diag(np.linalg.inv(zz)))

    def covariate_products(
        self, cells: pd.DataFrame, within: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Add up the products of the rows behind the cells, too."""
        between, squares = super().covariate_products(cells, within)
        C = len(squares)
        zz = self._sums(cells, "zz", C * C).reshape(C, C)
        return between + zz, squares + np.diag(zz)

    def as_normal(
        self, cells: pd.DataFrame, own: Draws
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return means of rows less what their covariates say, of which `count` stand behind."""
        count, sigma = cells["count"].to_numpy(), own["sigma"]
        value = cells["y"].to_numpy() - own["gamma"][:, 0] @ covariates(cells).T
        rest = -(count - 1) * (np.log(sigma) + 0.5 * LOG_2PI) - 0.5 * np.log(count)
        return value, sigma**2 / count, rest - self._left(cells, own["gamma"]) / (2 * sigma**2)

    def _left(self, cells: pd.DataFrame, gamma: np.ndarray) -> np.ndarray:
        """Return sums of squares around what the covariates say, (S, N), for slopes (S, 1, C)."""
        slopes = gamma[:, 0]
        C = slopes.shape[1]
        zy = cells[[f"zy {k}" for k in range(C)]].to_numpy(float)
        zz = cells[[f"zz {i}" for i in range(C * C)]].to_numpy(float)
        squared = (slopes[:, :, None] * slopes[:, None, :]).reshape(len(slopes), -1)
        return np.asarray(cells["squares"].to_numpy() - 2 * slopes @ zy.T + squared @ zz.T)

    @staticmethod
    def _sums(cells: pd.DataFrame, name: str, size: int) -> np.ndarray:
        return cells[[f"{name} {k}" for k in range(size)]].to_numpy(float).sum(axis=0)
