"""Default priors, and what follows from them, do not depend on where zero is nor on the unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from exact import known_normal
from monte_carlo import far_off
from programs import FAMILIES, small_data

import hierstan as hs
from hierstan.engines.stanli import Evaluator
from hierstan.families import FAMILIES as EVERY
from hierstan.fit.own_coordinates import coordinates, parameters
from hierstan.models.plan import make_plan
from hierstan.sampling.inputs import stan_data
from hierstan.sampling.starts import starting_points

LOCATIONS = ("mu", "theta")
LIGHT = ([299796, 299792.5, 299792.5, 299792.4562], [4, 3, 0.1, 0.0011])  # speed of light, km/s
PRESSURE = ([2.8, 0.8, -0.3, 0.7, -0.1, 0.1, 1.8, 1.2], [1.5, 1, 1.6, 1.1, 0.9, 1.1, 1, 1.8])


def estimates(y: list[float], se: list[float]) -> hs.GroupedData:
    frame = pd.DataFrame({"lab": np.arange(len(y)), "value": y, "se": se})
    return hs.GroupedData.from_estimates(frame, group="lab", estimate="value", se="se")


@pytest.mark.parametrize("factor", [1.0, 3.7e7, 0.003])
@pytest.mark.parametrize("shift", [0.0, 299_792.5, -1e9])
@pytest.mark.parametrize("family", ["normal_known", "normal", "student_t"])
def test_default_priors_are_equivariant(family: str, shift: float, factor: float) -> None:
    cells = small_data(family).cells
    units = {"y": factor, "se": factor, "squares": factor**2}
    moved = cells.assign(**{name: cells[name] * by for name, by in units.items() if name in cells})
    moved["y"] += shift * factor
    lost = 1e-15 * abs(shift)  # what doubles of this size cannot hold
    for name, prior in FAMILIES[family].default_priors(cells).items():
        wanted = prior.numbers()
        found = FAMILIES[family].default_priors(moved)[name].numbers()
        if name != "nu":  # which has no unit
            wanted["scale"] *= factor
        if name in LOCATIONS:
            wanted["location"] = (wanted["location"] + shift) * factor
        for number, value in wanted.items():
            assert found[number] == pytest.approx(value, rel=1e-6, abs=lost * factor), name


@pytest.mark.parametrize(
    ("y", "se", "origin"), [(*LIGHT, 299_792.0), (*PRESSURE, 0.0), (*PRESSURE, -101_325.0)]
)
def test_answers_do_not_depend_on_where_zero_is(
    y: list[float], se: list[float], origin: float
) -> None:
    """Against quadrature near zero, with the priors that the formulas give there."""
    near, se = np.array(y) - (origin if origin > 0 else 0), np.array(se)
    fit = hs.PartialPooling().fit(
        estimates(list(near + origin), list(se)), seed=1, engine="stanli", progress=False
    )
    prior = hs.PartialPooling().resolve_priors(estimates(list(near), list(se)))
    mu, tau = prior["mu"].numbers(), prior["tau"]
    widest = float(tau.quantile(1 - 1e-12))
    exact = known_normal(near, se, mu=(mu["location"], mu["scale"]), tau=(tau.log_density, widest))
    draws = fit.posterior.assign({n: fit.posterior[n] - origin for n in ("mu", "theta")})
    assert not far_off(fit, exact, ["mu", "tau", "theta"], draws=draws)


def test_rows_far_from_zero_have_the_same_spread() -> None:
    rng = np.random.default_rng(3)
    group = np.repeat(list("abcdef"), 8)
    base = np.repeat(rng.normal(0, 0.7, 6), 8) + rng.normal(0, 1, 48)
    taus = []
    for shift in (0, 101_325):
        frame = pd.DataFrame({"g": group, "y": base + shift})
        data = hs.GroupedData.from_rows(frame, group="g", outcome="y")
        fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
        taus.append(fit.draws("tau"))
    error = np.hypot(*(tau.std() / np.sqrt(400) for tau in taus))
    assert abs(taus[0].mean() - taus[1].mean()) < 4 * error


@pytest.mark.parametrize("family", [name for name, one in FAMILIES.items() if not one.treatment])
def test_without_pooling_a_group_keeps_its_own_estimate(family: str) -> None:
    """Its default prior moves no group by more than a tenth of its standard error."""
    data = small_data(family)
    prior = hs.NoPooling().resolve_priors(data)["theta"].numbers()
    raw = FAMILIES[family].raw_estimates(data.cells, len(data.groups))
    slope = (raw["link"] - prior["location"]) / prior["scale"] ** 2
    assert (slope.abs() * raw["link_se"] < 0.1).all()


def test_without_pooling_an_outlier_among_agreeing_groups_stays_where_it_is() -> None:
    rng = np.random.default_rng(1)
    y, se = [15.0, *rng.normal(0, 0.5, 19)], [10.0] + [0.5] * 19
    fit = hs.NoPooling().fit(estimates(y, se), seed=1, engine="stanli", progress=False)
    assert fit.draws("theta")[:, 0].mean() == pytest.approx(15, abs=1)
    assert fit.draws("theta")[:, 0].std() == pytest.approx(10, rel=0.05)


def test_rows_and_the_estimates_made_of_them_have_one_prior_of_tau() -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"g": np.repeat(list("abcde"), 20), "y": rng.normal(0, 2, 100)})
    rows = hs.GroupedData.from_rows(frame, group="g", outcome="y")
    raw = FAMILIES["normal"].raw_estimates(rows.cells, 5)
    known = estimates(list(raw["link"]), list(raw["link_se"]))
    model = hs.PartialPooling()
    a, b = (model.resolve_priors(data)["tau"].numbers() for data in (rows, known))
    assert a["scale"] == pytest.approx(b["scale"])


@pytest.mark.parametrize("adjusted", [False, True])
@pytest.mark.parametrize("family", [name for name, one in FAMILIES.items() if one.known])
def test_the_likelihood_in_python_is_that_of_the_program(family: str, adjusted: bool) -> None:
    data, one = small_data(family), FAMILIES[family]
    if adjusted:
        if f"{family}_adjusted" not in EVERY:
            pytest.skip("takes no covariates")
        one, twice = EVERY[f"{family}_adjusted"], pd.concat([data.cells] * 2, ignore_index=True)
        cells = twice.assign(**{"z 0": np.random.default_rng(2).normal(size=len(twice))})
        data = replace(data, family=one.name, cells=cells, rows=cells)
    plan = make_plan(hs.PartialPooling(), data)
    entries = stan_data(plan.data, plan.priors, pointwise=True, replicate=False)
    evaluator = Evaluator(plan.conditional, entries)
    starts = evaluator.completed(starting_points(plan.data, plan.priors, chains=4, seed=1), 1)
    near = {name: np.array([start[name] for start in starts]) for name in evaluator.parameters}
    points = evaluator.unconstrained(near)
    points = points + 0.3 * np.random.default_rng(1).normal(size=points.shape)
    values = evaluator.values_at(points)
    draws = {name: np.array([value[name] for value in values]) for name in evaluator.parameters}
    own, volume = parameters(one, one.sizes_of(data.cells), coordinates(one, draws))
    assert np.isfinite(volume).all()
    found = one.log_lik(one.floats(data.cells), draws["theta"][:, data.cells["group"]], own)
    exact = evaluator.written_at(points, ["log_lik"])["log_lik"]
    np.testing.assert_allclose(found, exact, rtol=1e-9, atol=1e-9)
    # means that are the same at every draw may come once
    first = draws["theta"][:1, data.cells["group"]]
    shared = one.log_lik(one.floats(data.cells), first, own)
    spread = one.log_lik(one.floats(data.cells), np.repeat(first, len(found), axis=0), own)
    np.testing.assert_allclose(np.broadcast_to(shared, spread.shape), spread, rtol=1e-12)


def test_a_gamma_density_far_below_the_row_is_next_to_nothing_without_a_warning() -> None:
    family, shape = FAMILIES["gamma"], {"shape": np.array([[2.0]])}
    row = {"y": np.array([1e10]), "count": np.ones(1), "mean_log": np.log([1e10])}
    assert family.log_lik(row, np.array([[-1000.0]]), shape)[0, 0] < -1e100
