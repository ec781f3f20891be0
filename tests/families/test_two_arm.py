"""Two arms from counts: against quadrature, published figures, enumeration and simulation."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from exact import Posterior
from monte_carlo import TIMES
from programs import small_data
from scipy import integrate, special, stats

import hierstan as hs
from hierstan.data.own_estimates import group_sizes, raw_estimates
from hierstan.engines.stanli import Evaluator
from hierstan.fit.information import sampling_variance
from hierstan.sampling.inputs import stan_data
from hierstan.shell.arguments import parse
from hierstan.shell.cli import _described, _read, main

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
def fitted() -> hs.Fit:
    return hs.PartialPooling(priors=PRIORS).fit(bcg(), **QUICK)


@functools.cache
def quick_fit() -> hs.Fit:
    return hs.PartialPooling().fit(small_data("two_arm"), **FAST)


def evaluator(data: hs.GroupedData, *, baselines: bool = False) -> Evaluator:
    """The program with theta as a plain parameter."""
    model = hs.PartialPooling(priors=PRIORS, parameterization="centered")
    entries = stan_data(data, PRIORS, pointwise=True) | {"draw_baseline": int(baselines)}
    return Evaluator(model.program(data), entries)


def log_likelihood(b: Any, theta: float, cell: pd.Series) -> Any:
    """Both arms of a trial, given its baseline, from scipy."""
    return stats.binom.logpmf(cell["control"], cell["control_trials"], special.expit(b)) + (
        stats.binom.logpmf(cell["y"], cell["trials"], special.expit(b + theta))
    )


# the likelihood -----------------------------------------------------------------------------------

EXTREME = trials(
    [0, 0, 1, 5, 40, 100_000, 30, 0, 7, 99_000],
    [1, 100_000, 1, 50, 1000, 100_000, 60_000, 20, 70, 100_000],
    [0, 3, 0, 0, 90, 0, 100, 8, 12, 10],
    [1, 100_000, 1, 80, 900, 10, 100_000, 20, 100, 20],
)


def test_log_lik_is_the_integral_over_the_baselines() -> None:
    rng, J = np.random.default_rng(5), 10
    S = 6
    draws = {
        "mu": np.zeros(S), "tau": np.ones(S), "theta": rng.normal(0, 1.5, (S, J)),
        "intercept": rng.normal(-3, 2, S), "slope": rng.normal(0, 1, S),
        "spread": np.geomspace(0.03, 2.0, S),
    }  # fmt: skip
    written = evaluator(EXTREME).written(draws, ["log_lik"])["log_lik"]
    for s in range(S):
        spread = draws["spread"][s]
        for j, cell in EXTREME.cells.iterrows():
            theta = draws["theta"][s, j]
            mean = draws["intercept"][s] + draws["slope"][s] * theta

            def log_integrand(b: Any) -> Any:
                return log_likelihood(b, theta, cell) + stats.norm.logpdf(b, mean, spread)  # noqa: B023

            grid = np.linspace(mean - 12 * spread - 15, mean + 12 * spread + 15, 20_001)
            values = log_integrand(grid)
            top = values.max()
            inside = grid[values > top - 60]
            exact = top + np.log(
                integrate.quad(
                    lambda b: np.exp(log_integrand(b) - top),  # noqa: B023
                    inside[0], inside[-1], points=[grid[values.argmax()]], limit=400, epsabs=0,
                )[0]
            )  # fmt: skip
            assert written[s, j] == pytest.approx(exact, abs=2e-5 if spread > 1 else 1e-6)


def test_the_pmf_adds_up_and_is_that_of_the_replicates() -> None:
    n, m = 3, 2
    y, c = (grid.ravel() for grid in np.meshgrid(np.arange(n + 1), np.arange(m + 1)))
    data = trials(y, n, c, m)
    R = 6000
    point = {
        "mu": 0.0, "tau": 1.0, "theta": np.full(len(y), 0.8),
        "intercept": -0.7, "slope": 0.9, "spread": 1.3,
    }  # fmt: skip
    names = ["log_lik", "y_rep", "control_rep"]
    draws = {name: np.array([value] * R) for name, value in point.items()}
    written = evaluator(data).written(draws, names)
    p = np.exp(written["log_lik"][0])
    assert p.sum() == pytest.approx(1, abs=1e-8)
    code = written["control_rep"][:, 0] * (n + 1) + written["y_rep"][:, 0]
    counts = np.bincount(code.astype(int), minlength=len(p))
    assert stats.chisquare(counts, R * p).pvalue > 0.001


def test_baselines_are_drawn_from_their_conditional_posterior() -> None:
    R, J = 4000, 10
    rng = np.random.default_rng(2)
    theta = rng.normal(-0.5, 0.7, J)
    point = {
        "mu": 0.0, "tau": 1.0, "theta": theta, "intercept": -3.0, "slope": -0.8, "spread": 1.2,
    }  # fmt: skip
    draws = {name: np.array([value] * R) for name, value in point.items()}
    drawn = evaluator(EXTREME, baselines=True).written(draws, ["baseline"])["baseline"]
    for j, cell in EXTREME.cells.iterrows():
        mean = -3.0 - 0.8 * theta[j]
        grid = np.linspace(
            min(drawn[:, j].min(), mean) - 8, max(drawn[:, j].max(), mean) + 8, 400_001
        )
        log_density = log_likelihood(grid, theta[j], cell) + stats.norm.logpdf(grid, mean, 1.2)
        share = np.exp(log_density - log_density.max())
        cdf = np.cumsum(share) / share.sum()
        p = stats.kstest(drawn[:, j], lambda x: np.interp(x, grid, cdf)).pvalue  # noqa: B023
        assert p > 1e-4, j


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
    """Integrate a trial over both its log-odds: log likelihood, mean and square of theta, (S,)."""
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
    return top + np.log(total), density @ theta / total, density @ theta**2 / total


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
    parts = [trial_on_grid(cell, P) for _, cell in bcg().cells.iterrows()]
    log_lik, theta, square = (np.column_stack(part) for part in zip(*parts, strict=True))
    return Reference(P, log_weight + log_lik.sum(axis=1), log_lik, theta, square)


def test_the_posterior_is_that_of_quadrature() -> None:
    import arviz_stats as azs

    exact, fit = reference(), fitted()
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
    table = hs.arms(fitted())
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
    table = hs.arms(fit, prob=0.99)
    for name, value in truth.items():
        assert table.loc[name, "lower"] < value < table.loc[name, "upper"], name
    assert hs.arms(fit, prob=0.9).loc["correlation", "upper"] < -0.1
    own = fit.draws("baseline")
    inside = np.abs(own.mean(axis=0) - baseline) < 2 * own.std(axis=0)
    assert inside.mean() > 0.8


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
    raw = np.log((bcg().cells["control"] + 0.5) / (bcg().cells["control_trials"] + 0.5))
    assert np.corrcoef(fit.draws("baseline").mean(axis=0), raw)[0, 1] > 0.98
    assert fit.judgement().problems == ()
    assert "spread" in str(fit)
    assert "log odds ratio" in str(fit)


def test_the_data_say_what_they_are() -> None:
    data = bcg()
    assert repr(data) == "GroupedData(two_arm: 13 groups, 13 rows)"
    line = data.to_frame().loc["Aronson 1948"]
    assert line["events_treatment"] == 4
    assert line["rate_control"] == pytest.approx(11 / 139)
    assert data.cells.columns.tolist() == ["group", "y", "trials", "control", "control_trials"]
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
    assert (variance < 1.3 * raw).all()  # the baselines' population tells a little


def test_replicates_replace_both_arms() -> None:
    data = small_data("two_arm")
    truth = {"mu": 1.0, "tau": 0.1, "intercept": -6.0, "slope": 0.0, "spread": 0.1}
    (simulated,) = hs.simulate(data, truth=truth, seed=1)
    cells = simulated.data.cells
    assert cells["control"].sum() <= 3  # rates of about 1 in 400
    assert (cells["control"] <= cells["control_trials"]).all()
    assert cells[["trials", "control_trials"]].equals(data.cells[["trials", "control_trials"]])
    assert hs.winners_curse(quick_fit(), seed=1).table["raw"].notna().all()


def test_predictions_take_the_size_of_the_treatment_arm() -> None:
    fit = quick_fit()
    found = hs.predict(fit, groups=["a"], new_groups=["z"], trials=200)
    assert found.draws.max() <= 200
    assert found.design["trials"].tolist() == [200, 200]
    default = hs.predict(fit, groups=["f"])
    assert default.design["trials"].tolist() == [60]
    known = hs.predict(fit, small_data("two_arm"))
    assert known.summary["mean"].between(0, small_data("two_arm").cells["trials"].max()).all()


def test_a_fit_is_kept(tmp_path: Path) -> None:
    fit = quick_fit()
    fit.save(tmp_path / "fit.nc")
    kept = hs.load(tmp_path / "fit.nc")
    assert str(kept) == str(fit)
    assert kept.data.cells.equals(fit.data.cells)
    pd.testing.assert_frame_equal(hs.arms(kept), hs.arms(fit))


def test_the_other_poolings_know_their_parameters() -> None:
    data = small_data("two_arm")
    for model in (hs.CompletePooling(), hs.NoPooling()):
        fit = model.fit(data, **FAST)
        assert set(FAMILY) <= set(fit.posterior.data_vars)
        assert np.isfinite(hs.loo(fit, unit="group").elpd)
    with pytest.raises(hs.HierstanError, match="Complete pooling has no population of trials"):
        hs.arms(hs.CompletePooling().fit(data, **FAST))


FAMILY = ("intercept", "slope", "spread", "baseline")


def test_the_shell_takes_both_arms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "trials.csv"
    rows = zip("abcde", [1, 4, 0, 7, 3], [30] * 5, [4, 6, 2, 9, 3], [31] * 5, strict=True)
    pd.DataFrame(rows, columns=["g", "y", "n", "c", "m"]).to_csv(file, index=False)
    given = {"group": "g", **SHORT}
    words = [part for role, name in given.items() for part in (f"--{role.replace('_', '-')}", name)]
    data = _read(parse(["compare", str(file), *words]))
    assert _described(data) == "events in two arms of 5 groups, two_arm family"
    assert data.cells["control"].tolist() == [4, 6, 2, 9, 3]
    assert main(["compare", str(file), *words[:-2]]) == 2
    assert "--events-treatment needs --total-control beside it" in capsys.readouterr().err


def test_an_edited_family_is_taken(tmp_path: Path) -> None:
    folder = hs.copy_templates(tmp_path / "templates")
    file = folder / "families" / "two_arm.stan"
    text = file.read_text()
    assert text.count("-10 : 10") == 1
    file.write_text(text.replace("-10 : 10", "-12 : 12"))
    data = small_data("two_arm")
    fit = hs.PartialPooling(template_dir=folder).fit(data, **FAST)
    assert fit.program.edited
    means = [one.draws("theta").mean(axis=0) for one in (fit, quick_fit())]
    np.testing.assert_allclose(means[0], means[1], atol=0.25)
    file.write_text(text.replace("y ~ family(effect,", "y ~ family(2 * effect,"))
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
        hs.HierstanError, match="the exact posterior of two_arm data is not at hand"
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
    cells = bcg().cells.sum()
    control = (cells["control"] + 0.5) / (cells["control_trials"] - cells["control"] + 0.5)
    treated = (cells["y"] + 0.5) / (cells["trials"] - cells["y"] + 0.5)
    assert priors["intercept"].location == pytest.approx(np.log(control))
    assert priors["mu"].location == pytest.approx(np.log(treated / control))
    assert priors["intercept"].scale == priors["mu"].scale == 1.5
    assert priors["slope"] == hs.Normal(0, 1)
    assert priors["spread"] == priors["tau"] == hs.HalfNormal(1)


def test_absurd_parameters_are_improbable_and_end() -> None:
    # A data set of a calibration, at which the density was once +inf where a chain then stayed, and
    # baselines were drawn there for ever.
    frame = pd.DataFrame(
        {
            "g": list("abcdef"),
            "y": [0, 0, 0, 1, 1, 7], "n": [2, 3, 4, 6, 30, 60],
            "c": [0, 0, 0, 2, 4, 19], "m": [7, 8, 9, 11, 35, 65],
        }
    )  # fmt: skip
    data = hs.GroupedData.from_arms(
        frame, group="g", events_treatment="y", total_treatment="n",
        events_control="c", total_control="m",
    )  # fmt: skip
    model = hs.CompletePooling()
    entries = stan_data(data, model.resolve_priors(data)) | {"draw_baseline": 1}
    evaluator = Evaluator(model.program(data), entries)
    points = {
        "mu": np.array([-1.0, -262.4, -262.4, -262.4]),
        "intercept": np.array([-1.0, -122.3, -122.3, -122.3]),
        "slope": np.array([0.5, 57.9, 57.9, 57.9]),
        "spread": np.array([0.7, 1e3, 1e40, 9e76]),
    }
    lp = evaluator.log_density(points)
    assert np.isfinite(lp).all()
    assert (lp[1:] < lp[0] - 1000).all()
    typical = {name: values[:1] for name, values in points.items()}
    assert np.isfinite(evaluator.written(typical, ["baseline"])["baseline"]).all()
    absurd = {name: values[1:] for name, values in points.items()}
    with contextlib.suppress(hs.EngineError):  # it says which values are NaN
        evaluator.written(absurd, ["baseline"])
