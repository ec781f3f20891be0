from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pictures import OPTIONS, check_picture, close, data_of, fit_of, words

import hierstan as hs
from hierstan.plots.density import bandwidth, density
from hierstan.plots.style import POOLING_COLORS, PRIOR


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


def curve(ax, color: str) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    """Return the curve of a colour."""
    line = next(line for line in ax.lines if line.get_color() == color and line.get_ls() == "-")
    return np.asarray(line.get_xdata()), np.asarray(line.get_ydata())


@pytest.mark.parametrize("name", ["schools", "baseball", "pumps", "branches", "thousand", "ugly"])
def test_every_data_set_gives_a_clean_picture(name: str, tmp_path: Path) -> None:
    check_picture(hs.plot_population(fit_of(name)), tmp_path)


def test_prior_and_posterior_of_mu_and_tau() -> None:
    fit = fit_of("pumps")
    figure = hs.plot_population(fit)
    for ax, name in zip(figure.axes, ("mu", "tau"), strict=False):
        x, prior = curve(ax, PRIOR)
        np.testing.assert_allclose(prior, np.exp(fit.priors[name].log_density(x)))
        x, posterior = curve(ax, POOLING_COLORS["partial"])
        assert abs(np.trapezoid(posterior, x) - 1) < 0.01
        assert abs(np.trapezoid(x * posterior, x) - fit.draws(name).mean()) < 0.02
    assert figure.axes[1].get_xlabel() == "standard deviation between groups,\nlog failures / hours"
    assert any("prior HalfNormal(1.6" in text for text in words(figure))


@pytest.mark.parametrize("name", ["schools", "baseball", "thousand"])
def test_the_population_is_a_density_on_the_response_scale(name: str) -> None:
    fit = fit_of(name)
    ax = hs.plot_population(fit).axes[2]
    x, heights = curve(ax, POOLING_COLORS["partial"])
    assert abs(np.trapezoid(heights, x) - 0.985) < 0.015
    new = fit.family.to_response(fit.draws("theta_new"))
    half = x <= np.median(new)
    assert abs(np.trapezoid(heights[half], x[half]) - 0.5) < 0.02
    marks = next(line for line in ax.lines if line.get_marker() == "|")
    means = fit.family.to_response(fit.draws("theta")).mean(axis=0)
    np.testing.assert_allclose(marks.get_xdata(), means)


def test_the_title_says_what_the_data_have_changed() -> None:
    fit = fit_of("schools")
    low, high = np.quantile(fit.draws("tau"), [0.05, 0.95])
    title = hs.plot_population(fit).get_suptitle()
    assert title.startswith("How much school means differ (standard deviation): ")
    assert title.endswith(f"{low:.2f} to {high:.0f} after")


def test_complete_pooling_has_mu_alone(tmp_path: Path) -> None:
    figure = hs.plot_population(fit_of("schools", "complete"))
    assert len(figure.axes) == 1
    check_picture(figure, tmp_path)


def test_no_pooling_and_a_prior_have_no_population() -> None:
    with pytest.raises(hs.HierstanError, match="PartialPooling or CompletePooling: no pooling"):
        hs.plot_population(fit_of("schools", "none"))
    with pytest.raises(hs.HierstanError, match="the prior only"):
        hs.plot_population(fit_of("schools", prior_only=True))


def test_heavy_tailed_priors_leave_the_posterior_legible(tmp_path: Path) -> None:
    model = hs.PartialPooling(priors={"tau": hs.HalfCauchy(25), "mu": hs.Cauchy(0, 100)})
    fit = model.fit(data_of("schools"), **OPTIONS)
    figure = hs.plot_population(fit)
    low, high = figure.axes[1].get_xlim()
    assert (low, high < 100) == (0, True)
    check_picture(figure, tmp_path)


def test_density_is_close_to_the_truth_also_at_a_bound() -> None:
    draws = np.random.default_rng(1).exponential(size=20_000)
    x, heights = density(draws, 0.0)
    assert x[0] == 0
    inner = (x > 0) & (x < 3)
    assert np.abs(heights - np.exp(-x))[inner].max() < 0.08
    assert np.abs(np.trapezoid(heights, x) - 1) < 0.005


@pytest.mark.parametrize("draws", [np.full(9, 3.0), np.zeros(5), np.array([0, 0, 0, 0, 0, 7.0])])
def test_density_of_draws_that_hardly_differ(draws: np.ndarray) -> None:
    assert bandwidth(draws) > 0
    x, heights = density(draws)
    assert np.isfinite(heights).all()
    assert abs(np.trapezoid(heights, x) - 1) < 0.02


def test_a_heavy_tail_does_not_fill_the_memory() -> None:
    x, heights = density(np.random.default_rng(1).standard_cauchy(4000) ** 3)
    assert len(x) == len(heights) == 512
