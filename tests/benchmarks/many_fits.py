"""200 small fits on two cores: partial pooling of 200 data sets of 10 groups each.

This is how a user writes it; the workers share nothing but the code, and the fits come back whole:

    import joblib, hierstan as hs
    fit = joblib.delayed(hs.PartialPooling().fit)
    fits = joblib.Parallel(n_jobs=2)(fit(data, seed=i, progress=False) for i, data in ...)

Run: python tests/benchmarks/many_fits.py [--fits 200] [--jobs 2] [--engine stanli] [--profile]
"""

from __future__ import annotations

import argparse
import pickle
import time

import joblib
import numpy as np
import pandas as pd
from measuring import machine

import hierstan as hs

TARGET = 20.0  # seconds


def datasets(family: str, number: int) -> list[hs.GroupedData]:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(number):
        theta = rng.normal(-1, 0.5, 10)
        size = rng.integers(20, 200, 10)
        frame = pd.DataFrame({"g": list("ABCDEFGHIJ"), "n": size, "se": 1 / np.sqrt(size)})
        if family == "normal":
            frame["y"] = rng.normal(theta, frame["se"])
            data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
        else:
            frame["y"] = rng.binomial(size, 1 / (1 + np.exp(-theta)))
            data = hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")
        found.append(data)
    return found


def profile(family: str, number: int, engine: str) -> None:
    import cProfile
    import pstats

    model = hs.PartialPooling()
    watched = cProfile.Profile()
    sets = datasets(family, number)
    watched.enable()
    for seed, data in enumerate(sets, 1):
        model.fit(data, seed=seed, engine=engine, progress=False)
    watched.disable()
    pstats.Stats(watched).sort_stats("cumulative").print_stats(40)


def main() -> None:
    parser = argparse.ArgumentParser(description="Many small fits.")
    parser.add_argument("--fits", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--engine", default="stanli")
    parser.add_argument("--profile", action="store_true", help="what one after the other costs")
    options = parser.parse_args()
    print(machine("hierstan", "stanli", "joblib"))
    print(
        f"\n{options.fits} fits: first is a fresh pool's, whose workers import everything\n"
        f"{'family':<9} {'one by one [s]':>14} {'first [s]':>10} {'again [s]':>10} "
        f"{'ratio':>6} {'pickled fit':>12} {'ms per fit':>11}"
    )
    for family in ("normal", "binomial"):
        sets = datasets(family, options.fits)
        model = hs.PartialPooling()
        model.fit(sets[0], seed=1, engine=options.engine, progress=False)  # imports
        start = time.perf_counter()
        alone = [
            model.fit(data, seed=seed, engine=options.engine, progress=False)
            for seed, data in enumerate(sets, 1)
        ]
        sequential = time.perf_counter() - start
        together = []
        for _ in range(2):
            start = time.perf_counter()
            fits = joblib.Parallel(n_jobs=options.jobs)(
                joblib.delayed(hs.PartialPooling().fit)(
                    data, seed=seed, engine=options.engine, progress=False
                )
                for seed, data in enumerate(sets, 1)
            )
            together.append(time.perf_counter() - start)
        joblib.externals.loky.get_reusable_executor().shutdown(wait=True)  # the next starts anew
        same = all(
            np.array_equal(one.draws("theta"), other.draws("theta"))
            for one, other in zip(alone, fits, strict=True)
        )
        print(
            f"{family:<9} {sequential:>14.1f} {together[0]:>10.1f} {together[1]:>10.1f} "
            f"{sequential / together[1]:>5.2f}x {len(pickle.dumps(fits[0])) / 1e6:>9.2f} MB "
            f"{1000 * sequential / options.fits:>11.0f}  "
            f"{'same draws' if same else 'DIFFERENT DRAWS'}, "
            f"{'under' if together[0] < TARGET else 'OVER'} {TARGET:g} s",
            flush=True,
        )
        if options.profile:
            profile(family, min(options.fits, 50), options.engine)


if __name__ == "__main__":
    main()
