"""Small data of every family, and every program that the templates can make of them."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

import hierstan as hs
from hierstan import families
from hierstan.families.family import Family
from hierstan.families.treatment import Treatment
from hierstan.models.plan import make_plan, rendered
from hierstan.programs.program import Program
from hierstan.sampling.grid import Grid
from hierstan.sampling.inputs import Plan

LABELS = list("abcdef")
FAMILIES = {  # effects on one family's outcomes, and one's covariates, stand for all
    name: family
    for name, family in families.FAMILIES.items()
    if not family.file or name == "binomial_treatment"
}
TRIALS = {
    name: family for name, family in families.FAMILIES.items() if isinstance(family, Treatment)
}
POOLINGS = {
    "complete": hs.CompletePooling,
    "none": hs.NoPooling,
    "partial": hs.PartialPooling,
}
# whose pages of two arms differ from those of the family that stands for all
PAGES_OF_ARMS = (
    "normal_treatment", "zero_inflated_poisson_treatment", "poisson_adjusted_treatment",
    "neg_binomial_treatment", "zero_inflated_neg_binomial_treatment", "normal_unequal_treatment",
)  # fmt: skip
BINOMIAL = """binomial_lupmf(y | trials, 0.5) + dot_product(to_vector(y), eta)
           - dot_product(to_vector(trials), log1p_exp(eta) - log2())"""  # as the template has it

# tau away from 0, where a centered program cannot be expected to sample well
CAMPAIGN_PRIORS = {
    "mu": hs.Normal(0, 1),
    "theta": hs.Normal(0, 1),
    "beta": hs.Normal(0, 0.7),
    "tau": hs.LogNormal(-0.5, 0.4),
    "sigma": hs.LogNormal(0, 0.4),
    "sigma_typical": hs.LogNormal(0, 0.4),
    "sigma_sd": hs.LogNormal(-1, 0.4),
    "zero_odds": hs.LogNormal(-1, 0.5),
    "cutpoint": hs.Dirichlet(2),
    "gamma": hs.Normal(0, 0.7),
    "nu": hs.Gamma(4, 0.5),
    "phi": hs.LogNormal(1, 0.5),
    "shape": hs.LogNormal(1, 0.5),
    "intercept": hs.Normal(-0.5, 0.7),
    "slope": hs.Normal(0, 0.7),
    "spread": hs.LogNormal(-0.5, 0.4),
    "tau_level": hs.HalfNormal(1),
}
PREDICTORS = {"age": [30.0, 41.0, 35.0, 52.0, 60.0, 47.0], "urban": [0, 1, 1, 0, 1, 0]}


@functools.cache
def small_data(family: str, predictors: bool = False) -> hs.GroupedData:
    """Six groups of very different sizes, so that their estimates are good and bad."""
    more = {"predictors": list(PREDICTORS)} if predictors else {}
    by_group = pd.DataFrame({"g": LABELS, **PREDICTORS})
    rng = np.random.default_rng(7)
    n = np.array([2, 3, 4, 6, 30, 60])
    theta = rng.normal(0, 0.7, 6)
    if family == "normal_known":
        se = 1 / np.sqrt(n)
        frame = pd.DataFrame({"g": LABELS, "y": theta + se * rng.normal(size=6), "se": se})
        frame = frame.merge(by_group)
        return hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se", **more)
    if family == "normal_correlated":
        frame = pd.DataFrame({"g": LABELS, "study": [1, 2, 1, 2, 2, 3], "se": 1 / np.sqrt(n)})
        frame["y"] = theta + frame["se"] * rng.normal(size=6)
        frame = frame.merge(by_group)
        return hs.GroupedData.from_estimates(
            frame, group="g", estimate="y", se="se", within="study", correlation=0.5, **more
        )
    if family == "binomial":
        y = rng.binomial(n, 1 / (1 + np.exp(-theta)))
        frame = pd.DataFrame({"g": LABELS, "y": y, "n": n})
        frame = frame.merge(by_group)
        return hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n", **more)
    if family == "beta_binomial":
        trials = np.array([20, 30, 25, 40, 15, 30])
        p = np.repeat(1 / (1 + np.exp(-theta)), 6)
        y = rng.binomial(np.tile(trials, 6), rng.beta(20 * p, 20 * (1 - p)))
        frame = pd.DataFrame({"g": np.repeat(LABELS, 6), "y": y, "n": np.tile(trials, 6)})
        frame = frame[np.arange(36) % 6 < np.repeat([2, 3, 2, 4, 6, 6], 6)].merge(by_group)
        return hs.GroupedData.from_counts(
            frame, group="g", successes="y", trials="n", family=family, **more
        )
    if family in PAGES_OF_ARMS:
        return small_trial(family)
    if family == "binomial_treatment":
        baseline = -0.5 - 0.6 * theta + 0.8 * rng.normal(size=6)
        rates = 1 / (1 + np.exp(-np.array([baseline + theta, baseline])))
        frame = pd.DataFrame({"g": LABELS, "n": n, "m": n + 5}).merge(by_group)
        frame["y"], frame["c"] = rng.binomial(n, rates[0]), rng.binomial(n + 5, rates[1])
        return hs.GroupedData.from_arms(
            frame, group="g", events_treatment="y", total_treatment="n",
            events_control="c", total_control="m", **more,
        )  # fmt: skip
    if family == "poisson":
        frame = pd.DataFrame({"g": LABELS, "y": rng.poisson(n * np.exp(theta)), "t": n / 1.0})
        frame = frame.merge(by_group)
        return hs.GroupedData.from_events(frame, group="g", events="y", exposure="t", **more)
    rows = np.repeat(theta, n)
    if family == "normal_weighted":
        frame = pd.DataFrame({"g": np.repeat(LABELS, n), "w": rng.uniform(1, 9, rows.size)})
        frame["y"] = rows + rng.normal(size=rows.size) / np.sqrt(frame["w"])
        frame = frame.merge(by_group)
        return hs.GroupedData.from_rows(frame, group="g", outcome="y", weights="w", **more)
    if family == "ordinal":
        cut = np.array([-1.5, 0.0, 1.0, 2.5])
        stars = 1 + (rng.logistic(rows)[:, None] > cut).sum(axis=1)
        frame = pd.DataFrame({"g": np.repeat(LABELS, n), "y": stars}).merge(by_group)
        order = [1, 2, 3, 4, 5]
        return hs.GroupedData.from_ratings(frame, group="g", rating="y", order=order, **more)
    kind = family.removesuffix("_adjusted")
    outcome = {
        "normal": lambda: rows + rng.normal(size=rows.size),
        "normal_unequal": lambda: (
            rows + np.repeat([0.5, 2, 1, 0.7, 1.5, 0.4], n) * rng.normal(size=rows.size)
        ),
        "student_t": lambda: rows + rng.standard_t(4, rows.size),
        "bernoulli": lambda: rng.binomial(1, 1 / (1 + np.exp(-rows))),
        "lognormal": lambda: np.exp(rows + 0.5 * rng.normal(size=rows.size)),
        "gamma": lambda: np.exp(rows) * rng.gamma(2, 0.5, rows.size),
        "neg_binomial": lambda: rng.poisson(np.exp(rows + 1) * rng.gamma(3, 1 / 3, rows.size)),
        "zero_inflated_poisson": lambda: (
            rng.poisson(np.exp(rows + 1)) * rng.binomial(1, 0.6, rows.size)
        ),
        "zero_inflated_neg_binomial": lambda: (
            rng.poisson(np.exp(rows + 1) * rng.gamma(3, 1 / 3, rows.size))
            * rng.binomial(1, 0.6, rows.size)
        ),
    }[kind]()
    if family != kind:
        more |= {"adjust": ["z"]}
    frame = pd.DataFrame({"g": np.repeat(LABELS, n), "y": outcome}).merge(by_group)
    frame["z"] = rng.normal(size=rows.size)
    return hs.GroupedData.from_rows(frame, group="g", outcome="y", family=kind, **more)


ARM_SIZES = {"a": (3, 2), "b": (5, 6), "c": (8, 8), "d": (12, 10), "e": (20, 20)}


@functools.cache
def small_trial(family: str) -> hs.GroupedData:
    """Five sites of different sizes, in which the outcomes are of the family's kind."""
    base = TRIALS[family].base
    rng = np.random.default_rng(5)
    rows = [
        (site, arm)
        for site, sizes in ARM_SIZES.items()
        for arm, size in zip(("old", "new"), sizes, strict=True)
        for _ in range(size)
    ]
    frame = pd.DataFrame(rows, columns=["site", "arm"]).assign(
        z=lambda f: rng.integers(0, 3, len(f)), w=lambda f: rng.uniform(1, 5, len(f)), m=12
    )
    (constructor,) = base.takes if len(base.takes) == 1 else (set(base.takes) & {"rows", "counts"})
    kind = base.name.removesuffix("_adjusted")
    options: dict[str, Any] = {"group": "site", "arm": "arm", "control": "old"}
    options |= {"adjust": ["z"]} if base.adjusted else {}
    if constructor == "counts":
        if not base.adjusted and kind == "binomial":
            frame = frame.groupby(["site", "arm"], as_index=False)["m"].sum()
        frame["y"] = rng.binomial(frame["m"], 0.4)
        options |= {"successes": "y", "trials": "m"}
    elif constructor == "events":
        frame["y"] = rng.poisson(frame["m"] * 0.3)
        options |= {"events": "y", "exposure": "m"}
    else:
        options |= {"outcome": "y"}
        whole = {"binary": (0, 2), "category": (1, 6), "count": (0, 6)}
        holds = base.takes[constructor]["rating" if constructor == "ratings" else "outcome"].holds
        low, high = whole.get(holds, (0, 0))
        frame["y"] = rng.integers(low, high, len(frame)) if high else rng.gamma(3, size=len(frame))
        if constructor == "ratings":
            options |= {"order": range(1, 6)}
        if constructor == "weighted":
            options |= {"weights": "w"}
            kind = "normal"
    return hs.GroupedData.from_trial(frame, family=kind, **options)


