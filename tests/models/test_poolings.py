"""The three poolings: every program on both engines, priors alone, labels, seeds and extremes."""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from programs import FAMILIES, POOLINGS, SAMPLED, Recipe, small_data
from scipy import special

import hierstan as hs
from hierstan.data.own_estimates import raw_estimates
from hierstan.engines import Settings, get_engine
from hierstan.engines.stanli import Evaluator
from hierstan.fit.fit import Fit
from hierstan.models.plan import make_plan
from hierstan.programs.program import Program
from hierstan.sampling import run
from hierstan.sampling.approximation import normal_approximation
from hierstan.sampling.starts import starting_points, starting_variances

# Every pooling and parameterization that CmdStan compiles by default, with test_exactness.py's.
REPRESENTATIVE = [
    Recipe("complete", "normal_known", "measured"),
    Recipe("none", "normal_known", "measured"),
    Recipe("none", "normal", "marginal"),
    Recipe("partial", "normal_known", "marginal"),
    Recipe("partial", "binomial", "noncentered"),
    Recipe("partial", "neg_binomial", "measured"),
    Recipe("partial", "student_t", "centered"),
    Recipe("partial", "binomial", "measured", predictors=True),
]
REST = [recipe for recipe in SAMPLED if recipe not in REPRESENTATIVE]
STATS = {
    "acceptance_rate": "f", "diverging": "b", "energy": "f", "lp": "f",
    "n_steps": "i", "step_size": "f", "tree_depth": "i",
}  # fmt: skip


@functools.cache
def tree_of(recipe: Recipe, engine: str) -> xr.DataTree:
    """Sample one program, with the default priors."""
    plan = recipe.plan()
    settings = Settings(warmup=600, draws=600, seed=5, adapt_delta=0.95, progress=False)
    sampled, _, _ = run.run(plan, get_engine(engine), settings)
    fit = Fit(
        model=POOLINGS[recipe.pooling](),
        data=plan.data,
        kept=sampled,
        priors=dict(plan.priors),
        engine=engine,
        seed=5,
        options=vars(settings),
        program=plan.program,
        conditional=plan.conditional,
        integrated=plan.integrated,
        parameterization=recipe.way,
    )
    if plan.integrated:
        fit.keep_theta()
    return fit.idata


def layout(tree: xr.DataTree) -> dict[str, dict[str, Any]]:
    """Describe groups, variables, dimensions, types and coordinates."""
    return {
        name: {
            str(key): (values.dims, values.shape, values.dtype.kind)
            for key, values in sorted(group.to_dataset().variables.items())
        }
        for name, group in sorted(tree.children.items())
    }


