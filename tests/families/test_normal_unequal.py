"""Rows with a standard deviation of each group: against quadrature in two dimensions and refits."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import hierstan as hs
from hierstan.answers.comparison.fold import Folds
from hierstan.answers.comparison.left_out import hyper_draws
from hierstan.answers.comparison.normal_integral import Shift
from hierstan.answers.comparison.refits import refit_without
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units
from hierstan.fit.infinite_means import infinite_because

QUICK: dict[str, Any] = {"seed": 1, "engine": "stanli", "progress": False, "chains": 2}
SIZES = np.array([1, 2, 3, 6, 20])
LABELS = list("abcde")
SLOPE = 1.5
TRUTH = {"mu": 10.0, "tau": 2.0, "sigma_typical": 1.5, "sigma_sd": 0.7}


def rows(seed: int = 1, sizes: np.ndarray = SIZES) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    theta = rng.normal(TRUTH["mu"], TRUTH["tau"], len(sizes))
    sigma = np.exp(rng.normal(np.log(TRUTH["sigma_typical"]), TRUTH["sigma_sd"], len(sizes)))
    labels = LABELS if len(sizes) == len(LABELS) else range(len(sizes))
    y = rng.normal(np.repeat(theta, sizes), np.repeat(sigma, sizes))
    return pd.DataFrame({"g": np.repeat(labels, sizes), "y": y})


def grouped(frame: pd.DataFrame, family: str = "normal_unequal", **more: Any) -> hs.GroupedData:
    return hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family, **more)


def with_covariate(frame: pd.DataFrame, slope: float = SLOPE) -> pd.DataFrame:
    """Add a covariate that goes with the groups, and what it adds to the rows."""
    z = np.random.default_rng(8).normal(np.arange(len(frame)) / len(frame), 1)
    z = (z - z.mean()) / z.std()
    return frame.assign(y=frame["y"] + slope * z, age=40 + 8 * z)


def without_covariate(frame: pd.DataFrame, slope: float) -> pd.DataFrame:
    age = frame["age"].to_numpy()
    return frame.assign(y=frame["y"] - slope * (age - age.mean()) / age.std())


def known(pooling: str, width: float = 1e-4) -> dict[str, Any]:
    """Priors that fix everything that is no group's own."""
    names = {"complete": (), "none": (), "partial": ("tau",)}[pooling]
    fixed = {name: hs.LogNormal(np.log(TRUTH[name]), width) for name in (*names, "sigma_typical")}
    fixed["sigma_sd"] = hs.LogNormal(np.log(TRUTH["sigma_sd"]), width)
    if pooling == "none":
        return {**fixed, "theta": hs.Normal(TRUTH["mu"], TRUTH["tau"])}
    return {**fixed, "mu": hs.Normal(TRUTH["mu"], width)}


def on_grid(y: np.ndarray, mu: float, tau: float, middle: float, sd: float) -> tuple[Any, ...]:
    """Return grids of theta and log sigma, and the log joint density with a group's rows there."""
    theta = mu + tau * np.linspace(-9, 9, 1201)
    log = middle + sd * np.linspace(-9, 9, 1201)
    joint = stats.norm.logpdf(theta, mu, tau)[:, None] + stats.norm.logpdf(log, middle, sd)
    n, mean = len(y), y.mean()
    squares = ((y - mean) ** 2).sum() + n * (mean - theta[:, None]) ** 2
    joint = joint - n * (log + 0.5 * np.log(2 * np.pi)) - 0.5 * squares * np.exp(-2 * log)
    return theta, log, joint


