"""Rows adjusted for covariates: against dense algebra, and quadrature where there is none."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dataframe_engines import ENGINES
from scipy import special
from scipy.special import logsumexp

import hierstan as hs
from hierstan.answers.comparison.left_out import hyper_draws, priors_without
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units
from hierstan.data import intake
from hierstan.data.own_estimates import raw_estimates
from hierstan.engines.stanli import Evaluator
from hierstan.families import FAMILIES
from hierstan.sampling.inputs import stan_data

QUICK = {"seed": 2, "engine": "stanli", "progress": False}
PRIORS = {
    "mu": hs.Normal(1, 2), "theta": hs.Normal(1, 2), "tau": hs.HalfNormal(1.5),
    "sigma": hs.HalfNormal(1.5), "gamma": hs.Normal(0, 1),
}  # fmt: skip
POOLINGS = {"complete": hs.CompletePooling, "none": hs.NoPooling, "partial": hs.PartialPooling}


def patients(n: int = 60, J: int = 5, seed: int = 1) -> pd.DataFrame:
    """Patients of sites, whose age and sex go with the site and with what is measured."""
    rng = np.random.default_rng(seed)
    site = rng.integers(0, J, n)
    age = rng.normal(50 + 4 * site, 8)
    sex = rng.choice(["m", "f"], n)
    arm = rng.choice(["old", "new"], n)
    eta = 0.5 + 0.4 * rng.normal(size=J)[site] + 0.06 * (age - 55) + 0.5 * (sex == "m")
    return pd.DataFrame(
        {
            "site": site, "age": age, "sex": sex, "arm": arm,
            "y": eta + 0.6 * (arm == "new") + rng.normal(size=n),
            "events": rng.poisson(np.exp(0.5 * eta)),
            "died": rng.binomial(1, 1 / (1 + np.exp(-eta))),
        }
    )  # fmt: skip


def rows(frame: Any, outcome: str = "y", **options: Any) -> hs.GroupedData:
    return hs.GroupedData.from_rows(
        frame, group="site", outcome=outcome, **{"adjust": ["age", "sex"], **options}
    )


def design(frame: pd.DataFrame, data: hs.GroupedData) -> tuple[np.ndarray, np.ndarray]:
    """Covariates as documented, (N, C), and groups in the order of the data, (N, J)."""
    age = (frame["age"] - frame["age"].mean()) / frame["age"].std(ddof=0)
    male = (frame["sex"] == "m") - (frame["sex"] == "m").mean()
    groups = (frame["site"].to_numpy()[:, None] == data.groups.to_numpy()).astype(float)
    return np.column_stack([age, male]), groups


def priors_of(pooling: str) -> dict[str, hs.Prior]:
    names = {"complete": ("mu",), "none": ("theta",), "partial": ("mu", "tau")}[pooling]
    return {name: PRIORS[name] for name in (*names, "sigma", "gamma")}


def dense(
    y: np.ndarray, z: np.ndarray, Z: np.ndarray, pooling: str, priors: Any = None, size: int = 60
) -> tuple[float, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Log marginal likelihood and moments: sums over sigma and tau, all else in closed form."""
    priors = priors or priors_of(pooling)
    N, C, J = len(y), z.shape[1], Z.shape[1]
    sigma, tau = (np.arange(size) + 0.5) * 1.8 / size + 0.4, (np.arange(size) + 0.5) * 3.0 / size
    points = [(s, t) for s in sigma for t in (tau if pooling == "partial" else [0.0])]
    middle = priors.get("mu", priors.get("theta"))
    shared = pooling != "none"
    X = np.column_stack([Z, z, np.ones(N) * shared])  # theta - mu or theta, gamma, mu
    location = np.r_[np.zeros(J) if shared else np.full(J, middle.location), np.zeros(C), 0.0]
    location[-1] = middle.location if shared else 0.0
    weights, means, variances = [], [], []
    for s, t in points:
        of_theta = t if shared else middle.scale
        sd = np.r_[np.full(J, of_theta), np.full(C, priors["gamma"].scale), middle.scale * shared]
        A = np.eye(len(sd)) + (X * sd).T @ (X * sd) / s**2
        off = y - X @ location
        pull = np.linalg.solve(A, (X * sd).T @ off) / s**2
        log_det = np.linalg.slogdet(A)[1]
        rest = off @ off / s**2 - pull @ ((X * sd).T @ off) / s**2
        log_lik = -0.5 * (N * np.log(2 * np.pi) + 2 * N * np.log(s) + log_det + rest)
        weight = log_lik + priors["sigma"].log_density(np.array(s))
        if "tau" in priors:
            weight = weight + priors["tau"].log_density(np.array(t))
        weights.append(float(weight))
        S = np.linalg.inv(A) * np.outer(sd, sd)
        T = np.eye(len(sd))
        T[:J, -1] += 1.0 * shared  # theta itself
        means.append(np.r_[T @ (location + sd * pull), s, t])
        variances.append(np.r_[np.diag(T @ S @ T.T), 0, 0])
    total = logsumexp(weights)
    w = np.exp(np.array(weights) - total)
    mean = w @ np.array(means)
    sd = np.sqrt(w @ (np.array(variances) + np.array(means) ** 2) - mean**2)
    step = (sigma[1] - sigma[0]) * (tau[1] - tau[0] if pooling == "partial" else 1)
    places = {"theta": slice(0, J), "gamma": slice(J, J + C), "mu": J + C, "sigma": -2, "tau": -1}
    return float(total + np.log(step)), {n: (mean[p], sd[p]) for n, p in places.items()}


