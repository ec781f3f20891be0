"""Log likelihoods tabulated over draws of a family's own parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from hierstan.answers.comparison.curves import Curves, in_parts, over_draws
from hierstan.families import FAMILIES

ROWS = {
    "y": np.array([0.0, 3.0, 40.0]),
    "trials": np.array([12.0, 30.0, 41.0]),
    "weight": np.array([2.0, 1.0, 1.0]),
    "exposure": np.array([0.2, 3.0, 7.0]),
}
LOGS = {"narrow": (1.0, 0.3), "wide": (0.0, 2.0)}


@pytest.mark.parametrize(
    ("family", "draws"),
    [
        ("beta_binomial", "narrow"),
        ("beta_binomial", "wide"),
        ("neg_binomial", "wide"),
        ("zero_inflated_poisson", "wide"),
        ("zero_inflated_neg_binomial", "narrow"),
    ],
)
def test_draws_share_what_a_few_of_them_cost(family: str, draws: str) -> None:
    """Exact to a relative 1e-5 near the likeliest mean, from a fraction of the evaluations."""
    rng, base, asked = np.random.default_rng(3), FAMILIES[family], []
    center, spread = LOGS[draws]
    own = {name: np.exp(rng.normal(center, spread, (3000, 1))) for name in base.parameters}
    knots = Curves.grid(np.array([-0.5]), np.array([0.3]), 61)

    def tabulate(own: Mapping[str, np.ndarray]) -> np.ndarray:
        asked.append(len(next(iter(own.values()))))
        theta = knots[:, None, np.zeros(3, dtype=int)]
        return np.asarray(base.log_lik(ROWS, theta, own).sum(axis=-1, keepdims=True))

    found = over_draws(in_parts(tabulate, 200), own)
    assert sum(asked) < 1600
    exact = tabulate(own)
    assert found.shape == exact.shape == (61, 3000, 1)
    fall = exact.max(axis=0) - exact
    assert np.abs(found - exact)[fall < 50].max() < 1e-4
    assert (np.abs(found - exact) / (1 + fall)).max() < 1e-4


def test_what_is_no_polynomial_is_tabulated_at_every_draw() -> None:
    """A jump is seen at the draws that are looked at."""
    own = {"phi": np.exp(np.linspace(-1, 1, 500))[:, None]}

    def tabulate(own: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.asarray((own["phi"] > 1.3).astype(float)[None])

    assert over_draws(tabulate, own).tolist() == tabulate(own).tolist()