STRUCTURES = {
    "crossed": {"region": list("nnsswe"), "device": list("xyxyxy")},
    "nested": {"region": list("nnsswe"), "country": list("iijjjj")},
}


def structured_data(family: str, structure: str = "crossed") -> hs.GroupedData:
    """Return the same six groups in four regions, with two devices across or in two countries."""
    data = small_data(family)
    factors = pd.DataFrame(STRUCTURES[structure], data.groups)
    factors.columns = pd.Index(list(factors), dtype=object, name="factor")
    return replace(data, factors=factors)


@dataclass(frozen=True)
class Recipe:
    """One pooling, family and way of sampling; without a way, the page as it stands."""

    pooling: str
    family: str
    way: str | None = None
    predictors: bool = False

    def __str__(self) -> str:
        with_predictors = "predictors" if self.predictors else None
        return "-".join(filter(None, (self.pooling, self.family, self.way, with_predictors)))

    def data(self) -> hs.GroupedData:
        """Return small data of its kind."""
        return small_data(self.family, self.predictors)

    def program(self) -> Program:
        """Render it, with the default priors."""
        return self._rendered(
            marginal=self.way in ("marginal", "integrated"),
            coordinates={"centered": "centered", "integrated": None, None: None}.get(
                self.way, "measured"
            ),
        )

    def plan(self) -> Plan:
        """Return what sampling it runs."""
        model, data, program = POOLINGS[self.pooling](), self.data(), self.program()
        planned = make_plan(model, data)
        return replace(
            planned,
            program=program,
            integrated=self._rendered(marginal=True) if "theta_mean" in program.written else None,
            grid=Grid(data, planned.priors) if "matrix[N, G] likelihood" in program.code else None,
            parameterization=self.way,
            own_data=self.way != "noncentered",
        )

    def _rendered(self, marginal: bool, coordinates: str | None = None) -> Program:
        model, data = POOLINGS[self.pooling](), self.data()
        priors = model.resolve_priors(data)
        return rendered(model, data, priors, marginal=marginal, coordinates=coordinates)


def _recipes(kinds: Iterable[Family]) -> list[Recipe]:
    found = []
    for family in kinds:
        for pooling, predictors in itertools.product(POOLINGS, (False, True)):
            if predictors and (pooling == "none" or family.treatment):
                continue
            ways: list[str | None] = [None, "measured"]
            ways += ["centered", "noncentered"] if pooling == "partial" else []
            closed_form = family.marginal and pooling != "complete"
            on_grid = family.one_parameter and pooling == "partial" and not predictors
            ways += ["integrated", "marginal"] if closed_form or on_grid else []
            found += [Recipe(pooling, family.name, way, predictors) for way in ways]
    return found


RECIPES = _recipes(FAMILIES.values())
SAMPLED = [recipe for recipe in RECIPES if recipe.way not in (None, "integrated")]
RENDERED = RECIPES + _recipes(TRIALS[name] for name in PAGES_OF_ARMS)