def agree(fit: hs.Fit, name: str, truth: tuple[Any, Any], times: float = 4.5) -> None:
    from arviz_stats.base import array_stats

    draws = fit.theta() if name == "theta" else fit.draws(name)
    chains = draws.reshape(fit.options["chains"], fit.options["draws"], -1)
    for j in range(chains.shape[2]):
        mean, sd = np.atleast_1d(truth[0])[j], np.atleast_1d(truth[1])[j]
        own = chains[:, :, j]
        error = array_stats.mcse(own, method="mean"), array_stats.mcse(own, method="sd")
        assert abs(own.mean() - mean) < times * error[0], (name, j)
        assert abs(own.std() - sd) < times * error[1], (name, j)


# normal -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pooling", "engine"),
    [
        *((pooling, "stanli") for pooling in POOLINGS),
        pytest.param("partial", "cmdstan", marks=pytest.mark.cmdstan),
    ],
)
def test_ancova_is_that_of_dense_algebra(pooling: str, engine: str) -> None:
    frame = patients()
    data = rows(frame)
    assert len(data.cells) == 5
    fit = POOLINGS[pooling](priors=priors_of(pooling)).fit(
        data, **QUICK | {"engine": engine, "draws": 2000}
    )
    _, truth = dense(frame["y"].to_numpy(), *design(frame, data), pooling)
    for name in {"theta", "gamma", *priors_of(pooling)}:
        agree(fit, name, truth[name])


