from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from left_out import PRIORS, SEED, counts, known, rows
from scipy import stats
from scipy.special import logsumexp

import hierstan as hs

REFERENCE = Path(__file__).parents[2] / "reference_cases"


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


def test_a_fit_of_the_prior_has_nothing_to_leave_out():
    data, _ = counts()
    fit = hs.CompletePooling().fit(data, seed=1, engine="stanli", prior_only=True)
    with pytest.raises(hs.HierstanError, match="prior_only"):
        hs.loo(fit)


@pytest.mark.parametrize("unit", ["observation", "group"])
def test_a_unit_that_holds_all_variation_is_named_and_the_verdict_stands(unit: str) -> None:
    frame = pd.DataFrame({"shop": list("aabbccdd"), "price": [5.0] * 7 + [6.0]})
    data = hs.GroupedData.from_rows(frame, group="shop", outcome="price")
    fits = hs.fit_poolings(data, seed=SEED, engine="stanli", progress=False)
    with pytest.warns(hs.HierstanWarning, match="vary by different amounts"):
        found = hs.compare(fits, unit=unit, progress=False)
    named = {"observation": "without observation 6 or 7", "group": "without group 'd'"}[unit]
    assert f"cannot be relied on ({named} the rest does not vary" in found.verdict
    assert "cannot tell how different the groups are" in found.verdict
    assert found.table[["rank", "weight"]].isna().all(axis=None)
    assert (found.loo["partial"].method == "impossible").any()
