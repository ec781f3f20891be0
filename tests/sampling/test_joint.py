"""Coordinates of mu, beta and levels together: the same posterior, and how near they come to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from programs import structured_data

import hierstan as hs
from hierstan.engines.stanli import Evaluator
from hierstan.models.plan import make_plan
from hierstan.sampling import joint
from hierstan.sampling.inputs import Plan, stan_data
from hierstan.sampling.structure import rough

PLACES = {
    "group by group": {},
    "summed": {"EXACT": 0},
    "one factor far": {"TOGETHER": 0},
    "both factors far": {"TOGETHER": 0, "MOST": 1},
    "both factors far, each on its own": {"TOGETHER": 0, "MOST": 1, "MIXED": 0},
    "both factors far, by conjugate gradients": {"TOGETHER": 0, "MOST": 1, "SOLVED": 0},
}


def density_and_values(
    plan: Plan, point: np.ndarray, names: list[str], stated: Evaluator
) -> tuple[float, float]:
    """Return the log density of what is sampled, and that of the page after the change."""
    program = Evaluator(plan.program, plan.inputs())
    moved = [name for name in names if name not in program.parameters]
    raw = [name for name in plan.program.coordinates if name in program.parameters]
    columns = np.concatenate([np.arange(len(point))[program.parameters[name]] for name in raw])

    def values(at: np.ndarray) -> np.ndarray:
        written = program.written_at(at[None], moved)
        return np.concatenate([written[name][0] for name in moved])

    step = 1e-5
    slopes = [
        (values(point + step * one) - values(point - step * one)) / (2 * step)
        for one in np.eye(len(point))[columns]
    ]
    jacobian = np.linalg.slogdet(np.array(slopes))[1]
    known = program.values_at(point[None])[0]
    written = program.written_at(point[None], moved)
    full = {name: np.array(known[name])[None] for name in names if name in known}
    full |= {name: values.reshape(1, -1) for name, values in written.items()}
    full["mu"] = full["mu"].reshape(1)
    return float(program.log_density_at(point[None])[0]), float(
        stated.log_density(full)[0] + jacobian
    )


@pytest.mark.parametrize("model", [hs.PartialPooling(), hs.CompletePooling()])
@pytest.mark.parametrize(
    "family", ["binomial", "normal", "beta_binomial", "zero_inflated_neg_binomial"]
)
@pytest.mark.parametrize("place", PLACES)
def test_the_posterior_is_the_same(
    model: hs.PartialPooling | hs.CompletePooling,
    family: str,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in PLACES[place].items():
        monkeypatch.setattr(joint, name, value)
    plan = make_plan(model, structured_data(family))
    page = plan.integrated or plan.conditional
    stated = Evaluator(page, stan_data(plan.data, plan.priors))
    names, rng = list(stated.parameters), np.random.default_rng(3)
    width = max(
        columns.stop for columns in Evaluator(plan.program, plan.inputs()).parameters.values()
    )
    found = np.array(
        [density_and_values(plan, 0.7 * rng.normal(size=width), names, stated) for _ in range(4)]
    )
    apart = found[:, 0] - found[:, 1]
    np.testing.assert_allclose(apart, apart[0], atol=1e-5)
    assert np.ptp(found[:, 0]) > 1


def many(J: int, sizes: list[int], seed: int) -> hs.GroupedData:
    rng = np.random.default_rng(seed)
    names = [f"f{f}" for f in range(len(sizes))]
    codes = np.array([np.arange(J) % size for size in sizes])
    codes = np.array([rng.permutation(one) for one in codes])
    y = (
        3
        + rng.normal(0, 0.4, J)
        + sum(rng.normal(0, 0.7, size)[c] for size, c in zip(sizes, codes, strict=True))
    )
    frame = pd.DataFrame({"g": range(J), "y": y, "se": rng.uniform(0.1, 0.8, J)})
    frame = frame.assign(**dict(zip(names, codes, strict=True)))
    frame["y"] += frame["se"] * rng.normal(size=J)
    return hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se", factors=names)


def test_variances_by_moments_are_near_the_truth() -> None:
    found = [rough(many(2000, [40, 25], seed)) for seed in range(6)]
    assert np.mean([one.tau2 for one in found]) == pytest.approx(0.16, rel=0.15)
    levels = np.mean([one.level_tau2 for one in found], axis=0)
    np.testing.assert_allclose(levels, 0.49, rtol=0.3)


@pytest.mark.parametrize("seed", range(20))
def test_of_a_single_level_no_variance_is_told(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.poisson(rng.gamma(1, 3, (3, 6))) * (rng.random((3, 6)) < 0.6)
    frame = pd.DataFrame({"g": np.repeat(list("abc"), 6), "y": y.ravel(), "r": "north"})
    frame["size"] = np.repeat([3.0, 203.0, 403.0], 6)
    data = hs.GroupedData.from_rows(
        pd.concat([frame, frame.assign(g="d", r="south", size=100.0)]), group="g", outcome="y",
        family="zero_inflated_poisson", factors=["r"], predictors=["size"],
    ).without("d")  # fmt: skip
    found = rough(data)
    assert 0 < found.level_tau2[0] < 100


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [[3, 2], [30, 25], [150]])
def test_levels_and_mu_are_measured_from_where_they_are(sizes: list[int]) -> None:
    data = many(12 if max(sizes) < 4 else 400, sizes, 4)
    fit = hs.PartialPooling().fit(
        data, seed=1, warmup=300, draws=250, engine="stanli", progress=False
    )
    assert fit.note == ""
    steps: Any = fit.idata["sample_stats"]["n_steps"]
    assert float(steps.mean()) < 20
    parameters = fit.convergence().parameters
    mixed = parameters.index.str.match("mu|u_|tau")
    assert parameters.loc[mixed, "ess_bulk"].min() > 300


def test_bounds_of_mu_leave_the_rest_measured() -> None:
    data = structured_data("binomial")
    plan = make_plan(hs.PartialPooling(priors={"mu": hs.Uniform(-4, 4)}), data)
    assert plan.program.coordinates == ()
    assert "multiplier" in plan.program.parameters["theta"].constraint
    assert "multiplier" in plan.program.parameters["u"].constraint


def test_what_only_sampling_knows_is_not_kept() -> None:
    fit = hs.PartialPooling().fit(
        structured_data("binomial"), seed=1, chains=1, warmup=50, draws=10, engine="stanli",
        progress=False,
    )  # fmt: skip
    names = {"mu", "tau", "tau_region", "tau_device", "u_region", "u_device", "theta", "theta_new"}
    assert set(fit.posterior.data_vars) == names
