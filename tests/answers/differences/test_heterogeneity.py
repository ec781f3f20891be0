"""How different the groups are: numbers against exact ones, words against data of known kind."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from exact import one, partial
from schools import eight_schools as schools
from scipy import special, stats

import hierstan as hs
from hierstan.fit.tau_evidence import spread_of
from hierstan.fit.tau_words import headline
from hierstan.report.differences import spread_grid
from hierstan.text.numbers import between, chance

REFERENCE = Path(__file__).parents[2] / "reference_cases"


def fitted(data: hs.GroupedData, model: object | None = None, **options: object) -> hs.Fit:
    model = model or hs.PartialPooling()
    return model.fit(data, **{"seed": 1, "engine": "stanli", "progress": False} | options)


def estimates(y: object, se: object, estimate: str = "effect") -> hs.GroupedData:
    frame = pd.DataFrame({"site": range(len(y)), estimate: y, "se": se})
    return hs.GroupedData.from_estimates(frame, group="site", estimate=estimate, se="se")


def drawn(J: int, tau: float, seed: int) -> hs.GroupedData:
    """Groups with standard errors around 1."""
    rng = np.random.default_rng([2026, J, seed])
    se = np.exp(rng.normal(0, 0.3, J))
    return estimates(rng.normal(5, tau, J) + se * rng.normal(size=J), se)


def surgical() -> hs.GroupedData:
    frame = hs.load_dataset("surgical")
    return hs.GroupedData.from_counts(
        frame, group="hospital", successes="deaths", trials="operations"
    )


def mcse(draws: np.ndarray, chains: int = 4) -> float:
    import arviz_stats as azs

    shaped = xr.Dataset({"x": (["chain", "draw"], draws.reshape(chains, -1))})
    return float(azs.mcse(shaped, method="mean")["x"])


# numbers ------------------------------------------------------------------------------------------

BCG = ("bcg_metafor", "logRR", "se_logRR", "full_bayes logRR mu~Normal(0,2), tau~HalfNormal(1)")
CASES = {
    "aspirin": (
        ("aspirin_jackman", "y", "se", None),
        hs.Normal(1.805, 7.40694),
        hs.HalfStudentT(4, 3.70347),
    ),
    "schools": (
        ("eight_schools_posteriordb", "y", "se", None),
        hs.Normal(0, 5),
        hs.HalfCauchy(5),
    ),
    "rubin": (("rubin1981_bayesmeta", "y", "se", "ex1"), hs.Normal(0, 50), hs.HalfCauchy(25)),
    "bcg": (BCG, hs.Normal(0, 2), hs.HalfNormal(1)),
}


def case(name: str, seed: int = 1) -> tuple[hs.Fit, dict]:
    (file, y, se, variant), mu, tau = CASES[name]
    stored = json.loads((REFERENCE / f"{file}.json").read_text(encoding="utf-8"))
    exact = stored["exact"] if variant is None else stored["exact"][variant]
    data = estimates(stored["data"][y], stored["data"][se])
    model = hs.PartialPooling(priors={"mu": mu, "tau": tau})
    return fitted(data, model, seed=seed, draws=2000), exact


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", [1, 20])
def test_numbers_of_the_reference_cases(name: str, seed: int) -> None:
    fit, exact = case(name, seed)
    found = hs.heterogeneity(fit, prob=0.95)
    # what the cases call total pooling is one minus I2
    total = exact["total_pooling_higgins_thompson"]
    s2, tau2 = total["typical_var"], fit.draws("tau") ** 2
    error = mcse(s2 / (s2 + tau2))
    assert found.table.loc["pooling_factor", "mean"] == pytest.approx(total["mean"], abs=4 * error)
    assert found.i2["mean"] == pytest.approx(1 - total["mean"], abs=4 * error)
    for end, quantile in (("lower", "q97.5"), ("upper", "q2.5")):
        assert found.i2[end] == pytest.approx(1 - total[quantile], abs=0.05)
    variances = fit.data.cells["se"].to_numpy() ** 2
    borrowed = (variances / (variances + tau2[:, None])).sum(axis=1)
    assert found.table.loc["groups_borrowed", "mean"] == pytest.approx(
        sum(exact["pooling_factor_mean"]), abs=4 * mcse(borrowed)
    )
    tau = exact["tau"]
    assert found.tau["mean"] == pytest.approx(tau["mean"], abs=4 * mcse(fit.draws("tau")))
    # the default limit is a third of the typical standard error
    assert found.caring == pytest.approx(np.sqrt(s2) / 3, rel=1e-4)
    # contraction: from the interquartile ranges
    prior = np.diff(fit.priors["tau"].quantile([0.25, 0.75]))[0]
    expected = 1 - ((tau["q75"] - tau["q25"]) / prior) ** 2
    assert found.contraction == pytest.approx(expected, abs=0.05)
    # prediction interval of a new group
    new, spread = exact["theta_new"], exact["theta_new"]["sd"]
    for end, quantile in (("lower", "q2.5"), ("upper", "q97.5")):
        assert found.new_group.loc["link", end] == pytest.approx(new[quantile], abs=0.25 * spread)
    assert found.new_group.loc["link", "mean"] == pytest.approx(new["mean"], abs=0.12 * spread)


@pytest.mark.parametrize("name", CASES)
def test_chances_against_quadrature(name: str) -> None:
    fit, _ = case(name)
    limit = 0.7 * float(np.median(fit.draws("tau")))
    spread = spread_of(fit, smallest_difference=limit)
    tau, likelihood = likelihood_of_tau(fit, 2000)
    below = tau < limit
    assert spread.negligible_before == pytest.approx(below.mean(), abs=0.002)
    exact = likelihood[below].sum() / likelihood.sum()
    assert spread.negligible == pytest.approx(exact, abs=4 * mcse(spread.tau < limit))


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("J", "tau"), [(3, 0), (3, 1), (8, 1), (8, 1.5), (30, 0), (30, 1), (200, 0.4)]
)
def test_the_bayes_factor_against_quadrature(J: int, tau: float, seed: int) -> None:
    """However large it is, and whatever the seed."""
    fit = fitted(drawn(J, tau, seed), seed=seed)
    exact = np.log(likelihood_of_tau(fit, 2000)[1].mean())
    assert np.log(spread_of(fit).bayes_factor) == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_bayes_factor_of_few_successes_against_quadrature(seed: int, rate: float) -> None:
    """Their likelihoods are far from normal, and the groups may differ beyond doubt."""
    rng = np.random.default_rng(seed)
    logit = np.log(rate / (1 - rate)) + rng.normal(0, 0.5 * seed, 5)
    n = np.full(5, 20)
    y = rng.binomial(n, 1 / (1 + np.exp(-logit)))
    frame = pd.DataFrame({"g": range(5), "y": y, "n": n})
    data = hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")
    mu, tau = stats.norm(-1, 2).logpdf, stats.halfnorm(scale=0.7).logpdf

    def log_lik(theta: np.ndarray) -> np.ndarray:
        return y * theta - n * np.logaddexp(0, theta)

    with_it = partial(log_lik, mu=(mu, -9, 6), tau=(tau, 6)).log_marginal
    without = one(lambda x: mu(x) + log_lik(x[:, None]).sum(axis=1), -9, 6).log_marginal
    priors = {"mu": hs.Normal(-1, 2), "tau": hs.HalfNormal(0.7)}  # of no more room than the default
    factor = spread_of(fitted(data, hs.PartialPooling(priors=priors), seed=seed)).bayes_factor
    assert np.log(factor) == pytest.approx(with_it - without, abs=0.01)


def likelihood_of_tau(fit: hs.Fit, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of the prior of tau, and p(y | tau) / p(y | 0) there, mu integrated out."""
    y, se = (fit.data.cells[column].to_numpy() for column in ("y", "se"))
    mu = fit.priors["mu"]
    tau = fit.priors["tau"].quantile((np.arange(nodes * 10) + 0.5) / nodes / 10)

    def log_likelihood(t: np.ndarray) -> np.ndarray:
        weight = 1 / (se**2 + t[:, None] ** 2)
        precision = weight.sum(1) + 1 / mu.scale**2
        mean = (weight @ y + mu.location / mu.scale**2) / precision
        rest = (weight * (y - mean[:, None]) ** 2).sum(1) + ((mean - mu.location) / mu.scale) ** 2
        return 0.5 * (np.log(weight).sum(1) - rest - np.log(precision))

    return tau, np.exp(log_likelihood(tau) - log_likelihood(np.zeros(1)))


