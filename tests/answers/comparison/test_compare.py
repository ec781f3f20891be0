"""Leave-one-out, WAIC and comparison: against quadrature, refits and closed forms."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import hierstan as hs
from hierstan.answers.comparison.comparison import compared, stacking_weights
from hierstan.data.own_estimates import raw_estimates
from hierstan.fit.tau_evidence import spread_of

SEED = 20261122
MU, TAU = hs.Normal(-1, 1), hs.HalfNormal(1)
PRIORS = {"mu": MU, "tau": TAU, "theta": hs.Normal(-1, 1)}
REFERENCE = Path(__file__).parents[2] / "reference_cases"


def known() -> tuple[hs.GroupedData, object]:
    rng = np.random.default_rng(3)
    se = rng.uniform(0.2, 1.5, 9)
    y = rng.normal(-1, 0.6, 9) + se * rng.normal(size=9)
    frame = pd.DataFrame({"site": list("abcdefghi"), "y": y, "se": se})
    data = hs.GroupedData.from_estimates(frame, group="site", estimate="y", se="se")
    return data, lambda theta: stats.norm.logpdf(y[:, None], theta, se[:, None])


def counts() -> tuple[hs.GroupedData, object]:
    n = np.array([1, 3, 10, 40, 200, 12, 7, 25])
    y = np.array([1, 0, 2, 15, 41, 12, 3, 4])
    frame = pd.DataFrame({"page": list("abcdefgh"), "n": n, "y": y})
    data = hs.GroupedData.from_counts(frame, group="page", successes="y", trials="n")
    return data, lambda theta: stats.binom.logpmf(y[:, None], n[:, None], 1 / (1 + np.exp(-theta)))


def events() -> tuple[hs.GroupedData, object]:
    exposure = np.array([0.5, 2.0, 30.0, 8.0, 100.0, 1.0, 15.0])
    y = np.array([0, 3, 7, 0, 61, 2, 9])
    frame = pd.DataFrame({"pump": range(7), "y": y, "t": exposure})
    data = hs.GroupedData.from_events(frame, group="pump", events="y", exposure="t")
    return data, lambda theta: stats.poisson.logpmf(y[:, None], exposure[:, None] * np.exp(theta))


CASES = {"normal_known": known, "binomial": counts, "poisson": events}


def exact_elpd(log_density, pooling: str) -> np.ndarray:
    """log p(y_j | the other groups) by brute-force grids over theta, mu and tau."""
    theta = np.linspace(-12, 9, 4001)
    step = theta[1] - theta[0]
    curve = log_density(theta[None, :])  # (J, K)
    if pooling == "none":
        return logsumexp(curve + stats.norm.logpdf(theta, -1, 1), axis=1) + np.log(step)
    if pooling == "complete":
        joint = curve.sum(axis=0) + stats.norm.logpdf(theta, -1, 1)
        return logsumexp(joint) - logsumexp(joint - curve, axis=1)
    mu = np.linspace(-4.5, 2.5, 141)
    tau = np.exp(np.linspace(np.log(0.003), np.log(6), 120))
    likelihood = np.exp(curve)
    marginal = np.empty((len(mu), len(tau), len(curve)))
    z, weight = np.polynomial.hermite_e.hermegauss(101)
    weight = weight / weight.sum()
    for i, m in enumerate(mu):
        for j, t in enumerate(tau):
            if t > 0.05:
                density = stats.norm.pdf(theta, m, t)
                marginal[i, j] = likelihood @ density / density.sum()
            else:
                marginal[i, j] = np.exp(log_density((m + t * z)[None, :])) @ weight
    prior = stats.norm.logpdf(mu, -1, 1)[:, None] + stats.halfnorm.logpdf(tau) + np.log(tau)
    log_marginal = np.log(np.maximum(marginal, 1e-300))
    joint = prior + log_marginal.sum(axis=2)
    left_out = joint[..., None] - log_marginal
    return logsumexp(joint) - logsumexp(left_out, axis=(0, 1))


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["observation", "group"])
@pytest.mark.parametrize("case", CASES)
def test_loo_of_one_row_per_group_is_exact(case, unit):
    data, log_density = CASES[case]()
    fits = hs.fit_poolings(data, priors=PRIORS, seed=SEED, engine="stanli")
    for name, fit in fits.items():
        result = hs.loo(fit, unit=unit)
        exact = exact_elpd(log_density, name)
        assert abs(result.elpd - exact.sum()) < max(0.05, 4 * result.mcse), name
        assert np.all(np.abs(result.elpd_i - exact) < np.maximum(0.03, 5 * result.mcse_i)), name
        assert result.unit == unit
        assert list(result.labels) == list(data.groups)


@pytest.mark.parametrize("name", ["complete", "none", "partial"])
def test_loo_matches_the_published_baseball_case(name):
    case = json.loads((REFERENCE / "baseball_rstanarm.json").read_text())
    frame = hs.load_dataset("baseball")
    data = hs.GroupedData.from_counts(frame, group="player", successes="hits", trials="at_bats")
    priors = {"mu": hs.Normal(-1, 1), "tau": hs.Exponential(1), "theta": hs.Normal(-1, 1)}
    fit = hs.fit_poolings(data, priors=priors, seed=SEED, engine="stanli")[name]
    result = hs.loo(fit)
    assert abs(result.elpd - case["exact"][name]["elpd_loo_exact"]["total"]) < max(
        0.05, 4 * result.mcse
    )


def rows(family: str) -> hs.GroupedData:
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(5), [1, 2, 4, 9, 25])
    theta = np.array([0.9, -0.4, 0.3, 0.0, -0.7])[group]
    draw = {
        "normal": lambda: rng.normal(theta, 0.8),
        "gamma": lambda: rng.gamma(3, np.exp(theta) / 3),
        "bernoulli": lambda: rng.binomial(1, 1 / (1 + np.exp(-theta))),
        "neg_binomial": lambda: rng.negative_binomial(3, 3 / (3 + np.exp(1 + theta))),
    }[family]
    return hs.GroupedData.from_rows(
        pd.DataFrame({"g": group, "y": draw()}), group="g", outcome="y", family=family
    )


def log_density_of_row(family: str, y: float, fit: hs.Fit, theta: np.ndarray) -> np.ndarray:
    if family == "normal":
        return stats.norm.logpdf(y, theta, fit.draws("sigma"))
    if family == "gamma":
        shape = fit.draws("shape")
        return stats.gamma.logpdf(y, shape, scale=np.exp(theta) / shape)
    if family == "neg_binomial":
        phi = fit.draws("phi")
        return stats.nbinom.logpmf(y, phi, phi / (phi + np.exp(theta)))
    return stats.bernoulli.logpmf(y, 1 / (1 + np.exp(-theta)))


@pytest.mark.slow
@pytest.mark.parametrize("model", [hs.PartialPooling, hs.NoPooling])
@pytest.mark.parametrize("family", ["normal", "gamma", "bernoulli", "neg_binomial"])
def test_loo_of_rows_in_groups_matches_refits(family, model):
    """The density of the left-out row under draws of its group's mean from a fit without it."""
    data = rows(family)
    fit = model().fit(data, seed=SEED, engine="stanli")
    result = hs.loo(fit)
    for index in (0, 1, 4, 12, 30):  # in groups of 1, 2, 4, 9 and 25 rows
        code = int(data.rows["group"][index])
        rest = data.without_rows([index])
        refit = model().fit(rest, seed=SEED + 1, engine="stanli", draws=2000)
        position = list(rest.groups).index(code) if code in rest.groups else None
        theta = refit.draws("theta_new") if position is None else refit.draws("theta")[:, position]
        density = np.exp(log_density_of_row(family, float(data.rows["y"][index]), refit, theta))
        error = density.std() / density.mean() / np.sqrt(1000)
        assert (
            abs(result.elpd_i[index] - np.log(density.mean()))
            < 4 * np.hypot(error, result.mcse_i[index]) + 0.005
        ), index


