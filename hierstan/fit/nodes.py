"""An adaptive Gauss-Hermite rule for many integrals over the line at once.

Naylor and Smith 1982, doi:10.2307/2347995.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

NEWTON_STEPS = 30  # mostly two or three do; more where a group's own data are far from the mode
WORSE = 0.5  # below the best so far, in the logarithm, from which a step is taken back


def mode_of(
    log_integrand: Callable[[np.ndarray, np.ndarray], np.ndarray],
    at: np.ndarray,
    scale: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return each integrand's mode and the sd of the normal that fits it there, by Newton.

    A step that leads down is taken back, and a shorter one tried. Rows in which all are near enough
    to their modes are left as they are.

    Parameters
    ----------
    log_integrand : callable
        Takes places (s, K) and which rows these are, (s,), to values of the same shape.
    at, scale : numpy.ndarray
        About where each mode is, and how wide, (S, K).
    """
    at, scale, move = at.copy(), scale.copy(), np.zeros_like(at)
    best = np.full_like(at, -np.inf)
    rows = np.arange(len(at))
    for _ in range(NEWTON_STEPS):
        now, wide, step = at[rows], scale[rows], 0.3 * scale[rows]
        here, ahead, behind = (log_integrand(now + shift, rows) for shift in (0, step, -step))
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = (ahead - behind) / (2 * step)
            curvature = (ahead - 2 * here + behind) / step**2
            newton = np.where(curvature < 0, 1 / np.sqrt(-curvature), 1.5 * wide)
        worse, before = here < best[rows] - WORSE, move[rows]
        newton = np.where(worse, wide, np.clip(newton, wide / 5, wide * 5))
        reach = np.maximum(3 * newton, 2 * np.abs(before))
        moved = np.clip(np.nan_to_num(slope) * newton**2, -reach, reach)
        moved = np.where(worse, before / 4, moved)
        at[rows] = np.where(worse, now - before, now) + moved
        scale[rows], move[rows], best[rows] = newton, moved, np.fmax(best[rows], here)
        rows = rows[~(np.abs(moved / newton) < 0.2).all(axis=1)]
        if not rows.size:
            break
    return at, scale


def nodes_around(
    center: np.ndarray, scale: np.ndarray, count: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the nodes of the rule, `center` first, and the logs of their weights."""
    rule = zip(*np.polynomial.hermite.hermgauss(count), strict=True)
    for node, weight in sorted(rule, key=lambda each: abs(float(each[0]))):
        wide = np.sqrt(2) * scale
        yield center + wide * node, np.log(weight) + node**2 + np.log(wide)
