"""Ratings whose rows differ by covariates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan.families.adjusted import STEPS, Adjusted, covariates
from hierstan.families.family import Draws
from hierstan.families.ordinal import CUT, Ordinal, centered, columns_of, expanded, slopes_of_rows

ENDS = 0.5  # rows lent to the first and to the last category, as in `Ordinal.raw_estimates`


class OrdinalAdjusted(Adjusted, Ordinal):
    """``P(y > c) = inv_logit(theta + z * gamma - cutpoint[c])``, with cut points around 0."""

    name = "ordinal_adjusted"
    file = "ordinal"
    words = "ratings in ordered categories: cumulative logit; rows adjusted for covariates"
    distribution = "ordinal"
    parameters = ("cutpoint", "gamma")
    parameter_dims = {"cutpoint": "cut", "gamma": "covariate"}
    lower_bounds = {"cutpoint": -np.inf, "gamma": -np.inf}
    checks = {}

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Those of the ratings, moved to where the covariates are average.

        ``shift`` is how far: what a group's rows have of covariates moved them by about as much.
        """
        table = Ordinal.raw_estimates(self, cells, J)
        C, rows = int(cells["C"].iloc[0]), cells["weight"].to_numpy()
        cut = _cut(table)
        offset = covariates(cells) @ self.slopes(cells)[0]
        group, rated = cells["group"].to_numpy(), np.zeros((len(cells), C))
        rated[np.arange(len(cells)), cells["y"].to_numpy(int) - 1] = rows
        n, ends = table["n"].to_numpy(), np.zeros((J, C))
        ends[:, [0, -1]] = ENDS
        mean = np.bincount(group, rows * offset, J) / n
        link = table["link"].to_numpy() - mean
        for _ in range(STEPS):
            slope, curvature = expanded(link[group] + offset, rated, cut)
            more = expanded(link + mean, ends, cut)
            total = np.bincount(group, slope, J) + more[0]
            link = link + np.clip(total / (np.bincount(group, curvature, J) + more[1]), -1, 1)
        of_row = rows * slopes_of_rows(link[group] + offset, cut)
        link_se = 1 / np.sqrt(np.bincount(group, of_row, J) * (n + 1) / n)
        moved = table.assign(link=link, link_se=link_se, shift=table["link"] - link)
        return self.on_scores(moved, np.arange(1.0, C + 1))

    def on_scores(self, table: pd.DataFrame, scores: np.ndarray) -> pd.DataFrame:
        """Return raw estimates with mean scores where the covariates are average."""
        own, at, step = {"cutpoint": _cut(table), "scores": scores}, table["link"].to_numpy(), 1e-4
        below, mean, above = (self.to_response(at + move, own) for move in (-step, 0.0, step))
        slope = (above - below) / (2 * step)
        return table.assign(raw=mean, raw_se=slope * table["link_se"].to_numpy())

    def expansion(self, raw: Draws, mode: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the normal that fits each likelihood, as that of rows with a group's average."""
        estimate, precision = Ordinal.expansion(self, raw, mode + raw["shift"])
        return estimate - raw["shift"], precision

    def expansion_of_rows(self, raw: Draws, mode: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the normal that fits the likelihood of each row."""
        return Ordinal.expansion(self, raw, mode)


# internals ------------------------------------------------------------------------------------


def _cut(table: pd.DataFrame | Draws) -> np.ndarray:
    """Return the cut points that raw estimates were made at."""
    count = sum(str(name).startswith(CUT.format("")) for name in table)
    return np.asarray(centered(columns_of(table, CUT, count)[0]))
