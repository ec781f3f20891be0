"""The two engines held against each other by log densities, shipped templates and edited ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from programs import RECIPES, Recipe, small_data
from schools import eight_schools

import hierstan as hs
from hierstan.engines.stanli import Evaluator
from hierstan.models.plan import make_plan
from hierstan.trust.cross_check import CrossCheck, _error, _points, compare_engines

# non-centered groups are sampled by the mixed program
PROGRAMS = [recipe for recipe in RECIPES if recipe.way != "noncentered"]
EIGHT = eight_schools()


def said(result: object) -> str:
    return " ".join(str(result).split())


@pytest.mark.cmdstan
def test_the_engines_agree() -> None:
    checked = hs.cross_check(hs.PartialPooling(), EIGHT)
    assert checked.ok, str(checked)
    assert checked.error < 1e-10
    assert len(checked.table) == 7
    assert checked.table["stanli"].abs().min() > 1e-4  # the points do differ
    assert "compute the same: partial_pooling_normal_known_marginal_measured." in said(checked)


@pytest.mark.cmdstan
def test_an_edited_template_with_a_parameter_of_its_own(tmp_path: Path) -> None:
    path = hs.copy_templates(tmp_path) / "partial_pooling.stan"
    text = path.read_text().replace("normal(mu, tau);", "student_t(nu, mu, tau);")
    text = text.replace("  {{ family.parameters }}", "  real<lower=1> nu;\n  vector[2] spare;")
    text = text.replace("tau ~ {{ prior.tau }};", "tau ~ {{ prior.tau }};\n  nu ~ gamma(2, 0.1);\n"
                        "  spare ~ normal(0, 1);")  # fmt: skip
    path.write_text(text)
    model = hs.PartialPooling(template_dir=tmp_path, parameterization="noncentered")
    checked = hs.cross_check(model, EIGHT, seed=2)
    assert checked.ok, str(checked)
    assert checked.written == ("log_lik", "log_population")
    assert "and log_lik and log_population at each of them" in said(checked)


def test_a_difference_is_seen_and_said() -> None:
    table = pd.DataFrame({"cmdstan": [1.0, 2], "stanli": [1.0, 2 + 1e-7]}, index=[1, 2])
    table["error"] = np.abs(table["cmdstan"] - table["stanli"]) / 2
    same = CrossCheck(table.assign(written=np.nan), "program", ("CmdStan", "stanli"))
    assert not same.ok
    assert "do NOT compute the same: program." in str(same)
    assert "do NOT compute the same" in repr(same)
    lost = table.assign(error=[0.0, np.nan], written=np.nan)
    assert not CrossCheck(lost, "program", ("CmdStan", "stanli")).ok


def test_a_value_that_only_one_engine_has_is_a_difference() -> None:
    theirs, ours = np.array([-np.inf, -np.inf, 2.0]), np.array([-np.inf, -5.0, 2.0])
    assert _error(theirs, ours).tolist() == [0.0, np.inf, 0.0]


def test_random_points_are_values_that_the_program_allows() -> None:
    plan = make_plan(hs.PartialPooling(parameterization="centered"), small_data("student_t"))
    points = _points(plan, 1)
    assert len(points) == 8
    assert all(point["tau"] > 0 and point["nu"] > 1 for point in points)
    assert {np.shape(point["theta"]) for point in points} == {(6,)}
    draws = {name: np.array([point[name] for point in points]) for name in points[0]}
    assert np.isfinite(Evaluator(plan.program, plan.inputs()).log_density(draws)).all()


def test_what_is_not_a_model_is_refused() -> None:
    with pytest.raises(hs.HierstanError, match="takes a model such as"):
        hs.cross_check("partial", EIGHT)  # type: ignore[arg-type]


@pytest.mark.campaign
@pytest.mark.cmdstan
@pytest.mark.parametrize("recipe", PROGRAMS, ids=str)
def test_the_engines_agree_on_every_program(recipe: Recipe) -> None:
    plan = recipe.plan()
    checked = compare_engines(plan.program, plan.inputs(pointwise=True), _points(plan, 1))
    print(f"| {recipe} | {checked.error:.1e} |")
    assert checked.ok, str(checked)
