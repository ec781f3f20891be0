"""What one fit of partial pooling costs, against the number of groups and of rows.

Each fit in a process of its own, on the embedded engine, with default priors and 4 x 1,000 draws:
seconds to take in the data and to fit, and peak memory. The ratio is the growth of the fit's
seconds per group (or per row) from one line to the next: 1 is in proportion, less is cheaper.
Groups have 20 to 200 observations each; rows are spread evenly over 50 groups.

With `--only answers`: what is asked after it, in processor seconds, and the exponent at which each
grows with the number of groups from one line to the next: 1 is in proportion. Three poolings are
fitted and compared; sensitivity, report and three pictures are of partial pooling.

Run: python tests/benchmarks/cost.py [--only groups|rows|answers] [--sizes 8 100 1000]
    [--families normal binomial poisson] [--timeout 300]
"""

from __future__ import annotations

import argparse
import math
import resource
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import again, growing, machine, report
from peers import grouped, simulated

GROUPS = 50  # of the rows
REDUCED = ("normal", "bernoulli", "gamma", "poisson", "neg_binomial")
SIZES = {
    "groups": {family: [10, 100, 1000, 10_000] for family in ("normal", "binomial", "poisson")},
    "rows": {
        **{family: [1000, 100_000, 10_000_000] for family in REDUCED},
        "student_t": [100, 1000, 10_000, 100_000],
    },
}
ANSWERED = [8, 100, 1000, 10_000, 100_000]  # groups
ANSWERS = ("fits", "compare", "sensitivity", "report", "pictures")


def main() -> None:
    parser = argparse.ArgumentParser(description="Cost against groups and rows.")
    parser.add_argument("--only", choices=(*SIZES, "answers"))
    parser.add_argument("--sizes", type=int, nargs="+", default=ANSWERED, help="for --only answers")
    parser.add_argument("--families", nargs="+", default=["normal", "binomial", "poisson"])
    parser.add_argument("--timeout", type=float, default=300)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        kind, family, size = options.child
        return (answers if kind == "answers" else one)(kind, family, int(size))
    print(machine("hierstan", "stanli"))
    if options.only == "answers":
        return growth(options.families, options.sizes, options.timeout)
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


def growth(families: Sequence[str], sizes: Sequence[int], timeout: float) -> None:
    """Print what each answer costs at each number of groups, and the exponents."""
    head = "".join(f"{name:>13} [s] {'exp.':>5}" for name in ANSWERS)
    print(f"\n{'family':<13} {'groups':>8}{head} {'GiB':>5}")
    for family in families:
        before: tuple[int, dict[str, float]] | None = None
        for size in sizes:
            child = again(__file__, "answers", family, size, timeout=timeout)
            if child.failure:
                print(f"{family:<13} {size:>8,} {child.failure}, {child.seconds:.0f} s", flush=True)
                continue
            found, line = child.answer, ""
            for name in ANSWERS:
                exponent = ""
                if before and before[1][name] > 0:
                    rise = math.log(found[name] / before[1][name])
                    exponent = f"{rise / math.log(size / before[0]):.2f}"
                line += f"{found[name]:>17.2f} {exponent:>5}"
            print(f"{family:<13} {size:>8,}{line} {child.peak:>5.2f}", flush=True)
            before = size, found


def answers(kind: str, family: str, size: int) -> None:
    """Ask all that is asked of some groups; once of few before, for the imports."""
    report(**{**_asked(family, 5), **_asked(family, size)})


def _asked(family: str, size: int) -> dict[str, float]:
    import hierstan as hs

    data = grouped(family, simulated(family, size))
    took, before = {}, _processor()

    def lap(name: str) -> None:
        nonlocal before
        now = _processor()
        took[name], before = max(now - before, 1e-3), now

    fits = hs.fit_poolings(data, seed=1, engine="stanli", progress=False)
    lap("fits")
    hs.compare(fits, progress=False)
    lap("compare")
    hs.prior_sensitivity(fits["partial"])
    lap("sensitivity")
    with tempfile.TemporaryDirectory() as folder:
        hs.report(fits, Path(folder) / "report.html")
    lap("report")
    for plot in (hs.plot_forest, hs.plot_shrinkage, hs.plot_population):
        plot(fits["partial"])
    lap("pictures")
    return took


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


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
