"""Whether ranks are uniform: their ECDF against simultaneous bands.

Säilynoja, T., Bürkner, P.-C. and Vehtari, A. (2022). Graphical test for discrete uniformity and its
applications in goodness-of-fit evaluation and multiple sample comparison. *Statistics and
Computing* 32, 32, doi:10.1007/s11222-022-10090-6. The bands and the p-value are those of their
section 2, adjusted by simulation, and exact for ranks since those are discrete.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

SIMULATIONS = 10_000


def p_value(ranks: np.ndarray, top: int) -> float:
    """Return the probability of an ECDF at least as far from the diagonal as this one.

    Parameters
    ----------
    ranks : numpy.ndarray of int
        Of shape (N,), from 0 to `top`.
    top : int
        The number of draws that each truth was ranked among.

    Examples
    --------
    >>> import numpy as np
    >>> p_value(np.arange(100) % 20, 19) > 0.9
    True
    >>> p_value(np.arange(100) % 10, 19) < 0.001
    True
    """
    ranks = np.asarray(ranks, dtype=int)
    if not len(ranks):
        return float("nan")
    counts = np.cumsum(np.bincount(ranks, minlength=top + 1))[None, :-1]
    observed = _gamma(counts, len(ranks), top)[0]
    null = _null(len(ranks), top)
    return float((1 + (null <= observed * (1 + 1e-9)).sum()) / (1 + len(null)))


def bands(N: int, top: int, prob: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where all of the ECDF of N uniform ranks lies with probability `prob`.

    Returns
    -------
    z, lower, upper : numpy.ndarray
        Of shape (top,): the uniform distribution function, and the ECDF's limits there.
    """
    from scipy import stats

    gamma = np.quantile(_null(N, top), 1 - prob)
    z = np.arange(1, top + 1) / (top + 1)
    return z, stats.binom.ppf(gamma / 2, N, z) / N, stats.binom.ppf(1 - gamma / 2, N, z) / N


# internals ------------------------------------------------------------------------------------


def _gamma(counts: np.ndarray, N: int, top: int) -> np.ndarray:
    """Return twice the smallest tail probability along each ECDF; `counts` is (K, top)."""
    return np.take_along_axis(_tails(N, top), counts.T, axis=1).min(axis=0)


@lru_cache(maxsize=8)
def _tails(N: int, top: int) -> np.ndarray:
    """Return twice the smaller binomial tail, (top, N + 1): place by number of ranks below it."""
    from scipy import stats

    z = np.arange(1, top + 1)[:, None] / (top + 1)
    counts = np.arange(N + 1)
    below, above = stats.binom.cdf(counts, N, z), stats.binom.sf(counts - 1, N, z)
    return 2 * np.minimum(below, above)


@lru_cache(maxsize=8)
def _null(N: int, top: int) -> np.ndarray:
    """Return the statistic of simulated uniform ranks."""
    rng = np.random.default_rng(20220101)
    counts = rng.multinomial(N, np.full(top + 1, 1 / (top + 1)), size=SIMULATIONS)
    return _gamma(np.cumsum(counts, axis=1)[:, :-1], N, top)
