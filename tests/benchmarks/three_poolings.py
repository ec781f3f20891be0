"""How long three poolings and their exact leave-one-out take, on the embedded engine.

Run: python tests/benchmarks/three_poolings.py [J ...]
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

import hierstan as hs


def simulated(family: str, J: int) -> hs.GroupedData:
    rng = np.random.default_rng(J)
    theta = rng.normal(-1, 0.5, J)
    size = rng.integers(20, 200, J)
    if family == "known se":
        se = 1 / np.sqrt(size)
        frame = pd.DataFrame({"g": range(J), "y": rng.normal(theta, se), "se": se})
        return hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    if family == "binomial":
        y = rng.binomial(size, 1 / (1 + np.exp(-theta)))
        frame = pd.DataFrame({"g": range(J), "y": y, "n": size})
        return hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")
    y = rng.poisson(size * np.exp(theta) / 10)
    frame = pd.DataFrame({"g": range(J), "y": y, "t": size / 10})
    return hs.GroupedData.from_events(frame, group="g", events="y", exposure="t")


def main() -> None:
    print(f"{'family':<10} {'groups':>7} {'fit [s]':>9} {'compare [s]':>12} {'both [s]':>9}")
    hs.compare(hs.fit_poolings(simulated("known se", 5), seed=1, engine="stanli"))  # imports
    for J in [int(number) for number in sys.argv[1:]] or [8, 50, 1000]:
        for family in ("known se", "binomial", "poisson"):
            data = simulated(family, J)
            start = time.perf_counter()
            fits = hs.fit_poolings(data, seed=1, engine="stanli", progress=False)
            fitted = time.perf_counter()
            hs.compare(fits, progress=False)
            end = time.perf_counter()
            print(
                f"{family:<10} {J:>7,} {fitted - start:>9.2f} {end - fitted:>12.2f} "
                f"{end - start:>9.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
