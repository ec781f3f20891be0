"""What one fit of partial pooling costs, against the number of groups and of rows.

Each fit in a process of its own, on the embedded engine, with default priors and 4 x 1,000 draws:
seconds to take in the data and to fit, and peak memory. The ratio is the growth of the fit's
seconds per group (or per row) from one line to the next: 1 is in proportion, less is cheaper.
Groups have 20 to 200 observations each; rows are spread evenly over 50 groups.

Run: python tests/benchmarks/cost.py [--only groups|rows] [--timeout 300]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from measuring import growing, machine, report
from peers import grouped, simulated

GROUPS = 50  # of the rows
REDUCED = ("normal", "bernoulli", "gamma", "poisson", "neg_binomial")
SIZES = {
    "groups": {family: [10, 100, 1000, 10_000] for family in ("normal", "binomial", "poisson")},
    "rows": {
        **{family: [1000, 100_000, 10_000_000] for family in REDUCED},
        "student_t": [100, 1000, 10_000],
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Cost against groups and rows.")
    parser.add_argument("--only", choices=SIZES)
    parser.add_argument("--timeout", type=float, default=300)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        kind, family, size = options.child
        return one(kind, family, int(size))
    print(machine("hierstan", "stanli"))
    for kind in [options.only] if options.only else SIZES:
        print(
            f"\n{'family':<13} {kind:>11} {'cells':>7} {'data [s]':>9} {'fit [s]':>8} {'ratio':>7} "
            f"{'GiB':>5} {'ESS tau':>8} {'R-hat':>6}"
        )
        for family, sizes in SIZES[kind].items():
            for size, run, ratio in growing(__file__, sizes, kind, family, timeout=options.timeout):
                if run.failure:
                    print(f"{family:<13} {size:>11,} {run.failure}, {run.seconds:.0f} s")
                    continue
                found = run.answer
                print(
                    f"{family:<13} {size:>11,} {found['cells']:>7,} {found['data']:>9.3f} "
                    f"{found['fit']:>8.2f} {ratio:>7} {run.peak:>5.2f} {found['ess']:>8,.0f} "
                    f"{found['r_hat']:>6.3f}",
                    flush=True,
                )
    return None


def one(kind: str, family: str, size: int) -> None:
    """Simulate, take in, fit."""
    import pandas as pd

    import hierstan as hs

    hs.PartialPooling().fit(  # imports
        grouped("normal", simulated("normal", 5)), seed=1, engine="stanli", progress=False
    )
    frame = None if kind == "groups" else pd.DataFrame(rows(family, size))
    values = simulated(family, size) if frame is None else {}
    start = time.perf_counter()
    if frame is None:
        data = grouped(family, values)
    else:
        data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)
    read = time.perf_counter()
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    end = time.perf_counter()
    import arviz_stats as azs

    tau = fit.posterior["tau"].to_numpy()
    report(
        cells=len(data.cells),
        data=read - start,
        fit=end - read,
        ess=float(azs.ess(tau, method="bulk")),
        r_hat=float(azs.rhat(tau)),
    )


def rows(family: str, size: int) -> dict[str, Any]:
    """Outcomes whose groups differ by half of their own standard deviation, or of its log."""
    import numpy as np

    rng = np.random.default_rng(size)
    group = rng.integers(0, GROUPS, size)
    theta = rng.normal(0.5, 0.5, GROUPS)[group]
    mean = np.exp(theta)
    outcomes = {
        "normal": lambda: rng.normal(theta, 1),
        "student_t": lambda: theta + rng.standard_t(4, size),
        "bernoulli": lambda: rng.binomial(1, mean / (1 + mean)),
        "poisson": lambda: rng.poisson(mean),
        "neg_binomial": lambda: rng.poisson(mean * rng.gamma(3, 1 / 3, size)),
        "gamma": lambda: rng.gamma(2, mean / 2),
    }
    return {"g": group, "y": outcomes[family]()}


if __name__ == "__main__":
    main()
