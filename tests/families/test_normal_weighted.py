"""Rows of known weights: against the published credibility premiums and closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from dataframe_engines import ENGINES
from scipy import stats

import hierstan as hs
from hierstan.data.own_estimates import raw_estimates
from hierstan.shell.arguments import parse

QUICK = {"seed": 1, "engine": "stanli", "progress": False, "chains": 2, "draws": 500}
CLAIMS = """
1738 1642 1794 2051 2079 2234 2032 2035 2115 2262 2267 2517
1364 1408 1597 1444 1342 1675 1470 1448 1464 1831 1612 1471
1759 1685 1479 1763 1674 2103 1502 1622 1828 2155 2233 2059
1223 1146 1010 1257 1426 1532 1953 1123 1343 1243 1762 1306
1456 1499 1609 1741 1482 1572 1606 1735 1607 1573 1613 1690"""
NUMBERS = """
7861 9251 8706 8575 7917 8263 9456 8003 7365 7832 7849 9077
1622 1742 1523 1515 1622 1602 1964 1515 1527 1748 1654 1861
1147 1357 1329 1204 998 1077 1277 1218 896 1003 1108 1121
407 396 348 341 315 328 352 331 287 384 321 342
2902 3172 3046 3068 2693 2910 3275 2697 2663 3017 3242 3425"""
X, W = (np.array(text.split(), dtype=float).reshape(5, 12) for text in (CLAIMS, NUMBERS))
ROWS = pd.DataFrame({"state": np.repeat(np.arange(1, 6), 12), "x": X.ravel(), "w": W.ravel()})
PREMIUMS, CREDIBILITY = [2055, 1524, 1793, 1443, 1603], [0.985, 0.928, 0.898, 0.728, 0.959]


def hachemeister(frame: Any = ROWS) -> hs.GroupedData:
    return hs.GroupedData.from_rows(frame, group="state", outcome="x", weights="w")


def known(name: str, value: float) -> dict[str, hs.LogNormal]:
    return {name: hs.LogNormal(np.log(value), 1e-4)}


def test_raw_estimates_are_weighted_means_and_the_variance_within_all_states() -> None:
    raw = raw_estimates(hachemeister())
    mean = (W * X).sum(axis=1) / W.sum(axis=1)
    within = (W * (X - mean[:, None]) ** 2).sum() / 55
    np.testing.assert_allclose(raw["raw"], mean)
    np.testing.assert_allclose(raw["raw_se"], np.sqrt(within / W.sum(axis=1)))
    assert raw["n"].tolist() == [12] * 5


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["stanli", pytest.param("cmdstan", marks=pytest.mark.cmdstan)])
@pytest.mark.parametrize("parameterization", ["marginal", "noncentered"])
def test_premiums_are_those_published(engine: str, parameterization: str) -> None:
    """At the variances that Bühlmann and Straub's estimators find, by actuar's cm()."""
    weight = W.sum(axis=1)
    mean = (W * X).sum(axis=1) / weight
    within = (W * (X - mean[:, None]) ** 2).sum() / 55
    overall = weight @ mean / weight.sum()
    apart = (weight * (mean - overall) ** 2).sum() - 4 * within
    between = weight.sum() / (weight.sum() ** 2 - (weight**2).sum()) * apart
    priors = {
        "mu": hs.Normal(1700, 1e5),
        **known("tau", between**0.5),
        **known("sigma", within**0.5),
    }
    model = hs.PartialPooling(priors=priors, parameterization=parameterization)
    fit = model.fit(hachemeister(), **QUICK | {"engine": engine, "draws": 2000})
    np.testing.assert_allclose(hs.group_means(fit)["mean"], PREMIUMS, atol=6)
    np.testing.assert_allclose(1 - hs.shrinkage(fit)["pooling_factor"], CREDIBILITY, atol=0.0006)


def test_rows_are_counted_beside_their_weights() -> None:
    table = hs.shrinkage(hs.PartialPooling().fit(hachemeister(), **QUICK))
    assert table["n"].tolist() == [12] * 5
    np.testing.assert_allclose(table["weight"], W.sum(axis=1))
    assert table["borrowed"].between(100, W.sum()).all()


def test_weights_of_one_are_no_weights() -> None:
    plain = hs.GroupedData.from_rows(ROWS, group="state", outcome="x")
    ones = hachemeister(ROWS.assign(w=1.0))
    models = hs.PartialPooling()
    found = [hs.summary(models.fit(data, **QUICK | {"draws": 2000})) for data in (plain, ones)]
    error = np.hypot(*(table["mcse_mean"] for table in found))
    assert (np.abs(found[0]["mean"] - found[1]["mean"]) < 5 * error).all()
    priors = [models.resolve_priors(data)["tau"].numbers()["scale"] for data in (plain, ones)]
    assert priors[0] == pytest.approx(priors[1])


@pytest.mark.parametrize(("shift", "heavier"), [(0.0, 1.0), (1e4, 1.0), (0.0, 1e3)])
def test_priors_of_one_row_a_group_know_no_origin_and_no_unit_of_weights(
    shift: float, heavier: float
) -> None:
    frame = pd.DataFrame({"g": list("abc"), "y": [50.0, 40.0, 70.0], "w": [1e7, 10.0, 10.0]})
    given = frame.assign(y=frame["y"] + shift, w=frame["w"] * heavier)
    data = hs.GroupedData.from_rows(given, group="g", outcome="y", weights="w")
    priors = hs.PartialPooling().resolve_priors(data)
    scale = 2.5 * frame["y"].std()  # (J + 2) / (J - 1) times it
    assert priors["tau"].numbers()["scale"] == pytest.approx(scale, rel=1e-6)


def test_log_lik_of_rows_and_of_whole_states_is_the_density() -> None:
    fit = hs.PartialPooling().fit(hachemeister(), **QUICK | {"draws": 50})
    theta, sigma = fit.theta(), fit.draws("sigma")[:, None]
    code = ROWS["state"].to_numpy() - 1
    rows = stats.norm.logpdf(ROWS["x"], theta[:, code], sigma / np.sqrt(ROWS["w"].to_numpy()))
    found = fit.idata["log_likelihood"]["y"].to_numpy().reshape(rows.shape)
    np.testing.assert_allclose(found, rows, rtol=1e-9)
    value, variance, rest = fit.family.as_normal(fit.data.cells, {"sigma": sigma})
    whole = stats.norm.logpdf(value, theta, np.sqrt(variance)) + rest
    expected = np.stack([rows[:, code == j].sum(axis=1) for j in range(5)], axis=1)
    np.testing.assert_allclose(whole, expected, rtol=1e-9)


@pytest.mark.slow
def test_leaving_a_state_out_predicts_all_of_its_quarters() -> None:
    fit = hs.PartialPooling().fit(hachemeister(), **QUICK)
    loo = hs.loo(fit, unit="group", progress=False)
    assert np.isfinite(loo.elpd_i).all()
    drawn = hs.predict(fit, weight=2500).draws
    own = np.sqrt((fit.draws("sigma") ** 2).mean() / 2500 + fit.theta().var(axis=0))
    np.testing.assert_allclose(drawn.std(("chain", "draw")), own, rtol=0.1)
    with pytest.raises(hs.HierstanError, match="a weight, above 0"):
        hs.predict(fit, weight=0)
    assert hs.winners_curse(fit).table.index.tolist()[0] == hs.prob_best(fit).idxmax()


@pytest.mark.slow
def test_weights_in_a_dataframe_to_predict_are_those_of_its_observations() -> None:
    fit = hs.CompletePooling().fit(hachemeister(), seed=1, engine="stanli", progress=False)
    new = pd.DataFrame({"state": fit.data.groups[:2], "w": [100.0, 10_000.0]})
    found = hs.predict(fit, new, seed=1)
    assert found.design["weight"].tolist() == [100.0, 10_000.0]
    for sd, weight in zip(found.summary["sd"], new["w"], strict=True):
        expected = np.sqrt((fit.draws("sigma") ** 2 / weight).mean() + fit.draws("mu").var())
        assert sd == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_are_reduced_inside_their_engine(engine: str) -> None:
    far = ROWS.assign(x=ROWS["x"] + 1e9)
    cells = hachemeister(ENGINES[engine](far.to_dict("list"))).cells
    mean = (W * X).sum(axis=1) / W.sum(axis=1)
    np.testing.assert_allclose(cells["y"] - 1e9, mean, rtol=1e-7)
    squares = (W * (X - mean[:, None]) ** 2).sum(axis=1)
    np.testing.assert_allclose(cells["squares"], squares, rtol=1e-6)
    np.testing.assert_allclose(cells["weight"], W.sum(axis=1))


def test_what_cannot_be_weighted_is_refused() -> None:
    with pytest.raises(hs.DataError, match="weights= goes with family='normal'"):
        hs.GroupedData.from_rows(ROWS, group="state", outcome="x", weights="w", family="student_t")
    with pytest.raises(hs.DataError, match="greater than 0"):
        hachemeister(ROWS.assign(w=0.0))
    command = ["compare", "a.csv", "--group", "state", "--outcome", "x", "--weights", "w"]
    assert parse(command).columns == {"group": "state", "outcome": "x", "weights": "w"}


def test_a_single_row_of_any_weight_has_no_squares() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"g": np.arange(300), "y": rng.normal(size=300)})
    frame["w"] = rng.uniform(1, 4, 300)
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y", weights="w")
    assert (data.cells["squares"] >= 0).all()