def check_layout(recipe: Recipe, tree: xr.DataTree) -> None:
    family, data = FAMILIES[recipe.family], recipe.data()
    assert sorted(tree.children) == [
        "constant_data", "log_likelihood", "log_prior", "observed_data", "posterior",
        "posterior_predictive", "sample_stats",
    ]  # fmt: skip
    posterior = tree["posterior"].to_dataset()
    names = {
        "complete": {"mu", "theta"},
        "none": {"theta", "theta_new"},
        "partial": {"mu", "tau", "theta", "theta_new"},
    }
    more = {"beta"} if recipe.predictors else set()
    more |= {family.of_group} - {""}
    if family.treatment:
        more |= {"baseline", "baseline_new", "intercept", "spread"}
        more |= {"slope"} if recipe.pooling == "partial" else set()
    assert set(posterior.data_vars) == names[recipe.pooling] | set(family.parameters) | more
    assert posterior["theta"].dims == ("chain", "draw", "group")
    assert posterior["group"].to_numpy().tolist() == list("abcdef")
    if recipe.predictors:
        assert posterior["beta"].dims == ("chain", "draw", "predictor")
        assert posterior["predictor"].to_numpy().tolist() == ["age", "urban"]
    for name in set(posterior.data_vars) - {"baseline", "beta", "theta", family.of_group}:
        own = (family.parameter_dims[name],) if name in family.parameter_dims else ()
        assert posterior[name].dims == ("chain", "draw", *own)
    stats = tree["sample_stats"].to_dataset()
    assert {str(name): stats[name].dtype.kind for name in stats.data_vars} == STATS
    for name in ("log_likelihood", "posterior_predictive"):
        assert tree[name]["y"].dims == ("chain", "draw", "observation")
        assert tree[name]["y"].shape == (4, 600, data.n_rows)
        assert np.isfinite(tree[name]["y"].to_numpy()).all()
    whole = "i" if family.columns["y"] == "int" else "f"
    assert tree["posterior_predictive"]["y"].dtype.kind == whole
    assert tree["observed_data"]["y"].to_numpy().tolist() == data.rows["y"].tolist()
    assert tree["constant_data"]["group_index"].to_numpy().tolist() == data.rows["group"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("recipe", SAMPLED, ids=str)
def test_the_embedded_engine_samples_every_program(recipe: Recipe) -> None:
    check_layout(recipe, tree_of(recipe, "stanli"))


def compare_engines(recipe: Recipe) -> None:
    """Hold the two engines against each other: layout, and means within five standard errors."""
    import arviz_stats as azs

    trees = [tree_of(recipe, engine) for engine in ("stanli", "cmdstan")]
    check_layout(recipe, trees[1])
    assert layout(trees[0]) == layout(trees[1])
    for group in ("posterior", "log_likelihood"):
        draws = [tree[group].to_dataset() for tree in trees]
        means = [values.mean(("chain", "draw")) for values in draws]
        errors = [azs.mcse(values, method="mean") for values in draws]
        for name in draws[0].data_vars:
            apart = np.abs(means[0][name] - means[1][name])
            error = np.hypot(errors[0][name], errors[1][name])
            assert bool((apart < 5 * error + 1e-12).all()), (group, name)
    one, other = (tree["posterior_predictive"]["y"].to_numpy() for tree in trees)
    spread = np.hypot(one.std((0, 1)), other.std((0, 1))) / np.sqrt(600)
    assert (np.abs(one.mean((0, 1)) - other.mean((0, 1))) < 5 * spread + 1e-12).all()


@pytest.mark.slow
@pytest.mark.cmdstan
@pytest.mark.parametrize("recipe", REPRESENTATIVE, ids=str)
def test_both_engines_agree(recipe: Recipe) -> None:
    compare_engines(recipe)


@pytest.mark.slow
@pytest.mark.cmdstan
@pytest.mark.skipif(
    os.environ.get("HIERSTAN_EVERY_PROGRAM") != "1",
    reason="compiles for a quarter of an hour; HIERSTAN_EVERY_PROGRAM=1 asks for it",
)
@pytest.mark.parametrize("recipe", REST, ids=str)
def test_both_engines_agree_on_the_rest(recipe: Recipe) -> None:
    compare_engines(recipe)


def check_agreement(ways: list[Recipe]) -> None:
    import arviz_stats as azs

    trees = [tree_of(way, "stanli") for way in ways]
    draws = [tree["posterior"].to_dataset() for tree in trees]
    errors = [azs.mcse(values, method="mean") for values in draws]
    for other, error in zip(draws[1:], errors[1:], strict=True):
        for name in draws[0].data_vars:
            apart = np.abs(
                draws[0][name].mean(("chain", "draw")) - other[name].mean(("chain", "draw"))
            )
            assert bool((apart < 5 * np.hypot(errors[0][name], error[name])).all()), name


@pytest.mark.parametrize("predictors", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameterization_agrees(family: str, predictors: bool) -> None:
    # a centered chain may miss the narrow end where tau is near zero; the others are exact there
    ways = ("noncentered", "measured", "marginal")
    found = [Recipe("partial", family, way, predictors) for way in ways]
    check_agreement([recipe for recipe in found if recipe in SAMPLED])


@pytest.mark.parametrize("family", [name for name in FAMILIES if FAMILIES[name].marginal])
def test_no_pooling_is_the_same_with_group_means_integrated_out(family: str) -> None:
    check_agreement([Recipe("none", family, way) for way in ("measured", "marginal")])
    data = small_data(family)
    assert make_plan(hs.NoPooling(), data).parameterization == "marginal"
    heavy = hs.NoPooling(priors={"theta": hs.StudentT(4, 0, 1)})
    assert make_plan(heavy, data).parameterization is None


def test_auto_integrates_where_it_can() -> None:
    ways = {}
    for family in FAMILIES:
        data = small_data(family)
        ways[family] = make_plan(hs.PartialPooling(), data).parameterization
        if not FAMILIES[family].marginal:
            assert ways[family] == "mixed"
    assert {ways[name] for name in FAMILIES if FAMILIES[name].marginal} == {"marginal"}
    with pytest.raises(hs.DataError, match=r"needs a family whose group means .*lognormal, normal"):
        hs.PartialPooling(parameterization="marginal").fit(small_data("gamma"))
    with pytest.raises(hs.PriorError, match="parameterization must be one of auto, centered"):
        hs.PartialPooling(parameterization="non-centered")


def rows_of(J: int, family: str = "normal") -> hs.GroupedData:
    rng = np.random.default_rng(J)
    theta = rng.normal(0, 0.5, (J, 1))
    y = (
        rng.normal(theta, 1, (J, 12))
        if family == "normal"
        else rng.poisson(np.exp(theta + [0] * 9))
    )
    frame = pd.DataFrame({"g": np.repeat(range(J), y.shape[1]), "y": y.ravel()})
    return hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)


def test_adaptation_starts_near_the_posterior_variances() -> None:
    data = rows_of(200)
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    variances = starting_variances(data)
    for name in ("tau", "sigma"):
        assert 0.5 < variances[name] / np.log(fit.draws(name)).var() < 2, name


def test_scale_and_tails_of_student_t_rows_start_near_their_posterior() -> None:
    rng = np.random.default_rng(5)
    group = rng.integers(0, 50, 4000)
    y = 1e3 * (7 + rng.normal(0, 1, 50)[group] + rng.standard_t(4, 4000))
    frame = pd.DataFrame({"g": group, "y": y})
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family="student_t")
    fit = hs.PartialPooling().fit(data, seed=1, draws=500, engine="stanli", progress=False)
    assert (fit.options["warmup"], fit.options["adapt_delta"]) == (400, 0.6)
    variances = starting_variances(data)
    starts = starting_points(data, fit.priors, chains=4, seed=1)
    for name, bound in (("sigma", 0), ("nu", 1)):
        draws = np.log(fit.draws(name) - bound)
        assert 0.5 < variances[name] / draws.var() < 2, name
        off = [np.log(start[name] - bound) - draws.mean() for start in starts]
        assert np.abs(off).max() < 5 * draws.std(), name
    alone = hs.GroupedData.from_rows(
        frame.assign(g=range(4000)), group="g", outcome="y", family="student_t"
    )
    assert "nu" not in starting_variances(alone)  # which its rows then cannot tell


