"""Successes that vary more than binomial: against quadrature, and what it is for."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from exact import Posterior, averaged, partial
from monte_carlo import far_off
from scipy import special, stats

import hierstan as hs
from hierstan.fit.information import sampling_variance

ENGINES = pytest.mark.parametrize(
    "engine", ["stanli", pytest.param("cmdstan", marks=pytest.mark.cmdstan)]
)
DAYS = pd.DataFrame(
    {
        "site": list("aaaabbbccc"),
        "y": [3, 12, 6, 1, 9, 20, 15, 4, 0, 7],
        "n": [30, 40, 25, 30, 30, 35, 40, 20, 25, 30],
    }
)


def days(frame: pd.DataFrame = DAYS, family: str = "beta_binomial") -> hs.GroupedData:
    columns = {"group": "site", "successes": "y", "trials": "n"}
    return hs.GroupedData.from_counts(frame, **columns, family=family)


@pytest.mark.slow
@ENGINES
def test_the_posterior_is_that_of_quadrature(engine: str) -> None:
    group = DAYS["site"].map({"a": 0, "b": 1, "c": 2}).to_numpy()
    y, n = DAYS["y"].to_numpy(), DAYS["n"].to_numpy()

    def given(phi: float) -> Posterior:
        def log_lik(theta: np.ndarray) -> np.ndarray:
            p = special.expit(np.clip(theta, -30, 30))
            a, b = phi * p, phi * (1 - p)
            rows = special.betaln(y + a, n - y + b) - special.betaln(a, b)
            return np.stack([rows[..., group == j].sum(axis=-1) for j in range(3)], axis=-1)

        return partial(
            log_lik,
            mu=(stats.norm(-1, 1).logpdf, -4.5, 2.5),
            tau=(stats.halfnorm(scale=1).logpdf, 4.5),
            nodes=24,
        )

    prior = stats.lognorm(0.7, scale=np.exp(2.0)).logpdf
    exact = averaged("phi", given, log_prior=prior, low=0.4, high=300.0, nodes=20)
    priors = {"mu": hs.Normal(-1, 1), "tau": hs.HalfNormal(1), "phi": hs.LogNormal(2, 0.7)}
    model = hs.PartialPooling(priors=priors)
    fit = model.fit(days(), seed=3, engine=engine, adapt_delta=0.97, draws=2000, progress=False)
    assert far_off(fit, exact) == []


@pytest.mark.slow
def test_log_lik_is_the_density_also_where_it_is_nearly_binomial() -> None:
    tight = {"phi": hs.LogNormal(np.log(1e14), 0.001)}
    fit = hs.NoPooling(priors=tight).fit(
        days(), seed=1, engine="stanli", draws=20, warmup=300, progress=False
    )
    p = 1 / (1 + np.exp(-fit.theta()))
    p = p[:, fit.data.cells["group"]]
    found = fit.idata["log_likelihood"]["y"].to_numpy().reshape(-1, 10)
    np.testing.assert_allclose(found, stats.binom.logpmf(DAYS["y"], DAYS["n"], p), rtol=1e-6)


def test_the_information_of_a_group_is_that_of_the_variances_of_its_rows() -> None:
    fit = hs.PartialPooling().fit(days(), seed=1, engine="stanli", draws=50, progress=False)
    p, phi = 1 / (1 + np.exp(-fit.theta()[:, :1])), fit.draws("phi")[:, None]
    n = DAYS["n"].to_numpy()[:4]
    variance = n * p * (1 - p) * (1 + (n - 1) / (phi + 1))  # of a row's successes
    expected = ((n * p * (1 - p)) ** 2 / variance).sum(axis=1)
    np.testing.assert_allclose(1 / sampling_variance(fit)[:, 0], expected)


def without_a_difference(repetition: int) -> pd.DataFrame:
    rng = np.random.default_rng(repetition)
    rows = [(v, rng.binomial(500, rng.beta(3, 57)), 500) for v in "AB" for _ in range(14)]
    return pd.DataFrame(rows, columns=["site", "y", "n"])


@pytest.mark.slow
def test_days_that_differ_do_not_make_two_equal_variants_differ() -> None:
    best: dict[str, list[float]] = {"binomial": [], "beta_binomial": []}
    for repetition in range(20):
        for family, found in best.items():
            data = days(without_a_difference(repetition), family)
            fit = hs.PartialPooling().fit(
                data, seed=1, engine="stanli", chains=2, warmup=400, draws=400, progress=False
            )
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Do not rely on this: the model misses something")
                found.append(float(hs.prob_best(fit).max()))
    sure = {family: np.mean(np.array(found) > 0.95) for family, found in best.items()}
    assert sure["binomial"] > 0.3
    assert sure["beta_binomial"] <= 0.25  # 10% and less are expected; 6 of 20 have 1% or less


@pytest.mark.slow
def test_one_row_per_group_tells_that_phi_and_tau_are_not_told_apart() -> None:
    once = DAYS.groupby("site", as_index=False).sum()
    quick = {"seed": 1, "engine": "stanli", "progress": False, "draws": 200}
    fit = hs.PartialPooling().fit(days(once), **quick | {"draws": 1000})
    note = "phi (how rows vary within a group) and tau (how groups differ) cannot be told apart"
    assert any(note in message for message in hs.diagnose(fit).messages)
    assert "cannot be told apart" in " ".join(str(fit).split())
    several = hs.PartialPooling().fit(days(), **quick)
    assert not any("told apart" in message for message in hs.diagnose(several).messages)
    assert not any(
        "told apart" in message
        for message in hs.diagnose(
            hs.PartialPooling().fit(days(once, "binomial"), **quick)
        ).messages
    )


def test_predictions_of_a_day_vary_more_than_binomial() -> None:
    fit = hs.PartialPooling().fit(days(), seed=1, engine="stanli", progress=False)
    drawn = hs.predict(fit, trials=40).draws
    phi, p = fit.draws("phi")[:, None], 1 / (1 + np.exp(-fit.theta()))
    within = 40 * p * (1 - p) * (1 + 39 / (phi + 1))
    expected = np.sqrt(within.mean(axis=0) + (40 * p).var(axis=0))
    np.testing.assert_allclose(drawn.std(("chain", "draw")), expected, rtol=0.05)