def test_the_table_follows_its_formulas() -> None:
    fit = fitted(surgical())
    found = hs.heterogeneity(fit, prob=0.8)
    assert found.table.columns.tolist() == ["mean", "sd", "lower", "upper"]
    assert found.table.index.tolist() == [
        "tau", "i2", "h2", "pooling_factor", "groups_borrowed", "new_group",
    ]  # fmt: skip
    n = hs.load_dataset("surgical")["operations"].to_numpy()
    p = 1 / (1 + np.exp(-fit.draws("theta")))
    w, tau2 = n * p * (1 - p), fit.draws("tau") ** 2
    s2 = w.sum(1) * 11 / (w.sum(1) ** 2 - (w**2).sum(1))
    i2 = tau2 / (tau2 + s2)
    expected = {
        "tau": np.sqrt(tau2),
        "i2": i2,
        "h2": 1 / (1 - i2),
        "pooling_factor": 1 - i2,
        "groups_borrowed": (1 / (1 + w * tau2[:, None])).sum(1),
        "new_group": 1 / (1 + np.exp(-fit.draws("theta_new"))),
    }
    for name, draws in expected.items():
        line = [draws.mean(), draws.std(ddof=1), *np.quantile(draws, [0.1, 0.9])]
        np.testing.assert_allclose(found.table.loc[name].to_numpy(), line, rtol=1e-6)
    pd.testing.assert_series_equal(found.tau, found.table.loc["tau"])
    pd.testing.assert_series_equal(found.i2, found.table.loc["i2"])


