"""How often exact 90% intervals of twelve effects hold them, at one tau and at tau of the prior.

Given tau all is normal, and tau is summed over a grid: no sampling. That the coverage is nominal on
average over the prior, and with tau known, and lower at a fixed tau is so of the model itself.

Run: python tests/benchmarks/effects_coverage.py [--sets N]
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy import stats

J, MU, TAU, MU_SCALE = 12, 0.3, 0.3, 2.0
GRID = (np.arange(400) + 0.5) / 100
ERRORS = {"0.25": (0.25, 0.25), "0.15 to 0.6": (0.15, 0.6), "0.45": (0.45, 0.45)}


def probability_below(theta: np.ndarray, y: np.ndarray, se: np.ndarray, scale: float) -> np.ndarray:
    """Return the posterior probability that each effect is below its truth.

    Of a HalfNormal prior of tau; the last row is that of a tau known to be `TAU`.
    """
    tau = np.append(GRID, TAU)[:, None]
    variance = tau**2 + se**2
    precision = (1 / variance).sum(axis=1) + MU_SCALE**-2
    mu = (y / variance).sum(axis=1) / precision
    log_density = (
        -0.5 * np.log(variance).sum(axis=1)
        - 0.5 * np.log(precision)
        - 0.5 * ((y**2 / variance).sum(axis=1) - precision * mu**2)
        - 0.5 * (tau[:, 0] / scale) ** 2
    )[:-1]
    weight = np.exp(log_density - log_density.max())
    own = se**2 / variance
    mean = own * mu[:, None] + (1 - own) * y
    sd = np.sqrt((1 - own) * se**2 + own**2 / precision[:, None])
    below = stats.norm.cdf((theta - mean) / sd)
    return np.array([weight @ below[:-1] / weight.sum(), below[-1]])


def coverage(low: float, high: float, scale: float, sets: int, drawn: bool) -> np.ndarray:
    """Return the per cent of 90% intervals that hold their effect: tau unknown, and known."""
    rng = np.random.default_rng(1)
    inside = np.zeros(2)
    for _ in range(sets):
        mu = rng.normal(0, MU_SCALE) if drawn else MU
        tau = abs(rng.normal(0, scale)) if drawn else TAU
        se, theta = rng.uniform(low, high, J), rng.normal(mu, tau, J)
        below = probability_below(theta, rng.normal(theta, se), se, scale)
        inside += ((below > 0.05) & (below < 0.95)).mean(axis=1)
    return 100 * inside / sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=3000)
    sets = parser.parse_args().sets
    for name, (low, high) in ERRORS.items():
        for scale in (0.5, 1.0):
            average = coverage(low, high, scale, sets, drawn=True)[0]
            at_one, known = coverage(low, high, scale, sets, drawn=False)
            print(
                f"| {name} | HalfNormal({scale:g}) | {average:.1f} | {at_one:.1f} | {known:.1f} |"
            )


if __name__ == "__main__":
    main()
