"""The quadrature rule finds integrands that are not normal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from hierstan.fit.nodes import mode_of, nodes_around


@pytest.mark.slow
def test_a_search_that_goes_astray_ends_at_the_best_place_it_has_seen() -> None:
    """Rows with heavy tails: from what a group is like, to what it is like without a row."""
    y = np.array([-5.59, 5.39, 5.76, 5.5, 4.09, 3.84, 4.7, 5.87])
    rng = np.random.default_rng(1)
    sigma, nu = rng.uniform(0.3, 0.8, 500), rng.uniform(1.1, 2, 500)

    def log_lik(theta: np.ndarray, rows: np.ndarray, left_out: int | None = None) -> np.ndarray:
        z = (np.delete(y, left_out or []) - theta[..., None]) / sigma[rows, None, None]
        return (stats.t.logpdf(z, nu[rows, None, None]) - np.log(sigma[rows, None, None])).sum(-1)

    start = np.full((500, 1), np.median(y)), np.full((500, 1), 0.3)
    whole = mode_of(log_lik, *start)
    grid = np.tile(np.linspace(-15, 15, 3001), (500, 1))
    for left_out in range(1, len(y)):

        def rest(theta: np.ndarray, rows: np.ndarray, left_out: int = left_out) -> np.ndarray:
            return log_lik(theta, rows, left_out)

        every = np.arange(500)
        found = logsumexp(
            [rest(at, every) + weight for at, weight in nodes_around(*mode_of(rest, *whole), 15)],
            axis=0,
        )[:, 0]
        exact = logsumexp(rest(grid, every), axis=1) + np.log(0.01)
        assert np.abs(found - exact).max() < 0.5, left_out
