"""What a comparison of three poolings costs, beside what their fits cost.

Each family in a process of its own, on the embedded engine, with default priors, 4 x 1,000 draws.
Processor seconds, so that other work on the machine matters less; *share* is the comparison over
what it may cost, 1.5 times the fits and a second.

Run: python tests/benchmarks/comparison.py [family ...]
"""

from __future__ import annotations

import resource
import sys
from typing import Any

from measuring import again, machine, report

CELLS = {  # rows, groups
    "known se": (50, 50),
    **dict.fromkeys(("normal", "poisson", "bernoulli", "gamma", "neg_binomial"), (1000, 50)),
    "student_t": (1000, 50),
    "normal, large": (20_000, 1000),
}


def main() -> None:
    if "--child" in sys.argv:
        return one(sys.argv[-1])
    print(machine("hierstan", "stanli"))
    print(
        f"\n{'family':<14} {'rows':>7} {'groups':>7} {'fits [s]':>9} {'compare [s]':>12} ", end=""
    )
    print(f"{'share':>6} {'GiB':>5}")
    for family in sys.argv[1:] or CELLS:
        child = again(__file__, family, timeout=900)
        rows, groups = CELLS[family]
        if child.failure:
            print(f"{family:<14} {rows:>7,} {groups:>7,} {child.failure}")
            continue
        fits, compare = child.answer["fits"], child.answer["compare"]
        print(
            f"{family:<14} {rows:>7,} {groups:>7,} {fits:>9.2f} {compare:>12.2f} "
            f"{compare / (1.5 * fits + 1):>6.2f} {child.peak:>5.2f}",
            flush=True,
        )
    return None


def one(name: str) -> None:
    """Simulate, fit and compare."""
    import hierstan as hs

    hs.compare(hs.fit_poolings(simulated("known se", 5, 5), seed=1, engine="stanli"))  # imports
    data = simulated(name.split(",")[0], *CELLS[name])
    start = seconds()
    fits = hs.fit_poolings(data, seed=1, engine="stanli", progress=False)
    fitted = seconds()
    hs.compare(fits, progress=False)
    report(fits=fitted - start, compare=seconds() - fitted)


def simulated(family: str, size: int, groups: int) -> Any:
    """Return rows whose groups differ by half of their own standard deviation, or of its log."""
    import numpy as np
    import pandas as pd

    import hierstan as hs

    rng = np.random.default_rng(1)
    group = np.arange(size) % groups
    theta = rng.normal(0.5, 0.5, groups)[group]
    mean = np.exp(theta)
    if family == "known se":
        se = rng.uniform(0.3, 1, size)
        frame = pd.DataFrame({"g": group, "y": rng.normal(theta, se), "se": se})
        return hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    outcomes = {
        "normal": lambda: rng.normal(theta, 1),
        "student_t": lambda: theta + rng.standard_t(4, size),
        "bernoulli": lambda: rng.binomial(1, mean / (1 + mean)),
        "poisson": lambda: rng.poisson(mean),
        "neg_binomial": lambda: rng.poisson(mean * rng.gamma(3, 1 / 3, size)),
        "gamma": lambda: rng.gamma(2, mean / 2),
    }
    frame = pd.DataFrame({"g": group, "y": outcomes[family]()})
    return hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)


def seconds() -> float:
    """Return the processor seconds of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
