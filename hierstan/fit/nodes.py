"""An adaptive Gauss-Hermite rule for many integrals over the line at once.

Naylor and Smith 1982, doi:10.2307/2347995.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

NEWTON_STEPS = 30  # mostly two or three do; more where a group's own data are far from the mode


def mode_of(
    log_integrand: Callable[[np.ndarray], np.ndarray], at: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return each integrand's mode and the sd of the normal that fits it there, by Newton.

    Parameters
    ----------
    log_integrand : callable
        Takes places to values, both of one shape.
    at, scale : numpy.ndarray
        About where each mode is, and how wide.
    """
    move = np.zeros_like(at)
    for _ in range(NEWTON_STEPS):
        step = 0.3 * scale
        here, ahead, behind = (log_integrand(at + shift) for shift in (0, step, -step))
        slope = (ahead - behind) / (2 * step)
        curvature = (ahead - 2 * here + behind) / step**2
        with np.errstate(divide="ignore", invalid="ignore"):
            newton = np.where(curvature < 0, 1 / np.sqrt(-curvature), 1.5 * scale)
        newton = np.clip(newton, scale / 5, scale * 5)
        reach = np.maximum(3 * newton, 2 * np.abs(move))
        move = np.clip(slope * newton**2, -reach, reach)
        at, scale = at + move, newton
        if float(np.abs(move / newton).max()) < 0.2:
            break
    return at, scale


def nodes_around(
    center: np.ndarray, scale: np.ndarray, count: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the nodes of the rule, and the logs of their weights."""
    for node, weight in zip(*np.polynomial.hermite.hermgauss(count), strict=True):
        wide = np.sqrt(2) * scale
        yield center + wide * node, np.log(weight) + node**2 + np.log(wide)
