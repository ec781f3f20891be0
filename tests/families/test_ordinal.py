"""Ratings in ordered categories: against quadrature and the exact density, and what they tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from exact import Posterior, averaged, partial
from monte_carlo import far_off
from scipy import integrate, special, stats
from surveys import QUICK, ratings, shares, stores

import hierstan as hs
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units
from hierstan.data.own_estimates import raw_arms, raw_estimates
from hierstan.families import FAMILIES
from hierstan.fit.information import sampling_variance
from hierstan.plots.replicated import replicated

ENGINES = pytest.mark.parametrize(
    "engine", ["stanli", pytest.param("cmdstan", marks=pytest.mark.cmdstan)]
)


COUNTS = pd.DataFrame(
    {1: [3, 1, 0, 5], 2: [4, 3, 2, 1], 3: [2, 8, 7, 0]}, index=pd.Index(list("abcd"), name="store")
)


def density_of_half_width(d: float) -> float:
    """Of two cut points at -d and d whose three shares are uniform, wherever their middle is."""

    def logistic(x: float) -> float:
        return float(special.expit(x) * special.expit(-x))

    return 4 * integrate.quad(lambda s: logistic(s - d) * logistic(s + d), -40, 40)[0]


@pytest.mark.slow
@ENGINES
def test_the_posterior_is_that_of_quadrature(engine: str) -> None:
    y = COUNTS.to_numpy()

    def given(d: float) -> Posterior:
        def log_lik(theta: np.ndarray) -> np.ndarray:
            p = shares(np.clip(theta[..., 0], -30, 30), np.array([-d, d]))
            return np.log(p) @ y.T

        return partial(
            log_lik,
            mu=(stats.norm(0, 1).logpdf, -4.5, 4.5),
            tau=(stats.halfnorm(scale=1).logpdf, 5.0),
            nodes=28,
        )

    prior = np.vectorize(lambda d: np.log(density_of_half_width(d)))
    exact = averaged("half", given, log_prior=prior, low=0.25, high=1.9, nodes=16)
    priors = {"mu": hs.Normal(0, 1), "tau": hs.HalfNormal(1)}
    fit = hs.PartialPooling(priors=priors).fit(
        ratings(COUNTS), seed=3, engine=engine, adapt_delta=0.95, draws=2000, progress=False
    )
    draws = fit.posterior.assign(half=fit.posterior["cutpoint"].isel(cut=1, drop=True))
    assert far_off(fit, exact, draws=draws) == []
    assert fit.posterior["cut"].values.tolist() == ["1|2", "2|3"]
    np.testing.assert_allclose(fit.draws("cutpoint").sum(axis=1), 0, atol=1e-9)


@pytest.mark.slow
def test_a_prior_of_cut_points_is_a_density_and_its_draws_have_it() -> None:
    for concentration in (0.5, 1.0, 4.0):
        prior = hs.Dirichlet(concentration)
        root = np.linspace(1e-4, 8, 8001)  # of half the distance, whose density may be infinite
        at = root**2
        density = np.sqrt(2) * np.exp(prior.log_density(np.stack([-at, at], axis=-1)))
        below = integrate.cumulative_simpson(2 * root * density, x=root, initial=0)
        assert below[-1] == pytest.approx(1, abs=1e-4)
        rng = np.random.default_rng(1)
        drawn = [prior.draw(rng, 2)[1] for _ in range(2000)]
        of_drawn = np.interp(drawn, at, below)
        assert stats.kstest(of_drawn, "uniform").pvalue > 1e-3
    one = np.exp(hs.Dirichlet(1).log_density(np.array([-0.8, 0.8]))) * np.sqrt(2)
    assert one == pytest.approx(density_of_half_width(0.8), rel=1e-8)


def test_log_lik_is_the_density() -> None:
    fit = hs.NoPooling().fit(ratings(stores()), **QUICK | {"draws": 30})
    rows = fit.data.rows
    assert rows is not None
    theta, cut = fit.theta(), fit.draws("cutpoint")
    p = np.stack([shares(t, c) for t, c in zip(theta, cut, strict=True)])
    expected = np.log(p[:, rows["group"], rows["y"] - 1])
    found = fit.idata["log_likelihood"]["y"].to_numpy().reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_the_information_is_the_expected_square_of_the_slope() -> None:
    cut, theta, step = np.array([-2.0, -0.3, 0.4, 1.9]), 0.7, 1e-5
    here, before, after = (shares(np.array(theta + d), cut) for d in (0, -step, step))
    expected = 13 * (here * (np.log(after / before) / (2 * step)) ** 2).sum()
    own = {"cutpoint": cut[None, None]}
    found = FAMILIES["ordinal"].information(np.array([[theta]]), np.array([13.0]), own)
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_cut_points_are_in_the_middle_of_the_scale_whatever_the_groups() -> None:
    low, high = stores(seed=3), stores(seed=3)[[5, 4, 3, 2, 1]]
    high.columns = low.columns
    one, other = (hs.PartialPooling().fit(ratings(t), **QUICK) for t in (low, high))
    difference = one.draws("mu").mean() + other.draws("mu").mean()
    assert abs(difference) < 0.08  # turned around, the scale changes the sign of mu
    turned = one.draws("cutpoint").mean(axis=0) + other.draws("cutpoint").mean(axis=0)[::-1]
    np.testing.assert_allclose(turned, 0, atol=0.12)


def test_group_means_are_mean_scores() -> None:
    counts = stores()
    fit = hs.PartialPooling().fit(ratings(counts), **QUICK)
    p = np.stack([shares(t, c) for t, c in zip(fit.theta(), fit.draws("cutpoint"), strict=True)])
    np.testing.assert_allclose(hs.group_means(fit)["mean"], (p @ np.arange(1, 6)).mean(axis=0))
    raw = hs.shrinkage(fit)["raw"]
    np.testing.assert_allclose(raw, counts @ np.arange(1, 6) / counts.sum(axis=1))
    best = (p @ np.arange(1, 6)).argmax(axis=1)
    np.testing.assert_allclose(hs.prob_best(fit), np.bincount(best, minlength=12) / len(best))
    doubled = ratings(counts.set_axis([10, 30, 50, 70, 90], axis=1))
    again = hs.PartialPooling().fit(doubled, **QUICK)
    expected = 20 * hs.group_means(fit)["mean"] - 10
    np.testing.assert_allclose(hs.group_means(again)["mean"], expected)
    labels = ratings(counts.set_axis(list("edcba"), axis=1))
    assert labels.scores.tolist() == [1, 2, 3, 4, 5]


def test_raw_estimates_are_those_of_no_pooling_where_there_are_many_rows() -> None:
    counts = stores(J=6, n=400, tau=0.3)
    data = ratings(counts)
    fit = hs.NoPooling().fit(data, **QUICK)
    raw = raw_estimates(data)
    sd = fit.theta().std(axis=0)
    np.testing.assert_allclose(raw["link"], fit.theta().mean(axis=0), atol=0.6 * sd.max())
    np.testing.assert_allclose(
        raw["link_se"], np.sqrt(sampling_variance(fit)).mean(axis=0), rtol=0.1
    )
    np.testing.assert_allclose(raw["link_se"], sd, rtol=0.2)
    np.testing.assert_allclose(raw["raw_se"], hs.group_means(fit)["sd"], rtol=0.2)


def test_a_group_that_gives_but_one_rating_has_a_finite_estimate() -> None:
    counts = stores()
    counts.iloc[0] = [0, 0, 0, 0, 9]
    counts.iloc[1] = [1, 0, 0, 0, 0]
    data = ratings(counts)
    raw = raw_estimates(data)
    assert np.isfinite(raw.to_numpy()).all()
    assert (raw["link_se"] > 0).all()
    fit = hs.PartialPooling().fit(data, **QUICK)
    assert fit.convergence().divergences == 0


def test_predictions_have_the_shares() -> None:
    fit = hs.PartialPooling().fit(ratings(stores()), **QUICK | {"draws": 2000})
    drawn = hs.predict(fit).draws.to_numpy().reshape(-1, 12)
    p = np.stack(
        [shares(t, c) for t, c in zip(fit.theta(), fit.draws("cutpoint"), strict=True)]
    ).mean(axis=0)
    for category in range(1, 6):
        found = (drawn == category).mean(axis=0)
        np.testing.assert_allclose(found, p[:, category - 1], atol=5 * 0.5 / np.sqrt(4000))


@pytest.mark.parametrize("unit", ["group", "observation"])
def test_units_are_left_out_with_theta_integrated_out(unit: str) -> None:
    data = ratings(COUNTS)
    fit = hs.PartialPooling(priors={"tau": hs.HalfNormal(1)}).fit(data, **QUICK | {"draws": 10})
    hyper = {name: fit.draws(name)[:3] for name in ("mu", "tau", "cutpoint")}
    found = log_lik_of_units(fit, hyper, unit)
    z = np.linspace(-9, 9, 2001)
    rows = data.rows
    assert rows is not None
    for s in range(3):
        theta = hyper["mu"][s] + hyper["tau"][s] * z
        log_p = np.log(shares(theta, hyper["cutpoint"][s]))  # (z, C)

        def integral(counts: np.ndarray, log_p: np.ndarray = log_p) -> float:
            log_terms = log_p @ counts + stats.norm.logpdf(z)
            return float(special.logsumexp(log_terms) + np.log(z[1] - z[0]))

        whole = [integral(counts) for counts in COUNTS.to_numpy()]
        if unit == "group":
            np.testing.assert_allclose(found[s], whole, atol=1e-6)
            continue
        for i, (group, y) in enumerate(rows[["group", "y"]].to_numpy()):
            rest = COUNTS.to_numpy()[group] - (np.arange(3) == y - 1)
            assert found[s, i] == pytest.approx(
                whole[group] - integral(rest), abs=1e-4
            )  # by 15 nodes


@pytest.mark.slow
def test_the_poolings_are_compared() -> None:
    fits = hs.fit_poolings(ratings(stores(J=6, n=12, tau=1.5)), **QUICK)
    comparison = hs.compare(fits, progress=False)
    assert comparison.table.index[-1] == "complete"
    assert (comparison.table["pareto_k"] < 0.7).all()


def trial(J: int = 8, n: int = 60, effect: float = 0.8) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    cut = np.array([-2.0, -0.5, 0.5, 2.0])
    site, arm = np.repeat(np.arange(J), 2 * n), np.tile([0, 1], J * n)
    eta = rng.normal(0, 0.5, J)[site] + arm * rng.normal(effect, 0.2, J)[site]
    score = 1 + (rng.logistic(eta)[:, None] > cut).sum(axis=1)
    return pd.DataFrame({"site": site, "arm": arm, "score": score})


def test_trials_have_proportional_odds() -> None:
    frame = trial()
    columns = {"group": "site", "arm": "arm", "control": 0, "outcome": "score"}
    data = hs.GroupedData.from_trial(frame, **columns, family="ordinal", order=range(1, 6))
    assert (data.family, data.measure) == ("ordinal_treatment", "OR")
    fit = hs.PartialPooling().fit(data, **QUICK)
    assert fit.convergence().divergences == 0
    mu = fit.draws("mu")
    assert abs(mu.mean() - 0.8) < 4 * mu.std()
    arms = frame.groupby(["site", "arm"])["score"].mean().unstack()
    found = hs.absolute_effects(fit).table.loc[list(range(8))]
    assert np.corrcoef(found["control"], arms[0])[0, 1] > 0.95
    np.testing.assert_allclose(found["treated"], arms[1], atol=0.4)
    base, own = FAMILIES["ordinal"], fit.own()
    places = base.to_link(np.array([1.5, 3.0, 4.9]), own)
    back = base.to_response(places, own)
    np.testing.assert_allclose(back, np.tile([1.5, 3.0, 4.9], (len(mu), 1)), rtol=1e-8)
    with pytest.raises(hs.DataError, match="family='ordinal'"):
        hs.GroupedData.from_trial(frame, **columns, order=range(1, 6))


@pytest.mark.slow
def test_a_scale_from_0_is_told_in_its_own_scores_wherever_outcomes_are_met() -> None:
    """Positions in the scale stood for scores in pictures of both arms, checks and coverage."""
    frame = trial().assign(score=lambda rows: rows["score"] - 1)
    columns = {"group": "site", "arm": "arm", "control": 0, "outcome": "score"}

    def taken(rows: pd.DataFrame) -> hs.GroupedData:
        return hs.GroupedData.from_trial(rows, **columns, family="ordinal", order=range(5))

    lone = frame[(frame["site"] > 0) | (frame["arm"] == 0)]  # the first site has no treated arm
    with pytest.warns(hs.HierstanWarning, match="one arm only"):
        data = taken(lone)
    grouped = lone.groupby(["site", "arm"])["score"]
    own = raw_arms(data)
    for arm, code in (("control", 0), ("treatment", 1)):
        there = grouped.mean().unstack()[code]
        np.testing.assert_allclose(own[arm]["raw"], there)
        table = data.to_frame()
        np.testing.assert_allclose(table[f"mean_{arm}"], there)
        np.testing.assert_allclose(table[f"sd_{arm}"], grouped.std().unstack()[code])
        ones = (lone["score"] == 1) & (lone["arm"] == code)
        assert table[f"1_{arm}"].sum() == ones.sum()
    half = frame.index % 4 < 2
    fit = hs.PartialPooling().fit(taken(frame[half]), **QUICK)
    score = hs.score(fit, taken(frame[~half]))
    assert score.table["y"].to_list() == frame.loc[~half, "score"].to_list()
    assert score.coverage > 0.88
    shown = replicated(fit)
    np.testing.assert_allclose(shown.means, frame[half].groupby("site")["score"].mean())
    assert {*np.unique(shown.y_rep)} == {0, 1, 2, 3, 4}


def test_structure_moves_the_stores() -> None:
    counts = stores(J=12, n=40, tau=0.3)
    rows = ratings(counts).rows
    assert rows is not None
    frame = pd.DataFrame({"store": counts.index[rows["group"]], "stars": rows["y"]})
    number = frame["store"].str[6:].astype(int)
    frame = frame.assign(region=number % 3, size=number**2)
    data = hs.GroupedData.from_ratings(
        frame, group="store", rating="stars", factors=["region"], predictors=["size"]
    )
    fit = hs.PartialPooling().fit(data, **QUICK)
    assert fit.convergence().divergences == 0
    assert hs.effects(fit, "region", scale="response")["mean"].between(1, 5).all()
    new = pd.DataFrame({"store": ["new"], "region": [1], "size": [3.0]})
    drawn = hs.predict(fit, new).draws
    assert set(np.unique(drawn)) <= {1, 2, 3, 4, 5}


def test_a_fit_of_ratings_comes_back_from_a_file(tmp_path: Path) -> None:
    words = ["awful", "poor", "fair", "good", "great"]
    fit = hs.PartialPooling().fit(ratings(stores().set_axis(words, axis=1)), **QUICK)
    fit.save(tmp_path / "fit.nc")
    again = hs.load(tmp_path / "fit.nc")
    assert again.data.categories is not None
    assert again.data.categories.tolist() == words
    pd.testing.assert_frame_equal(hs.ratings(again), hs.ratings(fit))
    assert again.posterior["cut"].values.tolist()[0] == "awful|poor"


def test_priors_of_cut_points_are_of_no_other_parameter() -> None:
    with pytest.raises(hs.PriorError, match=r"is hs\.Dirichlet"):
        hs.PartialPooling(priors={"cutpoint": hs.Normal(0, 1)})
    with pytest.raises(hs.PriorError, match="not of 'mu'"):
        hs.PartialPooling(priors={"mu": hs.Dirichlet(1)})


def test_divided_groups_are_told_of() -> None:
    counts = stores(J=10, n=40, tau=0.3)
    fit = hs.PartialPooling().fit(ratings(counts), **QUICK)
    assert hs.check(fit).ok
    counts.iloc[:2] = [16, 2, 2, 2, 18]  # from opposite ends
    counts.iloc[2] = [0, 0, 40, 0, 0]
    found = hs.check(hs.PartialPooling().fit(ratings(counts), **QUICK))
    assert "of one mind, or divided" in found.messages[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("vector[C - 1] cut = cutpoint - mean(cutpoint);", "vector[C - 1] cut = cutpoint;"),
        ("log_inv_logit(eta - bottom[y])", "log_inv_logit(1.1 * (eta - bottom[y]))"),
    ],
)
def test_an_edit_that_ratings_do_not_follow_is_refused(tmp_path: Path, old: str, new: str) -> None:
    folder = hs.copy_templates(tmp_path)
    file = folder / "families" / "ordinal.stan"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    model = hs.PartialPooling(template_dir=folder)
    with pytest.raises(hs.TemplateError, match="mean scores, top boxes"):
        model.fit(ratings(stores()), **QUICK)


def test_the_population_of_ratings_may_be_edited(tmp_path: Path) -> None:
    folder = hs.copy_templates(tmp_path)
    page = folder / "partial_pooling.stan"
    page.write_text(page.read_text().replace("theta ~ normal(", "theta ~ student_t(4, "))
    fit = hs.PartialPooling(template_dir=folder).fit(ratings(stores()), **QUICK)
    assert hs.ratings(fit)["mean"].between(1, 5).all()
