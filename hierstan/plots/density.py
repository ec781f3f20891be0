"""Densities of draws: a Gaussian kernel on a grid, reflected at a bound."""

from __future__ import annotations

import numpy as np

GRID = 512
MOST_BINS = 100_000  # which a few draws of a heavy tail would use up otherwise


def density(
    draws: np.ndarray, lower: float = -np.inf, *, cover: float = 1.0, width: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate a density.

    Parameters
    ----------
    draws : numpy.ndarray
        Shape (S,).
    lower : float
        The bound of the support; the kernel is reflected there.
    cover : float
        Share of the draws, in the middle, that the grid covers.
    width : float, optional
        The kernel's standard deviation; by default what `bandwidth` returns.

    Returns
    -------
    x, density : numpy.ndarray
        Shape (512,).
    """
    width = width or bandwidth(draws)
    tail = (1 - cover) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    x = np.linspace(max(low - 3 * width, lower), high + 3 * width, GRID)
    return x, _at(x, draws, width, lower)


def bandwidth(draws: np.ndarray) -> float:
    """Return the normal reference bandwidth (Silverman 1986, section 3.4.2).

    From the smaller of standard deviation and scaled interquartile range; some number above 0 where
    all draws are the same.
    """
    first, third = np.quantile(draws, [0.25, 0.75])
    spread = [x for x in (float(draws.std()), float(third - first) / 1.349) if x > 0]
    scale = min(spread) if spread else abs(float(draws[0])) or 1.0
    return 1.06 * scale * len(draws) ** -0.2


# internals ------------------------------------------------------------------------------------


def _at(x: np.ndarray, draws: np.ndarray, width: float, lower: float) -> np.ndarray:
    """Return the kernel estimate on an even grid, from draws binned to a finer one."""
    reach = 4 * width
    start, end = x[0] - reach, x[-1] + reach
    step = max(min((x[1] - x[0]) / 2, width / 4), (end - start) / MOST_BINS)
    bins = int(np.ceil((end - start) / step)) + 1
    both = draws if np.isneginf(lower) else np.concatenate([draws, 2 * lower - draws])
    counts, edges = np.histogram(both, bins, (start, start + bins * step))
    offsets = np.arange(-int(reach / step), int(reach / step) + 1) * step
    kernel = np.exp(-0.5 * (offsets / width) ** 2)
    smooth = np.convolve(counts, kernel / (kernel.sum() * step * len(draws)), mode="same")
    return np.interp(x, (edges[:-1] + edges[1:]) / 2, smooth)
