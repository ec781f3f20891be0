"""Normal outcomes in two arms left out: against dense algebra, quadrature and refits."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from monte_carlo import TIMES
from scipy import stats

import hierstan as hs
from hierstan.answers.comparison.arms_integral import ArmsIntegral
from hierstan.answers.comparison.left_out import refit_without
from hierstan.answers.comparison.normal_integral import Shift, has_closed_form
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units

FAST: dict[str, Any] = {
    "seed": 3, "engine": "stanli", "progress": False, "chains": 2, "warmup": 400, "draws": 300,
}  # fmt: skip
FAMILIES = ("normal", "lognormal")
POOLINGS = {
    "complete": hs.CompletePooling, "none": hs.NoPooling, "partial": hs.PartialPooling,
}  # fmt: skip
HYPER: dict[str, dict[str, np.ndarray]] = {
    "complete": {"mu": np.array([0.4, -2.0])},
    "none": {},
    "partial": {
        "mu": np.array([0.4, -2.0]), "tau": np.array([0.6, 1e-3]), "slope": np.array([-0.7, 1.5]),
    },
}  # fmt: skip


@functools.cache
def patients(family: str = "normal") -> hs.GroupedData:
    """Return rows of five sites, of which one has a single patient and two have one arm."""
    rng = np.random.default_rng(12)
    arms = {"a": (1, 1), "b": (4, 6), "c": (0, 1), "d": (3, 0), "e": (30, 25)}
    site, arm = [], []
    for name, (control, treated) in arms.items():
        site += [name] * (control + treated)
        arm += ["old"] * control + ["new"] * treated
    y = rng.normal(0, 0.5, 5)[["abcde".index(s) for s in site]] + rng.normal(0, 0.8, len(site))
    y += np.where(np.array(arm) == "new", 0.4, 0.0)
    frame = pd.DataFrame({"site": site, "arm": arm})
    frame["y"] = np.exp(y) if family == "lognormal" else y
    with pytest.warns(hs.HierstanWarning, match="of one arm only"):
        return hs.GroupedData.from_trial(
            frame, group="site", arm="arm", control="old", outcome="y", family=family
        )


def prior(pooling: str) -> dict[str, Any]:
    return {"theta": hs.Normal(0.3, 1.2)} if pooling == "none" else {}


@functools.cache
def fitted(pooling: str, family: str = "normal") -> hs.Fit:
    return POOLINGS[pooling](priors=prior(pooling)).fit(patients(family), **FAST)


def dense(
    data: hs.GroupedData, h: dict[str, float], theta: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return log p(group) of each and log p(row | others of its group), by matrices."""
    rows = data.rows
    assert rows is not None
    lognormal = data.family.startswith("lognormal")
    y = np.log(rows["y"].to_numpy()) if lognormal else rows["y"].to_numpy()
    jacobian = -y if lognormal else np.zeros(len(y))
    (center, tau), slope = theta, h.get("slope", 0.0)
    group, treated = rows["group"].to_numpy(), rows["treated"].to_numpy()
    of_group, of_row = np.empty(len(data.groups)), np.empty(len(y))
    covariance = np.array(
        [[(slope * tau) ** 2 + h["spread"] ** 2, slope * tau**2], [slope * tau**2, tau**2]]
    )
    for j in range(len(data.groups)):
        mine = np.flatnonzero(group == j)
        Z = np.column_stack([np.ones(len(mine)), treated[mine]])
        mean = Z @ [h["intercept"] + slope * center, center]
        total = Z @ covariance @ Z.T + h["sigma"] ** 2 * np.eye(len(mine))

        def density(some: np.ndarray, mean: Any = mean, total: Any = total, m: Any = mine) -> float:
            if not some.size:
                return 0.0
            found = stats.multivariate_normal.logpdf(
                y[m[some]], mean[some], total[np.ix_(some, some)]
            )
            return float(found)

        every = np.arange(len(mine))
        of_group[j] = density(every) + jacobian[mine].sum()
        for k in every:
            of_row[mine[k]] = density(every) - density(np.delete(every, k)) + jacobian[mine[k]]
    return of_group, of_row


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_both_means_are_integrated_out_as_matrices_do(pooling: str, family: str) -> None:
    fit = fitted(pooling, family)
    hyper = HYPER[pooling] | {
        "intercept": np.array([0.3, 5.0]), "spread": np.array([0.4, 7.0]),
        "sigma": np.array([0.8, 0.3]),
    }  # fmt: skip
    assert has_closed_form(fit)
    found = [log_lik_of_units(fit, hyper, unit) for unit in ("group", "observation")]
    for s in range(2):
        h = {name: float(values[s]) for name, values in hyper.items()}
        theta = (0.3, 1.2) if pooling == "none" else (h["mu"], h.get("tau", 0.0))
        for ours, exact in zip(found, dense(patients(family), h, theta), strict=True):
            np.testing.assert_allclose(ours[s], exact, rtol=1e-8, atol=1e-8)


@pytest.mark.slow
def test_quadrature_of_the_program_says_the_same() -> None:
    fit = fitted("partial")
    hyper = {name: fit.draws(name)[:4] for name in (*fit.priors,)}
    for unit in ("group", "observation"):
        integral = ArmsIntegral(fit.conditional, fit.priors, fit.data, unit)(hyper)
        ours = log_lik_of_units(fit, hyper, unit)
        np.testing.assert_allclose(ours, integral, rtol=1e-3, atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["group", "observation"])
def test_the_prior_of_effects_may_differ_by_the_unit_left_out(unit: str) -> None:
    fit = fitted("none")
    hyper = {
        "intercept": np.array([0.3]), "spread": np.array([0.4]), "sigma": np.array([0.8]),
    }  # fmt: skip
    U = len(fit.data.groups) if unit == "group" else fit.data.n_rows
    shift = Shift(np.linspace(-1, 1, U), np.linspace(0.5, 3, U))
    ours = log_lik_of_units(fit, hyper, unit, shift=shift)[0]
    h = {name: float(values[0]) for name, values in hyper.items()}
    for u in range(U):
        exact = dense(fit.data, h, (shift.location[u], shift.scale[u]))
        assert ours[u] == pytest.approx(exact[0 if unit == "group" else 1][u], abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("pooling", POOLINGS)
def test_what_is_left_out_is_predicted_as_refits_do(pooling: str) -> None:
    fit = fitted(pooling)
    for unit, some in (("group", (1, 4)), ("observation", (0, 2, 11, 40))):
        found = hs.loo(fit, unit=unit, progress=False)
        for index in some:
            again, error = refit_without(fit, unit, index)
            off = abs(found.elpd_i[index] - again)
            assert off < TIMES * np.hypot(error, found.mcse_i[index]), (unit, index)