@pytest.mark.slow
@pytest.mark.parametrize("parameterization", ["noncentered", "centered"])
def test_the_page_as_it_stands_says_the_same(parameterization: str) -> None:
    frame = patients()
    data = rows(frame)
    priors = priors_of("partial") | {"tau": hs.LogNormal(0, 0.4)}  # near 0 centered draws stick
    model = hs.PartialPooling(priors=priors, parameterization=parameterization)
    fit = model.fit(data, **QUICK | {"draws": 1500, "adapt_delta": 0.95})
    assert fit.convergence().divergences == 0
    _, truth = dense(frame["y"].to_numpy(), *design(frame, data), "partial", priors)
    for name in ("theta", "gamma", "mu", "sigma"):
        agree(fit, name, truth[name], 5)


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["observation", "group"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_loo_is_that_of_dense_algebra(pooling: str, unit: str) -> None:
    frame = patients(24, 4)
    data = rows(frame)
    fit = POOLINGS[pooling](priors=priors_of(pooling)).fit(data, **QUICK)
    found = hs.loo(fit, unit=unit, progress=False)
    y, (z, Z) = frame["y"].to_numpy(), design(frame, data)
    whole = dense(y, z, Z, pooling)[0]
    units = range(0, 24, 4) if unit == "observation" else range(4)
    for u in units:
        kept = np.arange(24) != u if unit == "observation" else Z[:, u] == 0
        truth = whole - dense(y[kept], z[kept], Z[kept], pooling, size=40)[0]
        error = found.mcse_i[u] if np.isfinite(found.mcse_i[u]) else 0.0
        assert found.elpd_i[u] == pytest.approx(truth, abs=5 * error + 0.02)


def test_raw_estimates_are_means_at_the_mean_of_the_covariates() -> None:
    frame = patients(200)
    data = rows(frame)
    z, Z = design(frame, data)
    slopes = np.linalg.lstsq(np.hstack([Z, z]), frame["y"], rcond=None)[0]
    raw = raw_estimates(data)
    np.testing.assert_allclose(raw["raw"], slopes[:5], rtol=1e-6)
    residual = frame["y"] - np.hstack([Z, z]) @ slopes
    sd = np.sqrt(residual @ residual / (200 - 5))
    np.testing.assert_allclose(raw["raw_se"], sd / np.sqrt(Z.sum(axis=0)), rtol=0.02)


@pytest.mark.slow
def test_slopes_are_in_the_users_units_and_units_do_not_matter() -> None:
    frame = patients(300)
    other = frame.assign(age=12e3 * frame["age"] + 7e5, y=1e-4 * frame["y"] + 3)
    fits = [hs.PartialPooling().fit(rows(f), **QUICK) for f in (frame, other)]
    tables = [hs.summary(fit) for fit in fits]
    z, Z = design(frame, fits[0].data)
    plain = np.linalg.lstsq(np.hstack([Z, z]), frame["y"], rcond=None)[0][5:]
    plain[0] /= frame["age"].std(ddof=0)
    first = tables[0].loc[["gamma[age]", "gamma[sex: m]"]]
    assert (np.abs(first["mean"] - plain) < first["sd"]).all()
    for column in ("mean", "sd", "lower", "upper"):
        ratio = tables[1].loc[first.index, column] / first[column]
        np.testing.assert_allclose(ratio, [1e-4 / 12e3, 1e-4], rtol=0.1)
    assert "gamma, one unit of age" in str(fits[0])
    assert "gamma, sex: m vs f" in str(fits[0])
    assert "at the mean of the covariates" in " ".join(str(fits[0]).split())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kept", [20_000, 1])
def test_rows_collapse_in_every_engine(engine: str, kept: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(intake, "MAX_ROWS", kept)
    frame = patients(40)
    data = rows(ENGINES[engine]({name: frame[name].tolist() for name in frame}))
    here = rows(frame)
    order = [data.groups.tolist().index(label) for label in here.groups]
    for column in here.cells.columns.drop("group"):
        np.testing.assert_allclose(
            data.cells[column].to_numpy()[order], here.cells[column], rtol=1e-9, atol=1e-9
        )
    assert data.covariates.index.tolist() == ["age", "sex: m"]
    assert data.covariates["reference"].tolist() == [None, "f"]


def test_cells_hold_all_that_the_likelihood_of_their_rows_depends_on() -> None:
    frame = patients()
    trial = hs.GroupedData.from_trial(
        frame, group="site", arm="arm", control="old", outcome="y", adjust=["age", "sex"]
    )
    for data, more in ((rows(frame), {}), (trial, {"baseline": np.linspace(-1, 1, 5)[None]})):
        fit = hs.NoPooling().program(data)
        program = hs.NoPooling().fit(data, **QUICK | {"chains": 1, "draws": 5, "warmup": 20})
        priors = program.priors
        point = {"theta": np.linspace(0, 2, 5)[None], "sigma": np.array([1.3]), **more}
        point |= {"gamma": np.array([[0.4, -0.7]])}
        point |= {"intercept": np.array([0.0]), "spread": np.array([1.0])} if more else {}
        total = [
            Evaluator(
                program.conditional,
                stan_data(data, priors, rows=single, pointwise=True, replicate=False),
            )
            .written(point, ["log_lik"])["log_lik"]
            .sum()
            for single in (True, False)
        ]
        assert total[0] == pytest.approx(total[1], rel=1e-10)
        assert "gamma" in fit.parameters


@pytest.mark.slow
def test_a_trial_is_adjusted_within_its_arms() -> None:
    frame = patients(300, seed=3)
    data = hs.GroupedData.from_trial(
        frame, group="site", arm="arm", control="old", outcome="y", adjust=["age", "sex"]
    )
    assert len(data.cells) == 10
    fit = hs.PartialPooling().fit(data, **QUICK | {"chains": 2, "draws": 300, "warmup": 500})
    table = hs.summary(fit)
    assert abs(table.loc["gamma[age]", "mean"] - 0.06) < 4 * table.loc["gamma[age]", "sd"]
    assert abs(table.loc["mu", "mean"] - 0.6) < 4 * table.loc["mu", "sd"]
    assert len(hs.arms(fit)) == 5
    for unit in ("observation", "group"):
        assert np.isfinite(hs.loo(fit, unit=unit, refit=False).elpd)


# others, by quadrature --------------------------------------------------------------------------

LOG_LIK = {
    "died": ("bernoulli", lambda y, eta: y * eta - np.logaddexp(0, eta)),
    "events": ("poisson", lambda y, eta: y * eta - np.exp(eta) - special.gammaln(y + 1)),
}
GRID = {"mu": np.linspace(-3, 3.6, 20), "gamma": np.linspace(-1, 3, 24)}


def by_quadrature(
    outcome: str, frame: pd.DataFrame, z: np.ndarray, Z: np.ndarray, tau: np.ndarray
) -> tuple[float, dict[str, tuple[float, float]]]:
    """Log marginal likelihood and moments of mu, gamma and tau, with one covariate."""
    node, node_weight = np.polynomial.hermite_e.hermegauss(21)
    log_weight = np.log(node_weight) - 0.5 * np.log(2 * np.pi)
    y, group = frame[outcome].to_numpy(), Z.argmax(axis=1)
    points = np.array(list(itertools.product(GRID["mu"], tau, GRID["gamma"])))
    mu, t, g = points.T
    total = np.zeros(len(points))
    for j in range(Z.shape[1]):
        mine = group == j
        eta = (mu[:, None] + t[:, None] * node)[..., None] + (g[:, None] * z[mine])[:, None]
        log_lik = LOG_LIK[outcome][1](y[mine], eta).sum(axis=2)
        total += logsumexp(log_lik + log_weight, axis=1)
    total += PRIORS["mu"].log_density(mu) + PRIORS["gamma"].log_density(g)
    total += PRIORS["tau"].log_density(t)
    step = np.prod([values[1] - values[0] for values in (*GRID.values(), tau)])
    log_marginal = logsumexp(total)
    w = np.exp(total - log_marginal)
    moments = {}
    for name, values in zip(("mu", "tau", "gamma"), points.T, strict=True):
        mean = w @ values
        moments[name] = mean, np.sqrt(w @ values**2 - mean**2)
    return float(log_marginal + np.log(step)), moments


@pytest.mark.slow
@pytest.mark.parametrize("outcome", LOG_LIK)
def test_counts_and_binary_rows_are_those_of_quadrature(outcome: str) -> None:
    frame = patients(48, 4).assign(age=lambda f: f["age"].round(-1))
    data = rows(frame, outcome, family=LOG_LIK[outcome][0], adjust=["age"])
    assert len(data.cells) == len(frame[["site", "age"]].drop_duplicates())
    priors = {name: PRIORS[name] for name in ("mu", "tau", "gamma")}
    fit = hs.PartialPooling(priors=priors).fit(data, **QUICK)
    z, Z = design(frame, data)
    tau = (np.arange(20) + 0.5) * 4 / 20
    whole, truth = by_quadrature(outcome, frame, z[:, 0], Z, tau)
    for name, value in truth.items():
        agree(fit, name, value, 5)
    found = hs.loo(fit, refit=False)
    for u in np.flatnonzero(found.pareto_k < 0.5)[[0, 20]]:
        kept = np.arange(48) != u
        without = by_quadrature(outcome, frame[kept], z[kept, 0], Z[kept], tau)[0]
        assert found.elpd_i[u] == pytest.approx(whole - without, abs=5 * found.mcse_i[u] + 0.01)
    groups = hs.loo(fit, unit="group", refit=False)
    for j in np.flatnonzero(groups.pareto_k < 0.6):
        kept = Z[:, j] == 0
        without = by_quadrature(outcome, frame[kept], z[kept, 0], Z[kept], tau)[0]
        assert groups.elpd_i[j] == pytest.approx(whole - without, abs=5 * groups.mcse_i[j] + 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "outcome"),
    [
        ("bernoulli", "died"), ("poisson", "events"), ("neg_binomial", "events"),
        ("student_t", "y"), ("gamma", "amount"),
    ],
)  # fmt: skip
def test_every_family_takes_covariates_and_arms(family: str, outcome: str) -> None:
    frame = patients(150).assign(amount=lambda f: np.exp(f["y"]), age=lambda f: f["age"].round(-1))
    data = hs.GroupedData.from_trial(
        frame, group="site", arm="arm", control="old", outcome=outcome, family=family,
        adjust=["age", "sex"],
    )  # fmt: skip
    for taken in (data, rows(frame, outcome, family=family)):
        fit = hs.PartialPooling().fit(taken, **QUICK | {"chains": 2, "draws": 200})
        slopes = hs.summary(fit).loc[["gamma[age]", "gamma[sex: m]"]]
        assert np.isfinite(slopes["mean"]).all()
        assert slopes.loc["gamma[age]", "mean"] > 0
        assert np.isfinite(hs.loo(fit, unit="group", refit=False).elpd)
        assert len(hs.shrinkage(fit)) == 5


def test_days_of_a_page_are_adjusted_too() -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"page": np.repeat(list("abc"), 14), "day": np.tile(np.arange(14) % 7, 3)})
    frame["weekend"] = np.where(frame["day"] > 4, "yes", "no")
    rate = 1 / (1 + np.exp(2 - 0.8 * (frame["weekend"] == "yes")))
    frame["seen"] = 500
    frame["sold"] = rng.binomial(500, rate)
    data = hs.GroupedData.from_counts(
        frame, group="page", successes="sold", trials="seen", adjust=["weekend"]
    )
    fit = hs.PartialPooling().fit(data, **QUICK)
    line = hs.summary(fit).loc["gamma[weekend: yes]"]
    assert abs(line["mean"] - 0.8) < 4 * line["sd"]
    at_mean = np.log(rate / (1 - rate)).mean()
    assert np.abs(raw_estimates(data)["link"] - at_mean).max() < 0.2


