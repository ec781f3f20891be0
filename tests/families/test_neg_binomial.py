"""Events over exposures that vary more than Poisson: against quadrature, and the answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from exact import Posterior, averaged, partial
from monte_carlo import far_off
from scipy import stats

import hierstan as hs
from hierstan.data.own_estimates import raw_estimates
from hierstan.families import FAMILIES
from hierstan.fit.information import sampling_variance
from hierstan.shell.arguments import parse

ENGINES = pytest.mark.parametrize(
    "engine", ["stanli", pytest.param("cmdstan", marks=pytest.mark.cmdstan)]
)
QUICK = {"seed": 1, "engine": "stanli", "progress": False, "draws": 400}
YEARS = pd.DataFrame(
    {
        "site": list("aaaabbbccc"),
        "claims": [3, 12, 6, 1, 9, 20, 15, 4, 0, 7],
        "policies": [1.5, 4.0, 2.5, 3.0, 3.0, 3.5, 4.0, 2.0, 2.5, 3.0],
    }
)


def claims(frame: pd.DataFrame = YEARS, family: str = "neg_binomial") -> hs.GroupedData:
    columns = {"group": "site", "events": "claims", "exposure": "policies"}
    return hs.GroupedData.from_events(frame, **columns, family=family)


@pytest.mark.slow
@ENGINES
def test_the_posterior_is_that_of_quadrature(engine: str) -> None:
    group = YEARS["site"].map({"a": 0, "b": 1, "c": 2}).to_numpy()
    y, size = YEARS["claims"].to_numpy(), YEARS["policies"].to_numpy()

    def given(phi: float) -> Posterior:
        def log_lik(theta: np.ndarray) -> np.ndarray:
            mean = size * np.exp(np.clip(theta, -30, 30))
            rows = stats.nbinom.logpmf(y, phi, phi / (phi + mean))
            return np.stack([rows[..., group == j].sum(axis=-1) for j in range(3)], axis=-1)

        return partial(
            log_lik,
            mu=(stats.norm(1, 1).logpdf, -2.5, 4.5),
            tau=(stats.halfnorm(scale=1).logpdf, 4.5),
            nodes=24,
        )

    prior = stats.lognorm(1.0, scale=np.exp(1.0)).logpdf
    exact = averaged("phi", given, log_prior=prior, low=0.2, high=100.0, nodes=20)
    priors = {"mu": hs.Normal(1, 1), "tau": hs.HalfNormal(1), "phi": hs.LogNormal(1, 1)}
    model = hs.PartialPooling(priors=priors)
    fit = model.fit(claims(), seed=3, engine=engine, adapt_delta=0.97, draws=2000, progress=False)
    assert far_off(fit, exact) == []


def test_information_and_raw_estimates_follow_the_exposures() -> None:
    fit = hs.PartialPooling().fit(claims(), **QUICK)
    mean = np.exp(fit.theta()[:, :1]) * YEARS["policies"].to_numpy()[:4]
    expected = (1 / (1 / mean + 1 / fit.draws("phi")[:, None])).sum(axis=1)
    np.testing.assert_allclose(1 / sampling_variance(fit)[:, 0], expected)
    raw = raw_estimates(claims())
    np.testing.assert_allclose(raw["raw"], [22 / 11, 44 / 10.5, 11 / 7.5])
    assert claims().to_frame()["rate"].tolist() == raw["raw"].tolist()
    other = claims(YEARS.assign(policies=1000 * YEARS["policies"]))  # another unit
    np.testing.assert_allclose(raw_estimates(other)["link_se"], raw["link_se"], rtol=1e-12)


@pytest.mark.slow
def test_raw_standard_errors_are_those_of_repetitions() -> None:
    rng = np.random.default_rng(1)
    size = np.tile([1.0, 2.0, 5.0, 8.0], 25)
    mean = 3 * size
    rates, errors = [], []
    for _ in range(60):
        y = rng.poisson(mean * rng.gamma(2, 1 / 2, 100))
        frame = pd.DataFrame({"site": "a", "claims": y, "policies": size})
        raw = raw_estimates(claims(frame))
        rates.append(raw["link"].iloc[0])
        errors.append(raw["link_se"].iloc[0])
    assert np.mean(errors) == pytest.approx(np.std(rates), rel=0.3)


def test_rows_are_events_over_an_exposure_of_one() -> None:
    frame = YEARS.rename(columns={"claims": "y"})
    rows = hs.GroupedData.from_rows(frame, group="site", outcome="y", family="neg_binomial")
    events = hs.GroupedData.from_events(frame, group="site", events="y", family="neg_binomial")
    assert (rows.cells["exposure"] == 1).all()
    pd.testing.assert_frame_equal(rows.rows, events.rows)
    pd.testing.assert_frame_equal(raw_estimates(rows), raw_estimates(events))


@pytest.mark.slow
def test_predictions_take_an_exposure() -> None:
    fit = hs.PartialPooling().fit(claims(), **QUICK | {"draws": 1000})
    drawn = hs.predict(fit, exposure=10).draws
    phi, mean = fit.draws("phi")[:, None], 10 * np.exp(fit.theta())
    expected = (mean + mean**2 / phi).mean(axis=0) + mean.var(axis=0)
    np.testing.assert_allclose(drawn.mean(("chain", "draw")), mean.mean(axis=0), rtol=0.1)
    np.testing.assert_allclose(drawn.std(("chain", "draw")), np.sqrt(expected), rtol=0.2)


def test_events_that_vary_more_than_poisson_are_told() -> None:
    rng = np.random.default_rng(4)
    size = rng.uniform(1, 5, 40)
    frame = pd.DataFrame({"site": np.repeat(list("abcde"), 8), "policies": size})
    frame["claims"] = rng.poisson(2 * size * rng.gamma(1.5, 1 / 1.5, 40))
    poisson = hs.PartialPooling().fit(claims(frame, "poisson"), **QUICK)
    assert "family='neg_binomial'" in " ".join(hs.check(poisson).messages)
    assert hs.check(hs.PartialPooling().fit(claims(frame), **QUICK)).ok


def test_the_shell_takes_it() -> None:
    columns = "--group site --events claims --exposure policies --family neg_binomial"
    assert parse(["compare", "claims.csv", *columns.split()]).family == "neg_binomial"


def test_information_is_never_negative_however_little_a_standard_error_leaves() -> None:
    raw = {"link": np.zeros(2), "link_se": np.array([0.3, 0.9]), "exposure": np.full(2, 10.0)}
    near = FAMILIES["neg_binomial"].information_near(raw, np.full(2, 8.0))
    assert near[0] == pytest.approx(10 * np.exp(8.0))  # no more varied than Poisson's
    assert near[1] == pytest.approx(1 / (np.exp(-8.0) / 10 + 0.81 - 0.1))