def test_warmup_is_short_where_many_data_determine_what_groups_share() -> None:
    wide = hs.PartialPooling(priors={"tau": hs.HalfNormal(1)})
    assert make_plan(wide, rows_of(150)).warmup == 1000
    rng = np.random.default_rng(3)
    n = np.full(1200, 30)
    frame = pd.DataFrame({"g": range(1200), "n": n, "y": rng.binomial(n, rng.beta(4, 4, 1200))})
    data = hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")
    sampled = replace(wide, parameterization="centered")
    assert make_plan(sampled, data).warmup == 149  # in units that keep their variances
    assert make_plan(hs.NoPooling(), data).warmup == 600  # of 1,200 means, each on its own
    assert make_plan(sampled, data, prior_only=True).warmup == 1000
    assert make_plan(wide, data).warmup == 149  # of mu and tau alone
    same = hs.GroupedData.from_counts(
        frame.assign(n=1, y=rng.integers(0, 2, 1200)), group="g", successes="y", trials="n"
    )
    assert make_plan(sampled, same).warmup == 1000
    assert make_plan(wide, same).warmup == 1000  # where tau may be near 0
    short = hs.CompletePooling().fit(data, seed=1, warmup=40, draws=5, chains=1, engine="stanli")
    assert short.options["warmup"] == 40


def test_the_target_rate_is_lower_where_few_parameters_are_left_and_known_well() -> None:
    short: dict[str, Any] = {"seed": 1, "engine": "stanli", "warmup": 50, "draws": 4, "chains": 1}
    rates = {
        (name, family, J): model().fit(rows_of(J, family), **short).options["adapt_delta"]
        for name, model in POOLINGS.items()
        for family in ("normal", "poisson")
        for J in (4, 150)
    }
    assert rates == {
        ("complete", "normal", 4): 0.9, ("complete", "normal", 150): 0.85,
        ("complete", "poisson", 4): 0.9, ("complete", "poisson", 150): 0.85,
        ("none", "normal", 4): 0.7, ("none", "normal", 150): 0.7,
        ("none", "poisson", 4): 0.9, ("none", "poisson", 150): 0.85,
        ("partial", "normal", 4): 0.9, ("partial", "normal", 150): 0.7,
        ("partial", "poisson", 4): 0.9, ("partial", "poisson", 150): 0.85,
    }  # fmt: skip
    uncentered = hs.PartialPooling(parameterization="centered")
    assert uncentered.fit(rows_of(150), **short).options["adapt_delta"] == 0.85
    assert hs.NoPooling().fit(rows_of(4), adapt_delta=0.6, **short).options["adapt_delta"] == 0.6