@pytest.mark.slow
def test_loo_of_whole_groups_matches_refits():
    data = rows("normal")
    fit = hs.PartialPooling().fit(data, seed=SEED, engine="stanli")
    result = hs.loo(fit, unit="group")
    for label in (0, 1, 2):
        rest = hs.PartialPooling().fit(data.without(label), seed=SEED, engine="stanli", draws=4000)
        y = data.rows["y"][data.rows["group"] == label].to_numpy()
        theta, sigma = rest.draws("theta_new"), rest.draws("sigma")
        density = np.exp(stats.norm.logpdf(y[:, None], theta, sigma).sum(axis=0))
        error = density.std() / density.mean() / np.sqrt(4000)
        assert abs(result.elpd_i[label] - np.log(density.mean())) < 4 * np.hypot(
            error, result.mcse_i[label]
        )


def outlier() -> hs.GroupedData:
    frame = pd.DataFrame(
        {"site": list("abcdef"), "y": [0.1, -0.2, 0.05, 0.1, 0.0, 0.6], "se": [0.3] * 5 + [0.08]}
    )
    return hs.GroupedData.from_estimates(frame, group="site", estimate="y", se="se")


def test_a_unit_that_cannot_be_reweighted_is_integrated_and_says_so():
    data = outlier()
    priors = {"mu": hs.Normal(0, 5)}
    fit = hs.CompletePooling(priors=priors).fit(data, seed=SEED, engine="stanli")
    result = hs.loo(fit)
    assert result.method[5] == "integral"
    y, se = data.cells["y"].to_numpy(), data.cells["se"].to_numpy()
    keep = np.arange(6) != 5
    precision = 1 / 25 + (1 / se[keep] ** 2).sum()
    mean = (y[keep] / se[keep] ** 2).sum() / precision
    exact = stats.norm.logpdf(y[5], mean, np.sqrt(1 / precision + se[5] ** 2))
    assert abs(result.elpd_i[5] - exact) < 4 * result.mcse_i[5] < 0.05
    assert result.reliable


