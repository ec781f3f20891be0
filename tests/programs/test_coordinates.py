"""How pages are sampled: files that declare their parameters anew."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from programs import structured_data

import hierstan as hs
from hierstan.engines.stanli import Evaluator
from hierstan.models.plan import make_plan
from hierstan.sampling.starts import starting_points

FILE = "sampling/extra_zeros/structured_complete_pooling.stan"
FALLS = "fell(far_mean, far_mean_falls, zero_odds, guessed_odds)"
STEP = "transformed parameters {\n"


def with_steps(directory: Path) -> Path:
    """Return templates one of whose sampling files computes what it uses in a step before."""
    hs.copy_templates(directory)
    text = (directory / FILE).read_text()
    words = re.findall(r"\w+|[^\w\s]", FALLS)
    text, count = re.subn(r"\s*".join(map(re.escape, words)), "fallen", text)
    assert count == 1
    step = f"  vector[rows(far)] fallen = {FALLS};\n"
    (directory / FILE).write_text(text.replace(STEP, STEP + step))
    return directory


@pytest.mark.parametrize("family", ["poisson", "binomial", "ordinal", "neg_binomial"])
def test_steps_of_one_kind_of_family_stay_out_of_the_others(family: str, tmp_path: Path) -> None:
    data = structured_data(family)
    edited = hs.CompletePooling(template_dir=with_steps(tmp_path / "templates"))
    shipped = make_plan(hs.CompletePooling(), data).program
    assert shipped.coordinates
    assert make_plan(edited, data).program.code == shipped.code


def test_steps_come_along_where_they_are_used(tmp_path: Path) -> None:
    data = structured_data("zero_inflated_poisson")
    edited = hs.CompletePooling(template_dir=with_steps(tmp_path / "templates"))
    plans = [make_plan(model, data) for model in (edited, hs.CompletePooling())]
    assert "] fallen = " in plans[0].program.code
    evaluators = [Evaluator(plan.program, plan.inputs()) for plan in plans]
    starts = starting_points(data, plans[0].priors, chains=3, seed=1)
    points = evaluators[1].unconstrained(as_draws(evaluators[1].completed(starts, 1)))
    found, expected = (one.log_density_at(points) for one in evaluators)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(found, expected)


def as_draws(points: list[dict]) -> dict[str, np.ndarray]:
    return {name: np.array([point[name] for point in points]) for name in points[0]}