def test_a_threshold_gives_the_chances_of_a_new_group() -> None:
    fit = fitted(surgical())
    new = hs.heterogeneity(fit, threshold=0.1).new_group
    rates = 1 / (1 + np.exp(-fit.draws("theta_new")))
    assert new.index.tolist() == ["response", "link"]
    assert new["below"].tolist() == [pytest.approx((rates < 0.1).mean())] * 2
    assert new["above"].tolist() == [pytest.approx((rates > 0.1).mean())] * 2
    np.testing.assert_allclose(
        1 / (1 + np.exp(-new.loc["link", ["lower", "upper"]].to_numpy(float))),
        new.loc["response", ["lower", "upper"]].to_numpy(float),
        rtol=1e-3,
    )
    assert "below" not in hs.heterogeneity(fit).new_group


@pytest.mark.slow
def test_simulated_groups_give_back_tau_and_i2() -> None:
    found = [hs.heterogeneity(fitted(drawn(200, 1.5, seed), draws=500)) for seed in range(4)]
    assert sum(h.tau["lower"] < 1.5 < h.tau["upper"] for h in found) >= 3
    assert np.mean([h.tau["mean"] for h in found]) == pytest.approx(1.5, abs=0.1)
    assert all(h.contraction > 0.9 for h in found)


# words --------------------------------------------------------------------------------------------


def verdict(data: hs.GroupedData, tau: object = None, seed: int = 1, **arguments: float) -> str:
    model = hs.PartialPooling(priors=None if tau is None else {"tau": tau})
    return hs.heterogeneity(fitted(data, model, seed=seed), **arguments).verdict


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_groups_that_do_not_differ(seed: int) -> None:
    words = verdict(drawn(800, 0, seed), seed=seed)
    assert words.startswith("The groups hardly differ: tau is negligible, below ")
    assert "Complete pooling is adequate; partial pooling" in words
    assert "mostly prior" not in words


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_groups_that_differ(seed: int) -> None:
    words = verdict(drawn(30, 3, seed), seed=seed)
    assert words.startswith("The groups really differ: the probability that tau is negligible is ")
    new = r"A new group has a true effect between -?[\d.]+ and [\d.]+ with probability 90%\."
    assert re.search(new, words)
    assert "(I2)" in words
    assert "complete pooling is adequate" not in words.lower()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_too_few_groups_to_tell(seed: int) -> None:
    words = verdict(drawn(5, 0.5, seed), seed=seed)
    assert words.startswith("The data cannot tell how different the groups are")
    assert "complete and no pooling do not" in words


