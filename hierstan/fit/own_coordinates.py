"""A family's own parameters as coordinates of the line, and back.

Logarithms of what is above a bound, and of the differences of what is in order; all else as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hierstan.families.family import Family
from hierstan.priors import Prior

Draws = Mapping[str, np.ndarray]


def coordinates(family: Family, draws: Draws) -> np.ndarray:
    """Return draws of all of the parameters, (S, ...) each, as coordinates (S, D)."""
    parts = []
    for name in family.parameters:
        values = np.asarray(draws[name], dtype=float)
        values = values.reshape(len(values), -1)
        if name in family.ordered:
            parts.append(np.log(np.diff(values, axis=1)))
        elif np.isfinite(low := family.lower_bounds.get(name, 0.0)):
            parts.append(np.log(values - low))
        else:
            parts.append(values)
    return np.hstack(parts) if parts else np.zeros((1, 0))


def parameters(
    family: Family, sizes: Mapping[str, int], points: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the parameters at points (S, D), and the logarithm of the volume there, (S,).

    Parameters
    ----------
    family : Family
    sizes : mapping of str to int
        Of the parameters that are vectors.
    points : numpy.ndarray

    Returns
    -------
    tuple
        Scalars have shape (S, 1), vectors (S, 1, K).
    """
    own, log_volume, first = {}, np.zeros(len(points)), 0
    for name in family.parameters:
        ordered = name in family.ordered
        count = sizes.get(name, 1) - ordered
        some = points[:, first : first + count]
        first += count
        if ordered:
            log_volume = log_volume + some.sum(axis=1)
            steps = np.hstack([np.zeros((len(some), 1)), np.exp(some)]).cumsum(axis=1)
            values = steps - steps.mean(axis=1, keepdims=True)
        elif np.isfinite(low := family.lower_bounds.get(name, 0.0)):
            log_volume = log_volume + some.sum(axis=1)
            values = low + np.exp(some)
        else:
            values = some
        own[name] = values[:, None] if name in sizes else values
    return own, log_volume


def log_prior(family: Family, priors: Mapping[str, Prior], own: Draws) -> np.ndarray:
    """Return the log prior density of the parameters, as `parameters` returns them, (S,)."""
    total: np.ndarray = np.zeros(1)
    for name, values in own.items():
        density = priors[name].log_density(values[:, 0] if name in family.ordered else values)
        total = total + density.reshape(len(values), -1).sum(axis=1)
    return total
