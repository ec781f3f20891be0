"""The likelihood with the group means integrated out, draw by draw, for leave-one-out.

The integrand is the Stan program's own: its ``log_lik`` and ``log_population`` are evaluated at the
nodes of an adaptive Gauss-Hermite rule (Naylor and Smith 1982, doi:10.2307/2347995), so an edited
template is integrated as it was edited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hierstan import sampling
from hierstan.fit import Fit

NODES = 21
NEWTON_STEPS = 4
WIDENING = 1.15
DOMINANT = 0.25  # share of its group's information above which an observation gets nodes of its own


@dataclass(frozen=True)
class Integrand:
    """Evaluate log likelihood and log population at group means of our choice.

    Attributes
    ----------
    group : numpy.ndarray
        Group of each observation, shape (N,), counted from 0.
    hyper : dict of str to numpy.ndarray
        Draws of everything but ``theta``, each of shape (S, ...).
    log_ratio : callable or None
        Correction of the population's log density, of nodes (S, J) to (S, J).
    """

    evaluator: object
    group: np.ndarray
    hyper: Mapping[str, np.ndarray]
    size: int
    prior: object = None

    def __call__(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return log_lik (S, N) and log_population (S, J) at `theta` (S, J)."""
        draws = {**self.hyper, "theta": theta}
        written = self.evaluator.written(draws, ["log_lik", "log_population"])  # type: ignore[attr-defined]
        return written["log_lik"], written["log_population"]

    def total(self, log_lik: np.ndarray) -> np.ndarray:
        """Sum observations by group: (S, N) to (S, J)."""
        J = self.size
        result = np.zeros((log_lik.shape[0], J))
        np.add.at(result.T, self.group, log_lik.T)
        return result
