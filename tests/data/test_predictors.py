"""Group-level predictors: against quadrature, refits and a published meta-regression."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bcg_trials import bcg, trials
from dataframe_engines import ENGINES
from exact import Posterior
from monte_carlo import far_off
from programs import small_data
from scipy import special, stats

import hierstan as hs
from hierstan.data import intake
from hierstan.families import FAMILIES

PRIORS = {"mu": hs.Normal(0, 2), "beta": hs.Normal(0.1, 1), "tau": hs.HalfNormal(1)}


QUICK: dict[str, Any] = {"seed": 4, "engine": "stanli", "progress": False}


def exact(y: np.ndarray, se: np.ndarray, x: np.ndarray) -> Posterior:
    """Integrate over tau on a grid; given tau everything else is normal."""
    D = np.column_stack([np.ones(len(y)), x])
    prior_mean = np.array([0.0] + [0.1] * x.shape[1])
    prior_precision = np.diag([1 / 4] + [1.0] * x.shape[1])
    nodes, node_weights = np.polynomial.legendre.leggauss(400)
    taus = 3.0 * (nodes + 1)  # the half-normal(1) has nothing to say beyond 6
    moments: list[tuple[Any, ...]] = []
    for tau, width in zip(taus, 3.0 * node_weights, strict=True):
        weight = 1 / (se**2 + tau**2)
        covariance = np.linalg.inv(prior_precision + (D.T * weight) @ D)
        mean = covariance @ (prior_precision @ prior_mean + (D.T * weight) @ y)
        marginal = stats.multivariate_normal(
            D @ prior_mean, np.diag(1 / weight) + D @ np.linalg.inv(prior_precision) @ D.T
        ).logpdf(y)
        B = se**2 * weight
        theta = (1 - B) * y + B * (D @ mean)
        spread = se**2 * (1 - B) + B**2 * np.einsum("jp,pq,jq->j", D, covariance, D)
        log_weight = marginal + stats.halfnorm.logpdf(tau) + np.log(width)
        moments.append((log_weight, tau, mean, np.diag(covariance), theta, spread))
    log_weight, tau, mean, variance, theta, spread = map(np.array, zip(*moments, strict=True))
    share = np.exp(log_weight - special.logsumexp(log_weight))

    def mixed(center: np.ndarray, within: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        overall = share @ center
        return overall, np.sqrt(share @ (within + center**2) - overall**2)

    found = {
        "mu": mixed(mean[:, 0], variance[:, 0]),
        "beta": mixed(mean[:, 1:], variance[:, 1:]),
        "tau": mixed(tau, 0.0),
        "theta": mixed(theta, spread),
    }
    means, sds = ({name: pair[k] for name, pair in found.items()} for k in (0, 1))
    return Posterior(means, sds, float(special.logsumexp(log_weight)))


def exact_of(data: hs.GroupedData, rows: np.ndarray) -> Posterior:
    cells = data.cells.iloc[rows]
    return exact(cells["y"].to_numpy(), cells["se"].to_numpy(), data.design[rows, 1:])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["stanli", pytest.param("cmdstan", marks=pytest.mark.cmdstan)])
@pytest.mark.parametrize("way", ["auto", "centered", "noncentered"])
def test_a_meta_regression_is_exact(way: str, engine: str) -> None:
    if engine == "cmdstan" and way != "noncentered":
        pytest.skip("one program is enough on CmdStan; test_models.py holds the engines together")
    data = bcg(["latitude", "year"])
    model = hs.PartialPooling(priors=PRIORS, parameterization=way)
    fit = model.fit(data, **{**QUICK, "engine": engine}, adapt_delta=0.99, draws=2000)
    assert far_off(fit, exact_of(data, np.arange(13))) == []


UNLIKE = [
    name
    for name, family in FAMILIES.items()
    if not (family.marginal or family.treatment or family.adjusted)
]


@pytest.mark.slow
@pytest.mark.parametrize("family", UNLIKE)
def test_complete_pooling_is_the_limit_of_small_tau(family: str) -> None:
    data = small_data(family, predictors=True)
    own = {"mu": hs.Normal(0.3, 1), "beta": hs.Normal(0, 0.7)}
    complete = hs.CompletePooling(priors=own).fit(data, **QUICK)
    tight = hs.PartialPooling(
        priors={**own, "tau": hs.HalfNormal(1e-3)}, parameterization="noncentered"
    )
    near = tight.fit(data, **QUICK)
    names = ["mu", "beta[age]", "beta[urban]"]
    tables = [hs.summary(fit).loc[names] for fit in (complete, near)]
    apart = np.abs(tables[0]["mean"] - tables[1]["mean"])
    assert (apart < 4 * np.hypot(tables[0]["mcse_mean"], tables[1]["mcse_mean"])).all()


@pytest.mark.slow
def test_no_pooling_has_no_use_for_predictors() -> None:
    data = bcg(["latitude"])
    fits = hs.fit_poolings(data, priors={"beta": hs.Normal(0, 1)}, **QUICK)
    assert "beta" not in fits["none"].posterior
    same = hs.NoPooling().fit(bcg([]), **QUICK)
    assert fits["none"].program == same.program
    assert fits["none"].priors == same.priors
    with pytest.raises(hs.PriorError, match="has no parameter 'beta'"):
        hs.NoPooling(priors={"beta": hs.Normal(0, 1)}).fit(data, **QUICK)
    with pytest.raises(hs.HierstanError, match="no pooling has no use for them"):
        hs.coefficients(fits["none"])
    with pytest.raises(hs.HierstanError, match="its data have none"):
        hs.coefficients(hs.PartialPooling().fit(bcg([]), **QUICK))


@pytest.mark.slow
def test_leave_one_group_out_is_exact() -> None:
    data = bcg(["latitude"])
    fit = hs.PartialPooling(priors=PRIORS).fit(data, **QUICK)
    found = hs.loo(fit, unit="group", progress=False)
    whole = exact_of(data, np.arange(13)).log_marginal
    wanted = [
        whole - exact_of(data, np.delete(np.arange(13), left_out)).log_marginal
        for left_out in range(13)
    ]
    assert (np.abs(found.elpd_i - wanted) < 4 * found.mcse_i).all()
    assert abs(found.elpd - np.sum(wanted)) < 4 * found.mcse


def test_new_groups_lie_on_the_line() -> None:
    data = bcg(["latitude"])
    fit = hs.PartialPooling().fit(data, **QUICK)
    z = (np.array([0.0, 60.0]) - data.standards.loc["latitude", "mean"]) / (
        data.standards.loc["latitude", "sd"]
    )
    line = fit.draws("mu")[:, None] + fit.draws("beta") * z
    options = {"new_groups": ["equator", "north"], "se": 1e-3, "seed": 1}
    there = hs.predict(fit, predictors={"latitude": [0.0, 60.0]}, **options).summary
    assert (np.abs(there["mean"] - line.mean(axis=0)) < 0.05).all()
    average = hs.predict(fit, **options).summary
    assert (np.abs(average["mean"] - fit.draws("mu").mean()) < 0.05).all()
    frame = pd.DataFrame({"latitude": [0.0, 60.0], "more": ["a", "b"]})
    same = hs.predict(fit, predictors=frame, **options).summary
    pd.testing.assert_frame_equal(same, there)
    complete = hs.CompletePooling().fit(data, **QUICK)
    line = complete.draws("mu")[:, None] + complete.draws("beta") * z
    there = hs.predict(complete, predictors=frame, **options).summary
    np.testing.assert_allclose(there["mean"], line.mean(axis=0), atol=1e-3)


def test_new_data_bring_their_own_predictors() -> None:
    frame = trials()
    known, new = frame[:9], frame[9:].assign(trial=["w", "x", "y", "z"])
    fit = hs.PartialPooling().fit(bcg(["latitude"], known), **QUICK)
    forecast = hs.predict(fit, bcg(["latitude"], new), seed=1)
    assert forecast.design["new"].all()
    by_hand = hs.predict(
        fit, new_groups=list("wxyz"), se=new["se"].to_numpy(),
        predictors=new[["latitude"]], seed=1,
    )  # fmt: skip
    np.testing.assert_allclose(forecast.summary["mean"], by_hand.summary["mean"])
    with pytest.raises(hs.DataError, match="need the predictor 'latitude'"):
        hs.predict(fit, bcg([], new))
    hs.score(fit, bcg(["latitude"], new))


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"longitude": [1, 2]}, "need the predictor 'latitude'"),
        ({"latitude": [1, np.nan]}, "must hold finite numbers"),
        ({"latitude": ["a", "b"]}, "must hold finite numbers"),
        (pd.DataFrame({"latitude": [1.0]}), "one for each of the 2 groups predicted"),
    ],
)
def test_bad_predictors_of_new_groups_are_refused(given: Any, match: str) -> None:
    fit = hs.PartialPooling().fit(bcg(["latitude"]), **QUICK, warmup=200, draws=50)
    with pytest.raises(hs.DataError, match=match):
        hs.predict(fit, new_groups=2, predictors=given)
    with pytest.raises(hs.HierstanError, match="cannot be given beside new data"):
        hs.predict(fit, bcg(["latitude"]), predictors={"latitude": [1, 2]})


@pytest.mark.parametrize("index", [["b", "a"], ["a", "b"], [7, 9]])
@pytest.mark.parametrize("kind", ["index", "column", "series"])
def test_labels_say_whose_predictors_these_are(index: list[Any], kind: str) -> None:
    fit = hs.PartialPooling().fit(bcg(["latitude"]), **QUICK)
    table = pd.DataFrame(
        {"latitude": [60.0 if label in ("b", 9) else 0.0 for label in index]}, index
    )
    given: Any = table if kind == "index" else {"latitude": table["latitude"]}
    if kind == "column":
        given = table.rename_axis("trial").reset_index()
        if index == [7, 9]:
            given = given.drop(columns="trial")
    options = {"new_groups": ["a", "b"], "se": 1e-3, "seed": 1}
    there = hs.predict(fit, predictors=given, **options).draws
    in_order = hs.predict(fit, predictors={"latitude": [0.0, 60.0]}, **options).draws
    np.testing.assert_array_equal(there, in_order)


@pytest.mark.parametrize(
    ("index", "match"),
    [
        (["p", "q"], "has values for 'p', 'q', but the groups predicted are 'a', 'b'"),
        (["a", "a"], "speaks of 'a' more than once"),
        (["a", "b", "c"], "has values for 'c'"),
        (["a"], "says nothing about 'b'"),
    ],
)
def test_labels_of_other_groups_are_refused(index: list[str], match: str) -> None:
    fit = hs.PartialPooling().fit(bcg(["latitude"]), **QUICK, warmup=200, draws=50)
    table = pd.DataFrame({"latitude": 1.0}, index)
    for given in (table, {"latitude": table["latitude"]}):
        with pytest.raises(hs.DataError, match=match):
            hs.predict(fit, new_groups=["a", "b"], predictors=given)
    with pytest.raises(hs.DataError, match=match):
        hs.predict(fit, new_groups=["a", "b"], se=table["latitude"])


@pytest.mark.slow
def test_words_say_what_the_predictors_are_for() -> None:
    fits = hs.fit_poolings(bcg(["latitude", "year"]), **QUICK)
    found = hs.heterogeneity(fits["partial"])
    assert found.verdict.startswith("Beyond what latitude and year can explain, ")
    assert "a group with average latitude and year" in found.verdict
    assert "differ by latitude and year alone" in hs.compare(fits).verdict
    assert "beta, one sd of latitude" in str(fits["partial"])
    assert "theta[j] = mu + x[j] * beta" in str(fits["complete"])
    assert "beta[latitude]" in hs.summary(fits["partial"]).index


@pytest.mark.slow
def test_pooling_factors_leave_room_for_the_slopes() -> None:
    # var(theta | y, tau) averaged over the draws against the posterior's, which adds that of tau
    fit = hs.PartialPooling(priors=PRIORS).fit(bcg(["latitude"]), **QUICK, draws=4000)
    borrowed = hs.shrinkage(fit)["borrowed"].to_numpy()
    V = fit.data.cells["se"].to_numpy() ** 2
    left = 1 / (borrowed + 1)
    noise = 4 * np.sqrt(2 / hs.summary(fit)["ess_bulk"].filter(like="theta[").to_numpy())
    assert (left * V < fit.draws("theta").var(axis=0) * (1 + noise)).all()


@pytest.mark.slow
def test_a_fit_with_predictors_is_kept(tmp_path: Path) -> None:
    fit = hs.PartialPooling().fit(bcg(["latitude"]), **QUICK)
    fit.save(tmp_path / "fit.nc")
    loaded = hs.load(tmp_path / "fit.nc")
    assert str(loaded) == str(fit)
    pd.testing.assert_frame_equal(loaded.data.predictors, fit.data.predictors)
    pd.testing.assert_frame_equal(loaded.data.standards, fit.data.standards)
    hs.predict(loaded, new_groups=1, predictors={"latitude": [10.0]})


@pytest.mark.slow
def test_an_edited_population_keeps_its_line(tmp_path: Path) -> None:
    folder = hs.copy_templates(tmp_path / "stan")
    file = folder / "structured_pooling.stan"
    edit = "theta ~ normal(center, tau);", "theta ~ student_t(4, center, tau);"
    file.write_text(file.read_text().replace(*edit))
    model = hs.PartialPooling(template_dir=folder)
    fit = model.fit(bcg(["latitude"]), **QUICK)
    assert "student_t_lpdf(theta[j] | 4, center[j], tau)" in fit.conditional.code
    assert "student_t_rng(4, center_new, tau)" in fit.conditional.code
    assert np.isfinite(hs.loo(fit, progress=False).elpd)
    far = hs.predict(fit, new_groups=2, predictors={"latitude": [0.0, 60.0]}, se=0.01).summary
    assert far["mean"].iloc[0] - far["mean"].iloc[1] > 0.8
    with pytest.raises(hs.HierstanError, match="cannot be simulated with predictors"):
        hs.simulate(fit.data, model=model, seed=1, population="template")


@pytest.mark.slow
@pytest.mark.parametrize("family", ["normal_known", "poisson"])
def test_ranks_are_calibrated(family: str) -> None:
    data = small_data(family, predictors=True)
    result = hs.sbc(
        hs.PartialPooling(), data, replicates=30, draws=49, seed=2, n_jobs=1, progress=False,
        engine="stanli",
    )  # fmt: skip
    assert result.ok, str(result)
    assert {"beta[age]", "beta[urban]"} <= set(result.table.index)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kept", [True, False])
def test_every_dataframe_engine_brings_predictors(
    engine: str, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kept:
        monkeypatch.setattr(intake, "MAX_ROWS", 3)  # so that the engine reduces them itself
    columns = {
        "g": ["b", "a", "a", "c", "b", "d"], "y": [1.0, 2.0, 4.0, 3.0, 2.5, 0.5],
        "x": [5, 7, 7, 1, 5, 2], "w": [True, False, False, True, True, False],
    }  # fmt: skip
    data = hs.GroupedData.from_rows(
        ENGINES[engine](columns), group="g", outcome="y", predictors=["x", "w"]
    )
    assert data.predictors.columns.tolist() == ["x", "w"]
    by_label = data.predictors.loc[["a", "b", "c", "d"]]
    assert by_label.to_numpy().tolist() == [[7, 0], [5, 1], [1, 1], [2, 0]]
    assert data.predictors.index.tolist() == data.groups.tolist()
    np.testing.assert_allclose(data.design[:, 1:].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(data.design[:, 1:].std(axis=0, ddof=1), 1)


def test_data_without_a_group_keep_their_standards() -> None:
    data = bcg(["latitude"])
    rest = data.without(data.groups[0])
    pd.testing.assert_frame_equal(rest.standards, data.standards)
    np.testing.assert_array_equal(rest.design, data.design[1:])
    np.testing.assert_array_equal(data.only(data.groups[0]).design, data.design[:1])
    np.testing.assert_array_equal(data.without_rows([0, 1]).design, data.design[2:])


BAD = {
    "text": ({"x": list("abcd")}, ["x"], r"'x' \(predictor\) must .* numbers, not text.*factors="),
    "missing": ({"x": [1, 2, np.nan, 3]}, ["x"], r"'x' \(predictor\) must not have missing.*row 2"),
    "infinite": ({"x": [1, 2, np.inf, 3]}, ["x"], r"'x' \(predictor\) must be finite.*row 2"),
    "varies": ({"g": list("aabc")}, ["y"], r"group 'a': from 1 to 2.*of groups"),
    "flat": ({"x": 1.0}, ["x"], "Predictor 'x' is the same in every group"),
    "collinear": ({"x": [1, 2, 3, 5], "z": [3, 5, 7, 11]}, ["x", "z"], "'z' says nothing that"),
    "many": ({"x": [1, 2, 3, 5], "z": [3, 5, 9, 1], "w": [3, 1, 2, 2]}, list("xzw"), "need at"),
    "unknown": ({"x": [1, 2, 3, 5]}, ["z"], "no column 'z', given as predictors="),
    "twice": ({"x": [1, 2, 3, 5]}, ["x", "x"], "given twice"),
    "one name": ({"x": [1, 2, 3, 5]}, "x", r"a list of columns, such as \['latitude'\]; got 'x'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_predictors_are_refused(case: str) -> None:
    columns, names, match = BAD[case]
    frame = pd.DataFrame({"g": list("abcd"), "y": [1.0, 2, 4, 3]}).assign(**columns)
    outcome = "x" if case == "varies" else "y"
    frame = frame.assign(x=0.5) if case == "varies" else frame
    with pytest.raises(hs.DataError, match=match):
        hs.GroupedData.from_rows(frame, group="g", outcome=outcome, predictors=names)