def log_total(y: np.ndarray, mu: float, tau: float, middle: float, sd: float) -> float:
    """Integrate the multivariate normal density of a group's rows over log sigma."""
    log, step = np.linspace(middle - 12 * sd, middle + 12 * sd, 20_001, retstep=True)
    n, squares = len(y), ((y - y.mean()) ** 2).sum()
    rows, of_mean = np.exp(2 * log), np.exp(2 * log) + n * tau**2
    density = -0.5 * (n * np.log(2 * np.pi) + (n - 1) * 2 * log + np.log(of_mean))
    density -= 0.5 * (squares / rows + n * (y.mean() - mu) ** 2 / of_mean)
    return float(special.logsumexp(density + stats.norm.logpdf(log, middle, sd)) + np.log(step))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "engine", "adjusted"),
    [
        (hs.PartialPooling(), "stanli", False),
        (hs.PartialPooling(parameterization="noncentered"), "stanli", False),
        (hs.PartialPooling(parameterization="centered"), "stanli", False),
        (hs.NoPooling(), "stanli", False),
        (hs.CompletePooling(), "stanli", False),
        (hs.PartialPooling(), "stanli", True),
        (hs.PartialPooling(parameterization="noncentered"), "stanli", True),
        pytest.param(hs.PartialPooling(), "cmdstan", True, marks=pytest.mark.cmdstan),
    ],
    ids=str,
)
def test_means_and_standard_deviations_are_those_of_quadrature(
    model: hs.PartialPooling, engine: str, adjusted: bool
) -> None:
    frame = rows()
    priors, data = known(model.name), grouped(frame)
    if adjusted:
        priors["gamma"] = hs.Normal(SLOPE, 1e-4)
        data = grouped(with_covariate(frame), adjust=["age"])
    model = type(model)(**{**vars(model), "priors": priors})
    fit = model.fit(data, **QUICK | {"draws": 2000, "engine": engine})
    assert hs.diagnose(fit).ok
    ess = fit.convergence().parameters["ess_bulk"].min()
    tau = 1e-4 if model.name == "complete" else TRUTH["tau"]
    for j, label in enumerate(LABELS):
        y = frame.loc[frame["g"] == label, "y"].to_numpy()
        place = TRUTH["mu"], tau, np.log(TRUTH["sigma_typical"]), TRUTH["sigma_sd"]
        theta, log, joint = on_grid(y, *place)
        weight = np.exp(joint - joint.max())
        weight /= weight.sum()
        for draws, values, axis in (
            (fit.theta()[:, j], theta, 1),
            (np.log(fit.draws("sigma"))[:, j], log, 0),
        ):
            of = weight.sum(axis=axis)
            mean = of @ values
            sd = np.sqrt(of @ (values - mean) ** 2)
            assert abs(draws.mean() - mean) < 5 * sd / np.sqrt(ess)
            assert draws.std() == pytest.approx(sd, rel=5 / np.sqrt(ess))


@pytest.mark.parametrize("adjust", [[], ["age"]], ids=str)
def test_units_are_left_out_with_mean_and_standard_deviation_integrated_out(
    adjust: list[str],
) -> None:
    frame = with_covariate(rows(2))
    frame.loc[len(frame) - 1, "y"] += 60.0  # alone it makes its group's sum of squares
    fit = hs.PartialPooling().fit(grouped(frame, adjust=adjust), **QUICK | {"draws": 100})
    hyper = {name: values[:3] for name, values in hyper_draws(fit).items()}
    groups, single = (log_lik_of_units(fit, hyper, unit) for unit in ("group", "observation"))
    for s in range(3):
        place = [hyper["mu"][s], hyper["tau"][s]]
        place += [np.log(hyper["sigma_typical"][s]), hyper["sigma_sd"][s]]
        left = without_covariate(frame, hyper["gamma"][s, 0]) if adjust else frame
        for j, label in enumerate(LABELS):
            y = left.loc[frame["g"] == label, "y"].to_numpy()
            whole = log_total(y, *place)
            assert groups[s, j] == pytest.approx(whole, abs=5e-4)
            of = np.flatnonzero(frame["g"] == label)
            for k in (0, len(y) - 1):
                rest = log_total(np.delete(y, k), *place) if len(y) > 1 else 0.0
                assert single[s, of[k]] == pytest.approx(whole - rest, abs=1e-3)