def test_the_verdicts_of_known_data() -> None:
    assert verdict(schools()).startswith("The data cannot tell")
    words = verdict(surgical(), threshold=0.1)
    assert words.startswith("The groups really differ")
    assert "A new group has a rate between 0.0" in words
    assert "standard deviation of the groups' log-odds" in words
    assert re.search(r"\(an odds ratio of 1\.0[89]\d*\) counts as negligible", words)
    assert re.search(r"A new group has a rate below 0\.1 with probability \d\d%", words)

    pumps = hs.GroupedData.from_events(
        hs.load_dataset("pumps"), group="pump", events="failures", exposure="hours"
    )
    words = verdict(pumps)
    assert words.startswith("The groups really differ")
    assert "standard deviation of the groups' log rates" in words
    assert "(a factor of 1.1" in words

    dyes = hs.GroupedData.from_rows(
        hs.load_dataset("dyes"), group="batch", outcome="yield", family="lognormal"
    )
    words = verdict(dyes)
    assert re.search(r"has a median between 1,[34]\d\d and 1,[56]\d\d", words)


def test_a_large_weight_of_own_data_makes_estimating_alone_adequate() -> None:
    words = verdict(drawn(30, 10, 1))
    assert words.startswith("The groups really differ")
    assert re.search(r"own data hold 9\d% of the weight", words)
    assert "estimating each group alone is adequate, too" in words


def test_one_standard_error_of_next_to_nothing_changes_no_word() -> None:
    y, se = [0.3, 0.1, -0.2, 0.5, 0.2, 0.0, 0.15, 0.4], [0.2, 0.3, 0.25, 0.4, 0.2, 0.3, 0.1]
    kinds = [spread_of(fitted(estimates(y, [*se, tiny]))) for tiny in (1e-6, 1e-8, 1e-10, 1e-12)]
    assert {found.kind for found in kinds} == {"partial"}
    typical = np.sqrt(7 / (2 * (1 / np.square(se)).sum()))
    assert [found.noise for found in kinds] == pytest.approx([typical] * 4, rel=1e-3)


@pytest.mark.parametrize(
    ("y", "n"),
    [
        ([0] * 6, [20, 50, 100, 30, 10, 15]),
        ([0] * 4, [1000] * 4),
        ([20, 50, 100, 30], [20, 50, 100, 30]),
    ],
)
def test_without_any_events_the_data_cannot_tell(y: list[int], n: list[int]) -> None:
    frame = pd.DataFrame({"s": range(len(y)), "y": y, "n": n})
    data = hs.GroupedData.from_counts(frame, group="s", successes="y", trials="n")
    words = verdict(data)
    assert "The data cannot tell how different the groups are" in words
    assert "tau is mostly prior here" in words


@pytest.mark.parametrize(("J", "tau", "se"), [(3, 0.5, 1.0), (5, 0.0, 1.0), (8, 0.5, 1.0)])
def test_ends_of_a_new_group_hold_mu_too(J: int, tau: float, se: float) -> None:
    """At the low end a new group lies within what mu and tau leave open together."""
    rng = np.random.default_rng(J)
    fit = fitted(estimates(rng.normal(5, tau, J) + se * rng.normal(size=J), se))
    spread = spread_of(fit)
    low = float(np.quantile(spread.tau, 0.05))
    precision = J / (se**2 + low**2)
    lower, upper = spread.new_group(low)
    half = 1.645 * np.sqrt(low**2 + 1 / precision)
    assert (upper - lower) / 2 == pytest.approx(half, rel=0.15)


def test_the_smallest_difference_is_the_users_or_said() -> None:
    fit = fitted(surgical())
    said = hs.heterogeneity(fit)
    assert "counts as negligible: a third of the typical standard error" in said.verdict
    assert said.prob_negligible == np.mean(fit.draws("tau") < said.caring)

    given = hs.heterogeneity(fit, caring=2, scale="link")
    assert given.caring == 2
    assert given.prob_negligible > 0.99
    assert "they are too small to matter: tau is below 2.0 (an odds ratio of 7.4)" in given.verdict
    assert "counts as negligible" not in given.verdict
    rate = special.expit(np.median(fit.draws("mu")))
    in_rates = hs.heterogeneity(fit, caring=0.01)
    assert in_rates.caring == pytest.approx(0.01 / (rate * (1 - rate)), rel=1e-4)


