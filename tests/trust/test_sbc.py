"""Simulation-based calibration: right programs pass, broken ones don't, and the test itself."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from programs import (
    CAMPAIGN_PRIORS,
    FAMILIES,
    POOLINGS,
    STRUCTURES,
    small_data,
    structured_data,
)
from schools import eight_schools
from scipy import stats

import hierstan as hs
from hierstan.trust.sbc_result import SBCResult
from hierstan.trust.uniformity import bands, p_value

EIGHT = eight_schools()


PRIORS = {"mu": hs.Normal(0, 20), "tau": hs.HalfNormal(20)}


POOLING, KNOWN = "partial_pooling.stan", "families/normal_known.stan"


QUICK: dict[str, Any] = {"seed": 1, "n_jobs": 1, "progress": False, "engine": "stanli"}


def test_uniform_ranks_are_refused_as_often_as_the_p_value_says() -> None:
    rng = np.random.default_rng(3)
    p = np.array([p_value(rng.integers(0, 100, 60), 99) for _ in range(1000)])
    for level in (0.05, 0.2, 0.5):
        assert abs((p <= level).mean() - level) < 4 * np.sqrt(level * (1 - level) / len(p))


def test_bands_hold_all_of_a_uniform_ecdf_as_often_as_they_say() -> None:
    rng = np.random.default_rng(4)
    z, low, high = bands(60, 49, 0.9)
    np.testing.assert_allclose(z, np.arange(1, 50) / 50)
    counts = rng.multinomial(60, np.full(50, 1 / 50), size=4000).cumsum(axis=1)[:, :-1] / 60
    inside = ((counts >= low) & (counts <= high)).all(axis=1).mean()
    assert 0.88 < inside < 0.94  # discrete: a little above 0.9


@pytest.mark.parametrize(
    ("kind", "words"),
    [("low", "too low"), ("high", "too high"), ("narrow", "too narrow"), ("wide", "too wide")],
)
def test_what_is_wrong_is_said(kind: str, words: str) -> None:
    rng = np.random.default_rng(5)
    shapes = {"low": (2, 1), "high": (1, 2), "narrow": (0.5, 0.5), "wide": (3, 3)}
    made = stats.betabinom(99, *shapes[kind]).rvs(200, random_state=rng)
    right = rng.integers(0, 100, 200)
    result = SBCResult(pd.DataFrame({"mu": right, "tau": made}), draws=99, replicates=200)
    assert not result.ok
    assert result.table["ok"].tolist() == [True, False]
    assert f"tau: its posteriors are {words}" in str(result)
    assert repr(result) == str(result)
    with_trouble = SBCResult(pd.DataFrame({"mu": right}), 99, 200, unmixed=30)
    assert not with_trouble.ok
    assert "Not shown to be calibrated" in str(with_trouble)


def edited(folder: Path, file: str, old: str, new: str) -> Path:
    path = hs.copy_templates(folder) / file
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return folder


WIDE = {**PRIORS, "tau": hs.LogNormal(1, 1.2)}


BROKEN = {
    "scale": (PRIORS, POOLING, "theta ~ normal(mu, tau);", "theta ~ normal(mu, sqrt(tau));"),
    "prior": (PRIORS, POOLING, "tau ~ {{ prior.tau }};", "tau ~ normal(0, 3);"),
    "Jacobian": (
        WIDE, POOLING,
        "tau ~ {{ prior.tau }};", "log(tau) ~ normal(tau_location, tau_scale);",
    ),
    "y_rep": (
        PRIORS, KNOWN,
        "normal_rng(eta[n], se[n])", "normal_rng(eta[n], 3 * se[n])",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_template_is_not_calibrated(case: str, tmp_path: Path) -> None:
    priors, *edit = BROKEN[case]
    model = hs.PartialPooling(priors=priors, template_dir=edited(tmp_path, *edit))
    result = hs.sbc(model, EIGHT, replicates=30 if case == "Jacobian" else 14, draws=49, **QUICK)
    assert not result.ok
    assert "Not calibrated" in str(result)
    assert "The templates were edited" in str(result)
    assert not result.table.loc["tau", "ok"] or case in ("scale", "y_rep")


def test_a_log_lik_that_disagrees_is_refused(tmp_path: Path) -> None:
    folder = edited(tmp_path, KNOWN, "log_lik[n] = family_lpdf(", "log_lik[n] = 2 * family_lpdf(")
    with pytest.raises(hs.TemplateError, match="disagree about the likelihood"):
        hs.sbc(hs.PartialPooling(template_dir=folder), EIGHT, replicates=10, **QUICK)


@pytest.mark.slow
def test_a_sound_edit_is_calibrated_against_itself(tmp_path: Path) -> None:
    edit = (POOLING, "theta ~ normal(mu, tau);", "theta ~ student_t(3, mu, 0.1 * tau);")
    model = hs.PartialPooling(priors=PRIORS, template_dir=edited(tmp_path, *edit))
    result = hs.sbc(model, EIGHT, replicates=15, draws=49, population="template", **QUICK)
    assert result.table["ok"].all(), str(result)
    assert sorted(result.ranks) == ["log_lik", "mu", "tau", "theta[E]", "theta[F]", "theta[H]"]


def test_a_parameter_whose_prior_is_unknown_is_refused(tmp_path: Path) -> None:
    folder = edited(tmp_path, POOLING, "  {{ family.parameters }}", "  real<lower=0> kappa;")
    with pytest.raises(hs.HierstanError, match="has the parameter kappa, whose prior stands in"):
        hs.sbc(hs.PartialPooling(template_dir=folder), EIGHT, **QUICK)


@pytest.mark.slow
def test_a_reparameterized_template_is_checked_against_the_shipped_one(tmp_path: Path) -> None:
    # without the Jacobian of tau = exp(log_tau)
    old = "  real{{ bounds.tau }} tau; // population standard deviation\n"
    folder = edited(tmp_path, POOLING, old, "  real log_tau;\n")
    path = folder / POOLING
    text = path.read_text().replace(", tau, estimate", ", exp(log_tau), estimate")
    text = text.replace("uncertainty(tau,", "uncertainty(exp(log_tau),")
    derived = "transformed parameters {\n  real<lower=0> tau = exp(log_tau);\n}\n"
    path.write_text(text.replace("\nmodel {", f"\n{derived}model {{"))
    model = hs.PartialPooling(priors=WIDE, template_dir=folder, parameterization="noncentered")
    result = hs.sbc(model, EIGHT, replicates=50, draws=49, **QUICK)
    assert not result.table.loc["tau", "ok"], str(result)


@pytest.mark.slow
def test_complete_and_no_pooling_in_two_processes() -> None:
    for model, names in (
        (hs.CompletePooling(), ["mu", "log_lik"]),
        (hs.NoPooling(), ["theta[f]", "theta[d]", "theta[a]", "log_lik"]),
    ):
        options = {**QUICK, "n_jobs": 2 if model.name == "complete" else 1}
        result = hs.sbc(model, small_data("normal_known"), replicates=12, **options)
        assert result.ok, str(result)
        assert list(result.ranks) == names
        assert result.ranks.shape[0] == 12
        assert result.ranks.to_numpy().max() <= 99


def test_what_cannot_be_checked_is_refused() -> None:
    with pytest.raises(hs.HierstanError, match="replicates must be a whole number of at least 10"):
        hs.sbc(hs.PartialPooling(), EIGHT, replicates=5)
    with pytest.raises(hs.HierstanError, match="takes a model such as"):
        hs.sbc("partial", EIGHT)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    """A pooling, a family and a parameterization; ``auto`` has the default priors."""

    pooling: str
    family: str
    parameterization: str | None = None
    predictors: bool = False
    structure: str | None = None

    def __str__(self) -> str:
        more = "predictors" if self.predictors else self.structure
        return "-".join(filter(None, (self.pooling, self.family, self.parameterization, more)))

    def result(self, replicates: int, seed: int, **more: Any) -> SBCResult:
        """Run it."""
        data, options = small_data(self.family, self.predictors), {}
        if self.structure:
            data = structured_data(self.family, self.structure)
        if self.parameterization:
            options["parameterization"] = self.parameterization
        model = POOLINGS[self.pooling](**options)
        if self.parameterization != "auto" or self.structure:
            names = [name for name in model.takes(data) if name not in data.tau_names]
            known = {name: CAMPAIGN_PRIORS[name] for name in names if name in CAMPAIGN_PRIORS}
            model = replace(model, priors=known)
        return hs.sbc(
            model, data, replicates=replicates, **{**QUICK, "seed": seed, "n_jobs": -1, **more}
        )


CASES = [
    Case(pooling, family, way, predictors)
    for family in FAMILIES
    for pooling, way, predictors in (
        ("partial", "auto", False),
        ("partial", "centered", False),
        ("partial", "noncentered", False),
        ("partial", "auto", True),
        ("complete", None, False),
        ("complete", None, True),
        ("none", None, False),
    )
] + [
    Case(pooling, family, way, structure=structure)
    for family in FAMILIES
    for structure in STRUCTURES
    for pooling, way in (("partial", "auto"), ("complete", None))
    if not FAMILIES[family].treatment
]


def line_of_table(case: Case, result: SBCResult, seconds: float) -> str:
    """Return a line of the table in tests/README.md."""
    worst = result.table["p_adjusted"].idxmin()
    p = result.table["p_adjusted"].min()
    return (
        f"| {case} | {len(result.ranks)} | {result.ranks.shape[1]} | {p:.3f} | {worst} "
        f"| {result.unmixed} | {result.diverged} | {'yes' if result.ok else 'NO'} "
        f"| {seconds:.0f} |"
    )


@pytest.mark.slow
@pytest.mark.parametrize("family", ["normal", "poisson"])
def test_a_few_replicates_of_partial_pooling(family: str) -> None:
    result = hs.sbc(hs.PartialPooling(), small_data(family), replicates=15, **QUICK)
    assert result.ok, str(result)
    assert result.ranks.shape == (15, 6 + len(FAMILIES[family].parameters))


OUTCOMES = [
    "beta_binomial",
    "ordinal",
    "zero_inflated_poisson",
    "zero_inflated_neg_binomial",
    "normal_weighted",
    "normal_unequal",
    "normal_unequal_adjusted",
]


FEW_WITH_FACTORS = [
    Case("partial", "normal_known", "auto", structure="crossed"),
    Case("complete", "poisson", structure="crossed"),
    Case("partial", "normal", "auto", structure="nested"),
    Case("partial", "binomial", "auto", structure="nested"),
    Case("partial", "poisson", "auto", structure="crossed"),
    Case("partial", "neg_binomial", "auto", structure="nested"),
    Case("partial", "zero_inflated_neg_binomial", "auto", structure="crossed"),
]


@pytest.mark.slow
@pytest.mark.parametrize("family", OUTCOMES)
def test_a_few_replicates_of_the_outcomes_people_have(family: str) -> None:
    priors = {
        name: CAMPAIGN_PRIORS[name]
        for name in hs.PartialPooling().prior_names(small_data(family))
        if name in CAMPAIGN_PRIORS
    }
    model = hs.PartialPooling(priors=priors)
    result = hs.sbc(model, small_data(family), replicates=10, **{**QUICK, "draws": 19})
    assert result.table["ok"].all(), str(result)
    assert set(FAMILIES[family].parameters) <= {name.split("[")[0] for name in result.ranks}
    own = FAMILIES[family].of_group
    assert sum(name.startswith(f"{own}[") for name in result.ranks) == 3 * bool(own)


@pytest.mark.slow
@pytest.mark.parametrize("case", FEW_WITH_FACTORS, ids=str)
def test_a_few_replicates_with_factors(case: Case) -> None:
    result = case.result(10, 2, draws=19, n_jobs=1)
    assert result.table["ok"].all(), str(result)
    ranked = {"tau_region", "u_region[n]", "u_region[e]", "log_lik"}
    assert ranked <= set(result.ranks)


@pytest.mark.campaign
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_program_is_calibrated(case: Case) -> None:
    replicates = int(os.environ.get("HIERSTAN_SBC_REPLICATES", "500"))
    # one in a hundred correct programs gives p < 0.01; one in ten thousand does so twice
    for seed in (1, 2):
        start = time.monotonic()
        result = case.result(replicates, seed)
        print(line_of_table(case, result, time.monotonic() - start))
        if result.ok:
            break
    assert result.ok, str(result)