# what else is there -----------------------------------------------------------------------------


@pytest.mark.slow
def test_answers_predictions_files_and_simulations_hold(tmp_path: Any) -> None:
    data = rows(patients(120))
    fit = hs.PartialPooling().fit(data, **QUICK | {"chains": 2, "draws": 300})
    hs.check(fit)
    assert np.isfinite(hs.heterogeneity(fit).i2).all()
    prediction = hs.predict(fit)
    assert np.isfinite(prediction.draws).all()
    assert "at the mean of the covariates (age" in " ".join(repr(prediction).split())
    assert "covariates" not in repr(hs.predict(fit, data))  # whose rows have their own
    fit.save(tmp_path / "fit.nc")
    again = hs.load(tmp_path / "fit.nc")
    pd.testing.assert_frame_equal(again.data.covariates, data.covariates)
    pd.testing.assert_frame_equal(again.data.cells, data.cells)
    pd.testing.assert_frame_equal(hs.summary(again), hs.summary(fit))
    (simulated,) = hs.simulate(data, seed=1)
    assert simulated.truth["gamma"].shape == (2,)
    assert fit.idata["posterior"]["gamma"].dims == ("chain", "draw", "covariate")
    assert fit.idata["posterior"]["covariate"].to_numpy().tolist() == ["age", "sex: m"]


