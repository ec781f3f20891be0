"""Draws of group means that were integrated out, from what is known of them given all else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.priors import Prior

TILE = (200, 2000)  # draws and groups that are made at a time, always from the same seed


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
        The fit's, and the places of the tile among the draws and among the groups.
    """
    noise = np.random.default_rng(seed).standard_normal(mean.shape)
    spread = np.full(len(mean), priors["theta"].numbers()["scale"]) if tau is None else tau
    return mean + FAMILIES[data.family].deviations(data.cells, noise, sd, spread)
