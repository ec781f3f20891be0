"""What must not matter in groups with structure: the same cells told twice, and all answers held.

Crossed columns and nested factors; order of rows and of columns, labels, units, zero, summaries.
"""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import hierstan as hs
from hierstan.fit.tau_evidence import Spread, spread_of

CASES = int(os.environ.get("HIERSTAN_INVARIANCE_CASES", "12"))
FIT = {"engine": "stanli", "progress": False, "chains": 2, "warmup": 300, "draws": 700}
TIMES = 5.0  # Monte Carlo errors
REAL = ("estimates", "rows", "means")
CARING = 0.3
BATCHES = 20  # of successive draws, without each of which a Bayes factor is taken


@dataclass(frozen=True)
class Cells:
    """Cells of regions and devices, or shops (as `nested`) of regions; and how they are told."""

    family: str = "estimates"
    nested: bool = False
    number: int = 3
    tau: float = 0.4
    unit: float = 1.0
    zero: float = 0.0
    anew: bool = False  # rows, columns, levels and names in another order
    form: str = "as drawn"  # "summed", "split", "twice" or "doubled"
    priors: dict[str, object] = field(default_factory=dict)

    def frame(self) -> pd.DataFrame:
        rng = np.random.default_rng(self.number)
        region, within = np.repeat(range(4), 3), np.tile(range(3), 4)
        theta = rng.normal(0, 0.7, 4)[region] + rng.normal(0, self.tau, 12)
        theta += 0 if self.nested else rng.normal(0, 0.4, 3)[within]
        frame = pd.DataFrame({"region": region, "device": within})
        if self.family == "estimates":
            return frame.assign(y=rng.normal(theta, 0.3), se=rng.uniform(0.2, 0.4, 12))
        frame, theta = frame.loc[np.repeat(frame.index, 8)], np.repeat(theta, 8)
        if self.family == "counts":
            n = rng.integers(3, 12, len(theta))
            return frame.assign(y=rng.binomial(n, 1 / (1 + np.exp(-theta))), n=n)
        if self.family == "events":
            return frame.assign(y=rng.poisson(2 * np.exp(theta)), n=1.0)
        return frame.assign(y=rng.normal(theta, 0.8))

    def data(self) -> hs.GroupedData:
        frame = self.frame()
        frame["y"] = self.zero + self.unit * frame["y"] if self.real else frame["y"]
        if "se" in frame:
            frame["se"] *= self.unit
        columns, groups = ["y", "n"] if "n" in frame else ["y"], ["region", "device"]
        if self.form == "summed":
            frame = frame.groupby(groups, sort=False)[columns].sum().reset_index()
        if self.form == "twice":
            frame = pd.concat([frame, frame])
        if self.form == "doubled":
            frame[columns] *= 2
        if self.form == "split":
            some = (frame["n"] - frame["y"]) // 2
            parts = frame.assign(y=0, n=some)[some > 0], frame.assign(n=frame["n"] - some)
            frame = pd.concat(parts)
        for name in groups:
            frame[name] = [self.label(name, code) for code in frame[name]]
        if self.anew:
            frame = frame.sample(frac=1, random_state=7)[frame.columns[::-1]]
            groups = groups[::-1]
        take, given = hs.GroupedData, {"group": groups}
        if self.nested:
            shop = list(zip(frame["region"], frame["device"], strict=True))
            frame = frame.assign(shop=[f"{a}/{b}" for a, b in shop])
            given = {"group": "shop", "factors": ["region"]}
        if self.family == "estimates":
            return take.from_estimates(frame, **given, estimate="y", se="se")
        if self.family == "counts":
            return take.from_counts(frame, **given, successes="y", trials="n")
        if self.family == "events":
            return take.from_events(frame, **given, events="y", exposure="n")
        if self.family == "means":
            names = groups if not self.nested else ["shop", "region"]
            of = frame.groupby(names, sort=False)["y"]
            frame = of.agg(mean="mean", sd="std", n="size").reset_index()
            return take.from_means(frame, **given, mean="mean", sd="sd", n="n")
        return take.from_rows(frame, **given, outcome="y")

    @property
    def real(self) -> bool:
        return self.family in REAL

    def label(self, name: str, code: int) -> str:
        return f"{name[0]}{9 - code if self.anew else code}"

    def group(self, region: int, device: int) -> object:
        pair = self.label("region", region), self.label("device", device)
        if self.nested:
            return "/".join(pair)
        return pair[::-1] if self.anew else pair


