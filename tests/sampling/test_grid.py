"""Group means that are integrated out numerically: the density, and draws given all else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from exact import Posterior, partial
from monte_carlo import far_off
from scipy import special, stats

import hierstan as hs
from hierstan.engines.stanli import Evaluator
from hierstan.models.plan import make_plan
from hierstan.priors import Prior
from hierstan.sampling.approximation import typical_variance
from hierstan.sampling.theta import theta_by_rejection

MARGINAL = hs.PartialPooling(parameterization="marginal")


def counts(y: list[int], n: list[int]) -> hs.GroupedData:
    frame = pd.DataFrame({"g": range(len(y)), "y": y, "n": n})
    return hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")


def rows(y: list[int]) -> hs.GroupedData:
    frame = pd.DataFrame({"g": range(len(y)), "y": y})
    return hs.GroupedData.from_rows(frame, group="g", outcome="y", family="bernoulli")


def events(y: list[int], exposure: list[float]) -> hs.GroupedData:
    frame = pd.DataFrame({"g": range(len(y)), "y": y, "t": exposure})
    return hs.GroupedData.from_events(frame, group="g", events="y", exposure="t")


DATA = {
    "no successes": counts([0] * 6, [3, 4, 5, 9, 20, 100]),
    "all successes": counts([3, 4, 5], [3, 4, 5]),
    "rows": rows([0, 1, 1, 0, 0, 1, 0, 0]),
    "equal rows": rows([0] * 6),
    "large and small": counts([0, 5, 10, 300, 1000], [10, 5, 20, 1000, 2000]),
    "alike": counts([1, 2, 3, 2, 1], [10, 12, 11, 9, 8]),
    "an outlier": counts([10] * 30 + [95], [100] * 31),
    "exposures": events([0, 3, 0, 12, 500, 10**6], [1e-3, 1.0, 1.0, 10.0, 400.0, 1e6]),
    "few events": events([0, 0, 1, 2, 0, 9], [1e-3, 0.1, 1.0, 1.0, 30.0, 5.0]),
}  # fmt: skip


def log_likelihoods(data: hs.GroupedData, theta: np.ndarray) -> np.ndarray:
    """At means (..., 1), as (..., J), in words of their own."""
    y = data.cells["y"].to_numpy(float)
    if "exposure" in data.cells:
        t = data.cells["exposure"].to_numpy()
        return np.asarray(y * theta - t * np.exp(np.minimum(theta, 300)))
    failures = data.cells["trials"].to_numpy() - y
    return np.asarray(-y * np.logaddexp(0, -theta) - failures * np.logaddexp(0, theta))


def integral(data: hs.GroupedData, mu: float, tau: float) -> tuple[float, np.ndarray, np.ndarray]:
    """The log of the likelihood, with the mean and the sd of each theta, by fine grids of z."""

    def log_density(z: np.ndarray) -> np.ndarray:
        return log_likelihoods(data, mu + tau * z) - z**2 / 2 - 0.5 * np.log(2 * np.pi)

    low, high = np.full(len(data.groups), -1e5), np.full(len(data.groups), 1e5)
    for _ in range(130):  # thirds: the density has one mode
        left, right = low + (high - low) / 3, high - (high - low) / 3
        rises = log_density(left) < log_density(right)
        low, high = np.where(rises, left, low), np.where(rises, high, right)
    mode, step = (low + high) / 2, 0.01
    while True:  # until the density falls by about one half within a step
        fall = log_density(mode) - np.minimum(log_density(mode - step), log_density(mode + step))
        if (fall > 0.2).all():
            break
        step = np.where(fall > 0.2, step, step * 1.2)
    while (fall := log_density(mode) - log_density(mode - step)).max() > 1:
        step = np.where(fall > 1, step / 1.2, step)
    z = mode + step * np.linspace(-30, 30, 6001)[:, None]
    log = log_density(z)
    found = special.logsumexp(log, axis=0)
    weight = np.exp(log - found)
    middle = (weight * z).sum(axis=0)
    sd = np.sqrt((weight * (z - middle) ** 2).sum(axis=0))
    return float((found + np.log(step / 100)).sum()), mu + tau * middle, tau * sd


@pytest.mark.parametrize("case", DATA)
def test_the_density_is_that_of_quadrature_wherever_it_matters(case: str) -> None:
    data = DATA[case]
    plan = make_plan(MARGINAL, data)
    entries = plan.inputs()
    middle, least = float(entries["x_middle"]), float(entries["least_tau"])
    typical = float(np.sqrt(typical_variance(data)))
    points = [
        (middle + shift * max(typical, 0.3), tau)
        for shift in (-3.0, -0.4, 0.1, 1.0)
        for tau in (1e-6, 0.3 * least, 0.99 * least, 1.01 * least, 1.6 * typical, 4 * typical)
    ]
    mu, tau = np.array(points).T
    ours = Evaluator(plan.program, entries).log_density({"mu": mu, "tau": tau})
    share = tau**2 / (tau**2 + float(entries["unit_tau"]) ** 2)
    unit = np.polyval(entries["unit_of_tau"], share)  # in which mu is measured
    ours -= np.clip(unit, *entries["unit_ends"])
    prior = plan.priors["mu"].numbers()
    ours -= stats.norm.logpdf(mu, prior["location"], prior["scale"]) + np.log(tau)
    ours -= stats.halfnorm.logpdf(tau, scale=plan.priors["tau"].numbers()["scale"])
    exact = np.array([integral(data, *point)[0] for point in points])
    off, best = ours - exact, exact.argmax()
    fall = exact[best] - exact
    assert (fall < 30).sum() >= 6
    told = (tau >= least) | (entries["Q"] > 0)  # else the data have ruled it out
    np.testing.assert_allclose(off[told & (fall < 30)], off[best], atol=1e-6)
    np.testing.assert_allclose(off[told & (fall < 60)], off[best], atol=1e-2)
    assert not np.isnan(ours).any()
    assert (off[told] < off[best] + 1e-2).all()  # nowhere too likely
    assert (fall - off + off[best])[~told].min(initial=np.inf) > 25


@pytest.mark.parametrize("case", DATA)
@pytest.mark.parametrize(("mu", "tau"), [(0.3, 0.8), (-2.0, 0.01), (1.0, 20.0), (1.0, 1e-12)])
def test_means_are_drawn_from_their_conditional_distributions(
    case: str, mu: float, tau: float
) -> None:
    data, S = DATA[case], 4000
    everyone = slice(0, len(data.groups))
    drawn = theta_by_rejection(data, everyone, np.full(S, mu), np.full(S, tau), [3, 1, 4])
    _, mean, sd = integral(data, mu, tau)
    z = (drawn - mean) / sd
    assert np.abs(z.mean(axis=0)).max() * np.sqrt(S) < 4.5
    if tau > 1e-6:  # else rounded
        error = np.sqrt(np.maximum((z**4).mean(axis=0) - 1, 0.5) / S)
        assert (np.abs((z**2).mean(axis=0) - 1) < 4.5 * error).all()
    again = theta_by_rejection(data, everyone, np.full(S, mu), np.full(S, tau), [3, 1, 4])
    np.testing.assert_array_equal(drawn, again)


def exact_of(data: hs.GroupedData, priors: dict[str, Prior]) -> Posterior:
    mu, tau = priors["mu"].numbers(), priors["tau"].numbers()["scale"]
    return partial(
        lambda theta: log_likelihoods(data, theta),
        mu=(stats.norm(mu["location"], mu["scale"]).logpdf,
            mu["location"] - 6 * mu["scale"], mu["location"] + 6 * mu["scale"]),
        tau=(stats.halfnorm(scale=tau).logpdf, 5.5 * tau),
        nodes=60,
    )  # fmt: skip


@pytest.mark.parametrize("case", ["no successes", "rows", "alike", "few events"])
def test_the_posterior_is_that_of_quadrature(case: str) -> None:
    data = DATA[case]
    priors: dict[str, Prior] = {"mu": hs.Normal(-0.5, 1), "tau": hs.HalfNormal(0.7)}
    model = hs.PartialPooling(priors=priors, parameterization="marginal")
    fit = model.fit(data, seed=7, engine="stanli", adapt_delta=0.95, progress=False)
    assert fit.parameterization == "marginal"
    assert "marginal: integrated out numerically" in str(fit)
    assert far_off(fit, exact_of(data, priors)) == []


@pytest.mark.slow
@pytest.mark.cmdstan
def test_cmdstan_has_the_same_posterior() -> None:
    data, priors = DATA["alike"], {"mu": hs.Normal(-0.5, 1), "tau": hs.HalfNormal(0.7)}
    model = hs.PartialPooling(priors=priors, parameterization="marginal")
    fit = model.fit(data, seed=7, engine="cmdstan", adapt_delta=0.95, progress=False)
    assert far_off(fit, exact_of(data, priors)) == []


def test_means_made_on_demand_are_those_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from hierstan.sampling import run

    quick: dict[str, Any] = {"seed": 3, "engine": "stanli", "warmup": 300, "draws": 250}
    kept = MARGINAL.fit(DATA["few events"], progress=False, **quick)
    monkeypatch.setattr(run, "MAX_THETA", 1)
    made = MARGINAL.fit(DATA["few events"], progress=False, **quick)
    assert kept.keeps_theta
    assert not made.keeps_theta
    np.testing.assert_array_equal(made.theta(), kept.theta())
    pd.testing.assert_frame_equal(hs.group_means(made), hs.group_means(kept))


def test_an_edited_template_is_sampled_as_it_stands(tmp_path: Any) -> None:
    folder = hs.copy_templates(tmp_path / "mine")
    page = folder / "partial_pooling.stan"
    page.write_text(
        page.read_text().replace("theta ~ normal(mu, tau)", "theta ~ student_t(4, mu, tau)")
    )
    data = DATA["alike"]
    model = hs.PartialPooling(template_dir=folder)
    assert make_plan(model, data).parameterization == "mixed"
    with pytest.raises(hs.TemplateError, match="samples the page that hierstan ships"):
        hs.PartialPooling(template_dir=folder, parameterization="marginal").fit(data)
    shipped = hs.copy_templates(tmp_path / "other")
    of_grid = shipped / "sampling" / "grid" / "partial_pooling.stan"
    of_grid.write_text(of_grid.read_text().replace("tau ~ {{", "tau ~ normal(0, 1); tau ~ {{"))
    with pytest.raises(hs.TemplateError, match="was edited, and partial_pooling_binomial"):
        hs.PartialPooling(template_dir=shipped, parameterization="marginal").fit(data)


def many(J: int, low: int, high: int, tau: float = 0.6, seed: int = 1) -> hs.GroupedData:
    rng = np.random.default_rng(seed)
    n = rng.integers(low, high, J)
    y = rng.binomial(n, special.expit(rng.normal(-0.5, tau, J)))
    return counts(y.tolist(), n.tolist())


def test_theta_is_integrated_out_by_itself_where_that_is_quicker() -> None:
    def way(data: hs.GroupedData) -> str | None:
        return make_plan(hs.PartialPooling(), data).parameterization

    rng = np.random.default_rng(2)
    assert way(many(1000, 5, 40)) == "marginal"
    assert way(rows(rng.integers(0, 2, 300).tolist())) == "marginal"
    exposure = rng.integers(1, 5, 400).astype(float).tolist()
    assert way(events(rng.poisson(3, 400).tolist(), exposure)) == "marginal"
    assert way(many(20, 5, 40)) == "mixed"  # few groups
    assert way(many(300, 10**6, 10**6 + 300)) == "mixed"  # each of which needs a grid of its own
    with pytest.raises(hs.DataError, match="too many to integrate theta out numerically"):
        make_plan(MARGINAL, many(300, 10**9, 10**9 + 300)).inputs()


def test_equal_groups_are_counted_once_and_drawn_one_by_one() -> None:
    data = rows([0, 1, 1] * 100)
    entries = make_plan(hs.PartialPooling(), data).inputs()
    assert (entries["N"], list(np.asarray(entries["alike"]))) == (2, [100, 200])
    fit = hs.PartialPooling().fit(data, seed=3, engine="stanli", progress=False)
    assert "quicker with so many groups" in " ".join(str(fit).split())
    theta = fit.theta()
    assert len(np.unique(theta[0])) == 300
    apart = theta[:, 0].mean() - theta[:, 3].mean()  # of equal groups
    assert abs(apart) < 5 * np.hypot(theta[:, 0].std(), theta[:, 3].std()) / np.sqrt(len(theta) / 4)


@pytest.mark.slow
def test_many_groups_have_the_posterior_of_the_other_parameterization() -> None:
    data = many(150, 1, 12)
    options: dict[str, Any] = {"seed": 5, "engine": "stanli", "progress": False}
    fits = [
        hs.PartialPooling(parameterization=way).fit(data, **options)
        for way in ("marginal", "noncentered")
    ]
    tables = [hs.summary(fit) for fit in fits]
    off = (tables[0]["mean"] - tables[1]["mean"]).abs()
    limit = 4.5 * np.hypot(tables[0]["mcse_mean"], tables[1]["mcse_mean"])
    assert (off < limit).all()
    loos = [hs.loo(fit).elpd for fit in fits]
    assert abs(loos[0] - loos[1]) < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("case", ["rows", "few events"])
def test_it_is_calibrated(case: str) -> None:
    priors = {"mu": hs.Normal(-0.5, 1), "tau": hs.HalfNormal(0.8)}
    model = hs.PartialPooling(priors=priors, parameterization="marginal")
    quick: dict[str, Any] = {"seed": 4, "engine": "stanli", "n_jobs": 1, "progress": False}
    found = hs.sbc(model, DATA[case], replicates=25, **quick)
    assert found.ok


@pytest.mark.slow
def test_a_prior_against_the_data_is_not_cut_off() -> None:
    data = many(200, 20, 41)  # tau is 0.6
    for prior in (hs.HalfNormal(0.01), hs.LogNormal(1.1, 0.05)):
        priors: dict[str, Prior] = {"mu": hs.Normal(-0.5, 0.2), "tau": prior}
        found = []
        for way in ("marginal", "noncentered"):
            model = hs.PartialPooling(priors=priors, parameterization=way)
            fit = model.fit(data, seed=5, engine="stanli", draws=500, progress=False)
            found.append(hs.summary(fit).loc[["mu", "tau"]])
        off = (found[0]["mean"] - found[1]["mean"]).abs()
        assert (off < 5 * np.hypot(found[0]["mcse_mean"], found[1]["mcse_mean"])).all()
