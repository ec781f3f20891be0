"""Whether structured groups sample well everywhere.

A grid of families, designs and amounts of information per group, like parameterization_grid.py: the
share of divergent transitions, the worst R-hat, and the bulk ESS of the worst sd and of the worst
level at the default 4 x 1,000 draws, on the embedded engine. A cell misses its target with
divergences above 0.1%, any R-hat above 1.01 or an ESS of an sd below 400; it says which.

Run: python tests/benchmarks/structured_grid.py [--family NAME ...] [--design N ...]
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np
import pandas as pd

import hierstan as hs

VARIANCES = {"little": 9.0, "some": 1.0, "much": 0.02, "mixed": None}  # in units of tau^2
TAU, SD = 0.4, 0.5
DESIGNS = (  # levels of each factor, groups, whether nested, balanced, factor without an effect
    ((2, 2), 4, False, True, None),
    ((4,), 12, True, False, None),
    ((3, 4), 11, False, False, None),
    ((4, 5, 3), 40, False, False, None),
    ((3, 12), 60, True, False, None),
    ((50,), 200, True, False, None),
    ((20, 10, 5), 1000, False, True, None),
    ((200, 12), 1200, False, False, None),
    ((40, 200), 2000, True, False, None),
    ((40, 20), 600, False, True, 0),
    ((5, 100), 1000, True, True, 1),
)
MOST_DIVERGENT, WORST_R_HAT, LEAST_ESS = 0.001, 1.01, 400
LINE = (
    "| {family} | {levels} | {groups:,} | {information} | {seconds:.1f} | {steps:.0f} "
    "| {divergent:.2%} | {r_hat:.3f} ({worst}) | {sd:,.0f} | {level:,.0f} | {missed} |"
)


def codes(
    levels: tuple[int, ...], J: int, nested: bool, balanced: bool, rng: np.random.Generator
) -> np.ndarray:
    """Return the level of each group, (J, F); in an unbalanced design the first have most."""
    falls = 0.0 if balanced else 1.0
    shares = [1 / (1 + np.arange(size)) ** falls for size in levels]
    if nested:
        finest = np.concatenate(
            [
                np.arange(levels[-1]),
                rng.choice(levels[-1], J - levels[-1], p=shares[-1] / shares[-1].sum()),
            ]
        )
        return np.stack([finest * size // levels[-1] for size in levels], axis=1)
    every = np.array(list(itertools.product(*map(range, levels))))
    weights = np.prod([share[every[:, f]] for f, share in enumerate(shares)], axis=0)
    while True:
        found = every[rng.choice(len(every), J, replace=False, p=weights / weights.sum())]
        if all(len(set(found[:, f])) == size for f, size in enumerate(levels)):
            return found


def simulated(family: str, design: tuple, information: str) -> hs.GroupedData:
    levels, J, nested, balanced, without = design
    rng = np.random.default_rng(J)
    level = codes(levels, J, nested, balanced, rng)
    theta = rng.normal(-1, TAU, J)
    for f, size in enumerate(levels):
        theta += (f != without) * rng.normal(0, SD, size)[level[:, f]]
    ratio = VARIANCES[information]
    variance = (np.full(J, ratio) if ratio else 10 ** rng.uniform(-2, 1.2, J)) * TAU**2
    names = [f"f{f}" for f in range(len(levels))]
    frame = pd.DataFrame({"g": range(J), **dict(zip(names, level.T, strict=True))})
    known = {"group": "g", "factors": names}
    if family == "normal_known":
        frame = frame.assign(se=np.sqrt(variance), y=rng.normal(theta, np.sqrt(variance)))
        return hs.GroupedData.from_estimates(frame, estimate="y", se="se", **known)
    if family == "normal":
        n = np.maximum(2, np.round(1 / variance)).astype(int)
        rows = frame.loc[frame.index.repeat(n)]
        rows = rows.assign(y=rng.normal(np.repeat(theta, n), 1))
        return hs.GroupedData.from_rows(rows, outcome="y", **known)
    if family == "binomial":
        n = np.maximum(1, np.round(1 / (variance * 0.2))).astype(int)
        frame = frame.assign(n=n, y=rng.binomial(n, 1 / (1 + np.exp(-theta))))
        return hs.GroupedData.from_counts(frame, successes="y", trials="n", **known)
    exposure = 1 / (variance * 0.37)
    frame = frame.assign(t=exposure, y=rng.poisson(exposure * np.exp(theta)))
    return hs.GroupedData.from_events(frame, events="y", exposure="t", **known)


def cell(family: str, design: tuple, information: str) -> dict[str, object]:
    levels, J, nested, _, without = design
    told = [f"{size}{' without effect' * (f == without)}" for f, size in enumerate(levels)]
    data = simulated(family, design, information)
    start = time.process_time()
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    seconds = time.process_time() - start
    measures = fit.convergence()
    table = measures.parameters
    divergent = measures.divergences / (measures.chains * measures.draws)
    r_hat = float(table["r_hat"].max())
    sd = float(table.loc[table.index.str.startswith("tau"), "ess_bulk"].min())
    missed = {
        "divergences": divergent > MOST_DIVERGENT,
        "R-hat": r_hat > WORST_R_HAT,
        "ESS": sd < LEAST_ESS,
    }
    return {
        "family": family,
        "levels": (" in " if nested else " × ").join(told[::-1] if nested else told),
        "groups": J,
        "information": information,
        "seconds": seconds,
        "steps": float(fit.idata["sample_stats"]["n_steps"].mean()),
        "divergent": divergent,
        "r_hat": r_hat,
        "worst": str(table["r_hat"].idxmax()).split("[")[0],
        "sd": sd,
        "level": float(table.loc[table.index.str.startswith("u_"), "ess_bulk"].min()),
        "missed": ("sampled twice" if fit.note else "")
        + (
            "MISSED: " + ", ".join(k for k, v in missed.items() if v)
            if any(missed.values())
            else ""
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Sampling quality of structured groups.")
    families = ["normal_known", "normal", "binomial", "poisson"]
    parser.add_argument("--family", nargs="*", default=families)
    parser.add_argument("--information", nargs="*", default=list(VARIANCES))
    parser.add_argument("--design", nargs="*", type=int, default=list(range(len(DESIGNS))))
    options = parser.parse_args()
    print(
        "| family | levels | groups | information | CPU s | steps | divergent | worst R-hat "
        "| ESS, worst sd | worst level | |"
    )
    print("|---|---|---:|---|---:|---:|---:|---|---:|---:|---|")
    for number in options.design:
        for family, information in itertools.product(options.family, options.information):
            print(LINE.format(**cell(family, DESIGNS[number], information)), flush=True)


if __name__ == "__main__":
    main()
