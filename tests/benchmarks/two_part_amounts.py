"""Do the defaults of TwoPart cover revenue per customer where amounts have heavy tails?

    python tests/benchmarks/two_part_amounts.py [repetitions]

Three variants of 3,000 visitors each, of whom 1% buy; lognormal amounts of several tails, and gamma
amounts. Prints how often 90% intervals hold the true revenue per customer, under gamma amounts and
under the default, and how often the default takes lognormal. Then, of few buyers, how often they
hold the true mean amount, by quadrature: under the default prior of sigma, under one as wide as
leaves the variance of the mean finite, and under a flat one, which leaves no mean at all.
`README.md` here has a run of it.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd
from scipy import special

import hierstan as hs
from hierstan.models.two_part import SIGMA_SCALE, TAU

VARIANTS, VISITORS, RATE, SPREAD = 3, 3000, 0.01, 0.1
CASES = [("lognormal", own) for own in (0.5, 1.0, 1.5, 2.0)] + [("gamma", 1.0)]
FEW = [
    (2, 2),
    (3, 2),
    (5, 2),
    (2, 5),
    (3, 4),
    (2, 8),
    (3, 5),
    (8, 2),
    (3, 7),
    (3, 10),
    (3, 30),
    (8, 5),
]  # variants, buyers of each
SCALES = {"default": SIGMA_SCALE, "0.7": 0.7, "flat": np.inf}  # of the prior of sigma
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


def held_of_few(variants: int, buyers: int, own: float, rng: np.random.Generator) -> list[bool]:
    """Return whether the interval of the first variant's mean amount holds it, by prior of sigma.

    Given sigma and tau, and mu far from known, the log of the mean is normal.
    """
    sigma = own * np.geomspace(0.25, 6, 160)[:, None]
    tau = np.linspace(0.001, 2, 40)
    theta = rng.normal(0, SPREAD, variants)
    logs = theta[:, None] + own * rng.normal(size=(variants, buyers))
    mean, s = logs.mean(axis=1), logs.std(ddof=1)
    within, between = ((logs - mean[:, None]) ** 2).sum(), ((mean - mean.mean()) ** 2).sum()
    noise, all_of_it = sigma**2 / buyers, sigma**2 / buyers + tau**2
    log_density = (
        (1 - variants * (buyers - 1)) * np.log(sigma) - within / (2 * sigma**2)
        - (variants - 1) / 2 * np.log(all_of_it) - between / (2 * all_of_it)
        - (tau / TAU.scale) ** 2 / 2
    )  # fmt: skip
    share = noise / all_of_it
    center = share * mean.mean() + (1 - share) * mean[0] + sigma**2 / 2
    sd = np.sqrt((1 - share) * noise + share**2 * all_of_it / variants)
    below = special.ndtr((theta[0] + own**2 / 2 - center) / sd)
    found = []
    for scale in SCALES.values():
        weight = special.softmax(log_density - ((sigma - s) / scale) ** 2 / 2)
        found.append(bool(0.05 < (weight * below).sum() < 0.95))
    return found


def few(repetitions: int) -> None:
    """Print a table of few buyers, one line a case."""
    print(f"\n| variants x buyers, log-sd | {' | '.join(SCALES)} |\n|---|{'---|' * len(SCALES)}")
    for variants, buyers in FEW:
        for own in (1.0, 2.0):
            rng = np.random.default_rng([variants, buyers, int(own)])
            held = [held_of_few(variants, buyers, own, rng) for _ in range(repetitions)]
            shares = " | ".join(f"{share:.1%}" for share in np.mean(held, axis=0))
            print(f"| {variants} x {buyers}, {own:g} | {shares} |", flush=True)


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
    few(2000)