def test_simulated_slopes_come_back() -> None:
    data = rows(patients(400))
    ((one, *_)) = hs.simulate(data, seed=3, truth={"gamma": [0.8, -0.5], "sigma": 1.0, "tau": 0.5})
    fit = hs.PartialPooling().fit(one.data, **QUICK)
    off = (fit.draws("gamma").mean(axis=0) - [0.8, -0.5]) / fit.draws("gamma").std(axis=0)
    assert (np.abs(off) < 4).all()


def test_default_priors_of_folds_follow() -> None:
    fit = hs.PartialPooling().fit(rows(patients(30)), **QUICK | {"chains": 1, "draws": 50})
    assert priors_without(fit, "observation", 3)["gamma"] != fit.priors["gamma"]
    scale = np.std(patients(30)["y"], ddof=1)
    assert fit.priors["gamma"].scale == pytest.approx(2.5 * scale, rel=1e-6)


def test_an_ordered_label_has_its_first_level_for_reference() -> None:
    frame = patients()
    frame["stage"] = pd.Categorical(
        np.resize(["II", "I", "III"], 60), categories=["III", "I", "II"]
    )
    data = rows(frame, adjust=["stage"])
    assert data.covariates.index.tolist() == ["stage: I", "stage: II"]
    assert set(data.covariates["reference"]) == {"III"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"age": 40.0}, "'age' .* is the same in every row"),
        ({"sex": "f"}, "'sex' .* is 'f' in every row"),
        ({"age": [float(s) for s in patients()["site"]]}, "'age' .* does not vary within groups"),
        ({"age": [None, *patients()["age"][1:]]}, "'age' .* must not have missing values"),
        ({"sex": [None, *patients()["sex"][1:]]}, "'sex' .* must not have missing values"),
        ({"age": (patients()["sex"] == "m") * 2.0}, "'sex: m' says nothing within groups"),
        ({"sex": [f"{i}" for i in range(60)]}, "'sex' .* has 60 levels"),
    ],
)
def test_what_cannot_be_adjusted_for_is_refused_by_name(change: Any, words: str) -> None:
    with pytest.raises(hs.DataError, match=words):
        rows(patients().assign(**change))


