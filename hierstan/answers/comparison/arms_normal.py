"""The likelihood of normal outcomes in two arms, baselines and effects integrated out: closed form.

Given a group's baseline ``u`` and mean under treatment ``v = u + theta``, the observations of its
arms are normal around them (`Family.as_normal`); both are bivariate normal over the groups. With
precisions P of what the arms say and the covariance C of the two means, everything is a function of
``det(I + C P)``, which is a sum of positive terms, and so is every square below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

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
    group, arm = frame["group"].to_numpy(), frame[TREATED].to_numpy().astype(int)
    theta, means = _population(fit, data, hyper)
    theta = theta if theta.shape[1] == 1 else theta[:, group]
    off = value - (hyper["intercept"][:, None] + (means.slope + arm) * theta)
    variance = np.broadcast_to(variance, off.shape)
    sums = Sums(2 * group + arm, 2 * J)
    precision = sums(1 / variance)
    pull = sums(off / variance)
    if shift is not None:
        away = shift.location - fit.priors["theta"].numbers()["location"]
        means = replace(means, away=away[None], tau=shift.scale[None])
    if unit != "observation":
        mean = pull / np.where(precision > 0, precision, 1.0)
        within = rest - 0.5 * (
            np.log(variance) + LOG_2PI + (off - mean[:, sums.of]) ** 2 / variance
        )
        each = sums(np.broadcast_to(within, off.shape))
        precision, mean = precision.reshape(-1, J, 2), mean.reshape(-1, J, 2)
        if unit == "group":
            return each.reshape(-1, J, 2).sum(axis=2) + means.log_ratio(precision, mean)
        code = np.unique(arm_of(frame))
        precision, mean = precision[:, code // 2], mean[:, code // 2]
        other = np.where(np.arange(2) == code[:, None] % 2, 0.0, precision)
        gained = means.log_ratio(precision, mean) - means.log_ratio(other, mean)
        return np.asarray(each[:, code] + gained)
    others = np.where(sums.alone, 0.0, np.maximum(precision[:, sums.of] - 1 / variance, 0.0))
    left = np.where(sums.alone, 0.0, pull[:, sums.of] - off / variance)
    across = 2 * group + 1 - arm
    mean, spread2 = means.given(arm, (others, left), (precision[:, across], pull[:, across]))
    total = variance + spread2
    return np.asarray(rest - 0.5 * (LOG_2PI + np.log(total) + (off - mean) ** 2 / total))


# internals ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Means:
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


def _population(
    fit: Fit, data: GroupedData, hyper: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, _Means]:
    """Return the mean of theta, (S or 1, J or 1), and how the means of arms vary."""
    slope, spread = hyper.get("slope", np.zeros(1))[:, None], hyper["spread"][:, None]
    if "theta" in fit.priors:
        numbers = fit.priors["theta"].numbers()
        theta, tau = np.array([[numbers["location"]]]), np.array([[numbers["scale"]]])
    else:
        theta = centers(data, hyper)
        tau = hyper["tau"][:, None] if "tau" in fit.priors else np.zeros((1, 1))
    return theta, _Means(slope, spread, tau, np.zeros((1, 1)))
