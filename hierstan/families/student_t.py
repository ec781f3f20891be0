"""Rows with outliers, Student t around their group's mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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

    def starts(
        self, typical: Mapping[str, Prior], rng: np.random.Generator, cells: pd.DataFrame
    ) -> dict[str, Any]:
        """Return where a chain may start: twice as far from a guess as the posterior reaches."""
        found = _scale_and_tails(cells)
        if found is None:
            return super().starts(typical, rng, cells)
        off = np.exp(2 * np.sqrt(_log_variances(found[1], len(cells))) * rng.uniform(-1, 1, 2))
        return {"sigma": found[0] * off[0], "nu": 1 + (found[1] - 1) * off[1]}

    def log_variances(self, cells: pd.DataFrame) -> dict[str, float]:
        """Return those of ``sigma`` and of ``nu - 1``."""
        found = _scale_and_tails(cells)
        if found is None:
            return {}
        return dict(zip(("sigma", "nu"), _log_variances(found[1], len(cells)), strict=True))

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


# internals ------------------------------------------------------------------------------------


def _scale_and_tails(cells: pd.DataFrame) -> tuple[float, float] | None:
    """Guess ``sigma`` and ``nu`` from how far half and most of the rows are from their medians."""
    from scipy.special import stdtrit

    code = cells["group"].to_numpy()
    count = np.bincount(code)
    apart = np.abs(cells["y"].to_numpy() - raw.medians(cells, len(count))[code])[count[code] > 2]
    half, most = np.quantile(apart, [0.5, 0.95]) if len(apart) else (0.0, 0.0)
    if half <= 0:
        return None
    nu = np.geomspace(1.5, 100, 200)
    found = float(np.interp(-most / half, -stdtrit(nu, 0.975) / stdtrit(nu, 0.75), nu))
    return float(half / stdtrit(found, 0.75)), found


def _log_variances(nu: float, rows: int) -> np.ndarray:
    """Return variances of ``log(sigma)`` and ``log(nu - 1)`` from the information of the rows.

    Lange, Little and Taylor (1989, doi:10.1080/01621459.1989.10478852), appendix B; and what a
    prior says that knows each within a factor of about three.
    """
    from scipy.special import polygamma

    curved = (polygamma(1, nu / 2) - polygamma(1, (nu + 1) / 2)) / 4
    of_nu = curved - (nu + 5) / (2 * nu * (nu + 1) * (nu + 3))
    shared = -2 * (nu - 1) / ((nu + 1) * (nu + 3))
    information = np.array([[2 * nu / (nu + 3), shared], [shared, of_nu * (nu - 1) ** 2]])
    return np.diag(np.linalg.inv(rows * information + np.eye(2)))
