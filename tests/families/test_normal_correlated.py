"""Estimates with correlated errors: against dense algebra on grids of the standard deviations."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import hierstan as hs
from hierstan.answers.comparison.left_out import priors_without
from hierstan.data.own_estimates import raw_estimates

QUICK = {"seed": 3, "engine": "stanli", "progress": False}
MU, TAU, STUDY = hs.Normal(0.2, 0.5), hs.HalfNormal(0.3), hs.HalfNormal(0.4)
SIZES = [1, 2, 3, 4, 2, 3, 1, 4]


def effects(correlation: float = 0.6, seed: int = 1) -> pd.DataFrame:
    """Studies of one to four effects; the correlation is that of their errors."""
    rng, rows = np.random.default_rng(seed), []
    for study, m in enumerate(SIZES):
        se = rng.uniform(0.1, 0.4, m)
        R = np.full((m, m), correlation) + (1 - correlation) * np.eye(m)
        y = rng.normal(0.3, 0.3) + rng.multivariate_normal(np.zeros(m), R * np.outer(se, se))
        rows += [(f"s{study}", f"s{study}e{k}", y[k], se[k]) for k in range(m)]
    return pd.DataFrame(rows, columns=["study", "effect", "y", "se"])


def taken(frame: Any, group: Any = "effect", **options: Any) -> hs.GroupedData:
    given = {"within": "study", "correlation": 0.6, **options}
    return hs.GroupedData.from_estimates(frame, group=group, estimate="y", se="se", **given)


def dense(frame: pd.DataFrame, correlation: float = 0.6) -> np.ndarray:
    same = (frame["study"].to_numpy()[:, None] == frame["study"].to_numpy()).astype(float)
    V = correlation * same * np.outer(frame["se"], frame["se"])
    np.fill_diagonal(V, frame["se"] ** 2)
    return V


def midpoints(top: float, size: int) -> np.ndarray:
    return (np.arange(size) + 0.5) * top / size


def exact(
    y: np.ndarray, Z: np.ndarray, V: np.ndarray, sds: dict[str, tuple[np.ndarray, Any]]
) -> tuple[float, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Log marginal likelihood, and means and sds of mu, theta and the sds: sums over a grid.

    `sds` has, for each, the columns (J, L) of what it is the standard deviation of, and its prior.
    """
    J = Z.shape[1]
    grid = midpoints(1.4, 140 if len(sds) == 1 else 70)
    points = np.array(list(itertools.product(grid, repeat=len(sds))))
    K = MU.scale**2 * np.ones((len(points), J, J))  # theta around the mean of mu
    for s, (A, _) in zip(points.T, sds.values(), strict=True):
        K = K + s[:, None, None] ** 2 * (A @ A.T)
    C, off = V + Z @ K @ Z.T, y - MU.location
    weights = log_normal(off, C)
    for s, (_, prior) in zip(points.T, sds.values(), strict=True):
        weights = weights + prior.log_density(s)
    total = logsumexp(weights)
    w = np.exp(weights - total)
    gain = np.swapaxes(np.linalg.solve(C, Z @ K), 1, 2)
    variance = np.diagonal(K - gain @ Z @ K, axis1=1, axis2=2)
    ones = Z @ np.ones(J)
    cross = MU.scale**2 * np.linalg.solve(C, np.broadcast_to(ones[:, None], (len(C), len(y), 1)))
    cross = cross[..., 0]

    def moments(mean: np.ndarray, variance: np.ndarray | float = 0.0) -> tuple[Any, Any]:
        first = w @ mean
        return first, np.sqrt(w @ (variance + mean**2) - first**2)

    answer = {name: moments(points[:, k]) for k, name in enumerate(sds)}
    answer["theta"] = moments(MU.location + gain @ off, variance)
    answer["mu"] = moments(MU.location + cross @ off, MU.scale**2 * (1 - cross @ ones))
    return float(total + len(sds) * np.log(grid[1] - grid[0])), answer