def test_the_prior_of_a_fold_moves_with_it_without_pooling() -> None:
    frame = rows(3)
    fit = hs.NoPooling(priors=known("none")).fit(grouped(frame), **QUICK | {"draws": 50})
    hyper = {name: values[:1] for name, values in hyper_draws(fit).items()}
    N = len(frame)
    shift = Shift(np.linspace(8, 12, N), np.linspace(1, 3, N))
    found = log_lik_of_units(fit, hyper, "observation", shift=shift)[0]
    middle, sd = np.log(hyper["sigma_typical"][0]), hyper["sigma_sd"][0]
    for row in (0, 2, 5, N - 1):
        y = frame.loc[frame["g"] == frame["g"][row], "y"]
        place = shift.location[row], shift.scale[row], middle, sd
        rest = log_total(y.drop(row).to_numpy(), *place) if len(y) > 1 else 0.0
        assert found[row] == pytest.approx(log_total(y.to_numpy(), *place) - rest, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("model", [hs.PartialPooling(), hs.CompletePooling()], ids=str)
def test_leaving_a_group_out_agrees_with_an_integral_and_a_refit(model: hs.PartialPooling) -> None:
    fit = model.fit(grouped(rows(4)), **QUICK | {"draws": 1000})
    folds, loo = Folds(fit, "group"), hs.loo(fit, unit="group", progress=False)
    for j in (0, 3):
        value, error = folds.without(j)
        again, its_error = refit_without(fit, "group", j)
        assert value == pytest.approx(again, abs=5 * np.hypot(error, its_error))
        assert loo.elpd_i[j] == pytest.approx(value, abs=5 * (loo.mcse_i[j] + error))


@pytest.mark.slow
def test_check_names_it_and_compare_prefers_it_where_groups_vary_differently() -> None:
    rng = np.random.default_rng(5)
    sigma = np.repeat([0.5, 6.0, 0.4, 0.6], 12)
    frame = pd.DataFrame({"g": np.repeat(list("abcd"), 12), "y": rng.normal(0, sigma)})
    one, each = (
        hs.PartialPooling().fit(grouped(frame, family), **QUICK)
        for family in ("normal", "normal_unequal")
    )
    assert "Use family='normal_unequal'" in " ".join(hs.check(one).messages)
    assert hs.check(each).ok
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hs.HierstanWarning)  # that one of them misses something
        assert hs.compare({"one": one, "each": each}).preferred == "each"
    se = hs.shrinkage(each)["raw_se"]
    assert se["b"] > 4 * se["a"]
    page = " ".join(str(each).split())
    assert "sd in the groups between 0." in page
    assert "(b); partially pooled, whatever the pooling of the means" in page


def test_groups_of_one_row_take_their_standard_deviation_from_the_others() -> None:
    sizes = np.r_[np.ones(20, dtype=int), np.full(10, 15)]
    fit = hs.PartialPooling().fit(grouped(rows(6, sizes)), **QUICK)
    assert hs.diagnose(fit).ok
    sigma, typical = fit.draws("sigma"), fit.draws("sigma_typical")
    assert np.median(sigma[:, :20]) == pytest.approx(np.median(typical), rel=0.3)
    assert np.log(sigma[:, :20]).std(axis=0).min() > np.log(sigma[:, 20:]).std(axis=0).max()


