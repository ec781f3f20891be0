"""Two arms in groups with a standard deviation of their own: against dense algebra on a grid."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from monte_carlo import TIMES
from scipy import special, stats

import hierstan as hs
from hierstan.answers.comparison.left_out import group_of_units
from hierstan.answers.comparison.normal_integral import Shift
from hierstan.answers.comparison.refits import refit_without
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units

FAST: dict[str, Any] = {
    "seed": 3, "engine": "stanli", "progress": False, "chains": 2, "warmup": 400, "draws": 300,
}  # fmt: skip
UNITS = ("group", "observation", "arm")
POOLINGS: dict[str, Any] = {
    "complete": hs.CompletePooling(), "none": hs.NoPooling(priors={"theta": hs.Normal(0.3, 1.2)}),
    "partial": hs.PartialPooling(),
}  # fmt: skip
HYPER: dict[str, dict[str, float]] = {
    "complete": {"mu": 0.4}, "none": {}, "partial": {"mu": -2.0, "tau": 0.6, "slope": -0.7},
}  # fmt: skip
SHARED = {"intercept": 0.3, "spread": 0.4, "sigma_typical": 0.8, "sigma_sd": 0.6}
SLOPE = 1.5  # of the covariate, for one of its standard deviations
ARMS = {"a": (1, 1), "b": (4, 6), "c": (0, 1), "d": (3, 0), "e": (12, 9)}


@functools.cache
def patients(adjust: bool = False) -> hs.GroupedData:
    """Return rows of five sites: one has a patient in each arm, two have one arm."""
    rng = np.random.default_rng(12)
    sites = [
        (site, arm, sd)
        for (site, sizes), sd in zip(ARMS.items(), [1, 0.4, 1, 2, 0.8], strict=True)
        for arm, size in zip(("old", "new"), sizes, strict=True)
        for _ in range(size)
    ]
    frame = pd.DataFrame(sites, columns=["site", "arm", "sd"])
    frame["age"] = rng.normal(50, 9, len(frame))
    frame["y"] = rng.normal(0, frame["sd"]) + np.where(frame["arm"] == "new", 0.4, 0.0)
    frame.loc[len(frame) - 1, "y"] += 40.0  # alone it makes its group's sum of squares
    with pytest.warns(hs.HierstanWarning, match="of one arm only"):
        return hs.GroupedData.from_trial(
            frame, group="site", arm="arm", control="old", outcome="y", family="normal_unequal",
            adjust=["age"] * adjust,
        )  # fmt: skip


@functools.cache
def fitted(pooling: str, adjust: bool = False) -> hs.Fit:
    return POOLINGS[pooling].fit(patients(adjust), **FAST)


def dense(
    data: hs.GroupedData, h: dict[str, float], theta: tuple[float, float]
) -> tuple[np.ndarray, ...]:
    """Return log p(group), log p(row | others of its group) and log p(arm | the other one)."""
    rows = data.rows
    assert rows is not None
    y = rows["y"].to_numpy() - (SLOPE * rows["z 0"].to_numpy() if "z 0" in rows else 0.0)
    (center, tau), slope = theta, h.get("slope", 0.0)
    group, treated = rows["group"].to_numpy(), rows["treated"].to_numpy()
    cross = slope * tau**2
    covariance = np.array([[slope * cross + h["spread"] ** 2, cross], [cross, tau**2]])
    log, step = np.linspace(-9, 9, 1201, retstep=True)
    sigma = h["sigma_typical"] * np.exp(h["sigma_sd"] * log)

    def density(some: np.ndarray) -> float:
        Z = np.column_stack([np.ones(len(some)), treated[some]])
        off = y[some] - Z @ [h["intercept"] + slope * center, center]
        values, axes = np.linalg.eigh(Z @ covariance @ Z.T)
        sd = np.sqrt(np.maximum(values, 0) + sigma[:, None] ** 2)
        normal = stats.norm.logpdf(axes.T @ off, 0, sd).sum(axis=1)
        return float(special.logsumexp(normal + stats.norm.logpdf(log)) + np.log(step))

    of_group, of_row, of_arm = np.empty(len(data.groups)), np.empty(len(y)), []
    for j in range(len(data.groups)):
        mine = np.flatnonzero(group == j)
        of_group[j] = density(mine)
        for row in mine:
            others = mine[mine != row]
            of_row[row] = of_group[j] - (density(others) if others.size else 0.0)
        for arm in np.unique(treated[mine]):
            others = mine[treated[mine] != arm]
            of_arm.append(of_group[j] - (density(others) if others.size else 0.0))
    return of_group, of_row, np.array(of_arm)


@pytest.mark.parametrize(
    ("pooling", "adjust"), [*((name, False) for name in POOLINGS), ("partial", True)]
)
def test_both_means_and_the_standard_deviation_are_integrated_out(
    pooling: str, adjust: bool
) -> None:
    h = SHARED | HYPER[pooling]
    hyper = {name: np.array([value]) for name, value in h.items()}
    if adjust:
        hyper["gamma"] = np.array([[SLOPE]])
    theta = (0.3, 1.2) if pooling == "none" else (h["mu"], h.get("tau", 0.0))
    exact = dense(patients(adjust), h, theta)
    for unit, expected in zip(UNITS, exact, strict=True):
        found = log_lik_of_units(fitted(pooling, adjust), hyper, unit)[0]
        np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.mark.parametrize("unit", UNITS)
def test_the_prior_of_effects_may_differ_by_the_unit_left_out(unit: str) -> None:
    fit, hyper = fitted("none"), {name: np.array([value]) for name, value in SHARED.items()}
    U = len(group_of_units(fit.data, unit))
    shift = Shift(np.linspace(-1, 1, U), np.linspace(0.5, 3, U))
    ours = log_lik_of_units(fit, hyper, unit, shift=shift)[0]
    for u in (0, 3, U - 1):
        exact = dense(fit.data, SHARED, (shift.location[u], shift.scale[u]))
        assert ours[u] == pytest.approx(exact[UNITS.index(unit)][u], abs=2e-3)


@pytest.mark.slow
def test_what_is_left_out_is_predicted_as_refits_do() -> None:
    fit = fitted("complete")
    for unit, index in (("group", 1), ("observation", 20), ("arm", 3)):
        found = hs.loo(fit, unit=unit, progress=False)
        again, error = refit_without(fit, unit, index)
        off = abs(found.elpd_i[index] - again)
        assert off < TIMES * np.hypot(error, found.mcse_i[index]), (unit, index)