@functools.lru_cache(16)
def answers(cells: Cells, number: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return answers in the order in which the cells were drawn, and their Monte Carlo errors."""
    fit = hs.PartialPooling(priors=dict(cells.priors)).fit(cells.data(), seed=number, **FIT)
    checks = hs.diagnose(fit).table["worst"]
    loss = np.sqrt(1 / min(checks["bulk ESS"], checks["tail ESS"]))
    unit, zero = (cells.unit, cells.zero) if cells.real else (1.0, 0.0)
    order = [cells.group(a, b) for a in range(4) for b in range(3)]
    factors = {"region": 4} if cells.nested else {"region": 4, "device": 3}
    parts = hs.components(fit).table
    parts = parts.loc[[*factors, *parts.index.difference([*factors])]]
    found = hs.heterogeneity(fit, caring=CARING * unit)
    told = hs.shrinkage(fit).loc[order]
    value = {
        "sd of the components": parts["sd"] / unit,
        "share of the components": parts["share"],
        "tau": np.array([found.tau["mean"]]) / unit,
        "tau is negligible": np.array([found.prob_negligible]),
        "means": (told["mean"] - zero) / unit,
        "pooling factors": told["pooling_factor"],
        "best": hs.prob_best(fit).loc[order],
        "lost by choosing": hs.expected_loss(fit).loc[order] / unit,
    }
    error = {
        "sd of the components": (parts["sd_upper"] - parts["sd_lower"]) / 3.3 / unit,
        "tau": np.array([found.tau["sd"]]) / unit,
        "means": told["sd"] / unit,
        "lost by choosing": told["sd"].max() / unit * np.ones(12),
    }
    for factor, levels in factors.items():
        table = hs.effects(fit, factor, scale="link")
        table = table.loc[[cells.label(factor, code) for code in range(levels)]]
        value[f"effects of {factor}"] = table["mean"] / unit
        error[f"effects of {factor}"] = table["sd"] / unit
    if not cells.nested:
        weight = pd.DataFrame(
            [(cells.label("region", a), cells.label("device", b), 1 + a * b)
             for a in range(4) for b in range(3)],
            columns=["region", "device", "people"],
        )  # fmt: skip
        whole = hs.poststratify(fit, weight, weight="people")
        value["population"] = (whole["mean"] - zero) / unit
        error["population"] = whole["sd"] / unit
    value = {name: np.asarray(column, float) for name, column in value.items()}
    wide = {name: np.full(len(column), 0.35) for name, column in value.items()} | error
    return value, {name: loss * np.asarray(wide[name], float) for name in value}


def hold(one: Cells, two: Cells) -> None:
    """Hold the answers to the second against those to the first, with another seed."""
    (a, a_error), (b, b_error) = answers(one, 1), answers(two, 2)
    for name in a:
        off = np.abs(a[name] - b[name]) / np.hypot(a_error[name], b_error[name])
        assert (off < TIMES).all(), (name, a[name], b[name], off.max())


FIXED = {
    "counts": {"mu": hs.Normal(0, 1), "tau": hs.HalfNormal(0.5)},
    "events": {"mu": hs.Normal(0.7, 1), "tau": hs.HalfNormal(0.5)},
}


def fixed(family: str, **changes: object) -> Cells:
    """Return cells with priors that do not look at the data."""
    return Cells(family, priors=Hashable(FIXED[family]), **changes)


class Hashable(dict[str, object]):
    """Priors as part of a key."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(str(self))


PLAIN = Cells(priors=Hashable())
PAIRS: dict[str, tuple[Cells, Cells]] = {
    "zero and units": (PLAIN, replace(PLAIN, unit=1e-6, zero=0.3)),
    "order and labels": (PLAIN, replace(PLAIN, anew=True)),
    "a nested factor": (
        replace(PLAIN, nested=True),
        replace(PLAIN, nested=True, anew=True, unit=1e7, zero=-1e13),
    ),
    "rows as means": (replace(PLAIN, family="rows"), replace(PLAIN, family="means", anew=True)),
    "rows of counts as sums": (fixed("counts"), fixed("counts", form="summed", anew=True)),
    "rows of counts split": (fixed("counts"), fixed("counts", form="split")),
    "events as sums": (fixed("events"), fixed("events", form="summed")),
    "rows twice": (fixed("counts", form="twice"), fixed("counts", form="doubled")),
}


QUICK = "a nested factor"


@pytest.mark.filterwarnings("ignore:Do not rely on this. the model misses")  # rows told twice
@pytest.mark.parametrize(
    "pair", [pytest.param(pair, marks=[] if pair == QUICK else pytest.mark.slow) for pair in PAIRS]
)
def test_what_must_not_matter_in_structured_groups_does_not(pair: str) -> None:
    hold(*PAIRS[pair])


def plain(words: str) -> list[str]:
    """Return the words on each factor without numbers and doubts about draws, in no order."""
    told = re.sub(r" \([^)]*\)", "", words[words.index("The levels of") :])
    return sorted(re.findall(r"[a-z]+", told.lower()))


def log_factor(spread: Spread) -> tuple[float, float]:
    """Return a log Bayes factor from draws, and its Monte Carlo error by the jackknife."""
    assert not spread.exact
    batches = np.array_split(np.arange(len(spread.tau)), BATCHES)
    without = [
        np.log(replace(spread, tau=np.delete(spread.tau, some))._by_draws()) for some in batches
    ]
    return float(np.log(spread.bayes_factor)), float(np.std(without) * np.sqrt(BATCHES - 1))


def judged(cells: Cells, number: int) -> tuple[np.ndarray, list[object]]:
    """Return what complete pooling loses and the log Bayes factor, with errors, and the words."""
    fits = hs.fit_poolings(cells.data(), priors=dict(cells.priors), seed=number, **FIT)
    found, partial = hs.compare(fits, unit="group", progress=False), fits["partial"]
    line = found.table.loc["complete"]
    spread, words = spread_of(partial), plain(hs.components(partial).verdict)
    values = np.array([(line["elpd_diff"], line["diff_mcse"]), log_factor(spread)])
    return values, [found.preferred, spread.kind, words]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Do not rely on this")
@pytest.mark.parametrize("pair", PAIRS)
def test_how_structured_cells_are_told_moves_no_comparison(pair: str) -> None:
    (one, words), (two, others) = (
        judged(cells, number) for number, cells in enumerate(PAIRS[pair], 1)
    )
    off = np.abs(one - two)[:, 0] / np.hypot(one, two)[:, 1]
    assert (off < TIMES).all(), (one, two, off)
    assert words == others


@st.composite
def tellings(draw: st.DrawFn) -> tuple[Cells, Cells]:
    family = draw(st.sampled_from(["estimates", "rows", "counts", "events"]))
    one = Cells(
        family,
        draw(st.booleans()),
        draw(st.integers(1, 500)),
        draw(st.sampled_from([0.05, 0.4, 1.0])),
        priors=Hashable(FIXED.get(family, {})),
    )
    two = replace(one, anew=draw(st.booleans()))
    if family in REAL:
        unit = draw(st.sampled_from([1e-9, 1.0, 7.0, 1e12]))
        two = replace(two, unit=unit, zero=unit * draw(st.sampled_from([0.0, -3.0, 1e6])))
    if family == "rows":
        return one, replace(two, family=draw(st.sampled_from(["rows", "means"])))
    forms = {"counts": ["summed", "split", "as drawn"], "events": ["summed", "as drawn"]}
    return one, replace(two, form=draw(st.sampled_from(forms.get(family, ["as drawn"]))))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Do not rely on this. the model misses")
@seed(20261130)
@settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(tellings())
def test_structured_cells_told_twice_have_the_same_answers(both: tuple[Cells, Cells]) -> None:
    hold(*both)