def log_normal(off: np.ndarray, C: np.ndarray) -> np.ndarray:
    """Log density of a vector under many covariance matrices, (T, n, n)."""
    root = np.linalg.cholesky(C)
    z = np.linalg.solve(root, np.broadcast_to(off[:, None], (len(C), len(off), 1)))[..., 0]
    log_det = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    return -log_det - 0.5 * (len(off) * np.log(2 * np.pi) + (z**2).sum(axis=1))


def over_tau(
    off: np.ndarray, C: np.ndarray, same: np.ndarray, prior: hs.Prior, top: float
) -> float:
    """Log density of estimates, with tau summed over."""
    grid = midpoints(top, 300)
    density = log_normal(off, C + grid[:, None, None] ** 2 * same) + prior.log_density(grid)
    return float(logsumexp(density) + np.log(grid[1] - grid[0]))


def agree(fit: hs.Fit, name: str, truth: tuple[np.ndarray, np.ndarray]) -> None:
    from arviz_stats.base import array_stats

    draws = fit.theta() if name == "theta" else fit.draws(name)[:, None]
    chains = draws.reshape(fit.options["chains"], -1, draws.shape[1])
    for j in range(draws.shape[1]):
        mean, sd = np.atleast_1d(truth[0])[j], np.atleast_1d(truth[1])[j]
        own = chains[:, :, j]
        error = array_stats.mcse(own, method="mean"), array_stats.mcse(own, method="sd")
        assert abs(own.mean() - mean) < 4.5 * error[0], (name, j)
        assert abs(own.std() - sd) < 4.5 * error[1], (name, j)


ENGINES = ["stanli", pytest.param("cmdstan", marks=pytest.mark.cmdstan)]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_partial_pooling_is_that_of_dense_algebra(engine: str) -> None:
    frame = effects()
    fit = hs.PartialPooling(priors={"mu": MU, "tau": TAU}).fit(
        taken(frame), **QUICK | {"engine": engine, "draws": 2000}
    )
    assert fit.parameterization == "marginal"
    J = len(frame)
    _, truth = exact(frame["y"].to_numpy(), np.eye(J), dense(frame), {"tau": (np.eye(J), TAU)})
    for name, value in truth.items():
        agree(fit, name, value)


@pytest.mark.slow
def test_means_of_a_study_go_together_in_the_draws_as_in_dense_algebra() -> None:
    """Given tau: what is drawn together is what contrasts between effects of a study rest on."""
    frame, tau = effects(), 0.15
    known = {"mu": hs.Normal(0.3, 1e-3), "tau": hs.LogNormal(np.log(tau), 1e-3)}
    fit = hs.PartialPooling(priors=known).fit(taken(frame), **QUICK | {"draws": 4000})
    V = dense(frame)
    truth = tau**2 * np.eye(len(V)) - tau**4 * np.linalg.inv(V + tau**2 * np.eye(len(V)))
    found = np.cov(fit.theta().T)
    error = np.sqrt((np.outer(np.diag(truth), np.diag(truth)) + truth**2) / 16_000)
    assert (np.abs(found - truth) < 4.5 * error).all()
    assert np.abs(truth[1, 2]) > 20 * error[1, 2]  # a test that can fail


@pytest.mark.slow
@pytest.mark.parametrize("parameterization", ["noncentered", "marginal"])
def test_three_levels_are_those_of_dense_algebra(parameterization: str) -> None:
    frame = effects()
    model = hs.PartialPooling(
        priors={"mu": MU, "tau": TAU, "tau_study": STUDY}, parameterization=parameterization
    )
    fit = model.fit(taken(frame, factors=["study"]), **QUICK | {"draws": 2000})
    J, codes = len(frame), pd.factorize(frame["study"])[0]
    of_study = np.eye(len(SIZES))[codes]
    sds = {"tau": (np.eye(J), TAU), "tau_study": (of_study, STUDY)}
    _, truth = exact(frame["y"].to_numpy(), np.eye(J), dense(frame), sds)
    for name, value in truth.items():
        agree(fit, name, value)


