"""Fisher information, typical variance and pooling factors: against other ways to compute them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from programs import BINOMIAL
from scipy import stats

import hierstan as hs
from hierstan.data.own_estimates import group_sizes
from hierstan.fit import information
from hierstan.fit.information import (
    by_draw,
    by_group,
    sampling_variance,
)
from hierstan.fit.observed_information import (
    likelihood_edited,
    observed_information,
)
from hierstan.sampling.arrays import Sampled

ROWS = ["normal", "student_t", "bernoulli", "poisson", "neg_binomial", "lognormal", "gamma"]
SIZES = np.array([1, 2, 5, 40])
STEP = 1e-4


def rows(family: str) -> hs.GroupedData:
    """Rows of four groups of very different size, the first of a single row."""
    rng = np.random.default_rng(7)
    theta = np.repeat([0.2, 0.9, 0.5, 0.7], SIZES)
    draw = {
        "normal": lambda: rng.normal(theta, 0.8),
        "student_t": lambda: theta + 0.8 * rng.standard_t(4, theta.size),
        "bernoulli": lambda: rng.binomial(1, 1 / (1 + np.exp(-theta))),
        "poisson": lambda: rng.poisson(np.exp(theta)),
        "neg_binomial": lambda: rng.negative_binomial(2, 2 / (2 + np.exp(theta))),
        "lognormal": lambda: np.exp(rng.normal(theta, 0.5)),
        "gamma": lambda: rng.gamma(3, np.exp(theta) / 3),
    }[family]
    frame = pd.DataFrame({"g": np.repeat(list("abcd"), SIZES), "y": draw()})
    return hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)


def fitted(data: hs.GroupedData, model: object | None = None, **options: object) -> hs.Fit:
    model = model or hs.PartialPooling()
    return model.fit(data, **{"seed": 3, "engine": "stanli", "progress": False} | options)


def density(family: str, theta: float, own: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the density of one row at a grid of outcomes, and the grid's weights."""
    counts = np.arange(3000)
    if family == "bernoulli":
        return stats.bernoulli.pmf([0, 1], 1 / (1 + np.exp(-theta))), np.ones(2)
    if family == "poisson":
        return stats.poisson.pmf(counts, np.exp(theta)), np.ones(3000)
    if family == "neg_binomial":
        phi = own["phi"]
        return stats.nbinom.pmf(counts, phi, phi / (phi + np.exp(theta))), np.ones(3000)
    probability = (np.arange(40_000) + 0.5) / 40_000
    if family == "student_t":
        grid = 3 * np.tan(np.pi * (probability - 0.5))
        values = stats.t.pdf(grid, own["nu"], theta, own["sigma"])
    elif family == "gamma":
        grid = np.exp(np.linspace(-30, 8, 40_000))
        values = stats.gamma.pdf(grid, own["shape"], scale=np.exp(theta) / own["shape"])
    elif family == "lognormal":
        grid = np.exp(np.linspace(-30, 30, 40_000))
        values = stats.lognorm.pdf(grid, own["sigma"], scale=np.exp(theta))
    else:
        grid = np.linspace(-30, 30, 40_000)
        values = stats.norm.pdf(grid, theta, own["sigma"])
    return values, np.gradient(grid)


def fisher(family: str, theta: float, own: dict[str, float]) -> float:
    """Integrate the squared score of one row, the score by finite differences."""
    here, weights = density(family, theta, own)
    ahead, behind = (density(family, theta + step, own)[0] for step in (STEP, -STEP))
    inside = here > 1e-250
    score = (np.log(ahead[inside]) - np.log(behind[inside])) / (2 * STEP)
    return float((here[inside] * score**2 * weights[inside]).sum())


@pytest.mark.parametrize("family", ROWS)
def test_sampling_variance_is_one_over_the_integrated_squared_score(family: str) -> None:
    data = rows(family)
    fit = fitted(data, draws=50)
    variance = sampling_variance(fit)
    assert variance.shape == (200, 4)
    np.testing.assert_array_equal(group_sizes(data), SIZES)
    theta = fit.draws("theta")
    names = fit.family.parameters
    for draw in (0, 77, 199):
        own = {name: float(fit.draws(name)[draw]) for name in names}
        expected = [
            1 / (n * fisher(family, t, own)) for n, t in zip(SIZES, theta[draw], strict=True)
        ]
        np.testing.assert_allclose(variance[draw], expected, rtol=2e-3)


