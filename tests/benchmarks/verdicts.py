"""What the verdicts on the poolings say, at so many groups and so large a tau.

For each cell, data sets are drawn and the rule of `hierstan.fit.tau_evidence` is applied to exact
posteriors: by quadrature over tau (mu and the groups' means integrated out), under the default
priors. Binomial data of 100 trials enter with the normal approximation of each group's log-odds.
`compare` and `heterogeneity` both take the kind from that rule, so that they cannot contradict each
other; on fits, with the Bayes factor from draws, `tests/answers/comparison/test_compare.py` checks
it. ``Q`` is the share of data sets in which Cochran's Q has p < 0.05.

Run: python tests/benchmarks/verdicts.py [--markdown] [--sets N]
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy import special, stats

import hierstan as hs
from hierstan.data.own_estimates import raw_estimates
from hierstan.families import FAMILIES
from hierstan.families.family import between_groups
from hierstan.fit.tau_evidence import LIKELY, OWN, TIMES, UNLIKELY

GROUPS = (3, 8, 30, 200, 400)
TAUS = (0.0, 0.25, 0.5, 1.0, 3.0, 10.0)  # in typical standard errors
TRIALS, RATE = 100, 0.3
KINDS = ("undecided", "complete", "none", "partial")


def drawn(data: str, J: int, tau: float, rng: np.random.Generator) -> hs.GroupedData:
    """One data set, with standard errors of about 1, or log-odds known to about 0.22."""
    if data == "known se":
        y = rng.normal(0, np.hypot(1, tau), J)
        frame = pd.DataFrame({"g": np.arange(J), "y": y, "se": 1.0})
        return hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    se = 1 / np.sqrt(TRIALS * RATE * (1 - RATE))
    theta = special.logit(RATE) + rng.normal(0, tau * se, J)
    frame = pd.DataFrame({"g": np.arange(J), "y": rng.binomial(TRIALS, special.expit(theta))})
    return hs.GroupedData.from_counts(frame.assign(n=TRIALS), group="g", successes="y", trials="n")


def kind(data: hs.GroupedData) -> tuple[str, bool]:
    """Return the verdict from the exact posterior, and whether Q is significant."""
    raw = raw_estimates(data)
    y, variance = raw["link"].to_numpy(), raw["link_se"].to_numpy() ** 2
    priors = hs.PartialPooling().resolve_priors(data)
    mu, tau_prior = priors["mu"].numbers(), priors["tau"]
    J, w = len(y), 1 / variance
    noise = float(np.sqrt((J - 1) * w.sum() / (w.sum() ** 2 - (w**2).sum())))
    tau = np.r_[np.linspace(0, noise / 3, 60), np.geomspace(1.005 * noise / 3, 60 * noise, 240)]
    weight = 1 / (variance + tau[:, None] ** 2)
    precision = weight.sum(1) + 1 / mu["scale"] ** 2
    mean = (weight @ y + mu["location"] / mu["scale"] ** 2) / precision
    rest = (weight * (y - mean[:, None]) ** 2).sum(1)
    rest += ((mean - mu["location"]) / mu["scale"]) ** 2
    likelihood = 0.5 * (np.log(weight).sum(1) - rest - np.log(precision))
    step = np.gradient(tau)
    step[0] = tau[1] / 2
    terms = likelihood + tau_prior.log_density(tau) + np.log(step)
    total = special.logsumexp(terms)
    posterior = np.exp(terms - total)
    negligible = posterior[tau < noise / 3].sum()
    own = posterior @ (tau[:, None] ** 2 * weight).mean(1)
    between, _, few = between_groups(FAMILIES[data.family], data.cells)
    wide = tau_prior.quantile(0.5) > hs.HalfNormal(between * few).quantile(0.5)
    room = hs.HalfNormal(between * few) if wide else tau_prior
    judged = special.logsumexp(likelihood + room.log_density(tau) + np.log(step))
    factor = np.exp(min(judged - likelihood[0], 700))
    q = (w * (y - (w @ y) / w.sum()) ** 2).sum() > stats.chi2.ppf(0.95, J - 1)
    if negligible < UNLIKELY and factor > TIMES:
        return ("none" if own > OWN else "partial"), bool(q)
    alike = negligible >= LIKELY and factor < 1 / TIMES
    return ("complete" if alike else "undecided"), bool(q)


def main() -> None:
    """Print the table, in per cent of the data sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--sets", type=int, default=300)
    arguments = parser.parse_args()
    line = "{:<9} {:>4} {:>8} {:>10} {:>9} {:>5} {:>8} {:>5}"
    if arguments.markdown:
        line = "| " + " | ".join(["{}"] * 8) + " |"
    print(line.format("data", "J", "tau/se", "can't tell", "complete", "none", "partial", "Q"))
    if arguments.markdown:
        print("|---" * 8 + "|")
    for data in ("known se", "binomial"):
        for J in GROUPS:
            for tau in TAUS:
                rng = np.random.default_rng([J, round(100 * tau), len(data)])
                found = [kind(drawn(data, J, tau, rng)) for _ in range(arguments.sets)]
                share = [100 * np.mean([name == one for one, _ in found]) for name in KINDS]
                q = 100 * np.mean([significant for _, significant in found])
                print(line.format(data, J, tau, *(f"{value:.0f}" for value in [*share, q])))


if __name__ == "__main__":
    main()