@pytest.mark.slow
def test_a_new_group_draws_its_own_standard_deviation() -> None:
    sd = TRUTH["sigma_sd"]
    bounded = hs.Uniform(sd - 1e-3, sd + 1e-3)  # else the outcomes of a new group have no mean
    fit = hs.PartialPooling(priors=known("partial") | {"sigma_sd": bounded}).fit(
        grouped(rows()), **QUICK
    )
    rng = np.random.default_rng(1)
    sigma = np.exp(rng.normal(np.log(TRUTH["sigma_typical"]), TRUTH["sigma_sd"], 100_000))
    expected = rng.normal(TRUTH["mu"], np.hypot(TRUTH["tau"], sigma))
    drawn = hs.predict(fit, new_groups=8).draws.to_numpy().ravel()
    for q in (0.01, 0.1, 0.5, 0.9, 0.99):
        at = np.quantile(expected, q)
        assert (drawn < at).mean() == pytest.approx(q, abs=5 * np.sqrt(q * (1 - q) / 2000))
    own = hs.predict(fit, groups=["e"]).draws.to_numpy().std()
    assert own == pytest.approx(np.sqrt((fit.draws("sigma")[:, 4] ** 2).mean()), rel=0.15)


def test_which_priors_leave_the_outcomes_of_a_new_group_without_a_variance() -> None:
    data = grouped(rows())
    wide = hs.PartialPooling(priors={"sigma_sd": hs.HalfNormal(1)})
    fit = wide.fit(data, **QUICK | {"draws": 50})
    assert infinite_because(fit, order=2, new_group=True) == "sigma_sd ~ HalfNormal(1)"
    assert infinite_because(fit, order=2) == ""
    fit = hs.PartialPooling().fit(data, **QUICK | {"draws": 50})
    assert infinite_because(fit, order=2, new_group=True) == ""


def test_means_and_standard_deviations_are_as_good_as_the_rows() -> None:
    frame = rows()
    summary = frame.groupby("g")["y"].agg(["mean", "std", "count"]).reset_index()
    data = hs.GroupedData.from_means(
        summary, group="g", mean="mean", sd="std", n="count", family="normal_unequal"
    )
    pd.testing.assert_frame_equal(data.cells, grouped(frame).cells)
    with pytest.raises(hs.DataError, match="'normal' or 'normal_unequal' needs of rows"):
        hs.GroupedData.from_means(
            summary, group="g", mean="mean", sd="std", n="count", family="student_t"
        )


def test_what_it_cannot_take_is_refused() -> None:
    equal = pd.concat([rows(), pd.DataFrame({"g": ["f"] * 3, "y": 7.0})])
    with pytest.raises(hs.DataError, match=r"1 of 6 groups: 3 × 7 in 'f'.*family='normal'"):
        hs.PartialPooling().fit(grouped(equal), **QUICK)
    with pytest.raises(hs.DataError, match="amounts= must be"):
        hs.TwoPart(amounts="normal_unequal")


@pytest.mark.slow
def test_factors_and_predictors_go_with_it() -> None:
    frame = rows().assign(region=lambda f: f["g"].map(dict(zip(LABELS, "nnssw", strict=True))))
    frame["size"] = frame["g"].map(dict(zip(LABELS, [1.0, 4, 2, 7, 3], strict=True)))
    data = grouped(frame, factors=["region"], predictors=["size"])
    for model in (hs.PartialPooling(), hs.CompletePooling()):
        fit = model.fit(data, **QUICK)
        assert fit.draws("sigma").shape == (2000, 5)
        assert np.isfinite(hs.loo(fit, refit=False, progress=False).elpd_i).all()


def test_a_fit_is_kept_whole(tmp_path: Any) -> None:
    fit = hs.PartialPooling().fit(grouped(rows()), **QUICK)
    fit.save(tmp_path / "fit.nc")
    again = hs.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(again.draws("log_sigma"), np.log(fit.draws("sigma")))
    assert again.idata["posterior"]["sigma"].dims == ("chain", "draw", "group")


# two arms ---------------------------------------------------------------------------------------

ARMS = {"intercept": 5.0, "spread": 1.5, "slope": -0.4}
SITES = {"a": (1, 1), "b": (2, 3), "c": (0, 4), "d": (6, 0), "e": (7, 9)}