def log_densities(program: Program, entries: dict[str, Any], points: list[Any]) -> list[float]:
    model = Evaluator(program, entries)._model
    return [model.log_density(np.array(point), propto=True, jacobian=True) for point in points]


def test_no_tau_is_so_small_that_theta_minus_mu_is_lost_in_rounding() -> None:
    # else ((theta - mu) / tau)^2 is 0, and chains that get there never come back
    data = small_data("binomial", True)
    model = hs.PartialPooling(parameterization="noncentered")
    plan = make_plan(model, data)
    z = [2.0, -1, 1, 2, -2, 1]
    points = [[np.log(tau), -0.7, 0, 0, *z] for tau in (1e-3, 1e-20)]
    found = log_densities(plan.program, plan.inputs(), points)
    assert found[1] < found[0] - 1e6


@pytest.mark.parametrize("family", ["binomial", "bernoulli", "poisson", "neg_binomial", "gamma"])
def test_the_normal_approximation_matches_the_likelihood_where_it_is_made(family: str) -> None:
    # the estimate and precision of a normal log likelihood with the same slope at the mode
    data = small_data(family)
    estimate, precision = normal_approximation(data)
    raw = raw_estimates(data)
    sums = np.bincount(data.cells["group"], weights=data.cells["y"], minlength=6)
    n, link, error = raw[["n", "link", "link_se"]].to_numpy().T
    if family in ("binomial", "bernoulli"):
        away = np.sqrt(1 - 4 * precision / n) / 2
        rates = np.array([0.5 - away, 0.5 + away])  # both have this information
        there = special.logit(rates) + (sums / n - rates) * n / precision
        assert np.abs(there - estimate).min(axis=0).max() < 1e-6
    elif family == "poisson":
        exposure = data.cells["exposure"].to_numpy()
        modes = np.log(precision / exposure)
        np.testing.assert_allclose(modes + sums / precision - 1, estimate, atol=1e-6)
    elif family == "gamma":
        np.testing.assert_allclose(precision, error**-2.0)
    else:
        modes = -np.log(n / precision - (n * error**2 - np.exp(-link)))
        np.testing.assert_allclose(modes + raw["raw"] / np.exp(modes) - 1, estimate, atol=1e-6)


# the prior alone --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_prior_alone_has_the_priors_quantiles(family: str, pooling: str) -> None:
    import arviz_stats as azs

    data = small_data(family)
    fit = POOLINGS[pooling]().fit(
        data, seed=4, engine="stanli", prior_only=True, adapt_delta=0.95, progress=False
    )
    assert {"prior", "prior_predictive", "sample_stats_prior"} <= set(fit.idata.children)
    assert not {"posterior", "log_likelihood", "posterior_predictive"} & set(fit.idata.children)
    for name, prior in fit.priors.items():
        draws = fit.posterior[name]
        draws = draws.isel(group=0) if "group" in draws.dims else draws
        quantile = prior.quantile
        if dim := FAMILIES[family].parameter_dims.get(name):
            rng = np.random.default_rng(1)
            first = [prior.draw(rng, draws.sizes[dim])[0] for _ in range(40_000)]
            draws, quantile = draws.isel({dim: 0}, drop=True), functools.partial(np.quantile, first)
        for q in (0.1, 0.5, 0.9):
            below = draws <= float(quantile(q))
            truth = q
            if name == "nu":  # its prior is cut off at 1
                start = float(np.mean(prior.quantile(np.linspace(1e-4, 1 - 1e-4, 9999)) < 1))
                truth = (q - start) / (1 - start)
            error = float(azs.mcse(below.astype(float).to_dataset(name="x"), method="mean")["x"])
            assert abs(float(below.mean()) - truth) < 5 * error, (name, q)
    predicted = fit.idata["prior_predictive"]["y"]
    assert predicted.shape == (4, 1000, data.n_rows)
    assert not np.isnan(predicted.to_numpy().astype(float)).any()
    if FAMILIES[family].columns["y"] == "int":
        too_large = float(predicted.max()) >= 2**63  # which stay what they are
        assert predicted.dtype.kind == ("f" if too_large else "i")
        assert int(predicted.min()) >= 0


