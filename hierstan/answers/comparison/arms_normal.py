"""The likelihood of normal outcomes in two arms, baselines and effects integrated out: closed form.

Given a group's baseline ``u`` and mean under treatment ``v = u + theta``, the observations of its
arms are normal around them (`Family.as_normal`); both are bivariate normal over the groups. With
precisions P of what the arms say and the covariance C of the two means, everything is a function of
``det(I + C P)``, which is a sum of positive terms, and so is every square below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.answers.comparison.normal_integral import LOG_2PI, Shift, Sums
from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.families.treatment import TREATED, arm_of
from hierstan.fit.centers import centers
from hierstan.fit.fit import Fit


def arms_log_lik(
    fit: Fit,
    data: GroupedData,
    hyper: Mapping[str, np.ndarray],
    unit: str,
    shift: Shift | None = None,
) -> np.ndarray:
    """Return the log predictive density of every unit at every draw, (S, U).

    Parameters as those of `hierstan.answers.comparison.normal_integral.normal_log_lik`.
    """
    frame = data.rows if unit == "observation" else data.cells
    assert frame is not None
    family, J = FAMILIES[data.family], len(data.groups)
    own = {name: hyper[name][:, None] for name in family.parameters}
    value, variance, rest = family.as_normal(frame, own)
    center, means = arms_population(fit, data, hyper, frame, frame["group"].to_numpy(), shift)
    off, arm = value - center, frame[TREATED].to_numpy().astype(int)
    variance = np.broadcast_to(variance, off.shape)
    sums = Sums(arm_of(frame), 2 * J)
    if unit != "observation":
        each, precision, mean = means.summed(off, variance, rest, sums)
        if unit == "group":
            return each.sum(axis=-1) + means.log_ratio(precision, mean)
        code = np.unique(arm_of(frame))
        precision, mean = precision[:, code // 2], mean[:, code // 2]
        other = np.where(np.arange(2) == code[:, None] % 2, 0.0, precision)
        gained = means.log_ratio(precision, mean) - means.log_ratio(other, mean)
        return np.asarray(each[:, code // 2, code % 2] + gained)
    precision, pull = sums(1 / variance), sums(off / variance)
    others = np.where(sums.alone, 0.0, np.maximum(precision[:, sums.of] - 1 / variance, 0.0))
    left = np.where(sums.alone, 0.0, pull[:, sums.of] - off / variance)
    across = arm_of(frame) ^ 1
    mean, spread2 = means.given(arm, (others, left), (precision[:, across], pull[:, across]))
    total = variance + spread2
    return np.asarray(rest - 0.5 * (LOG_2PI + np.log(total) + (off - mean) ** 2 / total))


@dataclass(frozen=True)
class Means:
    """How the means of both arms vary over the groups around their centers, at each draw.

    Attributes
    ----------
    slope, spread : numpy.ndarray
        (S, 1).
    tau : numpy.ndarray
        (S, 1), or (1, U) where it differs by the unit that is left out.
    away : numpy.ndarray
        How far theta's mean is from where the centers have it, (1, 1) or (1, U).
    """

    slope: np.ndarray
    spread: np.ndarray
    tau: np.ndarray
    away: np.ndarray

    @staticmethod
    def summed(
        off: np.ndarray, variance: np.ndarray, rest: np.ndarray, sums: Sums
    ) -> tuple[np.ndarray, ...]:
        """Return what the cells of each arm say together, (..., J, 2) each.

        Their log density at the mean of the arm that suits them best, the precision of that mean
        and how far it is off; cells are (..., N), and `sums` add up those of arms (`arm_of`).
        """
        precision = sums(1 / variance)
        mean = sums(off / variance) / np.where(precision > 0, precision, 1.0)
        within = np.log(variance) + LOG_2PI + (off - mean[..., sums.of]) ** 2 / variance
        each = sums(rest - 0.5 * within)
        return tuple(v.reshape(*v.shape[:-1], -1, 2) for v in (each, precision, mean))

    def log_ratio(self, precision: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """Return how much less likely the arms' means, (S, J, 2), are than at their best."""
        P, Q = precision[..., 0], precision[..., 1]
        u, v = (mean[..., a] - (self.slope + a) * self.away for a in (0, 1))
        more = self._variance(0) * P + self._variance(1) * Q + self._determinant * P * Q
        apart = (self.spread * (u - v)) ** 2
        apart = apart + (self.tau * ((1 + self.slope) * u - self.slope * v)) ** 2
        squares = (P * u**2 + Q * v**2 + P * Q * apart) / (1 + more)
        return np.asarray(-0.5 * (np.log1p(more) + squares))

    def given(
        self,
        arm: np.ndarray,
        same: tuple[np.ndarray, np.ndarray],
        other: tuple[np.ndarray, np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and variance of the mean of each row's arm given other rows, (S, N).

        Of those of the same arm and of the other one: their precision, and that times their mean.
        """
        (P, pull), (Q, its_pull) = same, other
        variance, determinant = self._variance(arm), self._determinant
        covariance = self.slope * (1 + self.slope) * self.tau**2 + self.spread**2
        away, its_away = ((self.slope + a) * self.away for a in (arm, 1 - arm))
        reach = variance + determinant * Q
        total = 1 + reach * P + self._variance(1 - arm) * Q
        moved = reach * (pull - away * P) + covariance * (its_pull - its_away * Q)
        return away + moved / total, reach / total

    def _variance(self, arm: np.ndarray | int) -> np.ndarray:
        return np.asarray(((self.slope + arm) * self.tau) ** 2 + self.spread**2)

    @property
    def _determinant(self) -> np.ndarray:
        return np.asarray((self.tau * self.spread) ** 2)


def arms_population(
    fit: Fit,
    data: GroupedData,
    hyper: Mapping[str, np.ndarray],
    frame: pd.DataFrame,
    group: np.ndarray,
    shift: Shift | None,
) -> tuple[np.ndarray, Means]:
    """Return where the population has the arm of each of N cells, (S, N), and how arms vary.

    Parameters
    ----------
    frame : pandas.DataFrame
        The cells.
    group : numpy.ndarray
        Of `data`, to which each belongs, (N,).
    shift : Shift, optional
        Of each unit whose log density is asked for; the center does not move with it.
    """
    slope, spread = hyper.get("slope", np.zeros(1))[:, None], hyper["spread"][:, None]
    if "theta" in fit.priors:
        numbers = fit.priors["theta"].numbers()
        theta, tau = np.array([[numbers["location"]]]), np.array([[numbers["scale"]]])
    else:
        theta = centers(data, hyper)
        tau = hyper["tau"][:, None] if "tau" in fit.priors else np.zeros((1, 1))
    arm = frame[TREATED].to_numpy().astype(int)
    theta = theta if theta.shape[1] == 1 else theta[:, group]
    center = hyper["intercept"][:, None] + (slope + arm) * theta
    if shift is None:
        return center, Means(slope, spread, tau, np.zeros((1, 1)))
    away = shift.location - fit.priors["theta"].numbers()["location"]
    return center, Means(slope, spread, shift.scale[None], away[None])