def test_a_tau_that_is_mostly_prior_is_said_to_be() -> None:
    words = verdict(estimates([0.1, 0.9], 1.0), hs.HalfNormal(0.5))
    assert "tau is mostly prior here" in words
    assert "HalfNormal(0.5)" in words
    assert "mostly prior" not in verdict(drawn(30, 3, 1))


def test_a_prior_that_holds_tau_down_is_named() -> None:
    words = verdict(drawn(30, 3, 1), hs.HalfNormal(0.2))
    assert "The prior of tau, HalfNormal(0.2), disagrees with the data" in words
    assert "puts 97.5% below 0.45" in words
    assert "mostly prior" not in words


def test_a_prior_that_rules_out_zero_is_no_evidence_of_a_difference() -> None:
    words = verdict(estimates([1.0, 2, 3, 2], 2.0), hs.LogNormal(1, 0.1))
    assert words.startswith("The data cannot tell")
    assert "mostly prior" in words


def test_a_prior_much_too_wide_neither_hides_a_difference_nor_makes_one() -> None:
    wide = hs.HalfNormal(200)
    assert verdict(drawn(30, 3, 2), wide).startswith("The groups really differ")
    assert not verdict(drawn(8, 0, 2), wide).startswith("The groups really differ")


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((0.2312, 0.3087), "0.231 and 0.309"),
        ((0.00512, 0.0617), "0.0051 and 0.062"),
        ((0.0347, 2.51), "0.035 and 2.5"),
        ((1456.2, 1598.7), "1,456 and 1,599"),
        ((-12.3, 27.9), "-12 and 28"),
        ((-0.04, 0.6), "-0.04 and 0.60"),
        ((5.0, 5.0), "5.0 and 5.0"),
    ],
)
def test_two_ends(ends: tuple[float, float], words: str) -> None:
    assert between(*ends) == words


def test_chances_are_never_certain() -> None:
    assert [chance(p) for p in (0, 0.004, 0.25, 0.999, 1)] == [
        "less than 1%", "less than 1%", "25%", "more than 99%", "more than 99%",
    ]  # fmt: skip


def test_it_prints_as_a_page() -> None:
    frame = pd.DataFrame({"site": range(6), "estimate": 5e4 + 900.0 * np.arange(6), "se": 500.0})
    data = hs.GroupedData.from_estimates(frame, group="site", estimate="estimate", se="se")
    text = str(hs.heterogeneity(fitted(data)))
    lines = text.splitlines()
    assert lines[0].startswith("Differences between 6 groups: posterior mean")
    assert max(map(len, lines[2:])) <= 88
    assert re.search(r"^tau +[\d,]+ +", text, flags=re.M)
    assert "e+" not in text
    assert "true value" in " ".join(lines)


# refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [hs.CompletePooling(), hs.NoPooling()])
def test_only_partial_pooling_has_a_tau(model: object) -> None:
    with pytest.raises(hs.HierstanError, match=r"pooling has no tau.*Fit PartialPooling"):
        hs.heterogeneity(fitted(schools(), model, draws=50))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prob": 1.5}, r"between 0 and 1, such as 0\.9, but got 1\.5"),
        ({"threshold": np.inf}, "threshold= must be a finite number; got inf"),
        ({"threshold": "high"}, "threshold= must be a finite number; got 'high'"),
        ({"caring": 0}, "caring= must be a finite number above 0; got 0"),
        ({"caring": True}, "caring= must be .*; got True"),
    ],
)
def test_impossible_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(hs.HierstanError, match=message):
        hs.heterogeneity(fitted(schools(), draws=50), **arguments)


def test_a_fit_of_the_prior() -> None:
    with pytest.raises(hs.HierstanError, match=r"prior_only=True and never saw the data"):
        hs.heterogeneity(fitted(schools(), draws=50, prior_only=True))


def test_a_group_with_one_arm_says_nothing_of_the_differences() -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"site": np.repeat(list("abcdef"), 2), "arm": ["old", "new"] * 6})
    frame["n"], frame["y"] = 200, rng.binomial(200, np.tile([0.3, 0.4], 6))
    names = {"group": "site", "arm": "arm", "control": "old", "successes": "y", "trials": "n"}
    with pytest.warns(hs.HierstanWarning, match="one arm only"):
        data = hs.GroupedData.from_trial(frame[:-1], **names)
    few = {"chains": 2, "warmup": 300, "draws": 300, "engine": "stanli", "progress": False}
    fit = hs.PartialPooling().fit(data, seed=1, **few)
    sure = spread_of(fit).bayes_factor
    whole = hs.GroupedData.from_trial(frame[:-2], **names)
    alone = spread_of(hs.PartialPooling().fit(whole, seed=1, **few)).bayes_factor
    assert sure == pytest.approx(alone, rel=0.35)
    assert "nan" not in hs.heterogeneity(fit).verdict


