"""Whether the automatic parameterization samples well everywhere.

A grid of families, numbers of groups and amounts of information per group; for each cell the share
of divergent transitions, R-hat and bulk ESS of tau at the default 4 x 1,000 draws.

Run: python tests/benchmarks/parameterization_grid.py [J ...]
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

import hierstan as hs

VARIANCES = {"little": 9.0, "some": 1.0, "much": 0.01, "mixed": None}
TAU = 0.5


def simulated(family: str, J: int, information: str) -> hs.GroupedData:
    """Groups whose sampling variance is so many times tau's square."""
    rng = np.random.default_rng(J)
    ratio = VARIANCES[information]
    ratios = np.full(J, ratio) if ratio else 10 ** rng.uniform(-2.5, 1.5, J)
    variance = ratios * TAU**2
    theta = rng.normal(-1, TAU, J)
    if family == "normal_known":
        frame = pd.DataFrame({"g": range(J), "se": np.sqrt(variance)})
        frame["y"] = rng.normal(theta, frame["se"])
        return hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    if family == "binomial":
        n = np.maximum(1, np.round(1 / (variance * 0.2))).astype(int)
        frame = pd.DataFrame(
            {"g": range(J), "n": n, "y": rng.binomial(n, 1 / (1 + np.exp(-theta)))}
        )
        return hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")
    exposure = 1 / (variance * 0.37)
    frame = pd.DataFrame({"g": range(J), "t": exposure, "y": rng.poisson(exposure * np.exp(theta))})
    return hs.GroupedData.from_events(frame, group="g", events="y", exposure="t")


def main() -> None:
    print("family         J  information  sampled as     seconds  divergent  R-hat  ESS of tau")
    for J in [int(number) for number in sys.argv[1:]] or [3, 8, 50, 1000, 5000]:
        for family in ("normal_known", "binomial", "poisson"):
            for information in VARIANCES:
                data = simulated(family, J, information)
                start = time.perf_counter()
                fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
                seconds = time.perf_counter() - start
                tau = hs.summary(fit).loc["tau"]
                diverging = fit.idata["sample_stats"]["diverging"].to_numpy().mean()
                print(
                    f"{family:<12} {J:>5}  {information:<11}  {fit.parameterization:<11}"
                    f"{'*' if fit.note else ' '} {seconds:>9.1f} {diverging:>10.2%} "
                    f"{tau['r_hat']:>6.3f} {tau['ess_bulk']:>11,.0f}",
                    flush=True,
                )
    print("* sampled a second time with adapt_delta=0.99")


if __name__ == "__main__":
    main()
