"""How well the default priors of mu and tau serve at few groups.

For J groups with standard errors of 1 and a true tau, exact posteriors by quadrature over tau (the
rest is normal given tau): how often 90% intervals of mu, of tau and of a new group hold the truth,
and the root mean squared error of the groups' means, in standard errors. The column "rates" has the
scale of log-odds, 1 or as far apart as they are beyond chance, with a standard error of 0.22, as of
100 trials at 0.3; the column "scale of 1" has 1.

Run: python tests/benchmarks/default_priors.py [--markdown] [--sets N]
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy import special, stats

GROUPS = (2, 3, 5, 8, 30)
TAUS = (0.25, 0.5, 1.0, 3.0, 10.0)
RATE_SE = 0.22
FORMER = "HalfNormal(s)"
NATURAL = ("rates", "scale of 1")


def half_normal(x: np.ndarray) -> np.ndarray:
    return stats.halfnorm.logpdf(x)


def half_cauchy(x: np.ndarray) -> np.ndarray:
    return stats.halfcauchy.logpdf(x)


# log density of tau / (factor * s); factor by J; scale of mu / s; ddof of the estimates' sd in s
CANDIDATES = {
    FORMER: (half_normal, lambda J: 1.0, 2.5, 0),
    "HalfNormal(1.5 s)": (half_normal, lambda J: 1.5, 10.0, 1),
    "HalfCauchy(s)": (half_cauchy, lambda J: 1.0, 10.0, 1),
    "the default": (half_normal, lambda J: (J + 2) / (J - 1), 10.0, 1),
}


def served(name: str, J: int, tau: float, sets: int) -> np.ndarray:
    """Return coverage of mu, tau and a new group, and the error of the groups' means."""
    rng = np.random.default_rng([J, round(100 * tau)])
    theta, new = rng.normal(0, tau, (sets, J)), rng.normal(0, tau, sets)
    y = theta + rng.normal(size=(sets, J))
    density, factor, of_mu, ddof = CANDIDATES.get(name, CANDIDATES["the default"])
    center = y.mean(axis=1, keepdims=True)
    scale = np.maximum(y.std(axis=1, ddof=ddof), 1.0)[:, None]
    spread, wide = factor(J) * scale, of_mu * scale
    if name in NATURAL:
        beyond = np.maximum(y.var(axis=1, ddof=1)[:, None] - 2, 0) if name == "rates" else 0 * scale
        apart = factor(J) * np.sqrt(beyond)
        spread, wide = np.maximum(1 / RATE_SE, apart), np.maximum(1.5 / RATE_SE, 3 * apart)
    x = np.r_[np.linspace(0, 0.1, 12)[:-1], np.geomspace(0.1, 60, 170)]
    step = np.gradient(x)
    step[0] = x[1] / 2
    taus = x * spread
    variance = 1 + taus**2
    precision = J / variance + 1 / wide**2
    squares = ((y - center) ** 2).sum(axis=1, keepdims=True)
    log_weight = -0.5 * (J * np.log(variance) + squares / variance + np.log(precision))
    log_weight += density(x) + np.log(step)
    weight = np.exp(log_weight - special.logsumexp(log_weight, axis=1, keepdims=True))
    below = np.array(
        [
            (weight * special.ndtr(-center * np.sqrt(precision))).sum(1),
            [np.interp(tau, t, np.cumsum(w) - w / 2) for t, w in zip(taus, weight, strict=True)],
            (weight * special.ndtr((new[:, None] - center) / np.sqrt(1 / precision + taus**2))).sum(
                1
            ),
        ]
    )
    own = (weight * taus**2 / variance).sum(1, keepdims=True)
    error = np.sqrt(np.mean((own * y + (1 - own) * center - theta) ** 2))
    return np.array([*100 * ((below > 0.05) & (below < 0.95)).mean(axis=1), error])


def main() -> None:
    """Print the table: mu / tau / new group in per cent, and the error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--sets", type=int, default=2000)
    arguments = parser.parse_args()
    names = [*CANDIDATES, *NATURAL]
    line = "{:>3} {:>7}" + " {:>26}" * len(names)
    if arguments.markdown:
        line = "| " + " | ".join(["{}"] * (2 + len(names))) + " |"
    print(line.format("J", "tau/se", *names))
    if arguments.markdown:
        print("|---" * (2 + len(names)) + "|")
    for J in GROUPS:
        for tau in TAUS:
            found = [served(name, J, tau, arguments.sets) for name in names]
            shown = [f"{a:.0f} / {b:.0f} / {c:.0f}, {error:.2f}" for a, b, c, error in found]
            print(line.format(J, tau, *shown), flush=True)


if __name__ == "__main__":
    main()