def test_known_errors_counts_and_exposures() -> None:
    frame = pd.DataFrame({"g": [1, 2], "y": [3.0, 4], "se": [0.5, 2]})
    known = fitted(hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se"))
    np.testing.assert_allclose(sampling_variance(known), [0.25, 4])

    # two rows of one group count together
    frame = pd.DataFrame({"g": ["a", "b", "a"], "k": [0, 3, 1], "n": [4, 9, 6]})
    counts = fitted(hs.GroupedData.from_counts(frame, group="g", successes="k", trials="n"))
    p = 1 / (1 + np.exp(-counts.draws("theta")))
    np.testing.assert_allclose(sampling_variance(counts), 1 / (np.array([10, 9]) * p * (1 - p)))

    frame = pd.DataFrame({"g": ["a", "b", "a"], "k": [0, 3, 1], "t": [0.5, 9, 1.5]})
    events = fitted(hs.GroupedData.from_events(frame, group="g", events="k", exposure="t"))
    rate = np.exp(events.draws("theta"))
    np.testing.assert_allclose(sampling_variance(events), 1 / (np.array([2, 9]) * rate))


def test_rates_at_the_edge_neither_overflow_nor_cancel() -> None:
    frame = pd.DataFrame({"g": ["a", "b"], "k": [0, 3], "n": [4, 9]})
    fit = fitted(hs.GroupedData.from_counts(frame, group="g", successes="k", trials="n"), draws=50)
    edge = fit.posterior.assign(theta=fit.posterior["theta"] * 0 + [-800.0, 40.0])
    tree = fit.idata.copy()
    tree["posterior"] = edge
    variance = sampling_variance(dataclasses.replace(fit, kept=Sampled(tree)))
    np.testing.assert_allclose(variance[0, 1], np.exp(40) / 9)
    assert np.isinf(variance[0, 0]) or variance[0, 0] > 1e300
    factors = by_group(dataclasses.replace(fit, kept=Sampled(tree)))
    assert factors.pooling_factor[0] == 1


def test_blocks_of_groups_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = fitted(rows("poisson"))
    whole, sums = by_group(fit), by_draw(fit)
    monkeypatch.setattr(information, "BLOCK", 4000 * 3)  # three groups, then one
    parts, part_sums = by_group(fit), by_draw(fit)
    np.testing.assert_allclose(parts.pooling_factor, whole.pooling_factor)
    np.testing.assert_allclose(parts.variance_left, whole.variance_left)
    np.testing.assert_allclose(part_sums.typical_variance, sums.typical_variance)
    np.testing.assert_allclose(part_sums.groups_borrowed, sums.groups_borrowed)


@pytest.mark.parametrize("family", ["normal", "bernoulli", "gamma"])
def test_averages_and_sums_follow_their_formulas_draw_by_draw(family: str) -> None:
    fit = fitted(rows(family))
    V, tau2 = sampling_variance(fit), fit.draws("tau")[:, None] ** 2
    B = V / (V + tau2)
    of_mu = 1 / (1 / (V + tau2)).sum(axis=1, keepdims=True)
    left = (V * (1 - B) + B**2 * of_mu) / V
    groups, sums = by_group(fit), by_draw(fit)
    np.testing.assert_allclose(groups.pooling_factor, B.mean(axis=0))
    np.testing.assert_allclose(groups.variance_left, left.mean(axis=0))
    assert (groups.variance_left < 1).all()
    np.testing.assert_allclose(sums.groups_borrowed, B.sum(axis=1))
    w = 1 / V
    typical = w.sum(1) * 3 / (w.sum(1) ** 2 - (w**2).sum(1))
    np.testing.assert_allclose(sums.typical_variance, typical)
    np.testing.assert_array_equal(sums.tau, fit.draws("tau"))


def test_the_typical_variance_of_equal_groups_is_theirs() -> None:
    frame = pd.DataFrame({"g": range(5), "y": [1.0, 3, 2, 5, 4], "se": 1.7})
    fit = fitted(hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se"))
    np.testing.assert_allclose(by_draw(fit).typical_variance, 1.7**2)


def test_no_and_complete_pooling_are_the_two_ends() -> None:
    data = rows("gamma")
    none, complete = (
        by_group(fitted(data, hs.NoPooling())),
        by_group(fitted(data, hs.CompletePooling())),
    )
    assert (none.pooling_factor < 0.1).all()
    np.testing.assert_array_equal(none.variance_left, 1)
    np.testing.assert_allclose(complete.pooling_factor, 1)
    np.testing.assert_allclose(complete.variance_left, SIZES / SIZES.sum())


# edited templates ---------------------------------------------------------------------------------


def edit(folder: Path, file: str, old: str, new: str) -> Path:
    hs.copy_templates(folder)
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")
    return folder


def counts() -> hs.GroupedData:
    frame = pd.DataFrame({"g": list("abcd"), "k": [8, 3, 12, 30], "n": [20, 9, 60, 70]})
    return hs.GroupedData.from_counts(frame, group="g", successes="k", trials="n")


@pytest.mark.parametrize("model", [hs.PartialPooling, hs.CompletePooling])
def test_an_edited_likelihood_is_differentiated(tmp_path: Path, model: type) -> None:
    folder = edit(
        tmp_path / "stan",
        "families/binomial.stan",
        BINOMIAL,
        "0.5 * binomial_logit_lupmf(y | trials, eta)",
    )
    fit = fitted(counts(), model(template_dir=folder), draws=500)
    assert likelihood_edited(fit)
    thin, seen = observed_information(fit)
    p = 1 / (1 + np.exp(-fit.draws("theta")[thin]))
    expected = 0.5 * np.array([20, 9, 60, 70]) * p * (1 - p)
    assert seen.shape == (1000, 4)
    np.testing.assert_allclose(seen, expected, rtol=0.01)
    np.testing.assert_allclose(sampling_variance(fit), 1 / expected, rtol=0.01)
    factors = by_group(fit).pooling_factor
    tau2 = fit.draws("tau")[thin, None] ** 2 if model is hs.PartialPooling else 0.0
    np.testing.assert_allclose(factors, (1 / (1 + expected * tau2)).mean(axis=0), rtol=0.01)
    if model is hs.PartialPooling:
        assert by_draw(fit).tau.shape == by_draw(fit).typical_variance.shape == (1000,)


@pytest.mark.parametrize("family", ROWS)
def test_an_edited_population_leaves_the_closed_form(tmp_path: Path, family: str) -> None:
    folder = edit(
        tmp_path / "stan",
        "partial_pooling.stan",
        "theta ~ normal(mu, tau);",
        "theta ~ student_t(4, mu, tau);",
    )
    fit = fitted(rows(family), hs.PartialPooling(template_dir=folder), draws=50, warmup=200)
    assert fit.conditional.edited
    assert not likelihood_edited(fit)
    assert sampling_variance(fit).shape == (200, 4)


def test_what_ships_is_not_taken_for_edited() -> None:
    for model in (hs.CompletePooling(), hs.NoPooling(), hs.PartialPooling()):
        assert not likelihood_edited(fitted(counts(), model, draws=50))


@pytest.mark.parametrize("tiny", [1e-4, 1e-8, 1e-10, 1e-12, 1e-60])
def test_one_group_that_is_known_exactly_leaves_the_typical_variance_finite(tiny: float) -> None:
    se = np.array([0.2, 0.3, 0.25, 0.4, 0.2, 0.3, 0.1])
    y = [0.3, 0.1, -0.2, 0.5, 0.2, 0.0, 0.15, 0.4]
    for order in (np.arange(8), np.arange(8)[::-1]):
        frame = pd.DataFrame({"s": list("abcdefgh"), "y": y, "se": [*se, tiny]}).iloc[order]
        data = hs.GroupedData.from_estimates(frame, group="s", estimate="y", se="se")
        fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False, draws=50)
        limit = 7 / (2 * (1 / se**2).sum())
        assert by_draw(fit).typical_variance == pytest.approx(limit, rel=1e-4)