def test_without_refits_a_high_pareto_k_is_shown_and_the_verdict_refuses():
    fits = hs.fit_poolings(outlier(), seed=SEED, engine="stanli")
    result = hs.loo(fits["complete"], refit=False)
    assert result.pareto_k.max() > 0.7
    assert not result.reliable
    assert "cannot be relied on" in repr(result)
    comparison = hs.compare(fits, refit=False)
    assert "This leave-one-out comparison cannot be relied on" in comparison.verdict
    assert "Leave-one-out, against" not in comparison.verdict


@pytest.mark.parametrize("model", [hs.PartialPooling, hs.NoPooling, hs.CompletePooling])
def test_default_priors_of_a_fold_do_not_see_what_was_left_out(model):
    """With data-scaled defaults, leave-one-out equals a refit that knows nothing of the unit."""
    frame = pd.DataFrame({"s": list("abcde"), "y": [0.0, 0.4, -0.3, 0.2, 3.5], "se": [0.5] * 5})
    data = hs.GroupedData.from_estimates(frame, group="s", estimate="y", se="se")
    fit = model().fit(data, seed=SEED, engine="stanli")
    result = hs.loo(fit)
    rest = model().fit(data.without("e"), seed=SEED, engine="stanli", draws=10_000)
    assert rest.priors != fit.priors
    theta = rest.draws("mu" if model is hs.CompletePooling else "theta_new")
    density = np.exp(stats.norm.logpdf(3.5, theta, 0.5))
    error = density.std() / density.mean() / np.sqrt(10_000)
    assert abs(result.elpd_i[4] - np.log(density.mean())) < 4 * np.hypot(error, result.mcse_i[4])


