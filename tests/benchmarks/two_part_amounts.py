"""Do the defaults of TwoPart cover revenue per customer where amounts have heavy tails?

    python tests/benchmarks/two_part_amounts.py [repetitions]

Three variants of 3,000 visitors each, of whom 1% buy; lognormal amounts of several tails, and gamma
amounts. Prints how often 90% intervals hold the true revenue per customer, under gamma amounts and
under the default, and how often the default takes lognormal. `README.md` here has a run of it.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd

import hierstan as hs

VARIANTS, VISITORS, RATE, SPREAD = 3, 3000, 0.01, 0.1
CASES = [("lognormal", own) for own in (0.5, 1.0, 1.5, 2.0)] + [("gamma", 1.0)]
OPTIONS = {"chains": 2, "warmup": 400, "draws": 400, "engine": "stanli", "progress": False}


def simulated(family: str, own: float, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Return customers, and the true revenue per customer of each variant."""
    theta = 3 + rng.normal(0, SPREAD, VARIANTS)
    rate = 1 / (1 + np.exp(-(np.log(RATE / (1 - RATE)) + rng.normal(0, SPREAD, VARIANTS))))
    size = (VARIANTS, VISITORS)
    if family == "lognormal":
        amounts, mean = rng.lognormal(theta[:, None], own, size), np.exp(theta + own**2 / 2)
    else:
        amounts, mean = np.exp(theta)[:, None] * rng.gamma(own, 1 / own, size), np.exp(theta)
    spent = np.where(rng.random(size) < rate[:, None], amounts, 0.0)
    variant = np.repeat(np.arange(VARIANTS), VISITORS)
    return pd.DataFrame({"variant": variant, "spent": spent.ravel()}), rate * mean


def main(repetitions: int) -> None:
    """Print a table, one line a case."""
    warnings.simplefilter("ignore")
    print("| amounts | gamma | default | takes lognormal |\n|---|---|---|---|")
    for family, own in CASES:
        held: dict[str, list[bool]] = {"gamma": [], "auto": []}
        lognormal = 0
        for seed in range(repetitions):
            frame, truth = simulated(family, own, np.random.default_rng([seed, int(10 * own)]))
            for amounts in held:
                model = hs.TwoPart(amounts)
                fit = model.fit(frame, group="variant", outcome="spent", seed=1, **OPTIONS)
                lower, upper = np.quantile(fit.draws("mean"), [0.05, 0.95], axis=0)
                held[amounts] += ((lower <= truth) & (truth <= upper)).tolist()
            lognormal += fit.model.amounts == "lognormal"
        shares = " | ".join(f"{np.mean(values):.0%}" for values in held.values())
        words = f"{family}, {'log-sd' if family == 'lognormal' else 'shape'} {own:g}"
        print(f"| {words} | {shares} | {lognormal / repetitions:.0%} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