def test_several_estimates_of_a_group_are_one_generalised_least_squares_estimate() -> None:
    frame = effects()
    data = taken(frame, group="study")
    assert len(data.groups) == len(SIZES)
    assert data.n_rows == len(frame) == len(data.rows)
    V, Z = dense(frame), np.eye(len(SIZES))[pd.factorize(frame["study"])[0]]
    W = np.linalg.inv(Z.T @ np.linalg.inv(V) @ Z)
    raw = raw_estimates(data)
    np.testing.assert_allclose(raw["raw"], W @ Z.T @ np.linalg.solve(V, frame["y"]))
    np.testing.assert_allclose(raw["raw_se"], np.sqrt(np.diag(W)))
    assert raw["n"].tolist() == SIZES
    fit = hs.PartialPooling(priors={"mu": MU, "tau": TAU}).fit(data, **QUICK | {"draws": 2000})
    _, truth = exact(frame["y"].to_numpy(), Z, V, {"tau": (np.eye(len(SIZES)), TAU)})
    for name, value in truth.items():
        agree(fit, name, value)


def outcomes() -> pd.DataFrame:
    """Studies with several of four outcomes, of which the groups are made: all go together."""
    frame = effects()
    return frame.assign(outcome=frame.groupby("study").cumcount().map(list("abcd").__getitem__))


def test_groups_that_cross_the_studies_have_estimates_that_go_together() -> None:
    frame = outcomes()
    data = taken(frame, group="outcome")
    V, Z = dense(frame), np.eye(4)[pd.factorize(frame["outcome"])[0]]
    fit = hs.PartialPooling(priors={"mu": MU, "tau": TAU}).fit(data, **QUICK | {"draws": 2000})
    _, truth = exact(frame["y"].to_numpy(), Z, V, {"tau": (np.eye(4), TAU)})
    for name, value in truth.items():
        agree(fit, name, value)


def without(frame: pd.DataFrame, group: str, unit: str) -> list[np.ndarray]:
    """Rows that stay when each unit is left out."""
    codes = pd.factorize(frame[group])[0] if unit == "group" else np.arange(len(frame))
    return [codes != u for u in range(codes.max() + 1)]


@pytest.mark.parametrize("unit", ["observation", "group"])
@pytest.mark.parametrize("group", ["effect", "study", "outcome"])
@pytest.mark.parametrize("model", [hs.CompletePooling, hs.NoPooling, hs.PartialPooling])
def test_loo_predicts_given_the_errors_of_the_same_study(model: Any, group: str, unit: str) -> None:
    frame = outcomes()
    fit = model().fit(taken(frame, group=group), **QUICK | {"chains": 2, "draws": 1000})
    found = hs.loo(fit, unit=unit, refit=False)
    y, V = frame["y"].to_numpy(), dense(frame)
    Z = np.eye(frame[group].nunique())[pd.factorize(frame[group])[0]]

    def log_marginal(kept: np.ndarray, priors: dict[str, hs.Prior]) -> float:
        rest, C = y[kept], V[np.ix_(kept, kept)]
        same = Z[kept] @ Z[kept].T
        if "theta" in priors:
            location, scale = priors["theta"].location, priors["theta"].scale
            C = C + scale**2 * same
            return float(stats.multivariate_normal.logpdf(rest - location, cov=C))
        mu = priors["mu"]
        C = C + mu.scale**2
        if "tau" not in priors:
            return float(stats.multivariate_normal.logpdf(rest - mu.location, cov=C))
        return over_tau(rest - mu.location, C, same, priors["tau"], 1.5)

    every = np.ones(len(y), dtype=bool)
    exact_i = []
    for u, kept in enumerate(without(frame, group, unit)):
        priors = priors_without(fit, unit, u)
        exact_i.append(log_marginal(every, priors) - log_marginal(kept, priors))
    trusted = ~(found.pareto_k > 0.7)
    assert trusted.mean() > 0.6
    error = np.where(np.isnan(found.mcse_i), 0, found.mcse_i)
    assert (np.abs(found.elpd_i - exact_i) < 5 * error + 0.01)[trusted].all()


