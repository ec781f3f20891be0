"""What must not matter, in the density itself: order, names, units and zero, of every program.

The same data are told twice; a program's log density at the same places, told in the same way, may
differ by no more than a constant. That takes no draws, so that every family is looked at on every
page: its data, default priors and Stan program together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from programs import FAMILIES, POOLINGS, TRIALS, small_data, small_trial

import hierstan as hs
from hierstan.engines.stanli import Evaluator
from hierstan.families import FAMILIES as EVERY
from hierstan.fit.tau_likelihood import TauLikelihood
from hierstan.models.plan import make_plan
from hierstan.sampling.inputs import stan_data
from hierstan.sampling.starts import starting_points

SHIFTED = ("normal_known", "normal_correlated", "normal", "normal_unequal", "normal_weighted",
           "normal_adjusted", "normal_unequal_adjusted", "student_t")  # fmt: skip
SCALED = (*SHIFTED, "lognormal", "gamma")
UNIT, ZERO = 1024.0, 7.0  # a power of 2, so that next to nothing is rounded
LOCATIONS, SPREADS = ("mu", "theta"), ("tau", "tau_level", "u", "sigma", "sigma_typical", "gamma")
OF_ARMS = ("intercept", "baseline"), (*SPREADS, "mu", "theta", "spread")  # likewise, of two arms
CONSTRUCTORS = ("from_rows", "from_estimates", "from_counts", "from_events", "from_ratings",
                "from_arms", "from_trial")  # fmt: skip
TOLD = [
    (name, pooling)
    for name, family in FAMILIES.items()
    for pooling in (*POOLINGS, *([] if family.treatment else ["structured"]))
] + [pytest.param(name, "partial", marks=pytest.mark.slow) for name in TRIALS]
REGIONS = dict(zip("abcdef", "nnsswe", strict=True))


def name_of(label: object) -> tuple[str, int]:
    """Another name, of another kind, in another order."""
    return "group", 99 - ord(str(label))


def retold(family: str, unit: float, zero: float, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Return the function that makes small data of rows in another order and of other units."""

    def told_anew(constructor: Callable) -> Callable:
        def made(cls: type, frame: pd.DataFrame, **columns: object) -> hs.GroupedData:
            frame = frame.sample(frac=1, random_state=3).reset_index(drop=True)
            frame[columns["group"]] = [name_of(label) for label in frame[columns["group"]]]
            if outcome_of(family) in SCALED:
                frame["y"] = unit * frame["y"] + unit * zero
            if "se" in frame:
                frame["se"] *= unit
            return constructor(frame, **columns)

        return classmethod(made)

    for name in CONSTRUCTORS:
        monkeypatch.setattr(hs.GroupedData, name, told_anew(getattr(hs.GroupedData, name)))
    return (small_trial if family in TRIALS else small_data).__wrapped__


def outcome_of(family: str) -> str:
    """Return the family of the outcomes, in each arm where there are two."""
    return TRIALS[family].base.name if family in TRIALS else family


def in_regions(data: hs.GroupedData) -> hs.GroupedData:
    """Return data whose groups lie in four regions."""
    old = {name_of(label): region for label, region in REGIONS.items()} | REGIONS
    regions = pd.DataFrame({"region": [old[label] for label in data.groups]}, data.groups)
    regions.columns = pd.Index(list(regions), dtype=object, name="factor")
    return replace(data, factors=regions)


