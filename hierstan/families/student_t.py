"""Rows with outliers, Student t around their group's mean."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.families import raw
from hierstan.families.family import NOTHING, Draws, Family, Role
from hierstan.families.normal import Normal
from hierstan.priors import Prior


class StudentT(Family):
    """``y ~ student_t(nu, theta, sigma)``."""

    name = "student_t"
    link = "identity"
    words = "Student t around the group's mean, identity link"
    columns = {"y": "real"}
    takes = {"rows": {"outcome": Role("y", "real")}}
    parameters = ("sigma", "nu")
    known = True
    within = "sigma"
    unbounded = "ties"
    robust = True
    lower_bounds = {"nu": 1.0}
    checks = {"lopsided": ("lognormal|gamma",)}

    def location_scale(self, cells: pd.DataFrame) -> tuple[float, float]:
        """Median of all rows and their median absolute deviation, made comparable to a sd."""
        y = cells["y"].to_numpy()
        location = float(np.median(y))
        scale = 1.4826 * float(np.median(np.abs(y - location)))
        if scale <= 0:
            scale = float(np.std(y, ddof=1)) if len(y) > 1 else 0.0
        return location, scale if scale > 0 else max(abs(location), 1.0)

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return the priors of scale and degrees of freedom within groups."""
        return {"sigma": priors.HalfNormal(scale), "nu": priors.Gamma(2, 0.1)}

    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return means and sample standard deviations."""
        normal = Normal()
        return normal.summarised(normal.collapsed(cells), J)

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Group medians; their standard errors from the pooled median absolute deviation."""
        count = self.sizes(cells, J)
        median, code = raw.medians(cells, J), cells["group"].to_numpy()
        apart = np.abs(cells["y"].to_numpy() - median[code])
        several = apart[count[code] > 1]
        scale = 1.4826 * float(np.median(several)) if (count > 1).any() else 0
        se = (scale or float(np.std(median)) or 1.0) * np.sqrt(np.pi / 2) / np.sqrt(count)
        return raw.table(count, median, se, median, se)

    def totals(
        self, rng: np.random.Generator, rows: np.ndarray, means: np.ndarray, own: Draws
    ) -> np.ndarray:
        """Draw each amount, and add them up."""
        off = [
            np.bincount(np.repeat(np.arange(len(n)), n), rng.standard_t(nu, n.sum()), len(n))
            for n, nu in zip(rows, own["nu"][:, 0], strict=True)
        ]
        return rows * means + own["sigma"] * np.asarray(off)

    def log_lik(self, cells: Draws, theta: np.ndarray, own: Draws = NOTHING) -> np.ndarray:
        """Return the log densities of the rows."""
        from scipy.special import betaln

        sigma, nu = own["sigma"], own["nu"]
        constant = -np.log(sigma) - 0.5 * np.log(nu) - betaln(0.5, nu / 2)
        off = ((cells["y"] - theta) / sigma) ** 2 / nu
        return np.asarray(constant - (nu + 1) / 2 * np.log1p(off))

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """``n (nu + 1) / (sigma^2 (nu + 3))`` (Lange, Little and Taylor 1989)."""
        return weights / own["sigma"] ** 2 * (own["nu"] + 1) / (own["nu"] + 3)
