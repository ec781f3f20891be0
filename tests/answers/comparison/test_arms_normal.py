"""Normal outcomes in two arms left out: against dense algebra, quadrature and refits."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from monte_carlo import TIMES
from programs import small_data
from scipy import stats

import hierstan as hs
from hierstan.answers.comparison.arms_integral import ArmsIntegral
from hierstan.answers.comparison.left_out import group_of_units
from hierstan.answers.comparison.normal_integral import Shift, has_closed_form
from hierstan.answers.comparison.refits import refit_without
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units

FAST: dict[str, Any] = {
    "seed": 3, "engine": "stanli", "progress": False, "chains": 2, "warmup": 400, "draws": 300,
}  # fmt: skip
ADJUSTED = ("normal_weighted_adjusted", "lognormal_adjusted")
FAMILIES = ("normal", "lognormal", *(pytest.param(f, marks=pytest.mark.slow) for f in ADJUSTED))
UNITS = ("group", "observation", "arm")
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
    frame["age"], frame["claims"] = rng.normal(50, 9, len(site)), rng.integers(1, 9, len(site))
    base, adjusted = family.removesuffix("_adjusted"), family.endswith("_adjusted")
    frame["y"] = np.exp(y) if base == "lognormal" else y
    own = {"weights": "claims"} if base == "normal_weighted" else {"family": base}
    with pytest.warns(hs.HierstanWarning, match="of one arm only"):
        return hs.GroupedData.from_trial(
            frame, group="site", arm="arm", control="old", outcome="y",
            adjust=["age"] * adjusted, **own,
        )  # fmt: skip


def prior(pooling: str) -> dict[str, Any]:
    return {"theta": hs.Normal(0.3, 1.2)} if pooling == "none" else {}


@functools.cache
def fitted(pooling: str, family: str = "normal") -> hs.Fit:
    return POOLINGS[pooling](priors=prior(pooling)).fit(patients(family), **FAST)


def dense(
    data: hs.GroupedData, h: dict[str, float], theta: tuple[float, float]
) -> tuple[np.ndarray, ...]:
    """Return log p(group), log p(row | others of its group) and log p(arm | the other one)."""
    rows = data.rows
    assert rows is not None
    lognormal = data.family.startswith("lognormal")
    y = np.log(rows["y"].to_numpy()) if lognormal else rows["y"].to_numpy()
    jacobian = -y if lognormal else np.zeros(len(y))
    if "z 0" in rows:
        y = y - h["gamma"] * rows["z 0"].to_numpy()
    weight = rows["weight"].to_numpy() if "weight" in rows else np.ones(len(y))
    (center, tau), slope = theta, h.get("slope", 0.0)
    group, treated = rows["group"].to_numpy(), rows["treated"].to_numpy()
    of_group, of_row, of_arm = np.empty(len(data.groups)), np.empty(len(y)), []
    covariance = np.array(
        [[(slope * tau) ** 2 + h["spread"] ** 2, slope * tau**2], [slope * tau**2, tau**2]]
    )
    for j in range(len(data.groups)):
        mine = np.flatnonzero(group == j)
        Z = np.column_stack([np.ones(len(mine)), treated[mine]])
        mean = Z @ [h["intercept"] + slope * center, center]
        total = Z @ covariance @ Z.T + h["sigma"] ** 2 * np.diag(1 / weight[mine])

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
        for arm in np.unique(treated[mine]):
            other = np.flatnonzero(treated[mine] != arm)
            own = jacobian[mine[treated[mine] == arm]].sum()
            of_arm.append(density(every) - density(other) + own)
    return of_group, of_row, np.array(of_arm)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_both_means_are_integrated_out_as_matrices_do(pooling: str, family: str) -> None:
    fit = fitted(pooling, family)
    hyper = HYPER[pooling] | {
        "intercept": np.array([0.3, 5.0]), "spread": np.array([0.4, 7.0]),
        "sigma": np.array([0.8, 0.3]),
    }  # fmt: skip
    if fit.family.adjusted:
        hyper["gamma"] = np.array([[0.9], [-2.0]])
    assert has_closed_form(fit)
    found = [log_lik_of_units(fit, hyper, unit) for unit in UNITS]
    for s in range(2):
        h = {name: values[s].item() for name, values in hyper.items()}
        theta = (0.3, 1.2) if pooling == "none" else (h["mu"], h.get("tau", 0.0))
        for ours, exact in zip(found, dense(patients(family), h, theta), strict=True):
            np.testing.assert_allclose(ours[s], exact, rtol=1e-7, atol=1e-7)


@pytest.mark.slow
def test_quadrature_of_the_program_says_the_same() -> None:
    fit = fitted("partial")
    hyper = {name: fit.draws(name)[:4] for name in (*fit.priors,)}
    for unit in UNITS:
        integral = ArmsIntegral(fit.conditional, fit.priors, fit.data, unit)(hyper)
        ours = log_lik_of_units(fit, hyper, unit)
        np.testing.assert_allclose(ours, integral, rtol=1e-3, atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
def test_the_prior_of_effects_may_differ_by_the_unit_left_out(unit: str) -> None:
    fit = fitted("none")
    hyper = {
        "intercept": np.array([0.3]), "spread": np.array([0.4]), "sigma": np.array([0.8]),
    }  # fmt: skip
    U = len(group_of_units(fit.data, unit))
    shift = Shift(np.linspace(-1, 1, U), np.linspace(0.5, 3, U))
    ours = log_lik_of_units(fit, hyper, unit, shift=shift)[0]
    h = {name: float(values[0]) for name, values in hyper.items()}
    for u in range(U):
        exact = dense(fit.data, h, (shift.location[u], shift.scale[u]))
        assert ours[u] == pytest.approx(exact[UNITS.index(unit)][u], abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("pooling", POOLINGS)
def test_what_is_left_out_is_predicted_as_refits_do(pooling: str) -> None:
    fit = fitted(pooling)
    for unit, some in (("group", (1, 4)), ("observation", (0, 2, 11, 40)), ("arm", (3, 6))):
        found = hs.loo(fit, unit=unit, progress=False)
        for index in some:
            again, error = refit_without(fit, unit, index)
            off = abs(found.elpd_i[index] - again)
            assert off < TIMES * np.hypot(error, found.mcse_i[index]), (unit, index)


@pytest.mark.slow
def test_arms_have_names_and_need_no_rows() -> None:
    fit = fitted("partial")
    found = hs.loo(fit, unit="arm", progress=False)
    assert found.labels.names == ["site", "arm"]
    assert found.labels.tolist()[:4] == [("a", "old"), ("a", "new"), ("b", "old"), ("b", "new")]
    assert ("c", "old") not in found.labels
    assert "Leave one arm out" in str(found)
    means = patients().to_frame().xs("b")
    summary = pd.DataFrame({"s": ["b"] * 2, "arm": ["old", "new"], "n": [4, 6],
                            "mean": [means["mean_control"], means["mean_treatment"]],
                            "sd": [means["sd_control"], means["sd_treatment"]]})  # fmt: skip
    summary = pd.concat([summary, summary.assign(s="z", mean=[0.1, 0.3])])
    data = hs.GroupedData.from_trial(
        summary, group="s", arm="arm", control="old", mean="mean", sd="sd", n="n"
    )
    few = hs.PartialPooling().fit(data, **FAST)
    assert len(hs.loo(few, unit="arm", refit=False, progress=False).elpd_i) == 4
    with pytest.raises(hs.HierstanError, match="Use unit='arm' or unit='group'"):
        hs.loo(few)
    assert data.without_arm("b", treated=False).n_rows == 16
    with pytest.raises(hs.DataError, match="no arms"):
        small_data("poisson").without_arm("a", treated=True)
    with pytest.raises(hs.HierstanError, match="observation, group"):
        hs.loo(hs.CompletePooling().fit(small_data("poisson"), **FAST), unit="arm")


def test_an_arm_left_out_leaves_no_pooling_to_its_prior() -> None:
    fits = {name: fitted(name) for name in ("none", "partial")}
    words = hs.compare(fits, unit="arm", refit=False, progress=False).verdict
    assert "No pooling is not ranked: an arm left out leaves nothing but the prior" in words
