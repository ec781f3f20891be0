"""Small data of every family, and every program that the templates can make of them."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd

import hierstan as hs
from hierstan.families import FAMILIES
from hierstan.program import Program

LABELS = list("abcdef")
POOLINGS = {
    "complete": hs.CompletePooling,
    "none": hs.NoPooling,
    "partial": hs.PartialPooling,
}


@functools.cache
def small_data(family: str) -> hs.GroupedData:
    """Six groups of very different sizes, so that their estimates are good and bad."""
    rng = np.random.default_rng(7)
    n = np.array([2, 3, 4, 6, 30, 60])
    theta = rng.normal(0, 0.7, 6)
    if family == "normal_known":
        se = 1 / np.sqrt(n)
        frame = pd.DataFrame({"g": LABELS, "y": theta + se * rng.normal(size=6), "se": se})
        return hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    if family == "binomial":
        y = rng.binomial(n, 1 / (1 + np.exp(-theta)))
        frame = pd.DataFrame({"g": LABELS, "y": y, "n": n})
        return hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")
    if family == "poisson":
        frame = pd.DataFrame({"g": LABELS, "y": rng.poisson(n * np.exp(theta)), "t": n / 1.0})
        return hs.GroupedData.from_events(frame, group="g", events="y", exposure="t")
    rows = np.repeat(theta, n)
    outcome = {
        "normal": lambda: rows + rng.normal(size=rows.size),
        "student_t": lambda: rows + rng.standard_t(4, rows.size),
        "bernoulli": lambda: rng.binomial(1, 1 / (1 + np.exp(-rows))),
        "lognormal": lambda: np.exp(rows + 0.5 * rng.normal(size=rows.size)),
        "gamma": lambda: np.exp(rows) * rng.gamma(2, 0.5, rows.size),
        "neg_binomial": lambda: rng.poisson(np.exp(rows + 1) * rng.gamma(3, 1 / 3, rows.size)),
    }[family]()
    frame = pd.DataFrame({"g": np.repeat(LABELS, n), "y": outcome})
    return hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)


@dataclass(frozen=True)
class Recipe:
    """One pooling, family and parameterization."""

    pooling: str
    family: str
    parameterization: str | None = None

    def __str__(self) -> str:
        return "-".join(filter(None, (self.pooling, self.family, self.parameterization)))

    def program(self) -> Program:
        """Render it, with the default priors."""
        model, data = POOLINGS[self.pooling](), small_data(self.family)
        return model._render(data, model.resolve_priors(data), self.parameterization)


def _recipes() -> list[Recipe]:
    found = []
    for family in FAMILIES.values():
        found += [Recipe("complete", family.name), Recipe("none", family.name)]
        ways = ["centered", "noncentered", "mixed"] + ["marginal"] * family.marginal
        found += [Recipe("partial", family.name, way) for way in ways]
    return found


RECIPES = _recipes()
