"""Effects of a treatment on counts: against quadrature, published figures and simulation."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from exact import Posterior
from monte_carlo import TIMES
from programs import small_data
from scipy import special, stats

import hierstan as hs
from hierstan.answers.comparison.arms_integral import ArmsIntegral
from hierstan.data.own_estimates import group_sizes, raw_estimates
from hierstan.fit.information import sampling_variance
from hierstan.models.plan import make_plan
from hierstan.shell.arguments import parse
from hierstan.shell.cli import main
from hierstan.shell.printed import described
from hierstan.shell.taken import take

BCG = {
    "events_treatment": "vaccinated_positive", "total_treatment": "vaccinated_total",
    "events_control": "control_positive", "total_control": "control_total",
}  # fmt: skip
SHORT = {
    "events_treatment": "y", "total_treatment": "n", "events_control": "c", "total_control": "m",
}  # fmt: skip
PRIORS = {
    "mu": hs.Normal(0, 1.5), "tau": hs.HalfNormal(1), "intercept": hs.Normal(-4.5, 1.5),
    "slope": hs.Normal(0, 1), "spread": hs.HalfNormal(1.5),
}  # fmt: skip
QUICK: dict[str, Any] = {"seed": 3, "engine": "stanli", "progress": False}
FAST: dict[str, Any] = {**QUICK, "chains": 2, "warmup": 300, "draws": 150}


def trials(y: Any, n: Any, c: Any, m: Any) -> hs.GroupedData:
    frame = pd.DataFrame({"y": y, "n": n, "c": c, "m": m})
    frame["g"] = [f"trial {number}" for number in range(len(frame))]
    return hs.GroupedData.from_arms(frame, group="g", **SHORT)


@functools.cache
def bcg() -> hs.GroupedData:
    return hs.GroupedData.from_arms(hs.load_dataset("bcg"), group="trial", **BCG)


@functools.cache
def fitted(engine: str = "stanli") -> hs.Fit:
    return hs.PartialPooling(priors=PRIORS).fit(bcg(), **{**QUICK, "engine": engine})


@functools.cache
def quick_fit() -> hs.Fit:
    return hs.PartialPooling().fit(small_data("binomial_treatment"), **FAST)


def wide(data: hs.GroupedData) -> pd.DataFrame:
    """One line per trial, as the table that it came from."""
    treated, control = (
        data.cells[data.cells["treated"] == arm].set_index("group") for arm in (1, 0)
    )
    names = {"y": "control", "trials": "control_trials"}
    return treated.join(control.rename(columns=names)[list(names.values())])


# the likelihood -----------------------------------------------------------------------------------

EXTREME = trials(
    [0, 0, 1, 5, 40, 100_000, 30, 0, 7, 99_000],
    [1, 100_000, 1, 50, 1000, 100_000, 60_000, 20, 70, 100_000],
    [0, 3, 0, 0, 90, 0, 100, 8, 12, 10],
    [1, 100_000, 1, 80, 900, 10, 100_000, 20, 100, 20],
)


def arm_on_grid(events: int, total: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Where an arm's log-odds may be, and the log likelihood there with the step of the grid."""
    wide = np.linspace(-30, 20, 200_001)
    log_lik = stats.binom.logpmf(events, total, special.expit(wide))
    inside = wide[log_lik > log_lik.max() - 200]
    grid = np.linspace(inside[0], inside[-1], size)
    log_lik = stats.binom.logpmf(events, total, special.expit(grid))
    return grid, log_lik + np.log(grid[1] - grid[0])