@pytest.mark.parametrize("kind", ["normal", "lognormal", "predictor", "poisson in rows"])
def test_the_bayes_factor_with_another_parameter_against_brute_force(kind: str) -> None:
    """A standard deviation within groups, or a slope, is integrated out, too."""
    rng = np.random.default_rng(5)
    J, rows = 6, 4
    x = np.repeat(np.arange(J), rows)
    y = rng.normal(0, 0.6, J)[x] + rng.normal(0, 1, J * rows)
    frame = pd.DataFrame({"g": x, "y": y, "z": x % 3 - 1.0})
    if kind == "predictor":
        told = frame.groupby("g", as_index=False).mean().assign(se=0.5)
        data = hs.GroupedData.from_estimates(
            told, group="g", estimate="y", se="se", predictors=["z"]
        )
    elif kind == "poisson in rows":
        frame["y"] = rng.poisson(np.exp(y))
        data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family="poisson")
    else:
        frame["y"] = np.exp(y) if kind == "lognormal" else y
        data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family=kind)
    fit = fitted(data, seed=1)
    spread = spread_of(fit)
    tau = np.linspace(0, 6, 121)
    a, b = np.linspace(-5, 5, 61), np.linspace(-5, 5, 61)
    if kind in ("normal", "lognormal"):
        b = np.exp(np.linspace(-0.8, 0.8, 61))
    if kind == "poisson in rows":
        b = np.zeros(1)
    A, B = (part.ravel() for part in np.meshgrid(a, b))
    mass = fit.priors["mu"].log_density(A)
    if kind == "predictor":
        mass += fit.priors["beta"].log_density(B)
    elif kind != "poisson in rows":
        mass += fit.priors["sigma"].log_density(B) + np.log(B)
    likelihood = np.array([special.logsumexp(mass + _log_lik(data, A, B, t, kind)) for t in tau])
    terms = likelihood + (spread._reference or spread.prior).log_density(tau)
    terms[0] -= np.log(2)
    exact = special.logsumexp(terms) + np.log(tau[1]) - likelihood[0]
    assert np.log(spread.bayes_factor) == pytest.approx(exact, abs=0.02)


def _log_lik(
    data: hs.GroupedData, mu: np.ndarray, other: np.ndarray, tau: float, kind: str
) -> np.ndarray:
    """Log likelihood with the groups' means integrated out, at points (S,)."""
    total = np.zeros(len(mu))
    z = np.linspace(-7, 7, 57)
    for j, cell in data.cells.iterrows():
        if kind == "poisson in rows":
            theta = mu[:, None] + tau * z
            inside = cell["y"] * theta - cell["exposure"] * np.exp(theta) - z**2 / 2
            total += special.logsumexp(inside, axis=1)
            continue
        center = mu + (other * data.design[int(j), 1] if kind == "predictor" else 0)
        value = np.log(cell["y"]) if kind == "lognormal" else cell["y"]
        n, squares = (1, 0) if kind == "predictor" else (cell["count"], cell["squares"])
        sigma2 = cell["se"] ** 2 if kind == "predictor" else other**2
        total += stats.norm.logpdf(value, center, np.sqrt(sigma2 / n + tau**2))
        total -= 0.5 * (n - 1) * np.log(sigma2) + squares / (2 * sigma2)
    return total


