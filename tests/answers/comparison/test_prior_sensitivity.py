"""Prior sensitivity: the answers under each prior against quadrature, and what it says in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from schools import eight_schools as schools
from scipy import stats

import hierstan as hs
from hierstan.answers.comparison import loo, prior_sensitivity, refits, subsampling
from hierstan.answers.comparison.prior_sensitivity import comparable
from hierstan.fit.once import forget

SEED = 20261122


def exact_tau(data: hs.GroupedData, mu: hs.Normal, tau: hs.HalfNormal) -> tuple[float, float]:
    """Posterior mean and sd of tau by a grid, with mu and theta integrated out in closed form."""
    y, se = data.cells["y"].to_numpy(), data.cells["se"].to_numpy()
    grid = np.exp(np.linspace(np.log(1e-3), np.log(300), 3000))
    J = len(y)
    log_posterior = (
        np.array(
            [
                stats.multivariate_normal.logpdf(
                    y, np.full(J, mu.location), np.diag(se**2 + t**2) + mu.scale**2
                )
                for t in grid
            ]
        )
        + tau.log_density(grid)
        + np.log(grid)
    )
    weights = np.exp(log_posterior - log_posterior.max())
    weights /= weights.sum()
    mean = float(weights @ grid)
    return mean, float(np.sqrt(weights @ (grid - mean) ** 2))


@pytest.mark.slow
def test_the_sweep_matches_quadrature_under_every_prior():
    data = schools()
    fit = hs.PartialPooling(priors={"mu": hs.Normal(0, 10)}).fit(data, seed=SEED, engine="stanli")
    sensitivity = hs.prior_sensitivity(fit)
    priors = [fit.priors["tau"], *comparable(fit.priors["tau"])]
    assert list(sensitivity.sweep.index) == [str(prior) for prior in priors]
    for prior in priors:
        mean, sd = exact_tau(data, hs.Normal(0, 10), prior)
        # 4,000 draws, of which half is as much as a quarter of independent ones
        assert abs(sensitivity.sweep.loc[str(prior), "mean"] - mean) < 4 * sd / np.sqrt(1000), prior
    own = sensitivity.sweep.iloc[0]
    assert own["elpd"] == hs.loo(fit, progress=False).elpd
    found = hs.heterogeneity(fit).tau
    assert own[["mean", "lower", "upper"]].tolist() == found[["mean", "lower", "upper"]].tolist()
    low, high = (
        f"{end:.3g}" for end in (sensitivity.sweep["mean"].min(), sensitivity.sweep["mean"].max())
    )
    assert f"from {low} to {high}" in sensitivity.verdict  # the uniform prior's too
    assert not sensitivity.changes
    # A and G are 0.1 apart, with a posterior sd of 7: which is higher in 1,000 draws is chance
    assert "stays 'A'" in sensitivity.verdict or "stays 'G'" in sensitivity.verdict


@pytest.mark.slow
def test_a_prior_that_the_draws_do_not_cover_is_fitted():
    data = schools()
    fit = hs.PartialPooling(priors={"mu": hs.Normal(0, 10)}).fit(data, seed=SEED, engine="stanli")
    narrow, far = hs.HalfNormal(0.05), hs.Uniform(20, 30)
    sweep = hs.prior_sensitivity(fit, tau_priors=[narrow, far]).sweep
    assert (sweep["method"] == "fit").all()
    assert 20 < sweep.loc[str(far), "lower"] < sweep.loc[str(far), "upper"] < 30
    for prior in (narrow, far):
        mean, sd = exact_tau(data, hs.Normal(0, 10), prior)
        assert abs(sweep.loc[str(prior), "mean"] - mean) < 4 * sd / np.sqrt(100)


@pytest.mark.slow
def test_draws_are_weighted_where_the_data_determine_tau():
    rng = np.random.default_rng(6)
    frame = pd.DataFrame({"g": range(80), "y": rng.normal(3, 1.3, 80), "se": 0.6})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    fit = hs.PartialPooling(priors={"mu": hs.Normal(0, 10)}).fit(data, seed=SEED, engine="stanli")
    near, strong, impossible = hs.Exponential(2), hs.HalfNormal(0.05), hs.Uniform(0, 0.4)
    sweep = hs.prior_sensitivity(fit, tau_priors=[near, strong, impossible]).sweep
    assert sweep["method"].tolist() == ["fit", "weights", "fit", "fit"]
    fitted = hs.PartialPooling(priors={"mu": hs.Normal(0, 10), "tau": near})
    own = hs.loo(fitted.fit(data, seed=SEED, engine="stanli"), progress=False)
    assert abs(sweep.loc[str(near), "elpd"] - own.elpd) < 0.3
    for prior in (near, strong):
        mean, sd = exact_tau(data, hs.Normal(0, 10), prior)
        assert abs(sweep.loc[str(prior), "mean"] - mean) < 4 * sd / np.sqrt(1000), prior


@pytest.mark.parametrize("family", ["normal_known", "normal"])
def test_weighted_draws_are_those_of_the_other_prior(family):
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"g": np.repeat(range(60), 5), "y": rng.normal(0, 1, 300), "se": 0.5})
    frame["y"] += rng.normal(0, 1.5, 60)[frame["g"]]
    data = (
        hs.GroupedData.from_rows(frame, group="g", outcome="y")
        if family == "normal"
        else hs.GroupedData.from_estimates(frame[::5], group="g", estimate="y", se="se")
    )
    fit = hs.PartialPooling().fit(data, seed=SEED, engine="stanli")
    other = hs.PartialPooling(priors={"tau": hs.HalfNormal(1)})
    weighed = refits.reweighed(fit, other, hs.HalfNormal(1))
    fitted = other.fit(data, seed=SEED + 1, engine="stanli")
    assert weighed.draws("tau").mean() < fit.draws("tau").mean()
    for name in ("mu", "tau", "theta"):
        one, two = weighed.draws(name), fitted.draws(name)
        error = np.sqrt(2 / 1000) * two.std(axis=0)
        assert (np.abs(one.mean(axis=0) - two.mean(axis=0)) < 4.5 * error).all(), name
    assert str(weighed.priors["tau"]) == "HalfNormal(1)"


def test_the_verdict_changes_when_the_prior_decides_it():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"g": range(30), "y": rng.normal(0, 2.5, 30), "se": 1.0})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    fits = hs.fit_poolings(data, priors={"tau": hs.HalfNormal(0.05)}, seed=SEED, engine="stanli")
    sensitivity = hs.prior_sensitivity(fits, tau_priors=[hs.HalfNormal(3)])
    assert pd.isna(sensitivity.sweep["preferred"].iloc[0])
    assert sensitivity.sweep["preferred"].iloc[1] == "partial"
    assert sensitivity.changes
    assert {"prior", "likelihood", "diagnosis"} <= set(sensitivity.power.columns)
    assert list(sensitivity.power.index) == ["mu", "tau"]


def test_a_strong_prior_shows_in_power_scaling():
    data = schools()
    strong = hs.PartialPooling(priors={"mu": hs.Normal(40, 3)})
    sensitivity = hs.prior_sensitivity(strong.fit(data, seed=SEED, engine="stanli"))
    assert sensitivity.power.loc["mu", "prior"] > 0.05
    assert "move mu" in sensitivity.verdict


def test_only_partial_pooling_has_a_tau_to_be_sensitive():
    fit = hs.CompletePooling().fit(schools(), seed=1, engine="stanli")
    with pytest.raises(hs.HierstanError, match="PartialPooling"):
        hs.prior_sensitivity(fit)


@pytest.mark.slow
def test_of_very_many_groups_a_sample_and_the_highest_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"g": range(60), "y": rng.normal(1, 1.2, 60), "se": 0.7})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    fit = hs.PartialPooling().fit(data, seed=SEED, engine="stanli")
    everyone = hs.prior_sensitivity(fit)
    forget(fit)
    monkeypatch.setattr(loo, "MAX_GROUPS", 40)
    monkeypatch.setattr(prior_sensitivity, "MAX_GROUPS", 40)
    monkeypatch.setattr(prior_sensitivity, "HIGHEST", 5)
    monkeypatch.setattr(subsampling, "SAMPLE", 30)
    few = hs.prior_sensitivity(fit)
    same = ["mean", "lower", "upper", "mu", "best", "method"]
    pd.testing.assert_frame_equal(few.sweep[same], everyone.sweep[same])
    sampled = subsampling.subsampled(fit, "observation")
    assert (np.abs(few.sweep["elpd"] - everyone.sweep["elpd"]) < 4 * sampled.mcse).all()
    assert (everyone.sweep["elpd"] != few.sweep["elpd"]).all()
    # 1,000 of the 4,000 draws, in two blocks of groups
    assert (
        np.abs(few.power[["prior", "likelihood"]] - everyone.power[["prior", "likelihood"]]).max(
            axis=None
        )
        < 0.05
    )


@pytest.mark.slow
def test_groups_too_many_to_keep_are_fitted_again():
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"g": range(5100), "y": rng.normal(3, 1.3, 5100), "se": 0.6})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    fit = hs.PartialPooling().fit(data, seed=SEED, engine="stanli", progress=False)
    assert not fit.keeps_theta
    other = hs.Exponential(2)
    sweep = hs.prior_sensitivity(fit, tau_priors=[other], progress=False).sweep
    assert sweep["method"].tolist() == ["fit", "fit"]
    assert sweep.loc[str(other), "mean"] == pytest.approx(sweep["mean"].iloc[0], abs=0.01)