def trial(seed: int = 1, sizes: dict[str, tuple[int, int]] = SITES) -> pd.DataFrame:
    """Return rows of two arms whose standard deviations differ by site."""
    rng = np.random.default_rng(seed)
    J = len(sizes)
    theta, sd = rng.normal(2, 1, J), np.exp(rng.normal(0.4, 0.7, J))
    baseline = rng.normal(5 - 0.4 * theta, 1.5)
    lines = [
        (site, arm, "ns"[j % 2], rng.normal(baseline[j] + treated * theta[j], sd[j]))
        for j, site in enumerate(sizes)
        for treated, arm in enumerate(("old", "new"))
        for _ in range(sizes[site][treated])
    ]
    return pd.DataFrame(lines, columns=["site", "arm", "region", "y"])


def in_arms(frame: pd.DataFrame, family: str = "normal_unequal", **more: Any) -> hs.GroupedData:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "1 of|2 of", hs.HierstanWarning)
        return hs.GroupedData.from_trial(
            frame, group="site", arm="arm", control="old", outcome="y", family=family, **more
        )


def of_a_site(rows: pd.DataFrame, pooling: str) -> np.ndarray:
    """Return mean and sd of its baseline, effect and log sigma, on a grid of the last, (3, 2)."""
    middle, spread, slope = (
        ARMS["intercept"],
        ARMS["spread"],
        ARMS["slope"] * (pooling == "partial"),
    )
    tau = 1e-4 if pooling == "complete" else TRUTH["tau"]
    mean = np.array([middle + slope * TRUTH["mu"], TRUTH["mu"]])
    before = np.array([[(slope * tau) ** 2 + spread**2, slope * tau**2], [slope * tau**2, tau**2]])
    Z = np.column_stack([np.ones(len(rows)), rows["arm"] == "new"]).astype(float)
    off, log = rows["y"].to_numpy() - Z @ mean, np.linspace(-6, 6, 161)
    logs, found = np.log(TRUTH["sigma_typical"]) + TRUTH["sigma_sd"] * log, []
    for sigma in np.exp(logs):
        total = Z @ before @ Z.T + sigma**2 * np.eye(len(rows))
        gain = before @ Z.T @ np.linalg.inv(total)
        density = stats.multivariate_normal.logpdf(off, np.zeros(len(rows)), total)
        left = np.diag(before - gain @ Z @ before)
        found.append([density, *(mean + gain @ off), *left])
    density, at, left = np.split(np.array(found), [1, 3], axis=1)
    weight = np.exp(density[:, 0] + stats.norm.logpdf(log) - density.max())
    weight /= weight.sum()
    at, left = np.column_stack([at, logs]), np.column_stack([left, np.zeros(len(logs))])
    middle = weight @ at
    return np.column_stack([middle, np.sqrt(weight @ (left + (at - middle) ** 2))])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "engine", "adjusted"),
    [
        (hs.PartialPooling(), "stanli", False),
        (hs.CompletePooling(), "stanli", False),
        (hs.NoPooling(), "stanli", False),
        (hs.PartialPooling(), "stanli", True),
        pytest.param(hs.PartialPooling(), "cmdstan", False, marks=pytest.mark.cmdstan),
    ],
    ids=str,
)
def test_effects_baselines_and_standard_deviations_are_those_of_a_grid(
    model: hs.PartialPooling, engine: str, adjusted: bool
) -> None:
    frame, priors = trial(), known(model.name, 0.01)
    fixed = {"intercept": hs.Normal(ARMS["intercept"], 0.01), "slope": hs.Normal(-0.4, 0.01),
             "spread": hs.LogNormal(np.log(ARMS["spread"]), 0.01)}  # fmt: skip
    if model.name != "partial":
        del fixed["slope"]
    data = in_arms(frame)
    if adjusted:
        fixed["gamma"] = hs.Normal(SLOPE, 0.01)
        data = in_arms(with_covariate(frame), adjust=["age"])
    model = type(model)(**{**vars(model), "priors": priors | fixed})
    fit = model.fit(
        data, **QUICK | {"draws": 800, "warmup": 500, "adapt_delta": 0.95, "engine": engine}
    )
    assert hs.diagnose(fit).ok
    ess = fit.convergence().parameters["ess_bulk"].min()
    for j, label in enumerate(SITES):
        exact = of_a_site(frame[frame["site"] == label], model.name)
        draws = fit.draws("baseline")[:, j], fit.theta()[:, j], np.log(fit.draws("sigma"))[:, j]
        for own, (mean, sd) in zip(draws, exact, strict=True):
            assert abs(own.mean() - mean) < 5 * max(sd, 0.01) / np.sqrt(ess)
            if sd > 0.1:  # else the width of a prior
                assert own.std() == pytest.approx(sd, rel=5 / np.sqrt(ess))


