"""Units left out by integrating over the parameters that remain, against quadrature."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from exact import grid_over_tau
from scipy import special, stats
from scipy.special import logsumexp

import hierstan as hs
from hierstan.answers.comparison.fold import Folds
from hierstan.answers.comparison.left_out import priors_without
from hierstan.answers.comparison.log_integral import fine, log_integral
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units

OUTLIER = [0, 0.5, -0.3, 0.2, 0.1, -0.6, 0.4]


def estimates(y: object, se: object) -> hs.GroupedData:
    frame = pd.DataFrame({"lab": np.arange(np.size(y)), "y": np.asarray(y, float), "se": se})
    return hs.GroupedData.from_estimates(frame, group="lab", estimate="y", se="se")


def exact_elpd(fit: hs.Fit) -> np.ndarray:
    """log p(y_i | the others) under the priors of each fold; only tau is summed over."""
    y, se = fit.data.cells["y"].to_numpy(), fit.data.cells["se"].to_numpy()
    found = np.empty(len(y))
    for i in range(len(y)):
        k = np.arange(len(y)) != i
        priors = priors_without(fit, "observation", i)
        if "theta" in priors:
            location, scale = priors["theta"].numbers().values()
            found[i] = stats.norm.logpdf(y[i], location, np.hypot(scale, se[i]))
            continue
        mu, tau = (priors["mu"].location, priors["mu"].scale), priors.get("tau")
        density = tau.log_density if tau else None
        with_it, without = (
            grid_over_tau(y[part], se[part], mu, density, around=y)
            for part in (np.ones(len(y), bool), k)
        )
        found[i] = with_it - without
    return found


CASES = {
    "an outlier at 12 standard errors": ([*OUTLIER, 12], np.ones(8)),
    "an outlier at 40 standard errors": ([*OUTLIER, 40], np.ones(8)),
    "far from zero": (299_792 + np.array([*OUTLIER, 20]), np.ones(8)),
    "one very precise": (
        [0.3, 0.1, -0.2, 0.5, 0.2, 0.0, 0.15, 0.4],
        [0.2, 0.3, 0.25, 0.4, 0.2, 0.3, 0.1, 1e-4],
    ),
    "hundreds of standard errors apart": (
        [-400, 300, 10, 900, -1000, 50],
        [1, 2, 1, 0.5, 1, 3],
    ),
    "two": ([0.51, 0.753], [0.1065, 0.3284]),
    "two far apart": ([0, 100], [1, 1]),
    "three": ([0, 1, 5], [1, 2, 0.1]),
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_leave_one_out_is_right_whatever_the_data(case: str, seed: int) -> None:
    data = estimates(*CASES[case])
    fits = hs.fit_poolings(data, seed=seed, engine="stanli", progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        comparison = hs.compare(fits, progress=False)
    exact = {name: exact_elpd(fit) for name, fit in fits.items()}
    for name, result in comparison.loo.items():
        apart = np.abs(result.elpd_i - exact[name])
        assert np.all(apart < 5 * result.mcse_i + 1e-6), (name, result.to_frame(), exact[name])
        assert result.reliable, name
    ahead = exact["partial"].sum() - exact["complete"].sum()
    if abs(ahead) > 0.5:  # no pooling is not ranked with one row per group
        ranked = [name for name in comparison.table.index if name != "none"]
        assert ranked[0] == ("partial" if ahead > 0 else "complete")


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["observation", "group"])
@pytest.mark.parametrize(
    ("events", "trials"), [((5, 116), (119, 170)), ((0, 3), (10, 40)), ((900, 20), (1000, 25))]
)
def test_two_groups_of_counts_are_compared(
    events: tuple[int, int], trials: tuple[int, int], unit: str
) -> None:
    """Without one of two groups, tau is left to its prior: by sums over mu, tau and theta."""
    frame = pd.DataFrame({"arm": ["a", "b"], "y": events, "n": trials})
    data = hs.GroupedData.from_counts(frame, group="arm", successes="y", trials="n")
    fits = hs.fit_poolings(data, seed=1, engine="stanli", progress=False)
    result = hs.compare(fits, unit=unit, progress=False).loo["partial"]
    z, log_w = np.polynomial.hermite_e.hermegauss(41)
    log_w = np.log(log_w / log_w.sum())
    u = np.linspace(-14, 4, 200)
    for i in (0, 1):
        priors = priors_without(fits["partial"], unit, i)
        tau = priors["tau"].scale * np.exp(u)
        mu = np.linspace(-9, 9, 151)
        theta = mu[:, None, None] + tau[:, None] * z
        log_lik = [
            logsumexp(y * theta - n * np.logaddexp(0, theta) + log_w, axis=-1)
            + stats.binom.logpmf(y, n, 0.5)
            + n * np.log(2)
            for y, n in zip(events, trials, strict=True)
        ]
        prior = priors["mu"].log_density(mu)[:, None] + priors["tau"].log_density(tau) + u
        rest = logsumexp(prior + log_lik[1 - i])
        exact = logsumexp(prior + log_lik[0] + log_lik[1]) - rest
        assert abs(result.elpd_i[i] - exact) < 5 * result.mcse_i[i] + 1e-4
    assert result.reliable


def test_complete_pooling_of_millions_is_right() -> None:
    y, n = np.array([1_545_000, 1_600_000, 1_400_000]), np.array([6_800_000, 6_900_000, 6_700_000])
    frame = pd.DataFrame({"r": list("abc"), "y": y, "n": n})
    data = hs.GroupedData.from_counts(frame, group="r", successes="y", trials="n")
    fit = hs.CompletePooling().fit(data, seed=1, engine="stanli", progress=False)
    result = hs.loo(fit, progress=False)
    theta = np.linspace(-1.6, -0.9, 700_001)

    def log_lik(y: int, n: int) -> np.ndarray:
        choose = special.gammaln(n + 1) - special.gammaln(y + 1) - special.gammaln(n - y + 1)
        return choose + y * theta - n * np.logaddexp(0, theta)

    for i in range(3):
        k = np.arange(3) != i
        prior = priors_without(fit, "observation", i)["mu"].log_density(theta)
        rest = prior + log_lik(y[k].sum(), n[k].sum())
        exact = logsumexp(rest + log_lik(y[i], n[i])) - logsumexp(rest)
        assert abs(result.elpd_i[i] - exact) < 5 * result.mcse_i[i] + 1e-3
    assert result.reliable


@pytest.mark.slow
@pytest.mark.parametrize("family", ["normal", "neg_binomial", "poisson"])
@pytest.mark.parametrize("unit", ["observation", "group"])
def test_integrals_agree_with_importance_weights_where_these_hold(family: str, unit: str) -> None:
    rng = np.random.default_rng(4)
    group = np.repeat(np.arange(6), 5)
    theta = rng.normal(1, 0.5, 6)[group]
    y = rng.normal(theta, 1) if family == "normal" else rng.poisson(np.exp(theta))
    frame = pd.DataFrame({"g": group, "y": y})
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)
    for model in (hs.CompletePooling(), hs.PartialPooling()):
        fit = model.fit(data, seed=1, engine="stanli", progress=False)
        result = hs.loo(fit, unit=unit, refit=False, progress=False)
        folds = Folds(fit, unit)
        for index in (0,):
            if result.pareto_k[index] < 0.5:
                value, error = folds.without(index)
                allowed = 5 * np.hypot(error, result.mcse_i[index]) + 0.01
                assert abs(value - result.elpd_i[index]) < allowed


def test_rows_of_counts_that_the_others_deny_are_left_out_right() -> None:
    frame = pd.DataFrame({"g": np.repeat(list("abcd"), 4)})
    frame["y"] = [952, 1042, 1400, 1037, 944, 1059, 933, 1048, 990, 1010, 985, 1004, 1, 0, 2, 1]
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family="poisson")
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    result = hs.loo(fit, progress=False)
    y = frame["y"].to_numpy()
    for i in (2, 5, 12):
        rest = (frame["g"] == frame["g"][i]).to_numpy() & (np.arange(16) != i)
        # a Gamma posterior of the rate stands for the population, which says next to nothing
        exact = stats.nbinom.logpmf(y[i], y[rest].sum() + 0.01, 3 / 4)
        assert result.elpd_i[i] == pytest.approx(exact, abs=0.02 * abs(exact) + 0.25)


def test_the_density_of_a_group_is_that_of_its_rows() -> None:
    frame = pd.DataFrame({"g": list("aaabb"), "y": [3, 0, 5, 2, 2]})
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family="poisson")
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    hyper = {"mu": np.array([0.5, 1.0]), "tau": np.array([0.4, 1.5])}
    theta = np.linspace(-12, 12, 20_001)
    found = log_lik_of_units(fit, hyper, "group")
    for s in range(2):
        prior = stats.norm.logpdf(theta, hyper["mu"][s], hyper["tau"][s])
        for j, y in enumerate(([3, 0, 5], [2, 2])):
            rows = sum(stats.poisson.logpmf(k, np.exp(theta)) for k in y)
            exact = np.log(np.trapezoid(np.exp(prior + rows), theta))
            assert found[s, j] == pytest.approx(exact, abs=1e-4)


@pytest.mark.parametrize("d", [1, 2, 4])
@pytest.mark.parametrize("away", [0.0, 3.0, 100.0])
def test_integrals_are_found_far_from_where_one_looks(d: int, away: float) -> None:
    """A skewed density on another scale than the draws: log of a gamma variable in each axis."""
    draws = np.random.default_rng(1).normal(0, 1, (500, d))

    def target(x: np.ndarray) -> np.ndarray:
        z = (x - away) / 0.1
        with np.errstate(over="ignore"):
            return np.asarray((2 * z - np.exp(z)).sum(axis=1))

    found = log_integral(target, draws)
    assert found.error < 0.05
    assert abs(found.value - d * np.log(0.1)) < 5 * found.error + 1e-3
    twice = found.times(np.full(found.log_weight.shape, np.log(2)))
    assert twice.value == pytest.approx(found.value + np.log(2))


@pytest.mark.parametrize("d", [2, 4])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_integrals_of_funnels_are_found(d: int, seed: int) -> None:
    """What others are wide by where it is large: a normal log scale, and normal variables of it."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(1000, d))
    draws = np.column_stack([z[:, 0], z[:, 1:] * np.exp(z[:, :1])])
    points = 0

    def target(x: np.ndarray) -> np.ndarray:
        nonlocal points
        points += len(x)
        scale = np.exp(x[:, :1])
        own = stats.norm.logpdf(x[:, 1:], 0, scale).sum(axis=1)
        return np.asarray(stats.norm.logpdf(x[:, 0]) + own)

    found = log_integral(target, draws)
    assert abs(found.value) < 5 * found.error + 0.01
    assert found.error < fine(d)
    assert points < 60_000


def test_points_of_one_integral_find_another() -> None:
    draws = np.random.default_rng(1).normal(size=(500, 3))
    near = log_integral(lambda x: -0.5 * (x**2).sum(axis=1), draws)
    moved = near.times(-0.5 * ((near.points - 1) ** 2 - near.points**2).sum(axis=-1))
    value, error = near.over(moved)
    assert abs(value) < 5 * error
    found = log_integral(lambda x: -0.5 * ((x - 1) ** 2).sum(axis=1), draws, moved)
    assert abs(found.value - 1.5 * np.log(2 * np.pi)) < 5 * found.error + 1e-3


def test_an_integral_that_cannot_be_found_is_no_number() -> None:
    nothing = log_integral(
        lambda x: np.full(len(x), -np.inf), np.random.default_rng(1).normal(size=(50, 2))
    )
    assert np.isnan([nothing.value, nothing.error]).all()