@pytest.mark.parametrize(("family", "pooling"), TOLD)
def test_order_names_units_and_zero_leave_the_density_as_it_is(
    family: str, pooling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    zero = ZERO if outcome_of(family) in SHIFTED else 0.0
    data = (small_trial if family in TRIALS else small_data)(family)
    again = retold(family, UNIT, zero, monkeypatch)(family)
    if pooling == "structured":
        data, again = in_regions(data), in_regions(again)
    model = POOLINGS[pooling if pooling in POOLINGS else "partial"]()
    one, two = make_plan(model, data), make_plan(model, again)
    evaluators = [
        Evaluator(plan.conditional, stan_data(plan.data, plan.priors, replicate=False))
        for plan in (one, two)
    ]
    draws = places(evaluators[0], one)
    first = evaluators[0].log_density(draws)
    told = {name: told_as(name, values, family, data, again) for name, values in draws.items()}
    second = evaluators[1].log_density(told)
    assert np.isfinite(first).all()
    np.testing.assert_allclose(np.diff(second), np.diff(first), rtol=1e-7, atol=1e-6)


def places(evaluator: Evaluator, plan: object) -> dict[str, np.ndarray]:
    """Values of all parameters, around where chains start."""
    starts = starting_points(plan.data, plan.priors, chains=5, seed=1)
    known = evaluator.completed(starts, 1)
    near = {name: np.array([point[name] for point in known]) for name in evaluator.parameters}
    points = evaluator.unconstrained(near)
    points = points + 0.3 * np.random.default_rng(1).normal(size=points.shape)
    found = evaluator.values_at(points)
    return {name: np.array([point[name] for point in found]) for name in evaluator.parameters}


def told_as(
    name: str, values: np.ndarray, family: str, data: hs.GroupedData, again: hs.GroupedData
) -> np.ndarray:
    """Return values of a parameter in the words of the data told again."""
    J, outcome = len(data.groups), outcome_of(family)
    locations, spreads = OF_ARMS if family in TRIALS else (LOCATIONS, SPREADS)
    if values.ndim == 2 and values.shape[1] == J and name in ("theta", "baseline", "log_sigma"):
        back = {name_of(label): place for place, label in enumerate(data.groups)}
        values = values[:, [back[label] for label in again.groups]]
    if name == "u":
        place = {label: at for at, label in enumerate(data.levels["region"])}
        values = values[:, [place[label] for label in again.levels["region"]]]
    if outcome in SHIFTED and name in locations:
        return UNIT * (values + ZERO)
    if outcome in SHIFTED and name in spreads:
        return UNIT * values
    if outcome in SHIFTED and name == "log_sigma":
        return values + np.log(UNIT)
    logs = outcome in SCALED and name in locations
    return values + np.log(UNIT) if logs else values


ONE_MEAN = [name for name, one in FAMILIES.items() if TauLikelihood.takes(small_data(name))]
AT = np.array([0.0, 0.2, 0.7, 2.0])


def evidence(data: hs.GroupedData, tau: np.ndarray, unit: float) -> np.ndarray:
    """Return the log likelihood of some tau over that of 0."""
    family, priors = EVERY[data.family], hs.PartialPooling().resolve_priors(data)
    sizes = family.sizes_of(data.cells)
    D = sum(sizes.get(name, 1) - (name in family.ordered) for name in family.parameters)
    with_unit = [name.startswith("sigma") and name != "sigma_sd" for name in family.parameters]
    start = np.log(unit) * np.array(with_unit) if not sizes else np.zeros(D)
    if family.adjusted:
        start = np.append(np.log(unit), np.zeros(D - 1))
    found = TauLikelihood(data, priors, (start, np.ones(D)))(np.append(0.0, tau * unit))
    return found[1:] - found[0]


@pytest.mark.parametrize("family", ONE_MEAN)
def test_order_names_units_and_zero_leave_the_evidence_on_tau_as_it_is(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    zero, unit = (ZERO if family in SHIFTED else 0.0), UNIT if family in SHIFTED else 1.0
    data, again = small_data(family), retold(family, UNIT, zero, monkeypatch)(family)
    np.testing.assert_allclose(evidence(data, AT, 1.0), evidence(again, AT, unit), atol=0.01)


def rows(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"g": list("aaabbbbcccdd"), **columns})


COUNTS = [0, 3, 2, 5, 9, 1, 4, 0, 0, 2, 7, 6]
VALUES = [1.5, 2.5, 1.0, 4.0, 3.5, 5.0, 4.5, 0.0, 1.0, 0.5, 3.0, 2.0]
ROWS = {
    "normal": rows(y=VALUES), "poisson": rows(y=COUNTS),
    "bernoulli": rows(y=[int(count > 2) for count in COUNTS]),
}  # fmt: skip


def summaries(family: str, frame: pd.DataFrame, parts: int = 1) -> hs.GroupedData:
    """Tell rows as sums or means of each group, or of so many parts of it."""
    part = frame.groupby("g").cumcount() % parts
    of = frame.groupby(["g", part])["y"]
    if family == "normal":
        table = of.agg(m="mean", sd="std", n="size").reset_index()
        return hs.GroupedData.from_means(table, group="g", mean="m", sd="sd", n="n")
    table = of.agg(y="sum", n="size").reset_index()
    if family == "poisson":
        return hs.GroupedData.from_events(table, group="g", events="y", exposure="n")
    return hs.GroupedData.from_counts(table, group="g", successes="y", trials="n")


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("family", ROWS)
def test_rows_say_what_their_summaries_do_once_and_twice(family: str, times: int) -> None:
    """Doubled rows, their sums, and sums of two parts of each group: one posterior."""
    frame = pd.concat([ROWS[family]] * times, ignore_index=True)
    told = hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)
    own = 1.0 if family == "normal" else 0.0
    found = evidence(told, AT, 1.0)
    for parts in (1, 2) if family != "normal" else (1,):
        again = summaries(family, frame, parts)
        assert str(hs.PartialPooling().resolve_priors(again)) == str(
            hs.PartialPooling().resolve_priors(told)
        )
        np.testing.assert_allclose(evidence(again, AT, 1.0), found, atol=1e-4 + 0.01 * own)
    if times == 2:  # more data say more
        once = hs.GroupedData.from_rows(ROWS[family], group="g", outcome="y", family=family)
        assert found[2] > evidence(once, AT, 1.0)[2]
