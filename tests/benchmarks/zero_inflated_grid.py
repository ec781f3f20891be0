"""Whether counts with extra zeros sample well, whatever their means and the share of zeros.

Run: python tests/benchmarks/zero_inflated_grid.py [J ...]

A grid of groups, rows per group, means and shares of extra zeros; for each cell the divergent
transitions, the worst R-hat and the least bulk ESS of all parameters at the default 4 x 1,000
draws, on the embedded engine. The targets are those of `parameterization_grid.py`. `README.md` here
has a run of it.
"""

from __future__ import annotations

import itertools
import sys
import time

import numpy as np
import pandas as pd
from parameterization_grid import LEAST_ESS, MOST_DIVERGENT, TAU, WORST_R_HAT

import hierstan as hs

FAMILIES = ("zero_inflated_poisson", "zero_inflated_neg_binomial")
ROWS, MEANS, SHARES = (1, 4, 100), (0.3, 3, 30, 1e5), (0.0, 0.5, 0.9)


def simulated(family: str, J: int, rows: int, mean: float, share: float) -> hs.GroupedData:
    """Groups whose means of other rows differ by a factor of 1.6 or so."""
    rng = np.random.default_rng([J, rows, int(10 * mean), int(100 * share)])
    means = np.repeat(mean * np.exp(rng.normal(0, TAU, J)), rows)
    if family == FAMILIES[1]:
        means = means * rng.gamma(2, 0.5, means.size)
    y = rng.poisson(means) * (rng.random(means.size) >= share)
    frame = pd.DataFrame({"g": np.repeat(np.arange(J), rows), "y": y})
    return hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)


def main(groups: list[int]) -> None:
    """Print one line a cell, and how many miss a target."""
    missed, cells = 0, list(itertools.product(FAMILIES, groups, ROWS, MEANS, SHARES))
    for cell in cells:
        data, start = simulated(*cell), time.perf_counter()
        fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
        seconds, found = time.perf_counter() - start, fit.convergence()
        divergent = found.divergences / (found.chains * found.draws)
        r_hat, ess = found.parameters["r_hat"].max(), found.parameters["ess_bulk"].min()
        bad = bool(divergent > MOST_DIVERGENT or r_hat > WORST_R_HAT or ess < LEAST_ESS)
        missed += bad
        family, J, rows, mean, share = cell
        print(
            f"{family:<27} {J:>4} x {rows:>3} rows, mean {mean:>8g}, {share:.0%} extra zeros: "
            f"{seconds:5.1f} s, {divergent:.2%} divergent, R-hat {r_hat:.3f}, ESS {ess:,.0f}"
            f"{'  MISSED' * bad}",
            flush=True,
        )
    print(f"cells that miss a target: {missed} of {len(cells)}")


if __name__ == "__main__":
    main([int(J) for J in sys.argv[1:]] or [3, 10])
