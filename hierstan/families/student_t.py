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

NU = np.geomspace(80, 1.2, 10)  # from nearly normal, where the likelihood has one mode
STEPS, LEAST = (
    8,
    1e-3,
)  # at each of them; share of a first guess of sigma below which it must not go


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
        found = _located(cells)
        if found is None:
            return super().starts(typical, rng, cells)
        _, sigma, nu = found
        off = np.exp(2 * np.sqrt(_log_variances(nu, len(cells))) * rng.uniform(-1, 1, 2))
        return {"sigma": sigma * off[0], "nu": 1 + (nu - 1) * off[1]}

    def log_variances(self, cells: pd.DataFrame) -> dict[str, float]:
        """Return those of ``sigma`` and of ``nu - 1``."""
        found = _located(cells)
        if found is None:
            return {}
        return dict(zip(("sigma", "nu"), _log_variances(found[2], len(cells)), strict=True))

    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return means and sample standard deviations."""
        normal = Normal()
        return normal.summarised(normal.collapsed(cells), J)

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return the groups' locations, with sigma and nu of all together; see `_located`.

        Medians where half of the rows of groups with several are equal, or none has several.
        """
        count, found = self.sizes(cells, J), _located(cells)
        if found is None:
            median = raw.medians(cells, J)
            several = (count > 1)[cells["group"]]
            apart = np.abs(cells["y"].to_numpy() - median[cells["group"]])[several]
            scale = 1.4826 * float(np.median(apart)) if several.any() else 0.0
            se = (scale or float(np.std(median)) or 1.0) * np.sqrt(np.pi / 2 / count)
            return raw.table(count, median, se, median, se)
        location, sigma, nu = found
        se = sigma * np.sqrt((nu + 3) / (nu + 1) / count)
        return raw.table(count, location, se, location, se)

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


def _located(cells: pd.DataFrame) -> tuple[np.ndarray, float, float] | None:
    """Return the groups' locations (J,), and what all rows together say of ``sigma`` and ``nu``.

    At each ``nu`` of a grid the likelihood is maximized by weighted means (Lange, Little and Taylor
    1989), from where the last one ended; then averaged with the profile's weights and nu's prior.
    """
    from scipy.interpolate import CubicSpline
    from scipy.special import gammaln

    code, y = cells["group"].to_numpy(), cells["y"].to_numpy(float)
    count = np.bincount(code)
    middle = raw.medians(cells, len(count))
    off, N, freedom = y - middle[code], len(y), len(y) - np.count_nonzero(count)
    told = np.abs(off)[count[code] > 2]
    sigma = 1.4826 * float(np.median(told)) if len(told) else 0.0
    if sigma <= 0:
        return None
    least, found, weights = LEAST * sigma, [], []
    for nu in NU:
        for _ in range(STEPS):
            weight = (nu + 1) / (nu + (off / sigma) ** 2)
            middle = middle + np.bincount(code, weight * off) / np.bincount(code, weight)
            off = y - middle[code]
            sigma = max(float(np.sqrt((weight * off**2).sum() / freedom)), least)
        tails = (nu + 1) / 2 * np.log1p((off / sigma) ** 2 / nu).sum()
        constant = N * (gammaln((nu + 1) / 2) - gammaln(nu / 2) - np.log(nu) / 2)
        weights.append(constant - freedom * np.log(sigma) - tails + 2 * np.log(nu) - nu / 10)
        found.append(np.append(middle, np.log([sigma, nu])))
    between = CubicSpline(-np.log(NU), np.eye(len(NU)))(-np.log(np.geomspace(NU[0], NU[-1], 200)))
    share = between @ weights
    share = np.exp(share - share.max())
    *location, log_sigma, log_nu = share @ between @ np.array(found) / share.sum()
    return np.array(location), float(np.exp(log_sigma)), float(np.exp(log_nu))


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
