"""Leave-one-out of edited treatment pages: by what the page says, or a clear refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from monte_carlo import TIMES
from scipy import special, stats

import hierstan as hs
from hierstan.answers.comparison.arms_integral import ArmsIntegral
from hierstan.answers.comparison.arms_page import PageIntegral
from hierstan.answers.comparison.refits import refit_without
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units
from hierstan.models.plan import make_plan

FAST: dict[str, Any] = {
    "seed": 3, "engine": "stanli", "progress": False, "chains": 2, "warmup": 300, "draws": 100,
}  # fmt: skip
PAGES = {
    "complete": hs.CompletePooling, "none": hs.NoPooling, "partial": hs.PartialPooling,
}  # fmt: skip
HYPER = {
    "mu": np.array([-0.5, 0.7]), "tau": np.array([0.6, 1.1]), "intercept": np.array([-1.5, -0.2]),
    "slope": np.array([-0.5, 0.3]), "spread": np.array([0.8, 0.3]),
}  # fmt: skip


def counts() -> hs.GroupedData:
    frame = pd.DataFrame({"g": list("abcd"), "y": [2, 0, 11, 5], "n": [20, 9, 40, 21],
                          "c": [4, 1, 8, 0], "m": [22, 12, 35, 20]})  # fmt: skip
    return hs.GroupedData.from_arms(
        frame, group="g", events_treatment="y", total_treatment="n", events_control="c",
        total_control="m",
    )  # fmt: skip


def events() -> hs.GroupedData:
    """Rows of several observations an arm."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"g": np.repeat(list("abc"), 8), "arm": [0, 1] * 12})
    frame["y"] = rng.poisson(np.exp(1 + 0.4 * frame["arm"]))
    frame.loc[3, "y"] = 30
    return hs.GroupedData.from_trial(
        frame, group="g", arm="arm", control=0, outcome="y", family="poisson"
    )


def edited(folder: Path, page: str, **change: tuple[str, str]) -> Path:
    path = hs.copy_templates(folder) / f"{page}.stan"
    text = path.read_text() + "// edited\n"
    for old, new in change.values():
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text)
    return folder


@pytest.mark.parametrize("unit", ["group", "observation", "arm"])
@pytest.mark.parametrize("pooling", PAGES)
def test_a_page_that_says_the_same_gives_the_same(pooling: str, unit: str, tmp_path: Path) -> None:
    folder = edited(tmp_path, PAGES[pooling].treatment_page)
    for data in (counts(), events()):
        prior = {"theta": hs.Normal(0, 2)} if pooling == "none" else {}
        model = PAGES[pooling](template_dir=folder, priors=prior)
        plan = make_plan(model, data)
        assert plan.conditional.edited
        shipped = make_plan(PAGES[pooling](), data)
        hyper = {name: values for name, values in HYPER.items() if name in plan.priors}
        ours = PageIntegral(plan.conditional, plan.priors, data, unit)(hyper)
        theirs = ArmsIntegral(shipped.conditional, plan.priors, data, unit)(hyper)
        np.testing.assert_allclose(ours, theirs, atol=5e-3, rtol=1e-3)


@pytest.mark.slow
def test_integrands_are_found_whatever_the_draws(tmp_path: Path) -> None:
    folder = edited(tmp_path, PAGES["partial"].treatment_page)
    plan = make_plan(hs.PartialPooling(template_dir=folder), counts())
    shipped = make_plan(hs.PartialPooling(), counts())
    rng = np.random.default_rng(4)
    hyper = {"mu": rng.normal(0, 2, 40), "intercept": rng.normal(-2, 3, 40),
             "slope": rng.normal(0, 1, 40), "tau": np.exp(rng.uniform(-7, 0.5, 40)),
             "spread": np.exp(rng.uniform(-7, 0.5, 40))}  # fmt: skip
    for unit in ("group", "observation"):
        ours = PageIntegral(plan.conditional, plan.priors, counts(), unit)(hyper)
        theirs = ArmsIntegral(shipped.conditional, plan.priors, counts(), unit)(hyper)
        np.testing.assert_allclose(ours, theirs, atol=3e-2, rtol=2e-3)


POPULATION = ("theta ~ normal(center, tau);", "theta ~ student_t(3, center, tau);")
TWICE = ("+ treated .* theta[group]", "+ 2 * treated .* theta[group]")


def test_the_population_and_the_means_are_those_of_the_page(tmp_path: Path) -> None:
    folder = edited(tmp_path, "treatment_pooling", population=POPULATION, eta=TWICE)
    fit = hs.PartialPooling(template_dir=folder).fit(counts(), **FAST)
    found = {unit: log_lik_of_units(fit, HYPER, unit) for unit in ("group", "observation")}
    cells = counts().cells
    z = np.linspace(-1, 1, 401)
    for s, j in ((0, 0), (0, 1), (1, 3)):
        h = {name: values[s] for name, values in HYPER.items()}
        theta = np.sinh(4 * z)[:, None]
        base = (h["intercept"] + h["slope"] * theta) + h["spread"] * 8 * z
        area = np.log(4 * np.cosh(4 * z) * (z[1] - z[0]))[:, None]
        area = area + np.log(8 * h["spread"] * (z[1] - z[0]))
        prior = stats.t.logpdf(theta, 3, h["mu"], h["tau"]) + area
        prior = prior + stats.norm.logpdf(base, h["intercept"] + h["slope"] * theta, h["spread"])
        mine = cells[cells["group"] == j]
        log_lik = [
            stats.binom.logpmf(cell["y"], cell["trials"], special.expit(base + 2 * t * theta))
            for t, (_, cell) in zip(mine["treated"], mine.iterrows(), strict=True)
        ]
        whole = special.logsumexp(prior + sum(log_lik))
        assert found["group"][s, j] == pytest.approx(whole, abs=1e-2)
        for k, row in enumerate(mine.index):
            rest = special.logsumexp(prior + log_lik[1 - k])
            assert found["observation"][s, row] == pytest.approx(whole - rest, abs=3e-2)


@pytest.mark.slow
def test_leave_one_out_is_that_of_a_refit(tmp_path: Path) -> None:
    folder = edited(tmp_path, "treatment_pooling", eta=TWICE)
    fit = hs.PartialPooling(template_dir=folder).fit(counts(), **FAST)
    found = hs.loo(fit, unit="group", refit=False, progress=False)
    index = int(np.argmin(found.mcse_i))
    again, error = refit_without(fit, "group", index)
    assert abs(found.elpd_i[index] - again) < TIMES * np.hypot(error, found.mcse_i[index])


def test_baselines_that_are_edited_in_one_place_are_refused(tmp_path: Path) -> None:
    edit = ("baseline ~ normal(intercept", "baseline ~ student_t(3, intercept")
    folder = edited(tmp_path, "treatment_no_pooling", baseline=edit)
    with pytest.raises(hs.TemplateError, match="disagree about the population of baseline"):
        hs.NoPooling(template_dir=folder).fit(counts(), **FAST)