def test_with_one_standard_deviation_for_all_it_is_the_normal_family() -> None:
    frame = trial(2)
    priors = {"mu": hs.Normal(2, 2), "tau": hs.HalfNormal(1), "intercept": hs.Normal(5, 5),
              "slope": hs.Normal(0, 1), "spread": hs.HalfNormal(3)}  # fmt: skip
    scale = {
        "normal": {"sigma": hs.HalfNormal(2)},
        "normal_unequal": {"sigma_typical": hs.HalfNormal(2), "sigma_sd": hs.HalfNormal(1e-4)},
    }  # fmt: skip
    fits = [
        hs.PartialPooling(priors=priors | own).fit(in_arms(frame, family), **QUICK)
        for family, own in scale.items()
    ]
    tables = [fit.convergence().parameters for fit in fits]
    for name in ["mu", "tau", "intercept", "slope", "spread", "theta[e]", "baseline[b]"]:
        one, other = (table.loc[name] for table in tables)
        assert abs(one["mean"] - other["mean"]) < 5 * np.hypot(one["mcse_mean"], other["mcse_mean"])
    sigmas = fits[0].draws("sigma"), fits[1].draws("sigma")[:, 2]
    assert sigmas[0].mean() == pytest.approx(sigmas[1].mean(), rel=0.05)


def test_every_answer_speaks_of_two_arms(tmp_path: Any) -> None:
    frame = trial(3, {**SITES, "f": (9, 8), "g": (5, 7)})
    data = in_arms(
        frame.assign(region=frame["site"].map(lambda s: "ns"[s in "ace"])), factors=["region"]
    )
    fit = hs.PartialPooling().fit(data, **QUICK | {"draws": 200, "warmup": 300})
    assert hs.arms(fit).index.tolist() == list("abcdefg")
    assert np.isfinite(hs.shrinkage(fit)["mean"]).all()
    assert hs.heterogeneity(fit).verdict
    assert hs.effects(fit, "region").index.tolist() == ["s", "n"]
    new = hs.predict(fit, new_groups=1, treated=True)
    assert np.isfinite(new.draws.to_numpy()).all()
    assert hs.check(fit).ok
    fit.save(tmp_path / "fit.nc")
    np.testing.assert_array_equal(hs.load(tmp_path / "fit.nc").draws("sigma"), fit.draws("sigma"))
    prior = hs.PartialPooling().fit(data, prior_only=True, **QUICK | {"draws": 200})
    assert prior.draws("sigma").shape == (400, 7)


def test_summaries_of_arms_are_as_good_as_the_rows() -> None:
    frame = trial()
    summary = frame.groupby(["site", "arm"])["y"].agg(["mean", "std", "count"]).reset_index()
    with pytest.warns(hs.HierstanWarning, match="2 of 5 groups have rows of one arm only"):
        data = hs.GroupedData.from_trial(
            summary, group="site", arm="arm", control="old", mean="mean", sd="std", n="count",
            family="normal_unequal",
        )  # fmt: skip
    pd.testing.assert_frame_equal(data.cells, in_arms(frame).cells)
