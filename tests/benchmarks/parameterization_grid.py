"""Whether the automatic parameterization samples well everywhere.

A grid of families, numbers of groups and amounts of information per group; for each cell the share
of divergent transitions, R-hat of mu and tau, the worst R-hat of all parameters and the bulk ESS of
tau at the default 4 x 1,000 draws, on the embedded engine. A cell misses its target with
divergences above 0.1%, any R-hat above 1.01 or an ESS below 400; it says which.

Run: python tests/benchmarks/parameterization_grid.py [--markdown] [J ...]
"""

from __future__ import annotations

import argparse
import re
import time

import numpy as np
import pandas as pd

import hierstan as hs

VARIANCES = {"little": 9.0, "some": 1.0, "much": 0.01, "mixed": None}
TAU = 0.5
MOST_DIVERGENT, WORST_R_HAT, LEAST_ESS = 0.001, 1.01, 400
PLAIN = (
    "{family:<12} {J:>5}  {information:<11}  {sampled:<12} {seconds:>7.1f} {divergent:>9.2%} "
    "{population:>7.3f} {r_hat:>7.3f} {worst:<10} {ess:>10,.0f}  {missed}"
)
MARKDOWN = (
    "| {family} | {J:,} | {information} | {sampled} | {seconds:.1f} | {divergent:.2%} "
    "| {population:.3f} | {r_hat:.3f} ({worst}) | {ess:,.0f} | {missed} |"
)


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


def cell(family: str, J: int, information: str) -> dict[str, object]:
    data = simulated(family, J, information)
    start = time.perf_counter()
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    seconds = time.perf_counter() - start
    measures = fit.convergence()
    divergent = measures.divergences / (measures.chains * measures.draws)
    r_hat = float(measures.parameters["r_hat"].max())
    ess = float(measures.parameters.loc["tau", "ess_bulk"])
    missed = {
        "divergences": divergent > MOST_DIVERGENT,
        "R-hat": r_hat > WORST_R_HAT,
        "ESS": ess < LEAST_ESS,
    }
    return {
        "family": family,
        "J": J,
        "information": information,
        "sampled": f"{fit.parameterization}{'*' if fit.note else ''}",
        "seconds": seconds,
        "divergent": divergent,
        "population": float(measures.parameters.loc[["mu", "tau"], "r_hat"].max()),
        "r_hat": r_hat,
        "worst": re.sub(r"\d+", "j", str(measures.parameters["r_hat"].idxmax())),
        "ess": ess,
        "missed": "MISSED: " + ", ".join(k for k, v in missed.items() if v)
        if any(missed.values())
        else "",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Sampling quality over a grid.")
    parser.add_argument("groups", nargs="*", type=int, default=[3, 8, 50, 1000, 5000])
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    if options.markdown:
        print(
            "| family | groups | information | sampled as | s | divergent | R-hat of mu, tau "
            "| worst R-hat | ESS | missed |"
        )
        print("|---|---:|---|---|---:|---:|---:|---:|---:|---|")
    else:
        print(
            "family           J  information  sampled as   seconds divergent  mu,tau "
            "  worst R-hat of  ESS of tau"
        )
    cells, missed = 0, 0
    for J in options.groups:
        for family in ("normal_known", "binomial", "poisson"):
            for information in VARIANCES:
                found = cell(family, J, information)
                cells, missed = cells + 1, missed + bool(found["missed"])
                print((MARKDOWN if options.markdown else PLAIN).format(**found), flush=True)
    print("\n* sampled a second time with adapt_delta=0.99")
    print(f"cells that miss a target: {missed} of {cells} (ratio {missed / cells:.3f})")


if __name__ == "__main__":
    main()
