"""Draws of group means that were integrated out, from what is known of them given all else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.families.family import Family
from hierstan.priors import Prior
from hierstan.sampling.grid import distinct, totals
from hierstan.sampling.streams import stream

TILE = (200, 2000)  # draws and groups that are made at a time, always from the same seed
NEWTON_STEPS = 40


def noise_seed(seed: int, data: GroupedData, priors: Mapping[str, Prior]) -> int:
    """Return the seed of theta's own noise: of its own for each seed, data and priors.

    Given the other parameters theta is drawn by numpy, whose numbers two fits with one seed would
    have in common; they never were the same in Stan.
    """
    told = sorted(f"{name} ~ {prior}" for name, prior in priors.items())
    return stream(seed, {}, *told, data.cells.to_numpy(dtype=float))


def theta_of_tile(
    data: GroupedData,
    priors: Mapping[str, Prior],
    mean: np.ndarray,
    sd: np.ndarray,
    tau: np.ndarray | None,
    seed: Sequence[int],
) -> np.ndarray:
    """Draw theta of the groups of a tile, always the same for the same seed.

    Parameters
    ----------
    data : GroupedData
    priors : mapping of str to Prior
    mean, sd : numpy.ndarray
        Of theta given all else, (s, K).
    tau : numpy.ndarray or None
        Standard deviation of the population, (s,); None if the prior of theta says it.
    seed : sequence of int
        From `noise_seed`, and the places of the tile among the draws and among the groups.
    """
    noise = np.random.default_rng(seed).standard_normal(mean.shape)
    spread = np.full(len(mean), priors["theta"].numbers()["scale"]) if tau is None else tau
    return mean + FAMILIES[data.family].deviations(data.cells, noise, sd, spread)


def theta_by_rejection(
    data: GroupedData, groups: slice, mu: np.ndarray, tau: np.ndarray, seed: Sequence[int]
) -> np.ndarray:
    """Draw theta of some groups given mu and tau (s,), exactly, of families of `one_parameter`.

    The log density is concave, and so below any two of its tangents: what is drawn from these is
    accepted as often as the density is as high (Devroye 1986, Non-Uniform Random Variate
    Generation, section VII.2.6). Means are measured from ``mu`` in units of ``tau``.

    Returns
    -------
    numpy.ndarray
        (s, K)
    """
    family, rng = FAMILIES[data.family], np.random.default_rng(seed)
    total, weight = (values[groups] for values in totals(family, data))
    first, _, place = distinct(total, weight)
    hull = _Tangents(family, total[first], weight[first], mu[:, None], tau[:, None])
    which = (len(first) * np.arange(len(mu))[:, None] + place).ravel()
    z, left = np.empty(len(which)), np.arange(len(which))
    while len(left):
        drawn, accepted = hull.draw(rng, which[left])
        z[left[accepted]] = drawn[accepted]
        left = left[~accepted]
    return mu[:, None] + tau[:, None] * z.reshape(len(mu), -1)


class _Tangents:
    """Two tangents of log densities of ``(theta - mu) / tau``, (s, U), left and right of the mode.

    From where they meet, `top`, at `height`, what lies below them falls exponentially both ways.
    """

    def __init__(
        self, family: Family, total: np.ndarray, weight: np.ndarray, mu: np.ndarray, tau: np.ndarray
    ) -> None:
        self._family, self._total, self._weight, self._mu, self._tau = (
            family,
            total,
            weight,
            mu,
            tau,
        )
        mode = self._mode()
        step = 1 / np.sqrt(self._information(mode))
        ends, slopes, values = [], [], []
        for sign in (-1, 1):
            end, reach = mode + sign * step, step.copy()
            while (wrong := sign * (slope := self._slope(end)) >= 0).any():
                reach[wrong] *= 2
                end[wrong] += sign * reach[wrong]
            ends.append(end - mode)
            slopes.append(slope)
            values.append(self._log_density(end, total, weight, mu, tau))
        (low, high), (rise, fall) = ends, slopes
        top = (values[1] - values[0] + rise * low - fall * high) / (rise - fall)
        height = values[0] + rise * (top - low)
        of_each = np.broadcast_arrays(mode + top, height, rise, fall, total, weight, mu, tau)
        self._of_each = np.stack(of_each, axis=-1).reshape(-1, len(of_each))

    def draw(self, rng: np.random.Generator, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Draw from below the tangents of those of s x U, and say what is accepted."""
        top, height, rise, fall, *of_density = self._of_each[which].T
        down = rng.standard_exponential(len(which))
        below = rng.random(len(which)) * (rise - fall) < -fall
        z = top - down / np.where(below, rise, fall)
        found = self._log_density(z, *of_density)
        return z, found - height + down > -rng.standard_exponential(len(which))

    def _mode(self) -> np.ndarray:
        """Find it by Newton's method, about: any two tangents that fall both ways will do."""
        family, tau2 = self._family, self._tau**2
        own = family.to_link((self._total + 0.5) / (self._weight + 1))
        precision = self._weight * family.slope(own)
        z = self._tau * (own - self._mu) * precision / (1 + tau2 * precision)
        for _ in range(NEWTON_STEPS):
            step = self._slope(z) / self._information(z)
            z += np.clip(step, -1 / self._tau, 1 / self._tau)
            if np.abs(step).max() < 1e-3:
                break
        return z

    def _slope(self, z: np.ndarray) -> np.ndarray:
        mean = self._family.to_response(self._mu + self._tau * z)
        return np.asarray(self._tau * (self._total - self._weight * mean) - z)

    def _information(self, z: np.ndarray) -> np.ndarray:
        slope = self._family.slope(self._mu + self._tau * z)
        return np.asarray(self._tau**2 * self._weight * slope + 1)

    def _log_density(
        self, z: np.ndarray, total: np.ndarray, weight: np.ndarray, mu: np.ndarray, tau: np.ndarray
    ) -> np.ndarray:
        return np.asarray(self._family.log_kernel(total, weight, mu + tau * z) - z**2 / 2)
