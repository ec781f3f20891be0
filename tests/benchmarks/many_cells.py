"""100,000 cells of crossed factors with 300 levels, of normal families: seconds, memory, ESS.

Run: python tests/benchmarks/many_cells.py [known|rows] [crossed|uneven|nested] [J]
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
import pandas as pd

import hierstan as hs

SIZES = {"crossed": [100, 100, 100], "uneven": [250, 40, 10], "nested": [300]}


def simulated(kind: str, design: str, J: int) -> tuple[hs.GroupedData, np.ndarray]:
    """Return data of J cells, and their true means."""
    rng = np.random.default_rng(4)
    sizes = SIZES[design]
    of_all = int(np.prod(sizes))
    cells = rng.choice(of_all, J, replace=False) if of_all > J else np.arange(J) % of_all
    theta = rng.normal(1, 0.4, J)
    frame = pd.DataFrame({"cell": np.arange(J)})
    for f, (codes, size) in enumerate(zip(np.unravel_index(cells, sizes), sizes, strict=True)):
        frame[f"f{f}"] = codes
        theta += rng.normal(0, 0.5, size)[codes]
    known = {"group": "cell", "factors": [f"f{f}" for f in range(len(sizes))]}
    if kind == "known":
        se = rng.uniform(0.2, 1, J)
        frame = frame.assign(se=se, y=rng.normal(theta, se))
        return hs.GroupedData.from_estimates(frame, estimate="y", se="se", **known), theta
    n = rng.integers(2, 8, J)
    rows = frame.loc[frame.index.repeat(n)].assign(y=rng.normal(np.repeat(theta, n), 1.0))
    return hs.GroupedData.from_rows(rows, outcome="y", **known), theta


def main() -> None:
    kind, design, J = [*sys.argv[1:], *["known", "crossed", "100000"][len(sys.argv) - 1 :]]
    data, theta = simulated(kind, design, int(J))
    start, cpu = time.perf_counter(), time.process_time()
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    means = hs.group_means(fit)
    table = fit.convergence().parameters
    inside = ((means["lower"] <= theta) & (theta <= means["upper"])).mean()
    steps = float(fit.idata["sample_stats"]["n_steps"].mean())
    print(f"{kind}, {design}: {seconds:.0f} s, {cpu:.0f} s of CPU, {steps:.0f} steps, {fit.note}")
    print(f"R-hat {table['r_hat'].max():.3f}, {fit.convergence().divergences} divergences")
    print(f"ESS of the sds {table.loc[table.index.str.startswith('tau'), 'ess_bulk'].min():,.0f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{inside:.1%} of the cells' 90% intervals hold the truth; {peak:.2f} GiB at most")


if __name__ == "__main__":
    main()
