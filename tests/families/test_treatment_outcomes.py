"""Effects of a treatment on events over time, and the same trials told in several ways."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import hierstan as hs
from hierstan.answers.comparison.arms_integral import ArmsIntegral
from hierstan.models.plan import make_plan

WIDE = {
    "events_treatment": "y", "total_treatment": "n", "events_control": "c", "total_control": "m",
}  # fmt: skip


def person_time() -> hs.GroupedData:
    frame = pd.DataFrame({
        "clinic": list("abcabc"), "arm": ["old"] * 3 + ["new"] * 3,
        "falls": [12, 3, 40, 9, 0, 31], "years": [10.0, 2.5, 33.0, 11.0, 2.0, 41.0],
    })  # fmt: skip
    return hs.GroupedData.from_trial(
        frame, group="clinic", arm="arm", control="old", events="falls", exposure="years"
    )


def test_person_time_is_integrated_as_quadrature_does() -> None:
    data = person_time()
    plan = make_plan(hs.PartialPooling(), data)
    hyper = {"mu": np.array([-0.2, 0.5]), "tau": np.array([0.3, 1.0]),
             "intercept": np.array([0.2, -0.5]), "slope": np.array([-0.4, 0.5]),
             "spread": np.array([0.4, 0.8])}  # fmt: skip
    of = {
        unit: ArmsIntegral(plan.conditional, plan.priors, data, unit)(hyper)
        for unit in ("group", "observation")
    }
    z = np.linspace(-9, 9, 901)
    for s, j in itertools.product(range(2), range(3)):
        h = {name: values[s] for name, values in hyper.items()}
        theta = h["mu"] + h["tau"] * z[:, None]
        base = h["intercept"] + h["slope"] * theta + h["spread"] * z
        prior = stats.norm.logpdf(z)[:, None] + stats.norm.logpdf(z) + 2 * np.log(z[1] - z[0])
        mine = data.cells[data.cells["group"] == j]
        log_lik = [
            stats.poisson.logpmf(cell["y"], cell["exposure"] * np.exp(base + t * theta))
            for t, (_, cell) in zip(mine["treated"], mine.iterrows(), strict=True)
        ]
        whole = special.logsumexp(prior + log_lik[0] + log_lik[1])
        assert of["group"][s, j] == pytest.approx(whole, abs=3e-3)
        for k, row in enumerate(mine.index):
            rest = whole - special.logsumexp(prior + log_lik[1 - k])
            assert of["observation"][s, row] == pytest.approx(rest, abs=3e-3)


def test_rows_counts_and_wide_tables_of_the_same_trials_agree() -> None:
    wide_table = pd.DataFrame({"g": ["a", "b", "c"], "y": [3, 0, 7], "n": [11, 9, 20],
                               "c": [4, 2, 9], "m": [12, 8, 22]})  # fmt: skip
    counts = pd.concat([
        wide_table[["g", "y", "n"]].assign(arm="new"),
        wide_table[["g", "c", "m"]].set_axis(["g", "y", "n"], axis=1).assign(arm="old"),
    ])  # fmt: skip
    counts = counts.reset_index(drop=True)
    rows = counts.loc[counts.index.repeat(counts["n"])].reset_index(drop=True)
    rows["y"] = (rows.groupby(["g", "arm"]).cumcount() < rows["y"]).astype(int)
    arms: dict[str, Any] = {"group": "g", "arm": "arm", "control": "old"}
    every = [
        hs.GroupedData.from_arms(wide_table, group="g", **WIDE),
        hs.GroupedData.from_trial(counts, successes="y", trials="n", **arms),
        hs.GroupedData.from_trial(rows, outcome="y", family="bernoulli", **arms),
    ]
    hyper = {"mu": np.array([-0.2]), "tau": np.array([0.3]), "intercept": np.array([0.2]),
             "slope": np.array([-0.4]), "spread": np.array([0.4])}  # fmt: skip
    found = []
    for data in every:
        plan = make_plan(hs.PartialPooling(), data)
        found.append(ArmsIntegral(plan.conditional, plan.priors, data, "group")(hyper)[0])
    np.testing.assert_allclose(found[1], found[0], rtol=1e-9)
    ways = special.gammaln(counts["n"] + 1) - special.gammaln(counts["y"] + 1)
    ways = ways - special.gammaln(counts["n"] - counts["y"] + 1)
    choose = ways.groupby(counts["g"]).sum().to_numpy()
    np.testing.assert_allclose(found[2] + choose, found[0], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("pooling", [hs.CompletePooling, hs.NoPooling, hs.PartialPooling])
def test_effects_on_events_are_calibrated(pooling: type[hs.PartialPooling]) -> None:
    priors = {"mu": hs.Normal(0, 0.7), "theta": hs.Normal(0, 0.7), "tau": hs.LogNormal(-0.5, 0.4),
              "intercept": hs.Normal(0, 0.7), "slope": hs.Normal(0, 0.7),
              "spread": hs.LogNormal(-0.5, 0.4)}  # fmt: skip
    model = pooling()
    own = {name: priors[name] for name in model.prior_names(person_time())}
    checked = hs.sbc(
        pooling(priors=own), person_time(), replicates=10, draws=29, seed=2, n_jobs=1,
        progress=False, engine="stanli",
    )  # fmt: skip
    assert (checked.table["p_adjusted"] > 0.01).all(), str(checked)
    assert not checked.errors
