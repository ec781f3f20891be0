"""Effects of a treatment on events over time, and the same trials told in several ways."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import hierstan as hs
from hierstan.answers.comparison.arms_integral import ArmsIntegral
from hierstan.answers.comparison.left_out import hyper_draws
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units
from hierstan.engines.stanli import Evaluator
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


# normal outcomes, both dimensions integrated out --------------------------------------------------

QUICK: dict[str, Any] = {
    "seed": 3, "engine": "stanli", "progress": False, "chains": 2, "warmup": 300, "draws": 300,
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "plain": {"outcome": "y"},
    "lognormal": {"outcome": "amount", "family": "lognormal"},
    "weighted": {"outcome": "y", "weights": "w"},
    "adjusted": {"outcome": "y", "adjust": ["age"]},
    "structured": {"outcome": "y", "factors": ["region"], "predictors": ["size"]},
}


@functools.cache
def patients(kind: str = "plain") -> hs.GroupedData:
    """Rows of six sites, of which one has a single patient and two have one arm."""
    rng = np.random.default_rng(12)
    arms = {"a": (1, 1), "b": (4, 6), "c": (0, 1), "d": (3, 0), "e": (30, 25), "f": (5, 4)}
    frame = pd.DataFrame([
        (name, arm) for name, sizes in arms.items()
        for arm, size in zip(("old", "new"), sizes, strict=True) for _ in range(size)
    ], columns=["site", "arm"])  # fmt: skip
    frame["size"] = frame["site"].map(dict(zip("abcdef", [3, 1, 4, 1, 5, 9], strict=True)))
    frame["region"] = frame["site"].map(dict(zip("abcdef", "nnsswn", strict=True)))
    frame["age"], frame["w"] = rng.normal(50, 9, len(frame)), rng.uniform(1, 4, len(frame))
    frame["y"] = 0.4 * (frame["arm"] == "new") + rng.normal(0, 0.8, len(frame))
    frame["amount"] = np.exp(frame["y"])
    with pytest.warns(hs.HierstanWarning, match="of one arm only"):
        return hs.GroupedData.from_trial(
            frame, group="site", arm="arm", control="old", **KINDS[kind]
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", [hs.NoPooling, hs.PartialPooling])
def test_the_density_is_that_of_dense_algebra(pooling: type[hs.PartialPooling], kind: str) -> None:
    data = patients(kind)
    fit = pooling().fit(data, **QUICK)
    assert fit.parameterization == "marginal"
    hyper = hyper_draws(fit, 12)
    own = {**hyper, "theta_new": fit.draws("theta_new")[: len(hyper["intercept"])]}
    plan = make_plan(pooling(), data)
    evaluator = Evaluator(plan.program, plan.inputs())
    empty = np.zeros((len(hyper["intercept"]), 0))
    known = {n: own.get(n, empty) for n in plan.program.parameters}
    points = evaluator.unconstrained(known)
    log_prior = np.zeros(len(points))
    for name in known.keys() & own.keys():
        values = own[name].reshape(len(points), -1)
        if name == "u":
            log_prior += stats.norm.logpdf(values, 0, hyper["tau_level"]).sum(axis=1)
        else:
            of = {"theta_new": "theta", "tau_level": "tau_region"}.get(name, name)
            log_prior += fit.priors[of].log_density(values).sum(axis=1)
        if name in ("tau", "spread", "sigma", "tau_level"):
            log_prior += np.log(values).sum(axis=1)
        else:  # measured in units that depend on the others
            moved = evaluator.unconstrained({**known, name: own[name] + 1.0}) - points
            log_prior -= np.log(moved[:, evaluator.parameters[name]]).sum(axis=1)
    log_lik = log_lik_of_units(fit, hyper, "group").sum(axis=1)
    off = evaluator.log_density_at(points) - log_prior - log_lik
    np.testing.assert_allclose(off, off[0], atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("pooling", [hs.NoPooling, hs.PartialPooling])
def test_baselines_and_effects_are_drawn_from_what_is_known_of_them(
    pooling: type[hs.PartialPooling],
) -> None:
    data = patients()
    fit = pooling().fit(data, **QUICK)
    cells, S = data.cells, 600
    prior = fit.priors["theta"].numbers() if "theta" in fit.priors else {}
    center = fit.draws("mu") if "mu" in fit.posterior else np.full(S, prior.get("location"))
    tau = fit.draws("tau") if "tau" in fit.posterior else np.full(S, prior.get("scale"))
    slope = fit.draws("slope") if "slope" in fit.posterior else np.zeros(S)
    intercept, spread, sigma = (fit.draws(name) for name in ("intercept", "spread", "sigma"))
    z = np.empty((S, len(data.groups), 2))
    for s, j in itertools.product(range(S), range(len(data.groups))):
        own = cells[cells["group"] == j]
        Z = np.column_stack([np.ones(len(own)), own["treated"]])  # baseline, effect
        known = own["count"].to_numpy() / sigma[s] ** 2
        variance = spread[s] ** 2 + (slope[s] * tau[s]) ** 2
        prior_covariance = np.array([
            [variance, slope[s] * tau[s] ** 2], [slope[s] * tau[s] ** 2, tau[s] ** 2]
        ])  # fmt: skip
        precision = np.linalg.inv(prior_covariance)
        total = precision + (Z.T * known) @ Z
        mean = np.array([intercept[s] + slope[s] * center[s], center[s]])
        mean = np.linalg.solve(total, precision @ mean + (Z.T * known) @ own["y"].to_numpy())
        drawn = np.array([fit.draws("baseline")[s, j], fit.theta()[s, j]])
        z[s, j] = np.linalg.cholesky(total).T @ (drawn - mean)
    flat = z.reshape(-1, 2)
    assert (np.abs(flat.mean(axis=0)) < 4.5 / np.sqrt(len(flat))).all()
    second = flat.T @ flat / len(flat)
    assert np.abs(second - np.eye(2)).max() < 4.5 * np.sqrt(2 / len(flat))


@pytest.mark.cmdstan
@pytest.mark.slow
def test_the_engines_agree_on_normal_outcomes() -> None:
    checked = hs.cross_check(hs.PartialPooling(), patients())
    assert checked.ok, str(checked)


def test_edited_pages_are_sampled_as_they_stand(tmp_path: Path) -> None:
    page = hs.copy_templates(tmp_path) / "treatment_pooling.stan"
    page.write_text(page.read_text() + "// edited\n")
    model = hs.PartialPooling(template_dir=tmp_path)
    assert make_plan(model, patients()).parameterization == "mixed"
    marginal = hs.PartialPooling(template_dir=tmp_path, parameterization="marginal")
    with pytest.raises(hs.TemplateError, match="samples the page that hierstan ships"):
        make_plan(marginal, patients())
    other = hs.copy_templates(tmp_path / "other")
    own = other / "sampling" / "marginal" / "treatment_pooling.stan"
    own.write_text(own.read_text().replace("tau ~ {{ prior.tau }};", "tau ~ exponential(9);"))
    with pytest.raises(hs.TemplateError, match="Edit the page of the model"):
        make_plan(hs.PartialPooling(template_dir=other), patients())