def test_waic_is_near_loo_where_it_can_be_trusted_and_warns_where_not():
    frame = hs.load_dataset("eight_schools")
    data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    fit = hs.PartialPooling().fit(data, seed=SEED, engine="stanli")
    assert abs(hs.waic(fit).elpd - hs.loo(fit).elpd) < 0.3
    assert "LOO is the better choice" in repr(hs.waic(fit))
    bad = hs.CompletePooling().fit(outlier(), seed=SEED, engine="stanli")
    with pytest.warns(hs.HierstanWarning, match=r"exceed 0\.4.*Use loo"):
        hs.waic(bad)


@pytest.mark.slow
def test_the_table_holds_differences_and_their_standard_errors():
    data, _ = counts()
    fits = hs.fit_poolings(data, priors=PRIORS, seed=SEED, engine="stanli")
    comparison = hs.compare(fits)
    table = comparison.table
    assert table["rank"].isna().tolist() == [False, False, True]
    assert table.index[2] == "none"  # of one row each: left out, their prior is all there is
    assert "No pooling is not ranked" in comparison.verdict
    assert table["elpd"].iloc[:2].is_monotonic_decreasing
    best, last = table.index[0], table.index[1]
    apart = hs.loo(fits[last]).elpd_i - hs.loo(fits[best]).elpd_i
    assert table.loc[last, "elpd_diff"] == pytest.approx(apart.sum())
    assert table.loc[last, "dse"] == pytest.approx(np.sqrt(len(apart) * apart.var(ddof=1)))
    assert table["weight"].sum() == pytest.approx(1)
    assert table.index.name == "model"


@pytest.mark.parametrize("sd", [0.01, 0.7, 30.0, 1000.0])
@pytest.mark.parametrize("seed", range(5))
def test_stacking_weights_maximise_the_score_of_the_mixture(seed: int, sd: float) -> None:
    """At the maximum no model's densities are on average larger than the mixture's."""
    rng = np.random.default_rng(seed)
    elpd = rng.normal(-1, sd, (40, 4)) + rng.normal(0, sd, 4)
    weights = stacking_weights(elpd)
    assert weights.sum() == pytest.approx(1)
    density = np.exp(elpd - elpd.max(axis=1, keepdims=True))
    gain = (density / (density @ weights)[:, None]).mean(axis=0)
    assert gain.max() < 1 + 1e-5


@pytest.mark.slow
def test_what_is_no_finite_number_has_no_rank_no_weight_and_no_verdict() -> None:
    data, _ = counts()
    fits = hs.fit_poolings(data, priors=PRIORS, seed=SEED, engine="stanli")
    results = {name: hs.loo(fit) for name, fit in fits.items()}
    broken = results["complete"].elpd_i.copy()
    broken[2] = np.nan
    results["complete"] = replace(results["complete"], elpd_i=broken, elpd=float("nan"))
    comparison = compared(results, fits)
    assert comparison.table.index[-1] == "complete"
    assert comparison.table["rank"].isna().tolist() == [False, True, True]
    assert comparison.table["weight"].isna().tolist() == [False, True, True]
    assert "cannot be relied on" in comparison.verdict
    assert "nan" not in str(comparison).lower()


def test_a_large_monte_carlo_error_is_not_reliable_whatever_pareto_k_says() -> None:
    data, _ = counts()
    fit = hs.CompletePooling(priors={"mu": MU}).fit(data, seed=SEED, engine="stanli")
    result = hs.loo(fit)
    assert result.reliable
    mcse_i = result.mcse_i.copy()
    mcse_i[0] = 1.0
    worse = replace(result, mcse_i=mcse_i, method=np.full(8, "refit"))
    assert not worse.reliable
    assert "Monte Carlo error of 1 unit is large" in str(worse)
    assert not replace(result, mcse=2.0).reliable


