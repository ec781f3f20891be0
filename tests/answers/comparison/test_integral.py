"""The likelihood with the group means integrated out: by nodes, in closed form, by brute force."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from programs import small_data
from scipy import special, stats
from scipy.special import logsumexp

import hierstan as hs
from hierstan.answers.comparison import unit_likelihood
from hierstan.answers.comparison.left_out import fold_priors, hyper_draws, priors_without

THETA = np.linspace(-120, 120, 600_001)


@pytest.mark.parametrize("unit", ["observation", "group"])
@pytest.mark.parametrize("family", ["normal_known", "normal", "lognormal"])
@pytest.mark.parametrize("model", [hs.CompletePooling, hs.NoPooling, hs.PartialPooling])
def test_closed_forms_are_what_the_program_says(
    model: type, family: str, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = model().fit(small_data(family), seed=1, engine="stanli", draws=50, progress=False)
    hyper, shift = hyper_draws(fit, 50), fold_priors(fit, unit).shift()
    exactly = unit_likelihood.log_lik_of_units(fit, hyper, unit, shift=shift)
    monkeypatch.setattr(unit_likelihood, "has_closed_form", lambda fit: False)
    by_nodes = unit_likelihood.log_lik_of_units(fit, hyper, unit, shift=shift)
    np.testing.assert_allclose(by_nodes, exactly, atol=1e-6)


def test_closed_forms_do_not_cancel() -> None:
    y, se = np.array([1e6, 1e6 + 1e-3, 1e6 - 2]), np.array([1e-10, 1.0, 1e3])
    frame = pd.DataFrame({"g": list("abc"), "y": y, "se": se})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", draws=20, progress=False)
    hyper = {"mu": np.array([1e6, 1e6 + 1]), "tau": np.array([1e-3, 1e5])}
    expected = stats.norm.logpdf(y, hyper["mu"][:, None], np.hypot(hyper["tau"][:, None], se))
    for unit in ("observation", "group"):
        found = unit_likelihood.log_lik_of_units(fit, hyper, unit)
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def samples(family: str, y: np.ndarray, n: np.ndarray, group: np.ndarray) -> hs.GroupedData:
    frame = pd.DataFrame({"g": group, "y": y, "n": n})
    if family == "binomial":
        return hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")
    return hs.GroupedData.from_events(frame, group="g", events="y", exposure="n")


def log_density(family: str, y: int, n: int) -> np.ndarray:
    if family == "binomial":
        choose = special.gammaln(n + 1) - special.gammaln(y + 1) - special.gammaln(n - y + 1)
        return choose + y * THETA - n * np.logaddexp(0, THETA)
    return y * (THETA + np.log(n)) - n * np.exp(THETA) - special.gammaln(y + 1)


HARD = [
    ((2, 25), (3, 25)),
    ((0, 1000), (20, 60)),
    ((2, 20_000), (20, 400)),
    ((0, 100_000), (50, 300)),
    ((400, 400), (1, 90)),
]


@pytest.mark.parametrize("family", ["binomial", "poisson"])
@pytest.mark.parametrize(("one", "other"), HARD)
def test_a_row_that_contradicts_its_group_is_left_out_exactly(
    family: str, one: tuple[int, int], other: tuple[int, int]
) -> None:
    group = np.array(list("aabbcc"))
    y = np.array([one[0], other[0], 3, 5, 2, 6])
    n = np.array([one[1], other[1], 300, 400, 200, 350])
    fit = hs.NoPooling().fit(samples(family, y, n, group), seed=1, engine="stanli", draws=20)
    result = hs.loo(fit, progress=False)
    for i in range(6):
        rest = priors_without(fit, "observation", i)["theta"].log_density(THETA)
        for j in np.flatnonzero((group == group[i]) & (np.arange(6) != i)):
            rest = rest + log_density(family, y[j], n[j])
        exact = logsumexp(rest + log_density(family, y[i], n[i])) - logsumexp(rest)
        assert abs(result.elpd_i[i] - exact) < 2e-3, (i, result.elpd_i[i], exact)


def test_rows_with_the_same_outcome_in_a_group_have_the_same_number() -> None:
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(4), [1, 3, 30, 60])
    y = rng.binomial(1, 0.3, 94)
    frame = pd.DataFrame({"g": group, "y": y})
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family="bernoulli")
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    hyper = {"mu": np.array([-0.5, 0.3]), "tau": np.array([0.4, 1.2])}
    found = unit_likelihood.log_lik_of_units(fit, hyper, "observation")
    curve = -np.logaddexp(0, np.where(np.array([0, 1]) == 1, -1, 1) * THETA[:, None])
    for s in (0, 1):
        prior = stats.norm.logpdf(THETA, hyper["mu"][s], hyper["tau"][s])
        for i in (0, 1, 5, 40, 93):
            others = (group == group[i]) & (np.arange(94) != i)
            rest = prior + curve[:, 1] * y[others].sum() + curve[:, 0] * (1 - y[others]).sum()
            exact = logsumexp(rest + curve[:, y[i]]) - logsumexp(rest)
            assert found[s, i] == pytest.approx(exact, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("regions", ["nsns", "nsts", "nsss"])
def test_a_row_that_matters_is_left_out_in_the_level_of_its_group(
    regions: str, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = np.repeat([0, 1, 2, 3], [12, 2, 2, 2])  # no row of the first matters
    y, n = np.array([*range(60, 72), 9, 12, 0, 20, 3, 4]), np.full(18, 30.0)
    frame = pd.DataFrame({"g": group, "y": y, "n": n, "region": np.array(list(regions))[group]})
    data = hs.GroupedData.from_events(
        frame, group="g", events="y", exposure="n", factors=["region"]
    )
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", draws=20, progress=False)
    if asked:
        monkeypatch.setattr(type(fit.family), "known", False)
    u = np.array([[2.0, -2.0, 0.5], [0.3, -1.0, 1.0]])[:, : len(data.levels["region"])]
    hyper = {"mu": np.array([-0.5, 0.3]), "tau": np.array([0.4, 1.2]), "u": u}
    hyper |= {"tau_level": np.ones((2, 1)), "beta": np.zeros((2, 0))}
    found = unit_likelihood.log_lik_of_units(fit, hyper, "observation")
    level = data.stan_data()["level"][0] - 1
    for s in (0, 1):
        for i in range(18):
            center = hyper["mu"][s] + u[s, level[group[i]]]
            rest = stats.norm.logpdf(THETA, center, hyper["tau"][s])
            for j in np.flatnonzero((group == group[i]) & (np.arange(18) != i)):
                rest = rest + log_density("poisson", y[j], 30)
            exact = logsumexp(rest + log_density("poisson", y[i], 30)) - logsumexp(rest)
            assert found[s, i] == pytest.approx(exact, abs=1e-4)


@pytest.mark.parametrize("unit", ["observation", "group"])
@pytest.mark.parametrize(
    "family", ["binomial", "poisson", "bernoulli", "ordinal", "gamma_adjusted"]
)
@pytest.mark.parametrize("model", [hs.CompletePooling, hs.NoPooling, hs.PartialPooling])
def test_units_are_left_out_as_the_program_says_and_without_asking_it(
    model: type, family: str, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = model().fit(small_data(family), seed=1, engine="stanli", draws=50, progress=False)
    hyper, shift = hyper_draws(fit, 20), fold_priors(fit, unit).shift()
    found = unit_likelihood.log_lik_of_units(fit, hyper, unit, shift=shift)
    monkeypatch.setattr(type(fit.family), "known", False)
    program = unit_likelihood.log_lik_of_units(fit, hyper, unit, shift=shift)
    np.testing.assert_allclose(found, program, atol=1e-8)
    some = np.array([2, 0])
    few = unit_likelihood.log_lik_of_units(fit, hyper, unit, shift=shift, some=some)
    np.testing.assert_array_equal(few, program[:, some])


def test_leaving_out_rows_of_counts_does_not_run_the_program_draw_by_draw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fits = hs.fit_poolings(small_data("bernoulli"), seed=1, engine="stanli", progress=False)

    def asked(*arguments: object) -> None:
        raise AssertionError("the program was asked")

    monkeypatch.setattr("hierstan.engines.stanli.Evaluator.written_at", asked)
    for fit in fits.values():
        assert np.isfinite(hs.loo(fit, refit=False).elpd)