@pytest.mark.parametrize("pooling", ["partial", "none", "complete"])
def test_both_dimensions_are_integrated_out(pooling: str) -> None:
    rng, S = np.random.default_rng(5), 2
    hyper = {"intercept": rng.normal(-3, 2, S), "spread": np.array([0.3, 2.0])}
    hyper |= {"mu": rng.normal(-0.5, 0.5, S)} if pooling != "none" else {}
    if pooling == "partial":
        hyper |= {"slope": rng.normal(0, 1, S), "tau": np.array([1.5, 0.3])}
    model = {"partial": hs.PartialPooling, "none": hs.NoPooling, "complete": hs.CompletePooling}
    priors = {k: v for k, v in PRIORS.items() if k in hyper}
    priors |= {"theta": hs.Normal(0, 2)} if pooling == "none" else {}
    plan = make_plan(model[pooling](priors=priors), EXTREME)
    of = {
        unit: ArmsIntegral(plan.conditional, priors, EXTREME, unit)(hyper)
        for unit in ("group", "observation")
    }
    for s, (j, cell) in itertools.product(range(S), wide(EXTREME).iterrows()):
        h = {name: values[s] for name, values in hyper.items()}
        mean, tau, slope = h.get("mu", 0.0), h.get("tau", 2.0), h.get("slope", 0.0)
        size = 40_001 if pooling == "complete" else 601
        (u, of_u), (v, of_v) = (
            arm_on_grid(cell["control"], cell["control_trials"], size),
            arm_on_grid(cell["y"], cell["trials"], size),
        )
        alone = {
            0: of_v + stats.norm.logpdf(
                v, h["intercept"] + (1 + slope) * mean,
                np.hypot((1 + slope) * tau if pooling != "complete" else 0, h["spread"]),
            ),
            1: of_u + stats.norm.logpdf(
                u, h["intercept"] + slope * mean,
                np.hypot(slope * tau if pooling != "complete" else 0, h["spread"]),
            ),
        }  # fmt: skip
        if pooling == "complete":
            of_v = stats.binom.logpmf(cell["y"], cell["trials"], special.expit(u + mean))
            both = of_u + of_v + stats.norm.logpdf(u, h["intercept"], h["spread"])
        else:
            theta = v[None, :] - u[:, None]
            both = of_u[:, None] + of_v[None, :] + stats.norm.logpdf(theta, mean, tau)
            both = both + stats.norm.logpdf(u[:, None], h["intercept"] + slope * theta, h["spread"])
        exact = special.logsumexp(both)
        assert of["group"][s, j] == pytest.approx(exact, abs=5e-3, rel=1e-4), (s, j)
        for arm in (0, 1):
            row = int(
                np.flatnonzero((EXTREME.cells["group"] == j) & (EXTREME.cells["treated"] == arm))[0]
            )
            rest = exact - special.logsumexp(alone[arm])
            assert of["observation"][s, row] == pytest.approx(rest, abs=1e-2, rel=1e-4), (s, j, arm)


@pytest.mark.slow
def test_an_arm_without_events_under_a_wide_prior() -> None:
    data = trials([0, 3, 0], [9, 20, 300], [1, 4, 0], [12, 22, 250])
    priors = {"theta": hs.Normal(0, 10)}
    plan = make_plan(hs.NoPooling(priors=priors), data)
    hyper = {"intercept": np.array([-1.5, -0.2]), "spread": np.array([0.8, 1.3])}
    of = {
        unit: ArmsIntegral(plan.conditional, plan.priors, data, unit)(hyper)
        for unit in ("group", "observation")
    }
    u, v = np.linspace(-12, 9, 801)[:, None], np.linspace(-60, 60, 3001)
    area = np.log((u[1, 0] - u[0, 0]) * (v[1] - v[0]))
    for s, (j, cell) in itertools.product(range(2), wide(data).iterrows()):
        prior = stats.norm.logpdf(u, hyper["intercept"][s], hyper["spread"][s]) + area
        prior = prior + stats.norm.logpdf(v - u, 0, 10)
        log_lik = (
            stats.binom.logpmf(cell["control"], cell["control_trials"], special.expit(u)),
            stats.binom.logpmf(cell["y"], cell["trials"], special.expit(v)),
        )
        whole = special.logsumexp(prior + log_lik[0] + log_lik[1])
        assert of["group"][s, j] == pytest.approx(whole, abs=5e-3)
        for arm in (0, 1):
            mine = (data.cells["group"] == j) & (data.cells["treated"] == arm)
            rest = whole - special.logsumexp(prior + log_lik[1 - arm])
            found = of["observation"][s, np.flatnonzero(mine)[0]]
            assert found == pytest.approx(rest, abs=5e-3)