def test_a_covariate_that_is_the_arm_is_refused() -> None:
    frame = patients().assign(age=lambda f: (f["arm"] == "new") * 1.0)
    with pytest.raises(
        hs.DataError, match=r"'age' \(adjust\) does not vary within groups and arms"
    ):
        hs.GroupedData.from_trial(
            frame, group="site", arm="arm", control="old", outcome="y", adjust=["age"]
        )


def test_every_family_of_single_rows_takes_covariates() -> None:
    single = {"rows", "weighted", "counts", "events", "ratings"}
    taken = [name for name, family in FAMILIES.items() if single & {*family.takes}]
    bases = [name for name in taken if not FAMILIES[name].adjusted]
    assert [name for name in bases if f"{name}_adjusted" not in FAMILIES] == []


def test_means_have_no_covariates_of_rows() -> None:
    frame = pd.DataFrame({"site": list("aabb"), "arm": list("xyxy"), "m": 1.0, "s": 1.0, "n": 9})
    with pytest.raises(hs.DataError, match="does not go with means: they say nothing of single"):
        hs.GroupedData.from_trial(
            frame, group="site", arm="arm", control="x", mean="m", sd="s", n="n", adjust=["n"]
        )


@pytest.mark.slow
def test_amounts_are_adjusted_as_their_logarithms() -> None:
    frame = patients(40, 4)
    data = rows(frame.assign(y=np.exp(frame["y"])), family="lognormal")
    fit = hs.PartialPooling(priors=priors_of("partial")).fit(data, **QUICK)
    y, (z, Z) = frame["y"].to_numpy(), design(frame, data)
    whole, truth = dense(y, z, Z, "partial", size=40)
    for name in ("theta", "gamma", "mu", "sigma"):
        agree(fit, name, truth[name], 5)
    found = hs.loo(fit, unit="group", progress=False)
    kept = Z[:, 2] == 0
    without = dense(y[kept], z[kept], Z[kept], "partial", size=40)[0]
    expected = whole - without - y[~kept].sum()
    assert found.elpd_i[2] == pytest.approx(expected, abs=5 * found.mcse_i[2] + 0.02)
    table = raw_estimates(data)
    slopes = np.linalg.lstsq(np.hstack([Z, z]), y, rcond=None)[0]
    np.testing.assert_allclose(table["link"], slopes[:4], atol=0.02)


def test_weighted_rows_are_adjusted_as_rows_of_equal_weight() -> None:
    frame = patients(40, 4).assign(w=np.resize([0.5, 1.0, 4.0], 40))
    data = rows(frame, weights="w")
    assert data.family == "normal_weighted_adjusted"
    fit = hs.NoPooling(priors=priors_of("none")).fit(data, **QUICK)
    root = np.sqrt(frame["w"].to_numpy())
    z, Z = design(frame, data)
    _, truth = dense(root * frame["y"], root[:, None] * z, root[:, None] * Z, "none")
    for name in ("theta", "gamma", "sigma"):
        agree(fit, name, truth[name], 5)


def test_events_take_covariates_as_rows_of_counts_do() -> None:
    frame = patients(80).assign(hours=1.0)
    options = {"group": "site", "adjust": ["age", "sex"]}
    events = hs.GroupedData.from_events(frame, events="events", exposure="hours", **options)
    counts = hs.GroupedData.from_rows(frame, outcome="events", family="poisson", **options)
    pd.testing.assert_frame_equal(events.covariates, counts.covariates)
    ours, theirs = raw_estimates(events), raw_estimates(counts)
    np.testing.assert_allclose(ours["link"], theirs["link"], atol=1e-6)


def test_absolute_effects_say_where_the_covariates_stand() -> None:
    data = hs.GroupedData.from_trial(
        patients(80), group="site", arm="arm", control="old", outcome="died", family="bernoulli",
        adjust=["age", "sex"],
    )  # fmt: skip
    fit = hs.PartialPooling().fit(data, **QUICK | {"chains": 1, "draws": 50, "warmup": 100})
    mean = data.covariates["mean"]
    where = f"at the mean of the covariates (age {mean.iloc[0]:.3g}, sex: m {mean.iloc[1]:.0%})"
    assert where in " ".join(str(hs.absolute_effects(fit)).split())
    assert where in hs.arms(fit).attrs["caption"]


