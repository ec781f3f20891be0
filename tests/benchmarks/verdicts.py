"""What the verdicts on the poolings say, at so many groups and so large a tau.

For each cell, data sets are drawn and the rule of `hierstan.fit.tau_evidence` is applied to exact
posteriors under the default priors: mu and the groups' means are integrated out by
`hierstan.fit.tau_likelihood`, which `tests/answers/differences/test_heterogeneity.py` holds against
other quadrature, and tau by a sum over a fine grid. `compare` and `heterogeneity` both take the
kind from that rule, so that they cannot contradict each other;
`tests/answers/comparison/test_compare.py` checks it on fits. ``Q`` is the share of data sets in
which Cochran's Q has p < 0.05.

Run: python tests/benchmarks/verdicts.py [--markdown] [--sets N] (half as many of counts)
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
from scipy import interpolate, special, stats

import hierstan as hs
from hierstan.data.own_estimates import raw_estimates
from hierstan.families import FAMILIES
from hierstan.families.between import between_groups
from hierstan.fit.tau_evidence import LIKELY, OWN, TIMES, UNLIKELY
from hierstan.fit.tau_likelihood import TauLikelihood
from hierstan.sampling.approximation import normal_approximation

GROUPS = (3, 8, 30, 200, 400)
TAUS = (0.0, 0.25, 0.5, 1.0, 3.0, 10.0)  # in typical standard errors
TRIALS, RATE = 100, 0.3
EXACT = 11  # values of tau at which the likelihood of counts is known exactly, beside 0
KINDS = ("undecided", "complete", "none", "partial")


@cache
def told(data: str, J: int) -> hs.GroupedData:
    """Data of one kind, whose outcomes are put in place of."""
    frame = pd.DataFrame({"g": np.arange(J), "y": 1, "se": 1.0, "n": TRIALS})
    if data == "known se":
        return hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    return hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")


def drawn(data: str, J: int, tau: float, rng: np.random.Generator) -> hs.GroupedData:
    """One data set, with standard errors of 1, or log-odds known to about 0.22."""
    if data == "known se":
        y = rng.normal(0, np.hypot(1, tau), J)
    else:
        se = 1 / np.sqrt(TRIALS * RATE * (1 - RATE))
        theta = special.logit(RATE) + rng.normal(0, tau * se, J)
        y = rng.binomial(TRIALS, special.expit(theta))
    cells = told(data, J).cells.assign(y=y)
    return replace(told(data, J), cells=cells, rows=cells)


def kind(data: hs.GroupedData) -> tuple[str, bool]:
    """Return the verdict from the exact posterior, and whether Q is significant."""
    priors = hs.PartialPooling().resolve_priors(data)
    estimate, w = normal_approximation(data)
    variance, J = 1 / w, len(w)
    noise = float(np.sqrt((J - 1) * w.sum() / (w.sum() ** 2 - (w**2).sum())))
    tau = np.r_[np.linspace(0, noise / 3, 60), np.geomspace(1.005 * noise / 3, 60 * noise, 240)]
    step = np.gradient(tau)
    step[0] = tau[1] / 2
    likelihood = log_likelihood(data, priors, estimate, variance, tau, step)
    terms = likelihood + priors["tau"].log_density(tau) + np.log(step)
    posterior = np.exp(terms - special.logsumexp(terms))
    negligible = posterior[tau < noise / 3].sum()
    own = posterior @ (tau[:, None] ** 2 / (variance + tau[:, None] ** 2)).mean(1)
    between, _, few = between_groups(FAMILIES[data.family], data.cells)
    reference = hs.HalfNormal(between * few)
    wide = priors["tau"].quantile(0.5) > reference.quantile(0.5)
    judged = reference if wide else priors["tau"]
    marginal = special.logsumexp(likelihood + judged.log_density(tau) + np.log(step))
    factor = np.exp(min(marginal - likelihood[0], 700))
    if negligible < UNLIKELY and factor > TIMES:
        return ("none" if own > OWN else "partial"), significant(data)
    alike = negligible >= LIKELY and factor < 1 / TIMES
    return ("complete" if alike else "undecided"), significant(data)


def log_likelihood(
    data: hs.GroupedData,
    priors: dict[str, hs.Prior],
    estimate: np.ndarray,
    variance: np.ndarray,
    tau: np.ndarray,
    step: np.ndarray,
) -> np.ndarray:
    """Return that of tau; of counts from a few exact values, smooth against the normal ones."""
    mu = priors["mu"].numbers()

    def normal(at: np.ndarray) -> np.ndarray:
        weight = 1 / (variance + at[:, None] ** 2)
        precision = weight.sum(1) + 1 / mu["scale"] ** 2
        mean = (weight @ estimate + mu["location"] / mu["scale"] ** 2) / precision
        rest = (weight * (estimate - mean[:, None]) ** 2).sum(1)
        rest += ((mean - mu["location"]) / mu["scale"]) ** 2
        return 0.5 * (np.log(weight).sum(1) - rest - np.log(precision))

    found = normal(tau)
    if data.family == "normal_known":
        return found
    terms = found + priors["tau"].log_density(tau) + np.log(step)
    mass = np.cumsum(np.exp(terms - special.logsumexp(terms)))
    low, high = (tau[np.searchsorted(mass, p)] for p in (1e-7, 1 - 1e-7))
    places = (1 - np.cos(np.pi * (np.arange(EXACT) + 0.5) / EXACT)) / 2
    at = np.r_[0.0, 0.9 * low + (1.1 * high - 0.9 * low) * places]
    apart = TauLikelihood(data, priors)(at) - normal(at)
    return found + interpolate.PchipInterpolator(at, apart)(np.minimum(tau, at[-1]))


def significant(data: hs.GroupedData) -> bool:
    """Whether Cochran's Q has p < 0.05."""
    raw = raw_estimates(data)
    y, w = raw["link"].to_numpy(), raw["link_se"].to_numpy() ** -2.0
    q = (w * (y - (w @ y) / w.sum()) ** 2).sum()
    return bool(q > stats.chi2.ppf(0.95, len(y) - 1))


def main() -> None:
    """Print the table, in per cent of the data sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--sets", type=int, default=200)
    arguments = parser.parse_args()
    line = "{:<9} {:>4} {:>8} {:>10} {:>9} {:>5} {:>8} {:>5}"
    if arguments.markdown:
        line = "| " + " | ".join(["{}"] * 8) + " |"
    print(line.format("data", "J", "tau/se", "can't tell", "complete", "none", "partial", "Q"))
    if arguments.markdown:
        print("|---" * 8 + "|")
    for data in ("known se", "binomial"):
        sets = arguments.sets if data == "known se" else arguments.sets // 2
        for J in GROUPS:
            for tau in TAUS:
                rng = np.random.default_rng([J, round(100 * tau), len(data)])
                found = [kind(drawn(data, J, tau, rng)) for _ in range(sets)]
                share = [100 * np.mean([name == one for one, _ in found]) for name in KINDS]
                q = 100 * np.mean([significant for _, significant in found])
                shown = (f"{value:.0f}" for value in [*share, q])
                print(line.format(data, J, tau, *shown), flush=True)


if __name__ == "__main__":
    main()