def test_a_bayes_factor_from_draws_has_to_be_twice_as_clear() -> None:
    """With factors it may be off by two: more is asked of it, and words say about."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"site": range(16), "region": list("nsew") * 4, "se": 1.0})
    frame["y"] = rng.normal(0, 2.2, 16)
    columns = {"group": "site", "estimate": "y", "se": "se"}
    plain = spread_of(fitted(hs.GroupedData.from_estimates(frame, **columns)))
    data = hs.GroupedData.from_estimates(frame, **columns, factors=["region"])
    structured = spread_of(fitted(data))
    assert plain.exact
    assert not structured.exact
    for factor, kinds in (
        (2, ["undecided"] * 2),
        (4, ["partial", "undecided"]),
        (8, ["partial"] * 2),
    ):
        found = []
        for spread in (plain, structured):
            known = replace(spread, tau=np.full(100, 2.0), difference=0.1, own=0.5)
            known.__dict__["_weighed"] = float(factor), spread.exact
            found.append(known.kind)
        assert found == kinds
    words = [headline(spread) for spread in (plain, structured)]
    assert " about " not in words[0]
    if structured.kind != "undecided" and structured.bayes_factor < 1000:
        assert "the data are about " in words[1]


# moments that do not exist ------------------------------------------------------------------------


LIGHT = {"tau": hs.HalfNormal(0.4)}


def pumps() -> hs.GroupedData:
    frame = hs.load_dataset("pumps")
    return hs.GroupedData.from_events(frame, group="pump", events="failures", exposure="hours")


@pytest.mark.parametrize(
    ("priors", "moments", "said"),
    [
        (
            None,
            0,
            "mean and standard deviation do not exist (inf): the prior tau ~ HalfNormal(1.629)",
        ),
        (
            {"tau": hs.HalfNormal(1)},
            1,
            "the standard deviation does not exist (inf): the prior tau ~ HalfNormal(1)",
        ),
        ({"tau": hs.HalfCauchy(1)}, 0, "mean and standard deviation do not exist (inf): the prior"),
        (LIGHT, 2, ""),
    ],
)
def test_moments_of_a_new_group_that_do_not_exist_are_not_printed(
    priors: dict[str, hs.Prior] | None, moments: int, said: str
) -> None:
    fit = fitted(pumps(), hs.PartialPooling(priors=priors), draws=200, warmup=200)
    found = hs.heterogeneity(fit)
    for line in (found.new_group.loc["response"], found.table.loc["new_group"]):
        assert np.isfinite(line[["mean", "sd"]]).sum() == moments
        assert np.isfinite(line[["lower", "upper"]]).all()
    assert np.isfinite(found.new_group.loc["link"]).all()
    text = " ".join(str(found).split())
    assert ("of a new group's rate " in text.lower()) == bool(said)
    assert said in text
    if said:
        median = float(re.search(r"and the median, ([\d.]+)\.", text).group(1))
        assert median == pytest.approx(np.exp(np.median(fit.draws("theta_new"))), rel=0.02)
    assert max(map(len, str(found).splitlines())) <= 88
    grid = spread_grid(fit, found, 0.9, "")
    assert said in grid.more
    assert grid.rows[-1][2].startswith("inf") == bool(said)


def test_a_median_has_moments_whatever_the_prior_of_sigma() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"g": np.repeat(range(5), 6), "y": rng.lognormal(size=30)})
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family="lognormal")
    priors = LIGHT | {"sigma": hs.HalfCauchy(1)}
    found = hs.heterogeneity(fitted(data, hs.PartialPooling(priors=priors), draws=200, warmup=200))
    assert np.isfinite(found.new_group).all(axis=None)
    assert "exist" not in str(found)


def test_of_two_parts_the_one_says_so_whose_amounts_have_no_mean() -> None:
    rng = np.random.default_rng(2)
    shop = np.repeat(list("abcd"), 60)
    frame = pd.DataFrame(
        {"shop": shop, "spent": rng.binomial(1, 0.5, 240) * rng.lognormal(3, 1, 240)}
    )
    priors = {"amount": {"tau": hs.HalfCauchy(1)}}
    fit = hs.TwoPart("lognormal", priors=priors).fit(
        frame, group="shop", outcome="spent", seed=1, engine="stanli", progress=False, draws=300
    )
    found = hs.heterogeneity(fit)
    assert np.isfinite(found.rate.new_group).all(axis=None)
    assert np.isinf(found.amount.table.loc["new_group", "mean"])
    assert "of a new group's median mean and standard deviation do not exist" in (
        " ".join(str(found).split()).lower()
    )
    table = hs.summary(fit, scale="response")
    assert np.isinf(table.loc[("amount", "theta_new"), "mean"])
    assert "amount: Of a new group" in table.attrs["advice"]