def test_fits_of_different_data_are_refused():
    one, _ = counts()
    fit = hs.CompletePooling().fit(one, seed=1, engine="stanli")
    other = hs.CompletePooling().fit(one.without("a"), seed=1, engine="stanli")
    with pytest.raises(hs.DataError, match="different data"):
        hs.compare({"a": fit, "b": other})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda fit: hs.loo({"a": fit}), r"loo\(fits\['a'\]\)"),
        (lambda fit: hs.loo(fit, unit="school"), "observation, group"),
        (lambda fit: hs.compare({"a": fit}), "at least two"),
        (lambda fit: hs.compare({"a": fit, "b": 3}), "'b' is no fit"),
        (lambda fit: hs.compare(fit), "mapping"),
    ],
)
def test_wrong_arguments_say_what_to_do(call, message):
    data, _ = counts()
    fit = hs.CompletePooling().fit(data, seed=1, engine="stanli")
    with pytest.raises(hs.HierstanError, match=message):
        call(fit)


def test_a_fit_of_the_prior_has_nothing_to_leave_out():
    data, _ = counts()
    fit = hs.CompletePooling().fit(data, seed=1, engine="stanli", prior_only=True)
    with pytest.raises(hs.HierstanError, match="prior_only"):
        hs.loo(fit)


def scores(theta: np.ndarray, n: int, sd: float, seed: int) -> hs.GroupedData:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(theta)), n)
    frame = pd.DataFrame({"g": group, "y": rng.normal(theta[group], sd)})
    return hs.GroupedData.from_rows(frame, group="g", outcome="y")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("kind", "preferred"),
    [("identical", "complete"), ("unrelated", "none"), ("between", "partial")],
)
def test_each_verdict_is_the_right_one_on_its_own_data(kind, preferred, seed):
    rng = np.random.default_rng(seed)
    data = {
        "identical": lambda: scores(np.zeros(400), 3, 1.0, seed),
        "unrelated": lambda: scores(rng.uniform(-100, 100, 12), 20, 1.0, seed),
        "between": lambda: scores(rng.normal(0, 1.0, 40), 3, 1.0, seed),
    }[kind]()
    comparison = hs.compare(hs.fit_poolings(data, seed=seed, engine="stanli"))
    assert comparison.preferred == preferred, comparison


@pytest.mark.slow
def test_registries_of_millions_differ_whatever_leave_one_out_finds() -> None:
    frame = pd.DataFrame(
        {
            "r": list("abc"),
            "y": [1_545_000, 1_600_000, 1_400_000],
            "n": [6_800_000, 6_900_000, 6_700_000],
        }
    )
    data = hs.GroupedData.from_counts(frame, group="r", successes="y", trials="n")
    comparison = hs.compare(hs.fit_poolings(data, seed=SEED, engine="stanli"))
    assert comparison.verdict.startswith("The groups really differ")
    assert "over 1,000 times as likely" in comparison.verdict
    assert comparison.preferred == "none"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("J", "tau"), [(3, 0.0), (8, 1.0), (8, 10.0), (30, 0.5), (30, 3.0)])
def test_compare_and_heterogeneity_say_the_same_of_rows_and_estimates(
    J: int, tau: float, seed: int
) -> None:
    rng = np.random.default_rng([J, seed])
    rows = scores(rng.normal(0, tau / np.sqrt(10), J), 10, 1.0, seed)
    raw = raw_estimates(rows)
    frame = pd.DataFrame({"g": range(J), "y": raw["link"], "se": raw["link_se"]})
    known = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    found = []
    for data in (rows, known):
        partial = hs.PartialPooling().fit(data, seed=seed, engine="stanli")
        complete = hs.CompletePooling().fit(data, seed=seed, engine="stanli")
        verdict = hs.compare({"complete": complete, "partial": partial}).verdict
        first = verdict.partition(": ")[0]
        assert hs.heterogeneity(partial).verdict.startswith(first)
        found.append(first)
    assert found[0] == found[1] or abs(np.log(spread_of(partial).bayes_factor / 3)) < 0.5


def test_too_little_data_prefer_nothing():
    frame = hs.load_dataset("eight_schools")
    data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    comparison = hs.compare(hs.fit_poolings(data, seed=SEED, engine="stanli"))
    assert comparison.preferred is None
    assert "cannot tell" in comparison.verdict