@pytest.mark.cmdstan
def test_cmdstan_samples_the_prior_alone() -> None:
    model = hs.PartialPooling(priors={"mu": hs.Normal(2, 1)})
    fit = model.fit(
        small_data("binomial"), seed=4, engine="cmdstan", prior_only=True, progress=False
    )
    assert fit.draws("mu").mean() == pytest.approx(2, abs=0.15)
    assert fit.idata["prior_predictive"]["y"].shape == (4, 1000, 6)


# labels -----------------------------------------------------------------------------------------

LABELS: dict[str, list[Any]] = {
    "whole numbers": [30, 10, 20],
    "fractions": [0.5, -1.5, 2.0],
    "truth values": [True, False],
    "tuples": [("north", 1), ("south", 2), ("north", 2)],
    "times": [pd.Timestamp("2024-03-01"), pd.Timestamp("2023-01-01"), pd.Timestamp("2025-12-31")],
    "other scripts": ["Åse", "北京", "naïve 🏪", "", "a b\n"],
    "a mixture": ["a", 1, ("x", 2), 3.5],
}


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_labels_come_back_as_they_were(kind: str, pooling: str) -> None:
    labels = LABELS[kind]
    column = pd.Series(labels, dtype=None if kind in ("whole numbers", "times") else object)
    frame = pd.DataFrame({"g": column, "y": np.arange(len(labels)) + 1.0, "se": 1.0})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    options = {"seed": 1, "engine": "stanli", "warmup": 100, "draws": 50, "progress": False}
    fit = POOLINGS[pooling]().fit(data, **options)
    assert list(data.groups) == labels
    for group in ("posterior",):
        theta = fit.idata[group]["theta"]
        assert theta.sizes["group"] == len(labels)
        back = pd.Index(theta["group"].to_numpy(), tupleize_cols=False).tolist()
        if kind not in ("tuples", "a mixture"):  # those stand as text in the tree
            assert back == labels
        else:
            assert len(set(back)) == len(labels)
    table = hs.group_means(fit)
    assert table.index.name == "g"
    assert table.index.tolist() == labels


# one group, other arguments ---------------------------------------------------------------------


def test_one_group_has_nothing_to_pool_with() -> None:
    frame = pd.DataFrame({"g": ["only"], "y": [1.0], "se": [0.5]})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    with pytest.raises(hs.DataError, match=r"cannot learn how much groups differ \(tau\).* 'only'"):
        hs.PartialPooling().fit(data, engine="stanli")
    for model in (hs.CompletePooling(), hs.NoPooling()):
        fit = model.fit(data, seed=1, engine="stanli", warmup=200, draws=200, progress=False)
        assert fit.draws("theta").shape == (800, 1)


@pytest.mark.parametrize("data", [None, [1, 2], pd.DataFrame({"y": [1.0]})])
def test_a_fit_takes_grouped_data(data: Any) -> None:
    with pytest.raises(hs.DataError, match="takes a GroupedData, got .* Make one with"):
        hs.CompletePooling().fit(data)


def test_seeds() -> None:
    data = small_data("poisson")
    options = {"engine": "stanli", "warmup": 100, "draws": 100, "progress": False}
    model = hs.PartialPooling(parameterization="noncentered")
    first, again, other = (model.fit(data, seed=seed, **options) for seed in (3, 3, 4))
    for group in ("posterior", "log_likelihood", "posterior_predictive", "sample_stats"):
        assert first.idata[group].to_dataset().equals(again.idata[group].to_dataset())
    assert not np.array_equal(first.draws("mu"), other.draws("mu"))
    free, freer = (model.fit(data, **options) for _ in range(2))
    assert free.seed != freer.seed
    repeated = model.fit(data, seed=free.seed, **options)
    np.testing.assert_array_equal(free.draws("theta"), repeated.draws("theta"))


# extremes ---------------------------------------------------------------------------------------


def counts(successes: list[int], trials: list[int]) -> hs.GroupedData:
    frame = pd.DataFrame({"g": range(len(trials)), "y": successes, "n": trials})
    return hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")