# the posterior ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reference:
    """Importance draws of the five parameters of the population, and each trial at each of them.

    The trials are integrated over both log-odds on a grid, in NumPy alone.
    """

    parameters: dict[str, np.ndarray]
    log_weight: np.ndarray
    log_lik: np.ndarray
    theta: np.ndarray
    square: np.ndarray
    risk: np.ndarray
    risk_square: np.ndarray

    def share(self, without: int | None = None) -> np.ndarray:
        log_weight = self.log_weight
        if without is not None:
            log_weight = log_weight - self.log_lik[:, without]
        return np.asarray(special.softmax(log_weight))

    def posterior(self) -> Posterior:
        share = self.share()
        mean = {name: share @ values for name, values in self.parameters.items()}
        sd = {name: np.sqrt(share @ v**2 - mean[name] ** 2) for name, v in self.parameters.items()}
        mean["theta"] = share @ self.theta
        sd["theta"] = np.sqrt(share @ self.square - mean["theta"] ** 2)
        return Posterior(mean, sd, np.nan)


def trial_on_grid(cell: pd.Series, P: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Integrate a trial over both its log-odds.

    Return the log likelihood, and means of theta, its square, and the risk difference and its
    square, (S,) each.
    """
    axes = []
    for events, total in ((cell["control"], cell["control_trials"]), (cell["y"], cell["trials"])):
        wide = np.linspace(-16, 6, 20_001)
        log_density = stats.binom.logpmf(events, total, special.expit(wide))
        log_density += stats.norm.logpdf(wide, -4.5, 4)
        inside = wide[log_density > log_density.max() - 22]
        axes.append(np.linspace(inside[0], inside[-1], 61))
    u, v = (grid.ravel() for grid in np.meshgrid(*axes, indexing="ij"))
    area = (axes[0][1] - axes[0][0]) * (axes[1][1] - axes[1][0])
    log_lik = stats.binom.logpmf(cell["control"], cell["control_trials"], special.expit(u))
    log_lik += stats.binom.logpmf(cell["y"], cell["trials"], special.expit(v)) + np.log(area)
    keep = log_lik > log_lik.max() - 30
    u, v, log_lik = u[keep], v[keep], log_lik[keep]
    theta = v - u
    # normal(theta | mu, tau) normal(u | intercept + slope theta, spread), as polynomials
    a, b = 1 / P["tau"] ** 2, 1 / P["spread"] ** 2
    m, i, s = P["mu"], P["intercept"], P["slope"]
    features = np.stack([theta**2, theta, u**2, u, u * theta, np.ones_like(u)])
    weights = -0.5 * np.stack(
        [a + b * s**2, 2 * (b * i * s - a * m), b, -2 * b * i, -2 * b * s, a * m**2 + b * i**2], 1
    )
    log_density = weights @ features + log_lik
    top = log_density.max(axis=1)
    density = np.exp(log_density - top[:, None])
    total = density.sum(axis=1)
    top -= np.log(2 * np.pi * P["tau"] * P["spread"])
    risk = special.expit(v) - special.expit(u)
    moments = (density @ values / total for values in (theta, theta**2, risk, risk**2))
    return top + np.log(total), *moments


@functools.cache
def reference() -> Reference:
    """Importance sampling from a wide t distribution near the fit; right wherever that is."""
    names, fit, S = list(PRIORS), fitted(), 3000
    positive = np.array([name in ("tau", "spread") for name in names])
    own = np.column_stack([fit.draws(name) for name in names])
    own[:, positive] = np.log(own[:, positive])
    proposal = stats.multivariate_t(own.mean(axis=0), 1.1 * np.cov(own.T), df=6, seed=8)
    points = proposal.rvs(S)
    log_weight = points[:, positive].sum(axis=1) - proposal.logpdf(points)
    values = np.where(positive, np.exp(points), points)
    P = dict(zip(names, values.T, strict=True))
    log_weight += sum(prior.log_density(P[name]) for name, prior in PRIORS.items())
    parts = [trial_on_grid(cell, P) for _, cell in wide(bcg()).iterrows()]
    log_lik, *moments = (np.column_stack(part) for part in zip(*parts, strict=True))
    return Reference(P, log_weight + log_lik.sum(axis=1), log_lik, *moments)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["stanli", pytest.param("cmdstan", marks=pytest.mark.cmdstan)])
def test_the_posterior_is_that_of_quadrature(engine: str) -> None:
    import arviz_stats as azs

    exact, fit = reference(), fitted(engine)
    share, truth = exact.share(), exact.posterior()
    assert 1 / (share**2).sum() > 1000  # the reference's own effective sample size
    noise = {name: share**2 @ (v - truth.mean[name]) ** 2 for name, v in exact.parameters.items()}
    noise["theta"] = share**2 @ (exact.theta - truth.mean["theta"]) ** 2
    for name in (*PRIORS, "theta"):
        draws = fit.draws(name)
        off = np.abs(draws.mean(axis=0) - truth.mean[name])
        mcse = azs.mcse(fit.posterior[[name]], method="mean")[name].to_numpy()
        assert (off < TIMES * np.sqrt(noise[name] + mcse**2)).all(), name
        assert draws.std(axis=0) == pytest.approx(truth.sd[name], rel=0.15), name


@pytest.mark.slow
def test_risk_differences_are_those_of_quadrature() -> None:
    exact, fit = reference(), fitted()
    found, share = hs.absolute_effects(fit), exact.share()
    mean = share @ exact.risk
    sd = np.sqrt(share @ exact.risk_square - mean**2)
    noise = share**2 @ (exact.risk - mean) ** 2
    draws = found.draws.to_numpy()
    ess = np.prod(draws.shape[:2]) / 4  # at most a few times autocorrelated
    off = np.abs(found.table["mean"].to_numpy() - mean)
    assert (off < TIMES * np.sqrt(noise + sd**2 / ess)).all()
    assert found.table["sd"].to_numpy() == pytest.approx(sd, rel=0.15)


@pytest.mark.cmdstan
@pytest.mark.parametrize("pooling", [hs.CompletePooling, hs.NoPooling, hs.PartialPooling])
def test_the_engines_compute_the_same(pooling: type[hs.PartialPooling]) -> None:
    checked = hs.cross_check(pooling(), bcg())
    assert checked.ok, str(checked)


@pytest.mark.slow
def test_leaving_trials_out_is_that_of_quadrature() -> None:
    short = hs.PartialPooling(priors=PRIORS).fit(bcg(), **{**FAST, "draws": 500})
    exact, loo = reference(), hs.loo(short, unit="group", progress=False)
    without = exact.log_weight[:, None] - exact.log_lik
    expected = special.logsumexp(exact.log_weight) - special.logsumexp(without, axis=0)
    # the reference's weights are uneven too, without a trial that is unlike the others
    noise = (special.softmax(without, axis=0) ** 2).sum(axis=0) + (exact.share() ** 2).sum()
    off = np.abs(loo.elpd_i - expected)
    assert (off < TIMES * np.sqrt(noise + loo.mcse_i**2)).all()
    assert loo.elpd == pytest.approx(
        expected.sum(), abs=TIMES * np.hypot(noise.sum() ** 0.5, loo.mcse)
    )


def test_the_bivariate_model_is_the_published_one() -> None:
    # van Houwelingen, Arends and Stijnen 2002, pages 604-605: maximum likelihood
    table = hs.arms(fitted(), of="population")
    published = {"mu": -0.738, "mu_baseline": -4.096, "mu_treatment": -4.834}
    for name, value in published.items():
        assert abs(table.loc[name, "mean"] - value) < 0.4 * table.loc[name, "sd"], name
    assert table.loc["mu", "sd"] == pytest.approx(0.180, rel=0.3)
    assert table.loc["mu_baseline", "sd"] == pytest.approx(0.435, rel=0.3)
    variances = {"tau": 0.324, "tau_baseline": 2.407, "tau_treatment": 1.431}
    for name, value in variances.items():  # those of maximum likelihood are too small
        assert table.loc[name, "lower"] < np.sqrt(value) < table.loc[name, "upper"], name
    # theirs is of the arms, 0.947; with their variances that of baseline and odds ratio is
    covariance = 0.947 * np.sqrt(1.431 * 2.407) - 2.407
    correlation = covariance / np.sqrt(0.324 * 2.407)
    assert abs(table.loc["correlation", "mean"] - correlation) < table.loc["correlation", "sd"]


def test_the_correlation_is_recovered() -> None:
    rng, J = np.random.default_rng(11), 40
    covariance = [[0.36, -0.36], [-0.36, 1.0]]  # sd 0.6 and 1, correlation -0.6
    theta, baseline = rng.multivariate_normal([-0.5, -1.5], covariance, J).T
    n = rng.integers(50, 400, (2, J))
    y, c = rng.binomial(n, special.expit([baseline + theta, baseline]))
    fit = hs.PartialPooling().fit(trials(y, n[0], c, n[1]), **FAST)
    truth = {"mu": -0.5, "tau": 0.6, "mu_baseline": -1.5, "tau_baseline": 1, "correlation": -0.6}
    table = hs.arms(fit, of="population", prob=0.99)
    for name, value in truth.items():
        assert table.loc[name, "lower"] < value < table.loc[name, "upper"], name
    assert hs.arms(fit, of="population", prob=0.9).loc["correlation", "upper"] < -0.1
    own = fit.draws("baseline")
    inside = np.abs(own.mean(axis=0) - baseline) < 2 * own.std(axis=0)
    assert inside.mean() > 0.8


@pytest.mark.slow
def test_it_is_calibrated() -> None:
    data = trials([2, 5, 0], [200, 90, 100], [4, 9, 1], [220, 91, 99])
    priors = {**PRIORS, "intercept": hs.Normal(-1, 1), "spread": hs.HalfNormal(1)}
    checked = hs.sbc(
        hs.PartialPooling(priors=priors), data,
        replicates=10, draws=29, seed=2, n_jobs=2, progress=False, engine="stanli",
    )  # fmt: skip
    assert (checked.table["p_adjusted"] > 0.01).all(), str(checked)
    assert not checked.errors
    assert {"intercept", "slope", "spread", "log_lik"} <= set(checked.ranks)


# what goes with it --------------------------------------------------------------------------------


def test_the_baselines_come_with_the_groups() -> None:
    fit = fitted()
    assert fit.posterior["baseline"].dims == ("chain", "draw", "group")
    table = wide(bcg())
    raw = np.log((table["control"] + 0.5) / (table["control_trials"] + 0.5))
    assert np.corrcoef(fit.draws("baseline").mean(axis=0), raw)[0, 1] > 0.98
    assert fit.judgement().problems == ()
    assert "spread" in str(fit)
    assert "log odds ratio" in str(fit)


def test_the_data_say_what_they_are() -> None:
    data = bcg()
    assert repr(data) == "GroupedData(binomial_treatment: 13 groups, 26 rows)"
    line = data.to_frame().loc["Aronson 1948"]
    assert line["events_treatment"] == 4
    assert line["rate_control"] == pytest.approx(11 / 139)
    assert data.cells.columns.tolist() == ["group", "y", "trials", "treated"]
    raw = raw_estimates(data).loc["Aronson 1948"]
    assert raw["link"] == raw["raw"] == pytest.approx(np.log(4.5 / 119.5 / (11.5 / 128.5)))
    assert raw["link_se"] ** 2 == pytest.approx(1 / 4.5 + 1 / 119.5 + 1 / 11.5 + 1 / 128.5)
    assert group_sizes(data)[0] == 123 + 139
    assert len(data.without("Aronson 1948").groups) == 12


def test_information_is_that_of_the_counts_where_they_are_many() -> None:
    variance = sampling_variance(fitted()).mean(axis=0)
    raw = raw_estimates(bcg())["link_se"].to_numpy() ** 2
    many = raw < 0.03
    np.testing.assert_allclose(variance[many], raw[many], rtol=0.1)
    table, fit = wide(bcg()), fitted()
    p = special.expit(fit.draws("baseline"))
    q = special.expit(fit.draws("baseline") + fit.draws("theta"))
    n, m = table["trials"].to_numpy(), table["control_trials"].to_numpy()
    expected = 1 / (m * p * (1 - p)) + 1 / (n * q * (1 - q))
    np.testing.assert_allclose(variance, expected.mean(axis=0))


def test_replicates_replace_both_arms() -> None:
    data = small_data("binomial_treatment")
    truth = {"mu": 1.0, "tau": 0.1, "intercept": -6.0, "slope": 0.0, "spread": 0.1}
    (simulated,) = hs.simulate(data, truth=truth, seed=1)
    cells = simulated.data.cells
    assert cells.loc[cells["treated"] == 0, "y"].sum() <= 3  # rates of about 1 in 400
    assert (cells["y"] <= cells["trials"]).all()
    assert cells[["trials", "treated"]].equals(data.cells[["trials", "treated"]])
    assert hs.winners_curse(quick_fit(), seed=1).table["raw"].notna().all()


def test_predictions_take_the_size_of_the_treatment_arm() -> None:
    fit = quick_fit()
    found = hs.predict(fit, groups=["a"], new_groups=["z"], trials=200)
    assert found.draws.max() <= 200
    assert found.design["trials"].tolist() == [200, 200]
    default = hs.predict(fit, groups=["f"])
    assert default.design["trials"].tolist() == [60]
    assert hs.predict(fit, groups=["f"], treated=False).design["trials"].tolist() == [65]
    data = small_data("binomial_treatment")
    known = hs.predict(fit, data)
    assert known.summary["mean"].between(0, data.cells["trials"].max()).all()


def test_a_fit_is_kept(tmp_path: Path) -> None:
    fit = quick_fit()
    fit.save(tmp_path / "fit.nc")
    kept = hs.load(tmp_path / "fit.nc")
    assert str(kept) == str(fit)
    assert kept.data.cells.equals(fit.data.cells)
    pd.testing.assert_frame_equal(hs.arms(kept), hs.arms(fit))


@pytest.mark.slow
def test_the_other_poolings_know_their_parameters() -> None:
    data = small_data("binomial_treatment")
    for model in (hs.CompletePooling(), hs.NoPooling()):
        fit = model.fit(data, **FAST)
        assert {"intercept", "spread", "baseline"} <= set(fit.posterior.data_vars)
        assert np.isfinite(hs.loo(fit, unit="group").elpd)
    with pytest.raises(hs.HierstanError, match="Complete pooling has no population of effects"):
        hs.arms(hs.CompletePooling().fit(data, **FAST), of="population")


def test_the_shell_takes_both_arms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "trials.csv"
    rows = zip("abcde", [1, 4, 0, 7, 3], [30] * 5, [4, 6, 2, 9, 3], [31] * 5, strict=True)
    pd.DataFrame(rows, columns=["g", "y", "n", "c", "m"]).to_csv(file, index=False)
    given = {"group": "g", **SHORT}
    words = [part for role, name in given.items() for part in (f"--{role.replace('_', '-')}", name)]
    data = take(parse(["compare", str(file), *words])).data
    assert isinstance(data, hs.GroupedData)
    assert described(data) == "events in two arms of 5 groups in 10 rows, binomial_treatment family"
    assert wide(data)["control"].tolist() == [4, 6, 2, 9, 3]
    assert main(["compare", str(file), *words[:-2]]) == 2
    assert "--events-treatment needs --total-control beside it" in capsys.readouterr().err


def test_an_edited_family_is_taken(tmp_path: Path) -> None:
    folder = hs.copy_templates(tmp_path / "templates")
    file = folder / "families" / "binomial.stan"
    text = file.read_text()
    assert "| eta[n : n]" in text
    file.write_text(text.replace("| eta[n : n]", "| 0.5 * eta[n : n]"))
    data = small_data("binomial_treatment")
    with pytest.raises(hs.TemplateError, match="disagree about the likelihood"):
        hs.PartialPooling(template_dir=folder).fit(data, **FAST)


# bad input ----------------------------------------------------------------------------------------

BAD = {
    "more events than people": (
        {"y": [1, 12]}, r"'y' \(events_treatment\) must not exceed the total of the treatment",
    ),
    "more events in the control": ({"c": [30, 1]}, "must not exceed the total of the control"),
    "nobody in an arm": ({"n": [10, 0], "y": [1, 0]}, "must be at least 1"),
    "a fraction": ({"c": [1.5, 2]}, "must hold whole numbers"),
    "negative": ({"y": [-1, 2]}, "must not be negative"),
    "missing": ({"m": [None, 12]}, "must not have missing values"),
    "a trial twice": ({"g": ["a", "a"]}, "must name each group once.*Add up the rows"),
    "text": ({"y": ["few", "many"]}, "must hold numbers"),
    "too large": ({"m": [2**31, 20]}, "Stan's largest integer"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_counts_are_refused(case: str) -> None:
    change, words = BAD[case]
    good = {"g": ["a", "b"], "y": [1, 2], "n": [10, 11], "c": [3, 4], "m": [12, 12]}
    hs.GroupedData.from_arms(pd.DataFrame(good), group="g", **SHORT)
    with pytest.raises(hs.DataError, match=words):
        hs.GroupedData.from_arms(pd.DataFrame(good | change), group="g", **SHORT)


def test_what_cannot_be_asked_says_so() -> None:
    fit = quick_fit()
    with pytest.raises(
        hs.HierstanError, match="the exact posterior of binomial_treatment data is not at hand"
    ):
        hs.certify(fit)
    other = hs.PartialPooling().fit(small_data("binomial"), **FAST)
    with pytest.raises(hs.HierstanError, match="arms needs data with two arms"):
        hs.arms(other)
    with pytest.raises(hs.PriorError, match="'slope' can take any value"):
        hs.PartialPooling(priors={"slope": hs.HalfNormal(1)})
    with pytest.raises(hs.PriorError, match="'spread' is positive"):
        hs.PartialPooling(priors={"spread": hs.Normal(0, 1)})
    with pytest.raises(hs.HierstanError, match="exposure= means nothing"):
        hs.predict(fit, exposure=2.0)


def test_default_priors_follow_the_data() -> None:
    priors = hs.PartialPooling().resolve_priors(bcg())
    frame = wide(bcg())
    cells = frame.sum()
    control = (cells["control"] + 0.5) / (cells["control_trials"] - cells["control"] + 0.5)
    treated = (cells["y"] + 0.5) / (cells["trials"] - cells["y"] + 0.5)
    assert priors["intercept"].location == pytest.approx(np.log(control))
    assert priors["mu"].location == pytest.approx(np.log(treated / control))
    y, n = (frame[["control", "y"]] + 0.5).T.to_numpy(), frame[["control_trials", "trials"]].T
    rest = n.to_numpy() + 1 - y
    baselines, effects = np.log(y / rest)[0], np.diff(np.log(y / rest), axis=0)[0]
    noise = (1 / y + 1 / rest)[0], (1 / y + 1 / rest).sum(axis=0)
    few = (len(frame) + 2) / (len(frame) - 1)
    baseline, effect = (  # how far apart, beyond twice what chance does
        few * np.sqrt(np.var(values, ddof=1) - 2 * np.mean(variance))
        for values, variance in zip((baselines, effects), noise, strict=True)
    )
    assert effect < 1 < baseline
    assert priors["intercept"].scale == pytest.approx(3 * baseline)
    assert priors["spread"].scale == pytest.approx(baseline)
    assert priors["mu"].scale == pytest.approx(max(1.5, 3 * effect))
    assert priors["slope"] == hs.Normal(0, 1)
    assert priors["tau"] == hs.HalfNormal(1)


@pytest.mark.parametrize("model", [hs.CompletePooling, hs.NoPooling, hs.PartialPooling])
@pytest.mark.parametrize("family", ["binomial", "normal"])
def test_a_site_with_a_million_patients_is_sampled_without_divergences(
    family: str, model: type
) -> None:
    """It ties the population's means, and the slope, to itself where the sds are near 0."""
    sites = pd.DataFrame({"site": list("xxyy"), "arm": [0, 1, 0, 1]})
    if family == "binomial":
        sites = sites.assign(y=[3, 5, 40_000, 39_000], n=[20, 22, 1_000_000, 1_000_000])
        told = {"successes": "y", "trials": "n"}
    else:
        sites = sites.assign(m=[1.2, 2.0, 3.0, 3.4], s=1.0, n=[20, 22, 1_000_000, 1_000_000])
        told = {"mean": "m", "sd": "s", "n": "n"}
    data = hs.GroupedData.from_trial(sites, group="site", arm="arm", control=0, **told)
    found = model().fit(data, **QUICK).convergence()
    assert found.divergences == 0
    assert found.parameters["ess_bulk"].min() > 1000