def test_a_trial_of_weighted_rows_has_the_cells_of_each_arm() -> None:
    frame = patients(60).assign(w=np.resize([0.5, 1.0, 4.0], 60))
    data = hs.GroupedData.from_trial(
        frame, group="site", arm="arm", control="old", outcome="y", weights="w"
    )
    for arm in ("old", "new"):
        part = data.cells[data.cells["treated"] == (arm == "new")].drop(columns="treated")
        alone = hs.GroupedData.from_rows(
            frame[frame["arm"] == arm], group="site", outcome="y", weights="w"
        )
        order = alone.groups.get_indexer(data.groups[part["group"]])
        own = alone.cells.iloc[order].drop(columns="group").reset_index(drop=True)
        pd.testing.assert_frame_equal(part.drop(columns="group").reset_index(drop=True), own)
    fit = hs.PartialPooling().fit(data, **QUICK | {"chains": 1, "draws": 50, "warmup": 100})
    assert np.isfinite(hs.loo(fit, unit="arm", refit=False, progress=False).elpd)


OUTCOMES = {
    "normal": "y", "student_t": "y", "lognormal": "amount", "gamma": "amount", "bernoulli": "died",
    "poisson": "events", "neg_binomial": "events",
}  # fmt: skip


@pytest.mark.parametrize("family", OUTCOMES)
def test_what_groups_say_is_the_same_whether_or_not_rows_are_adjusted(family: str) -> None:
    frame = patients(150).assign(
        amount=lambda f: np.exp(f["y"]), age=lambda f: 5 * (f["age"] / 5).round()
    )
    data = rows(frame, OUTCOMES[family], family=family)
    plain = rows(frame, OUTCOMES[family], family=family, adjust=())
    pd.testing.assert_frame_equal(data.to_frame(), plain.to_frame(), rtol=1e-9)
    mine, other = (
        FAMILIES[family].raw_estimates(d.cells, 5).drop(columns="n") for d in (data, plain)
    )
    pd.testing.assert_frame_equal(mine, other, rtol=1e-9)


def test_gamma_rows_are_estimated_at_the_mean_of_the_covariates() -> None:
    rng = np.random.default_rng(8)
    frame = patients(600).assign(
        amount=lambda f: np.exp(1 + 0.3 * f["site"] + 0.05 * (f["age"] - 55))
    )
    truth = 1 + 0.3 * np.arange(5) + 0.05 * (frame["age"].mean() - 55)
    frame["amount"] *= rng.gamma(3, 1 / 3, 600)
    data = rows(frame, "amount", family="gamma", adjust=["age"])
    raw = raw_estimates(data).set_index(data.groups).sort_index()
    assert (np.abs(raw["link"] - truth) < 4 * raw["link_se"]).all()
    assert (raw["link_se"] < 0.12).all()


@pytest.mark.parametrize("trial", [False, True])
def test_counts_that_share_all_covariates_have_the_density_of_their_rows(trial: bool) -> None:
    frame = patients(48, 4).assign(age=lambda f: f["age"].round(-1))
    apart = frame.assign(age=frame["age"] + 1e-9 * np.arange(48))
    arms = {"arm": "arm", "control": "old"} if trial else {}
    make = hs.GroupedData.from_trial if trial else hs.GroupedData.from_rows
    summed, single = (
        make(f, group="site", outcome="events", family="poisson", adjust=["age"], **arms)
        for f in (frame, apart)
    )
    assert len(summed.cells) < len(single.cells) == 48
    fit = hs.PartialPooling().fit(summed, **QUICK | {"chains": 1, "draws": 20, "warmup": 100})
    hyper = hyper_draws(fit, 3)
    for unit in ("group", "observation", *("arm",) * trial):
        found, expected = (
            log_lik_of_units(fit, hyper, unit, data=data) for data in (summed, single)
        )
        np.testing.assert_allclose(found, expected, atol=1e-4)


# ratings ----------------------------------------------------------------------------------------

CUT = np.array([-1.5, -0.3, 0.6, 1.2])


def rated(n: int = 200, J: int = 5, step: float = 5) -> pd.DataFrame:
    """Patients as above, whose pain is rated from 1 to 5."""
    rng = np.random.default_rng(6)
    frame = patients(n, J).assign(age=lambda f: step * (f["age"] / step).round())
    eta = 0.3 * frame["site"] - 0.6 + 0.06 * (frame["age"] - 55) + 0.5 * (frame["sex"] == "m")
    latent = rng.logistic(eta + 0.6 * (frame["arm"] == "new"))
    return frame.assign(pain=1 + (latent[:, None] > CUT).sum(axis=1))