def events(y: list[int], exposure: list[float]) -> hs.GroupedData:
    frame = pd.DataFrame({"g": range(len(y)), "y": y, "t": exposure})
    return hs.GroupedData.from_events(frame, group="g", events="y", exposure="t")


def estimates(y: list[float], se: list[float]) -> hs.GroupedData:
    frame = pd.DataFrame({"g": range(len(y)), "y": y, "se": se})
    return hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")


def rows(family: str, *groups: list[float]) -> hs.GroupedData:
    frame = pd.DataFrame([(g, y) for g, ys in enumerate(groups) for y in ys], columns=["g", "y"])
    return hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)


EXTREMES = {
    "all successes": lambda: counts([10, 20, 5], [10, 20, 5]),
    "no successes": lambda: counts([0, 0, 0], [10, 20, 5]),
    "one of each": lambda: counts([0, 1], [1, 1]),
    "a billion trials": lambda: counts([10**9, 5 * 10**8], [2 * 10**9, 10**9]),
    "no events": lambda: events([0, 0, 0], [1.0, 10.0, 0.1]),
    "a billion events": lambda: events([10**9, 9 * 10**8], [1.0, 1.0]),
    "tiny exposure": lambda: events([1, 0, 2], [1e-9, 1e-8, 1e-9]),
    "two groups": lambda: estimates([1.0, 2.0], [1.0, 1.0]),
    "a billion": lambda: estimates([1e9, 1e9 + 5, 1e9 - 3], [1.0, 2.0, 1.0]),
    "se from a millionth to a million": lambda: estimates([1.0, 2.0, 3.0], [1e-6, 1.0, 1e6]),
    "equal estimates": lambda: estimates([3.0, 3.0, 3.0], [1e-6, 1e-6, 1e-6]),
    "rows that hardly vary": lambda: rows("normal", [1.0, 1.0], [2.0, 2.0], [3.0, 3.0 + 1e-9]),
    "large rows": lambda: rows("normal", [1e9, 1e9 + 1], [1e9 + 2, 1e9 + 3], [1e9, 1e9 - 4]),
    "an outlier": lambda: rows("student_t", [1.0, 2.0, 1e6], [1.5, 2.5], [0.0, 3.0]),
    "zero counts": lambda: rows("neg_binomial", [0, 0, 0], [0, 0], [1, 0]),
    "small amounts": lambda: rows("gamma", [1e-8, 2e-8], [3e-8, 1e-8], [5e-8, 2e-8]),
    "large amounts": lambda: rows("lognormal", [1e12, 3e12], [2e12, 1e11], [5e12]),
    "only ones": lambda: rows("bernoulli", [1, 1], [1], [1, 1, 1]),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("case", EXTREMES)
def test_extreme_data_are_fitted(case: str, pooling: str) -> None:
    data = EXTREMES[case]()
    fit = POOLINGS[pooling]().fit(data, seed=2, engine="stanli", progress=False)
    theta = fit.draws("theta")
    assert np.isfinite(theta).all()
    assert np.isfinite(fit.idata["log_likelihood"]["y"].to_numpy()).all()
    if pooling == "none" and case not in ("equal estimates",):
        # far from the prior's tails, each group's mean is about where its own data put it
        middle = np.median(theta, axis=0)
        if case in ("a billion events", "tiny exposure"):
            assert (
                np.abs(np.exp(middle) / (data.cells["y"] + 0.5) * data.cells["exposure"] - 1).max()
                < 2
            )
        if case == "a billion":
            np.testing.assert_allclose(middle, data.cells["y"], atol=1)
        if case == "se from a millionth to a million":
            assert middle[0] == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("model", [hs.PartialPooling(), hs.NoPooling()], ids=["partial", "none"])
@pytest.mark.parametrize("family", ["normal_known", "binomial"])
def test_fits_of_different_data_with_one_seed_are_independent(model: Any, family: str) -> None:
    """A difference between two fits has the standard deviation that it should have."""
    before = small_data(family)
    after = before.without(before.groups[-1])
    one, two = (
        model.fit(data, seed=4, engine="stanli", progress=False) for data in (before, after)
    )
    draws = one.draws("theta")[:, 0], two.draws("theta")[:, 0]
    assert abs(np.corrcoef(draws)[0, 1]) < 0.08
