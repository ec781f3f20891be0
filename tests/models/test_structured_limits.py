"""Structure against quadrature where it has limits: two levels, one cell a level, no effect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from exact import LogDensity, Posterior, known_normal, partial
from exact_cells import crossed_counts
from monte_carlo import far_off
from scipy import stats

import hierstan as hs

QUICK: dict[str, Any] = {"engine": "stanli", "progress": False}
SUCCESSES = np.array([[1, 3], [2, 6]])
TRIALS = np.array([[6, 5], [4, 6]])
OF_TWO = {"mu": (0.0, 0.6), "scales": (0.6, 0.5, 0.4)}
PRIORS = {
    "mu": hs.Normal(0, 0.6), "tau_a": hs.HalfNormal(0.6), "tau_b": hs.HalfNormal(0.5),
    "tau": hs.HalfNormal(0.4),
}  # fmt: skip


def two_by_two() -> hs.GroupedData:
    frame = pd.DataFrame(
        {"a": list("mmnn"), "b": list("xyxy"), "y": SUCCESSES.ravel(), "n": TRIALS.ravel()}
    )
    return hs.GroupedData.from_counts(frame, group=["a", "b"], successes="y", trials="n")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["stanli", pytest.param("cmdstan", marks=pytest.mark.cmdstan)])
def test_counts_of_two_factors_of_two_levels_are_exact(engine: str) -> None:
    exact = crossed_counts(SUCCESSES, TRIALS, **OF_TWO)
    model = hs.PartialPooling(priors=PRIORS)
    options = {"draws": 3000, "adapt_delta": 0.95, "engine": engine, "progress": False}
    assert far_off(model.fit(two_by_two(), seed=2, **options), exact) == []


@pytest.mark.slow
def test_leaving_out_counts_is_exact() -> None:
    fit = hs.PartialPooling(priors=PRIORS).fit(two_by_two(), seed=2, adapt_delta=0.95, **QUICK)
    whole = crossed_counts(SUCCESSES, TRIALS, **OF_TWO, nodes=12, sds=8)
    for unit, parts in (("group", list(np.ndindex(2, 2))), ("a", [0, 1])):
        loo = hs.loo(fit, unit=unit, progress=False)
        for part, elpd, error in zip(parts, loo.elpd_i, loo.mcse_i, strict=True):
            left = TRIALS.copy()
            left[part] = 0
            rest = crossed_counts(np.where(left > 0, SUCCESSES, 0), left, **OF_TWO, nodes=12, sds=8)
            assert abs(elpd - whole.log_predictive(rest)) < 4 * error + 0.01, (unit, part)


def six_groups(family: str, spread: LogDensity) -> tuple[hs.GroupedData, Posterior]:
    """Return six groups, and their posterior without any factor under a prior of tau."""
    J, n = 6, np.array([4, 6, 8, 10, 12, 20])
    rng = np.random.default_rng(6)
    se = rng.uniform(0.3, 0.8, J)
    y, successes = rng.normal(0.3, np.hypot(0.5, se)), np.array([1, 3, 5, 8, 4, 13])
    frame = pd.DataFrame({"g": range(J), "y": y, "se": se, "n": n, "successes": successes})
    if family == "normal_known":
        data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
        return data, known_normal(y, se, mu=(0, 0.8), tau=(spread, 3.6))
    data = hs.GroupedData.from_counts(frame, group="g", successes="successes", trials="n")
    return data, partial(
        lambda theta: successes * theta - n * np.logaddexp(0, theta),
        mu=(stats.norm(0, 0.8).logpdf, -4, 4), tau=(spread, 3.6),
    )  # fmt: skip


def with_factor(data: hs.GroupedData, labels: str) -> hs.GroupedData:
    """Describe the groups by any factor, also by one that is refused of a table."""
    factors = pd.DataFrame({"f": list(labels)}, data.groups)
    factors.columns = pd.Index(["f"], dtype=object, name="factor")
    return replace(data, factors=factors)


FAMILIES = ["normal_known", "binomial"]


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_factor_of_one_cell_a_level_is_partial_pooling_with_summed_variances(
    family: str,
) -> None:
    """Two half-normal sds of one scale: the root of their summed squares is Rayleigh."""
    data, exact = six_groups(family, stats.rayleigh(scale=0.6).logpdf)
    half = hs.HalfNormal(0.6)
    priors = {"mu": hs.Normal(0, 0.8), "tau": half, "tau_f": half}
    fit = hs.PartialPooling(priors=priors).fit(
        with_factor(data, "abcdef"), seed=3, draws=2000, adapt_delta=0.97, **QUICK
    )
    draws = fit.posterior[["mu", "theta"]]
    draws["tau"] = np.hypot(fit.posterior["tau"], fit.posterior["tau_f"])
    assert far_off(fit, exact, ["mu", "tau", "theta"], draws=draws) == []


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_factor_with_no_effect_leaves_the_cells_as_they_were(family: str) -> None:
    data, exact = six_groups(family, stats.halfnorm(scale=0.6).logpdf)
    half = hs.HalfNormal(0.6)
    priors = {"mu": hs.Normal(0, 0.8), "tau": half, "tau_f": hs.HalfNormal(1e-4)}
    fit = hs.PartialPooling(priors=priors).fit(
        with_factor(data, "aabbcc"), seed=4, draws=2000, adapt_delta=0.95, **QUICK
    )
    assert far_off(fit, exact, ["mu", "tau", "theta"]) == []