def test_units_that_weights_cannot_leave_out_are_integrated_given_the_others() -> None:
    frame = outcomes()
    frame.loc[3, "y"] = 4.0
    fit = hs.PartialPooling(priors={"mu": MU, "tau": TAU}).fit(taken(frame), **QUICK)
    found = hs.loo(fit, progress=False)
    assert found.method[3] in ("integral", "refit")
    y, V, J = frame["y"].to_numpy(), dense(frame), len(frame)
    kept = np.arange(J) != 3

    def total(rows: np.ndarray) -> float:
        C = V[np.ix_(rows, rows)] + MU.scale**2
        return over_tau(y[rows] - MU.location, C, np.eye(rows.sum()), TAU, 3)

    truth = total(np.ones(J, dtype=bool)) - total(kept)
    assert found.elpd_i[3] == pytest.approx(truth, abs=4 * found.mcse_i[3] + 0.02)


@pytest.mark.slow
def test_a_level_is_left_out_with_all_of_its_correlated_errors() -> None:
    """As many refits as studies: few draws, against a grid."""
    frame = effects().head(10)
    data = taken(frame, factors=["study"])
    priors = {"mu": MU, "tau": TAU, "tau_study": STUDY}
    fit = hs.PartialPooling(priors=priors).fit(data, **QUICK | {"chains": 2, "draws": 500})
    found = hs.loo(fit, unit="study", progress=False)
    y, V, J = frame["y"].to_numpy(), dense(frame), len(frame)
    codes = pd.factorize(frame["study"])[0]
    A = np.eye(codes.max() + 1)[codes]

    def total(rows: np.ndarray) -> float:
        some, L = A[rows], np.eye(J)[rows]
        sds = {"tau": (np.eye(rows.sum()), TAU), "tau_study": (some, STUDY)}
        return exact(y[rows], np.eye(len(L)), V[np.ix_(rows, rows)], sds)[0]

    whole = total(np.ones(J, dtype=bool))
    truth = [whole - total(codes != level) for level in range(codes.max() + 1)]
    assert (np.abs(found.elpd_i - truth) < 5 * found.mcse_i + 0.03).all()


def test_levels_whose_errors_go_together_are_not_left_out() -> None:
    data = taken(outcomes(), factors=["outcome"])
    fit = hs.PartialPooling().fit(data, **QUICK | {"chains": 1, "draws": 100})
    with pytest.raises(hs.HierstanError, match="errors of different levels are correlated"):
        hs.loo(fit, unit="outcome")


def test_a_correlation_of_zero_is_none() -> None:
    frame = effects()
    plain = hs.GroupedData.from_estimates(frame, group="effect", estimate="y", se="se")
    fits = [hs.PartialPooling().fit(d, **QUICK) for d in (plain, taken(frame, correlation=0.0))]
    assert [str(fit.priors) for fit in fits[:1]] == [str(fit.priors) for fit in fits[1:]]
    tables = [hs.summary(fit) for fit in fits]
    error = np.hypot(*(table["mcse_mean"] for table in tables))
    assert (np.abs(tables[0]["mean"] - tables[1]["mean"]) < 5 * error).all()
    loos = [hs.loo(fit, refit=False).elpd_i for fit in fits]
    np.testing.assert_allclose(*loos, atol=0.05)


def test_matrices_say_the_same_as_a_correlation() -> None:
    frame = effects().sample(frac=1, random_state=1).reset_index(drop=True)
    V = dense(frame)
    by_study = {
        study: V[np.ix_(rows, rows)] for study, rows in frame.groupby("study").indices.items()
    }
    same = [
        taken(frame),
        taken(frame, correlation=None, covariance=by_study),
        taken(frame, correlation=None, covariance=V, within=None),
        hs.GroupedData.from_estimates(
            frame, group="effect", estimate="y", within="study",
            covariance={study: pd.DataFrame(block) for study, block in by_study.items()},
        ),
    ]  # fmt: skip
    for other in same[1:]:
        first, theirs = (hs.GroupedData.stan_data(data) for data in (same[0], other))
        for name in ("y", "own_se", "variance", "group"):
            np.testing.assert_allclose(np.sort(theirs[name]), np.sort(first[name]), rtol=1e-10)