def ratings_of(frame: pd.DataFrame, trial: bool, **options: Any) -> hs.GroupedData:
    options = {"group": "site", "order": range(1, 6), "adjust": ["age", "sex"], **options}
    if not trial:
        return hs.GroupedData.from_ratings(frame, rating="pain", **options)
    return hs.GroupedData.from_trial(
        frame, arm="arm", control="old", outcome="pain", family="ordinal", **options
    )


@pytest.mark.parametrize("trial", [False, True])
def test_ratings_have_the_density_of_a_cumulative_logit(trial: bool) -> None:
    frame = rated()
    data = ratings_of(frame, trial)
    assert len(data.cells) < len(frame) == len(data.rows)
    fit = hs.NoPooling().fit(data, **QUICK | {"chains": 1, "draws": 5, "warmup": 20})
    point = {
        "theta": np.linspace(0.2, 0.8, 5), "cutpoint": CUT + 0.4, "gamma": np.array([0.4, -0.7]),
    }  # fmt: skip
    if trial:
        point |= {"baseline": np.linspace(-1, 1, 5), "intercept": 0.0, "spread": 1.0}
    found = [
        Evaluator(
            fit.conditional,
            stan_data(data, fit.priors, rows=single, pointwise=True, replicate=False),
        ).written({k: np.asarray(v)[None] for k, v in point.items()}, ["log_lik"])["log_lik"][0]
        for single in (True, False)
    ]
    z = design(frame, data)[0]
    group = data.groups.get_indexer(frame["site"])
    eta = point["theta"][group] * (1 if not trial else frame["arm"] == "new") + z @ point["gamma"]
    eta = np.asarray(eta + point["baseline"][group] if trial else eta)
    cut = np.r_[-np.inf, CUT - CUT.mean(), np.inf]
    y = frame["pain"].to_numpy()
    expected = np.log(special.expit(cut[y] - eta) - special.expit(cut[y - 1] - eta))
    assert found[0].sum() == pytest.approx(expected.sum(), abs=1e-8)
    assert found[1].sum() == pytest.approx(expected.sum(), abs=1e-8)
    if not trial:
        np.testing.assert_allclose(found[0], expected, atol=1e-9)


def test_ratings_are_estimated_at_the_mean_of_the_covariates() -> None:
    frame = rated(1500)
    data = ratings_of(frame[frame["arm"] == "old"], trial=False)
    mean = data.covariates["mean"]
    truth = 0.3 * data.groups.to_numpy(float) - 0.6 + 0.06 * (mean["age"] - 55)
    truth = truth + 0.5 * mean["sex: m"] - CUT.mean()
    raw = raw_estimates(data)
    assert (np.abs(raw["link"] - truth) < 4 * raw["link_se"]).all()
    step = special.expit(truth[:, None] - (CUT - CUT.mean()))
    assert (np.abs(raw["raw"] - 1 - step.sum(axis=1)) < 4 * raw["raw_se"]).all()
    doubled = ratings_of(frame, trial=False, order=[1, 2, 3, 4, 5, 6])  # one that nobody gave
    assert np.isfinite(raw_estimates(doubled)).all().all()


@pytest.mark.slow
@pytest.mark.parametrize("trial", [False, True])
def test_ratings_with_covariates_are_fitted_and_kept(trial: bool, tmp_path: Any) -> None:
    data = ratings_of(rated(300), trial)
    fit = hs.PartialPooling().fit(data, **QUICK | {"chains": 2, "draws": 400, "warmup": 500})
    assert hs.summary(fit)["r_hat"].max() < 1.05
    line = hs.summary(fit).loc["gamma[age]"]
    assert abs(line["mean"] - 0.06) < 4 * line["sd"]
    assert line["sd"] < 0.03
    for unit in ("observation", "group", *("arm",) * trial):
        assert np.isfinite(hs.loo(fit, unit=unit, refit=False, progress=False).elpd)
    fit.save(tmp_path / "fit.nc")
    again = hs.load(tmp_path / "fit.nc")
    if trial:
        assert abs(hs.summary(fit).loc["mu", "mean"] - 0.6) < 4 * hs.summary(fit).loc["mu", "sd"]
        pd.testing.assert_frame_equal(hs.arms(again), hs.arms(fit))
        assert "at the mean of the covariates (age" in hs.arms(fit).attrs["caption"]
    else:
        pd.testing.assert_frame_equal(hs.ratings(again), hs.ratings(fit))
        assert "at the mean of the covariates (age" in hs.ratings(fit).attrs["caption"]
    assert np.isfinite(hs.shrinkage(fit)[["raw", "mean"]]).all().all()
    (simulated,) = hs.simulate(data, seed=1)
    assert simulated.truth["gamma"].shape == (2,)
