"""Counts with extra zeros: against quadrature and the exact density, and what they are for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from exact import Posterior, averaged, partial
from monte_carlo import far_off
from scipy import stats

import hierstan as hs
from hierstan.families import FAMILIES
from hierstan.fit.information import sampling_variance

ENGINES = pytest.mark.parametrize(
    "engine", ["stanli", pytest.param("cmdstan", marks=pytest.mark.cmdstan)]
)
BOTH = pytest.mark.parametrize("family", ["zero_inflated_poisson", "zero_inflated_neg_binomial"])
QUICK = {"seed": 1, "engine": "stanli", "progress": False, "chains": 2, "draws": 400}
YEARS = pd.DataFrame(
    {
        "site": list("aaaabbbbccc"),
        "claims": [3, 0, 6, 0, 9, 0, 15, 4, 0, 0, 7],
        "policies": [1.5, 4.0, 2.5, 3.0, 3.0, 3.5, 4.0, 2.0, 2.5, 3.0, 2.0],
    }
)


def claims(family: str) -> hs.GroupedData:
    columns = {"group": "site", "events": "claims", "exposure": "policies"}
    return hs.GroupedData.from_events(YEARS, **columns, family=family)


def log_density(y: np.ndarray, mean: np.ndarray, odds: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """Of counts with this mean, extra zeros among them; Poisson where phi is infinite."""
    other = mean * (1 + odds)
    with np.errstate(invalid="ignore"):
        over = stats.nbinom.logpmf(y, phi, phi / (phi + other))
    lp = np.where(np.isinf(phi), stats.poisson.logpmf(y, other), over)
    share = odds / (1 + odds)
    return np.logaddexp(np.where(y == 0, np.log(share), -np.inf), np.log1p(-share) + lp)


@pytest.mark.slow
@ENGINES
def test_the_posterior_is_that_of_quadrature(engine: str) -> None:
    group = YEARS["site"].map({"a": 0, "b": 1, "c": 2}).to_numpy()
    y, size = YEARS["claims"].to_numpy(), YEARS["policies"].to_numpy()

    def given(odds: float) -> Posterior:
        def log_lik(theta: np.ndarray) -> np.ndarray:
            mean = size * np.exp(np.clip(theta, -30, 30))
            rows = log_density(y, mean, np.array(odds), np.array(np.inf))
            return np.stack([rows[..., group == j].sum(axis=-1) for j in range(3)], axis=-1)

        return partial(
            log_lik,
            mu=(stats.norm(0, 1).logpdf, -4.2, 4.2),
            tau=(stats.halfnorm(scale=1).logpdf, 4.5),
            nodes=28,
        )

    prior = stats.lognorm(1.0, scale=np.exp(-1.0)).logpdf
    exact = averaged("zero_odds", given, log_prior=prior, low=0.01, high=20.0, nodes=16)
    priors = {"mu": hs.Normal(0, 1), "tau": hs.HalfNormal(1), "zero_odds": hs.LogNormal(-1, 1)}
    fit = hs.PartialPooling(priors=priors).fit(
        claims("zero_inflated_poisson"),
        seed=3, engine=engine, adapt_delta=0.95, draws=2000, progress=False,
    )  # fmt: skip
    assert far_off(fit, exact) == []


@BOTH
def test_log_lik_is_the_density(family: str) -> None:
    fit = hs.PartialPooling().fit(claims(family), **QUICK | {"draws": 50})
    mean = np.exp(fit.theta())[:, fit.data.cells["group"]] * YEARS["policies"].to_numpy()
    phi = fit.draws("phi") if "phi" in fit.family.parameters else np.full(len(mean), np.inf)
    odds = fit.draws("zero_odds")
    expected = log_density(YEARS["claims"].to_numpy(), mean, odds[:, None], phi[:, None])
    found = fit.idata["log_likelihood"]["y"]
    np.testing.assert_allclose(found.to_numpy().reshape(expected.shape), expected, rtol=1e-6)


@BOTH
def test_the_information_is_the_expected_square_of_the_slope(family: str) -> None:
    theta, odds, phi = 0.7, 0.8, 1.7 if family.endswith("binomial") else np.inf
    sizes, step = np.array([0.5, 3.0]), 1e-5
    total = 0.0
    for size, count in zip(sizes, (2.0, 1.0), strict=True):
        y = np.arange(400)
        at = [log_density(y, size * np.exp(theta + d), odds, phi) for d in (0, -step, step)]
        total += count * (np.exp(at[0]) * ((at[2] - at[1]) / (2 * step)) ** 2).sum()
    weights = np.stack([sizes, [2.0, 1.0]], axis=1)[None]
    own = {"zero_odds": np.array([[odds]]), "phi": np.array([[phi]])}
    found = FAMILIES[family].information(np.array([[theta]]), weights, own)
    assert found.item() == pytest.approx(total, rel=1e-5)


@BOTH
def test_predictions_have_the_means_and_the_zeros(family: str) -> None:
    fit = hs.PartialPooling().fit(claims(family), **QUICK | {"draws": 2000})
    drawn = hs.predict(fit, exposure=2).draws
    mean = 2 * np.exp(fit.theta())
    phi = fit.draws("phi") if "phi" in fit.family.parameters else np.full(len(mean), np.inf)
    zero = np.exp(log_density(np.array(0), mean, fit.draws("zero_odds")[:, None], phi[:, None]))
    error = drawn.std(("chain", "draw")).to_numpy() / np.sqrt(4000)
    assert (np.abs(drawn.mean(("chain", "draw")) - mean.mean(axis=0)) < 5 * error).all()
    share = (drawn == 0).mean(("chain", "draw"))
    np.testing.assert_allclose(share, zero.mean(axis=0), atol=5 * 0.5 / np.sqrt(4000))
    assert np.isfinite(sampling_variance(fit)).all()


@pytest.mark.slow
def test_equal_regions_with_many_zeros_do_not_differ() -> None:
    taus: dict[str, list[float]] = {"poisson": [], "zero_inflated_poisson": []}
    for repetition in range(4):
        rng = np.random.default_rng(repetition)
        y = np.where(rng.random(900) < 0.6, 0, rng.poisson(4.0, 900))
        frame = pd.DataFrame({"region": np.repeat(list("ABCDEF"), 150), "claims": y})
        for family, found in taus.items():
            data = hs.GroupedData.from_rows(frame, group="region", outcome="claims", family=family)
            fit = hs.PartialPooling().fit(data, **QUICK)
            raw_se = float(hs.shrinkage(fit)["raw_se"].mean())
            found.append(np.median(fit.draws("tau")))
            if family == "poisson":
                continue
            share = fit.draws("zero_odds") / (1 + fit.draws("zero_odds"))
            assert share.mean() == pytest.approx(0.6, abs=0.08)
            means = frame.groupby("region")["claims"]
            assert raw_se == pytest.approx(means.sem().mean(), rel=0.2)
    assert np.mean(taus["zero_inflated_poisson"]) < 0.7 * np.mean(taus["poisson"])


def test_extra_zeros_win_the_comparison() -> None:
    rng = np.random.default_rng(2)
    y = np.where(rng.random(80) < 0.5, 0, rng.poisson(5.0, 80))
    frame = pd.DataFrame({"region": np.repeat(list("ABCD"), 20), "claims": y})
    fits = {
        family: hs.PartialPooling().fit(
            hs.GroupedData.from_rows(frame, group="region", outcome="claims", family=family),
            **QUICK,
        )
        for family in ("neg_binomial", "zero_inflated_poisson")
    }
    assert hs.compare(fits, progress=False).preferred == "zero_inflated_poisson"


@BOTH
def test_the_effect_of_a_treatment_on_counts_with_extra_zeros(family: str) -> None:
    """Extra zeros in three of ten rows of both arms leave the ratio of their means what it is."""
    rng = np.random.default_rng(2)
    site, arm = np.repeat(np.arange(6), 50), np.tile(np.repeat([0, 1], 25), 6)
    mean = np.exp(rng.normal(1.2, 0.3, 6)[site] + arm * rng.normal(0.4, 0.1, 6)[site])
    y = rng.poisson(mean) * rng.binomial(1, 0.7, site.size)
    frame = pd.DataFrame({"site": site, "arm": arm, "y": y})
    columns = {"group": "site", "arm": "arm", "outcome": "y"}
    data = hs.GroupedData.from_trial(frame, **columns, control=0, family=family)
    fit = hs.PartialPooling().fit(data, **QUICK)
    mu, odds = fit.draws("mu"), fit.draws("zero_odds")
    assert abs(mu.mean() - 0.4) < 3 * mu.std()
    assert abs(odds.mean() - 3 / 7) < 3 * odds.std()
    assert mu.std() < 0.2
    table = hs.predict(fit).summary
    sizes = y[arm == 1].reshape(6, 25).mean(axis=1)
    np.testing.assert_allclose(table["mean"], sizes, rtol=0.4)


def test_one_row_a_group_cannot_tell_extra_zeros_from_groups_that_differ() -> None:
    frame = pd.DataFrame({"site": range(10), "y": [0, 3, 5, 0, 2, 0, 7, 1, 4, 0]})
    data = hs.GroupedData.from_rows(
        frame, group="site", outcome="y", family="zero_inflated_poisson"
    )
    fit = hs.PartialPooling().fit(data, **QUICK)
    assert "zero_odds" in " ".join(hs.diagnose(fit).messages)
    assert "cannot be told apart" in " ".join(hs.diagnose(fit).messages)


def large_counts(family: str, mean: float) -> pd.DataFrame:
    """Six sites in three regions, both arms in each; extra zeros in four of ten rows."""
    rng = np.random.default_rng(3)
    site, arm = np.repeat(np.arange(6), 12), np.tile(np.repeat([0, 1], 6), 6)
    means = np.exp(np.log(mean) + rng.normal(0, 0.4, 6)[site] + 0.3 * arm)
    if "phi" in FAMILIES[family].parameters:
        means = means * rng.gamma(3, 1 / 3, site.size)
    y = rng.poisson(means) * rng.binomial(1, 0.6, site.size)
    return pd.DataFrame({"site": site, "region": site % 3, "arm": arm, "y": y})


@BOTH
@pytest.mark.parametrize("model", [hs.PartialPooling, hs.NoPooling, hs.CompletePooling])
@pytest.mark.parametrize(
    "design",
    ["groups", *(pytest.param(each, marks=pytest.mark.slow) for each in ("factors", "trial"))],
)
def test_large_means_are_measured_with_the_odds_of_extra_zeros(
    design: str, model: type, family: str
) -> None:
    """The mean of other rows is known to a thousandth: then all means fall as the odds rise."""
    if design == "factors" and model is hs.NoPooling:
        pytest.skip("has no use for factors")
    frame = large_counts(family, 1e5)
    columns = {"group": "site", "outcome": "y", "family": family}
    if design == "trial":
        data = hs.GroupedData.from_trial(frame, **columns, arm="arm", control=0)
    else:
        more = {"factors": ["region"]} if design == "factors" else {}
        data = hs.GroupedData.from_rows(frame, **columns, **more)
    options = {**QUICK, "warmup": 300, "draws": 200}
    found = model().fit(data, **options).convergence()
    assert found.at_depth == 0
    assert found.parameters["ess_bulk"].min() > 40
    assert found.divergences <= 4


@BOTH
def test_how_far_estimates_fall_as_extra_zeros_get_more(family: str) -> None:
    """The slope of the mode of a group's likelihood, by differences, on data as expected."""
    phi, odds, step = (1.5 if "phi" in FAMILIES[family].parameters else np.inf), 0.7, 1e-3
    y = np.arange(400)
    for theta in (-3.0, 0.0, 1.0, 2.5):
        share = np.exp(log_density(y, np.exp(theta), np.array(odds), np.array(phi)))
        grid = theta + np.linspace(-0.1, 0.1, 41)[:, None]
        modes = []
        for other in (odds - step, odds + step):
            likelihood = log_density(y, np.exp(grid), np.array(other), np.array(phi)) @ share
            best = np.polyfit(grid[:, 0] - theta, likelihood, 4)
            slopes = np.roots(np.polyder(best))
            modes.append(slopes[np.argmin(np.abs(slopes))].real)
        expected = (modes[0] - modes[1]) / (np.log1p(odds + step) - np.log1p(odds - step))
        raw = {"odds": odds, "excess": 1 / phi, "exposure": 1.0, "n": 1.0}
        found = FAMILIES[family].falls(raw, np.array([theta]))[0]
        assert found == pytest.approx(expected, abs=0.02), theta


@BOTH
def test_counts_beyond_integers_are_predicted(family: str) -> None:
    """Ten times the exposure of counts of hundreds of millions: beyond Stan's integers."""
    frame = large_counts(family, 4e8)
    frame["y"] = np.minimum(frame["y"], 2**31 - 1)
    data = hs.GroupedData.from_rows(frame, group="site", outcome="y", family=family)
    fit = hs.PartialPooling().fit(data, **QUICK)
    drawn = hs.predict(fit, exposure=10).draws
    means = 10 * np.exp(fit.theta()).mean(axis=0)
    error = drawn.std(("chain", "draw")).to_numpy() / np.sqrt(400)
    assert (np.abs(drawn.mean(("chain", "draw")).to_numpy() - means) < 5 * error).all()
    assert drawn.max() > 2**31