@pytest.mark.slow
def test_units_and_zero_do_not_matter() -> None:
    frame = effects()
    other = frame.assign(y=1e4 + 1e3 * frame["y"], se=1e3 * frame["se"])
    fits = [hs.PartialPooling().fit(taken(f), **QUICK) for f in (frame, other)]
    tau = [fit.draws("tau").mean() for fit in fits]
    assert tau[1] / 1e3 == pytest.approx(tau[0], rel=0.1)
    loos = [hs.loo(fit, refit=False).elpd_i for fit in fits]
    np.testing.assert_allclose(loos[1] + np.log(1e3), loos[0], atol=0.05)


def test_saved_and_loaded_data_are_the_same(tmp_path: Any) -> None:
    fit = hs.PartialPooling().fit(
        taken(outcomes(), group="outcome"), **QUICK | {"chains": 1, "draws": 100}
    )
    fit.save(tmp_path / "fit.nc")
    again = hs.load(tmp_path / "fit.nc")
    pd.testing.assert_frame_equal(again.data.cells, fit.data.cells)
    pd.testing.assert_frame_equal(again.data.rows, fit.data.rows)
    np.testing.assert_allclose(again.theta(), fit.theta())


@pytest.mark.slow
def test_answers_and_simulated_data_hold() -> None:
    data = taken(effects(), factors=["study"])
    fit = hs.PartialPooling().fit(data, **QUICK | {"chains": 2, "draws": 300})
    assert np.isfinite(hs.heterogeneity(fit).i2).all()
    assert hs.shrinkage(fit)["pooling_factor"].between(0, 1).all()
    assert hs.components(fit).table["share"].notna().any()
    hs.check(fit)
    hs.plot_forest(fit)
    hs.plot_shrinkage(fit)
    truth = {"mu": 0.0, "tau": 1e-9}
    simulated = hs.simulate(taken(effects()), seed=1, truth=truth, replicates=100)
    y = np.array([one.data.rows["y"].to_numpy() for one in simulated])
    assert np.corrcoef(y[:, 1], y[:, 2])[0, 1] == pytest.approx(0.6, abs=0.25)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"within": None}, "name the column of the study"),
        ({"correlation": None}, "not how much"),
        ({"correlation": 1.0}, "between -1 and 1"),
        ({"correlation": True}, "between -1 and 1"),
        ({"correlation": -0.4}, "study 's3'.*no common correlation can be below -1 / 3"),
        ({"covariance": np.eye(20)}, "Leave one of them out"),
        ({"correlation": None, "covariance": np.eye(3)}, "20 × 20 matrix"),
        ({"correlation": None, "covariance": {"s9": np.eye(2)}}, "'s9', which is no study"),
        ({"correlation": None, "covariance": {"s1": np.eye(3)}}, "'s1' must be a 2 × 2 matrix"),
        ({"correlation": None, "covariance": np.eye(20)}, "variance 1 in rows 0, whose se"),
        ({"correlation": None, "covariance": {}}, "no matrix for study 's1', which has 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_study_and_a_cure(options: Any, words: str) -> None:
    with pytest.raises(hs.DataError, match=words):
        taken(effects(), **options)


def test_a_singular_covariance_names_its_study() -> None:
    frame = effects().query("study in ['s0', 's1']")
    se = frame["se"].to_numpy()
    with pytest.raises(hs.DataError, match="study 's1' is not positive definite"):
        taken(
            frame, correlation=None,
            covariance={"s1": np.outer(se[1:], se[1:])},
        )  # fmt: skip
