"""How well the default priors serve logarithms of means at few groups, on data of the families.

`default_priors.py` has known standard errors in their place. Here are J groups of Poisson counts
(20 events at the typical rate), negative binomial counts (25 rows with mean 5 and phi 1.2), gamma
and lognormal amounts (20 rows of shape 1 and log-sd 1): in each the logarithm of a group's mean or
median has a standard error of 0.22. Posteriors are exact, by quadrature over group means, mu, tau
and the family's own parameter. Prints how often 90% intervals of mu, tau and a new group hold the
truth, on the link scale, under priors whose scale is 1, under the default ones, whose scale (of
Poisson, negative binomial and gamma data) is how far groups are apart beyond chance where that is
above 1, and under those of estimates with standard errors (the default of lognormal amounts).

Run: python tests/benchmarks/log_means_priors.py [--sets N] [family ...]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats
from scipy.interpolate import PchipInterpolator

import hierstan as hs
from hierstan.families import FAMILIES
from hierstan.families.between import between_groups

GROUPS, RATIOS, SE = (2, 3, 5), (0.25, 0.5, 1.0, 3.0, 10.0), 0.22
Z = np.linspace(-7, 7, 47)  # of mu around its conditional mean, in standard deviations
TAUS = np.geomspace(0.012, 60, 56)
REACH, NODES = 9.0, 145  # standard errors around a group's own estimate, and points there
Own = dict[str, float]


@dataclass(frozen=True)
class Case:
    """A family: rows of groups with log means theta, their log density, and its own parameter."""

    draw: Callable[[np.random.Generator, np.ndarray], np.ndarray]
    log_lik: Callable[[np.ndarray, np.ndarray, Any], np.ndarray]
    own: str = ""
    truth: float = 1.0


CASES = {
    "poisson": Case(
        lambda rng, t: rng.poisson(20 * np.exp(t))[:, None],
        lambda y, t, own: stats.poisson.logpmf(y, 20 * np.exp(t)),
    ),
    "neg_binomial": Case(
        lambda rng, t: rng.poisson(rng.gamma(1.2, np.exp(t)[:, None] * 5 / 1.2, (len(t), 25))),
        lambda y, t, own: stats.nbinom.logpmf(y, own, own / (own + 5 * np.exp(t))),
        "phi", 1.2,
    ),
    "gamma": Case(
        lambda rng, t: np.exp(t)[:, None] * rng.gamma(1, 1, (len(t), 20)),
        lambda y, t, own: stats.gamma.logpdf(y * np.exp(-t), own, scale=1 / own) - t,
        "shape",
    ),
    "lognormal": Case(
        lambda rng, t: rng.lognormal(t[:, None], 1, (len(t), 20)),
        lambda y, t, own: stats.norm.logpdf(np.log(y), t, own) - np.log(y),
        "sigma",
    ),
}  # fmt: skip
UNIT = {"poisson": 20, "neg_binomial": 5}  # the mean at theta = 0


def grouped(family: str, y: np.ndarray) -> hs.GroupedData:
    J, rows = y.shape
    if family == "poisson":
        frame = pd.DataFrame({"g": range(J), "y": y[:, 0], "n": 20.0})
        return hs.GroupedData.from_events(frame, group="g", events="y", exposure="n")
    frame = pd.DataFrame({"g": np.repeat(range(J), rows), "y": y.ravel()})
    return hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)


def candidates(family: str, cells: pd.DataFrame, shift: float) -> list[tuple[Any, Any]]:
    """Return priors of mu, around the link scale of `CASES`, and of tau."""
    known, found = FAMILIES[family], FAMILIES[family].default_priors(cells)
    mean = found["mu"].numbers()
    location = mean["location"] - shift
    between, _, few = between_groups(known, cells)
    return [
        (hs.Normal(location, scale), hs.HalfNormal(of_tau))
        for scale, of_tau in (
            (1.5, 1.0),
            (mean["scale"], found["tau"].numbers()["scale"]),
            (10 * between, few * between),
        )
    ]


def held(family: str, J: int, tau: float, rng: np.random.Generator) -> np.ndarray:
    """Return whether intervals hold mu, tau and a new group, one line for each candidate."""
    case, known = CASES[family], FAMILIES[family]
    theta, new = rng.normal(0, tau, J), rng.normal(0, tau)
    y = case.draw(rng, theta)
    cells = grouped(family, y).cells
    shift = np.log(UNIT.get(family, 1)) if family != "poisson" else 0.0
    raw = known.raw_estimates(cells, J)
    link, se = raw["link"].to_numpy() - shift, raw["link_se"].to_numpy()
    nodes = np.linspace(-REACH, REACH, NODES) * se[:, None] + link[:, None]
    nodes[y.sum(axis=1) == 0] -= (REACH - 4) * se[y.sum(axis=1) == 0, None]
    owns = case.truth * np.geomspace(0.25, 4, 21) if case.own else np.ones(1)
    prior = known.default_priors(cells)
    log_own = (
        np.array([prior[case.own].log_density(v) + np.log(v) for v in owns]) if case.own else 0
    )
    log_lik = np.array([case.log_lik(y[:, :, None], nodes[:, None], v).sum(axis=1) for v in owns])
    log_lik += np.log(nodes[:, 1] - nodes[:, 0])[:, None]
    top = log_lik.max(axis=(0, 2), keepdims=True)
    mass = np.exp(log_lik - top)  # (K, J, nodes)
    weight = 1 / (TAUS[:, None] ** 2 + se**2)
    sd = 1 / np.sqrt(weight.sum(axis=1))
    mu = ((weight * link).sum(axis=1) * sd**2)[:, None] + sd[:, None] * Z  # (T, Z)
    z = (nodes[:, None, None] - mu[..., None]) / TAUS[:, None, None]
    of_group = np.einsum("jtzq,kjq->ktzj", np.exp(-0.5 * z**2), mass)
    whole = np.log(np.maximum(of_group, 1e-300)).sum(axis=3) - J * np.log(TAUS)[:, None]
    whole = special.logsumexp(whole + np.reshape(log_own, (-1, 1, 1)), axis=0)  # (T, Z)
    whole += np.log(sd * TAUS)[:, None]  # steps of mu and of log tau
    found = []
    step = (sd * (Z[1] - Z[0]))[:, None]
    for of_mu, of_tau in candidates(family, cells, shift):
        w = special.softmax(whole + of_mu.log_density(mu) + of_tau.log_density(TAUS)[:, None])
        below_mu = (w * np.clip(0.5 - mu / step, 0, 1)).sum()
        of_each = w.sum(axis=1)
        cumulated = np.cumsum(of_each) - of_each / 2 - np.gradient(of_each) / 8
        with np.errstate(over="ignore"):  # where it is flat
            below_tau = PchipInterpolator(TAUS, cumulated)(tau)
        below_new = (w * special.ndtr((new - mu) / TAUS[:, None])).sum()
        below = np.array([below_mu, below_tau, below_new])
        found.append((below > 0.05) & (below < 0.95))
    return np.array(found)


def main() -> None:
    """Print a table for each family: mu / tau / new group in per cent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=400)
    parser.add_argument("families", nargs="*", default=list(CASES))
    arguments = parser.parse_args()
    print(
        "| family | J | tau/se | tau | a scale of 1 | the default | as estimates |\n|" + "---|" * 7
    )
    for family in arguments.families:
        for J in GROUPS:
            for ratio in RATIOS:
                rng = np.random.default_rng([J, round(100 * ratio)])
                sets = [held(family, J, ratio * SE, rng) for _ in range(arguments.sets)]
                shown = [
                    " / ".join(f"{100 * part:.0f}" for part in line) for line in np.mean(sets, 0)
                ]
                head = (family, J, ratio, f"{ratio * SE:.2g}", *shown)
                print(f"| {' | '.join(map(str, head))} |", flush=True)


if __name__ == "__main__":
    main()
