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
from scipy import stats

import hierstan as hs
from hierstan.trust.sbc_result import SBCResult
from hierstan.trust.uniformity import bands, p_value

EIGHT = hs.GroupedData.from_estimates(
    hs.load_dataset("eight_schools"), group="school", estimate="effect", se="se"
)
PRIORS = {"mu": hs.Normal(0, 20), "tau": hs.HalfNormal(20)}
POOLING, KNOWN = "partial_pooling.stan", "families/normal_known.stan"
QUICK: dict[str, Any] = {"seed": 1, "n_jobs": 1, "progress": False, "engine": "stanli"}


# the test of uniformity -------------------------------------------------------------------------


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


# simulated data ---------------------------------------------------------------------------------


def own_parameters(family: str) -> tuple[str, ...]:
    arms = ("intercept", "slope", "spread", "baseline")
    each = [FAMILIES[family].of_group] * bool(FAMILIES[family].of_group)
    return (*FAMILIES[family].parameters, *each, *arms * FAMILIES[family].treatment)


@pytest.mark.parametrize("family", FAMILIES)
def test_simulated_data_keep_the_design(family: str) -> None:
    data = small_data(family)
    first, second = hs.simulate(data, replicates=2, seed=1)
    again = hs.simulate(data, replicates=2, seed=1)[1]
    assert second.data.cells.equals(again.data.cells)
    assert not first.data.cells.equals(second.data.cells)
    assert sorted(first.truth) == sorted(["mu", "tau", "theta", *own_parameters(family)])
    assert list(first.data.groups) == list(data.groups)
    assert first.data.n_rows == data.n_rows
    assert (first.data.rows is first.data.cells) == (data.rows is data.cells)
    outcomes = {"y", "squares", "mean_log", "weight", "C"}
    for name in {name for name in data.cells if not str(name).startswith("zy")} - outcomes:
        if list(data.cells)[2:] not in (["weight", "exposure"], ["C", "weight"]):  # as the counts
            assert first.data.cells[name].tolist() == data.cells[name].tolist(), name
    assert first.data.to_frame()["n"].tolist() == data.to_frame()["n"].tolist()
    assert first.data.cells.dtypes.tolist() == data.cells.dtypes.tolist()


@pytest.mark.slow
def test_simulated_outcomes_have_the_moments_they_should() -> None:
    truth = {"mu": 1.0, "tau": 0.5, "theta": np.linspace(-1, 1, 6)}
    for family, own, link in (("normal_known", {}, np.asarray), ("poisson", {}, np.exp)):
        data = small_data(family)
        made = hs.simulate(data, truth={**truth, **own}, replicates=300, seed=2)
        y = np.array([each.data.cells["y"] for each in made])
        scale = data.cells["exposure"].to_numpy() if family == "poisson" else 1.0
        expected = link(truth["theta"]) * scale
        variance = expected if family == "poisson" else data.cells["se"].to_numpy() ** 2
        assert (np.abs(y.mean(axis=0) - expected) < 4 * np.sqrt(variance / 300)).all()
        assert (np.abs(y.var(axis=0) / variance - 1) < 0.4).all()


@pytest.mark.slow
def test_true_values_come_from_priors_and_population() -> None:
    priors = {**PRIORS, "tau": hs.LogNormal(0, 0.3)}
    made = hs.simulate(EIGHT, model=hs.PartialPooling(priors=priors), replicates=300, seed=3)
    truth = pd.DataFrame([each.truth for each in made])
    assert stats.kstest(truth["mu"], stats.norm(0, 20).cdf).pvalue > 0.001
    assert stats.kstest(truth["tau"], stats.lognorm(0.3).cdf).pvalue > 0.001
    standard = np.concatenate((truth["theta"] - truth["mu"]) / truth["tau"])
    assert stats.kstest(standard, stats.norm.cdf).pvalue > 0.001
    complete = hs.simulate(EIGHT, model=hs.CompletePooling(), seed=1)[0].truth
    assert (complete["theta"] == complete["mu"]).all()
    none = hs.simulate(EIGHT, model=hs.NoPooling(priors={"theta": hs.Normal(3, 1)}), seed=1)[0]
    assert list(none.truth) == ["theta"]
    assert abs(none.truth["theta"].mean() - 3) < 2


def test_no_spread_at_all_can_be_simulated() -> None:
    [made] = hs.simulate(EIGHT, truth={"mu": 2, "tau": 0}, seed=1)
    assert made.truth["theta"].tolist() == [2.0] * 8


@pytest.mark.parametrize("family", FAMILIES)
def test_simulated_levels_add_up(family: str) -> None:
    data = structured_data(family)
    [made] = hs.simulate(data, truth={"tau": 0, "u_region": [0, 1, 2, 3]}, seed=1)
    regions, devices = np.array([0, 0, 1, 1, 2, 3]), np.array([0, 1] * 3)
    own = {"mu", "tau", "theta", "tau_region", "u_region", "tau_device", "u_device"}
    assert set(made.truth) == {*own, *own_parameters(family)}
    expected = made.truth["mu"] + regions + made.truth["u_device"][devices]
    np.testing.assert_allclose(made.truth["theta"], expected)
    assert made.data.levels["region"].tolist() == list("nswe")


def test_true_levels_come_from_their_population() -> None:
    priors = {**PRIORS, "tau_level": hs.LogNormal(0, 0.3)}
    options = {"replicates": 100, "seed": 3}
    data = structured_data("normal_known")
    for model in (hs.PartialPooling(priors=priors), hs.CompletePooling(factors=["region"])):
        made = hs.simulate(data, model=model, **options)
        u = np.array([each.truth["u_region"] / each.truth["tau_region"] for each in made])
        assert stats.kstest(u.ravel(), stats.norm.cdf).pvalue > 0.001
        assert ("u_device" in made[0].truth) == (model.name == "partial")
    complete = made[0].truth
    assert (complete["theta"] == complete["mu"] + complete["u_region"][[0, 0, 1, 1, 2, 3]]).all()
    [none] = hs.simulate(data, model=hs.NoPooling(), seed=1)
    assert list(none.truth) == ["theta"]


@pytest.mark.parametrize(
    ("truth", "match"),
    [
        ({"u_region": [1, 2]}, "'u_region' must be 4 finite numbers, one a level of region"),
        ({"tau_region": -1}, "'tau_region' must be at least 0"),
        ({"u": [1, 2]}, "has no 'u'. It has mu, tau, tau_device, tau_region, theta, u_device"),
    ],
)
def test_bad_true_levels_are_refused(truth: dict[str, Any], match: str) -> None:
    with pytest.raises(hs.HierstanError, match=match):
        hs.simulate(structured_data("normal_known"), truth=truth)


@pytest.mark.slow
def test_large_tables_without_rows_are_simulated_from_their_counts() -> None:
    frame = pd.DataFrame({"g": np.repeat([1, 2, 3], [20_000, 500, 1]), "y": 1.0})
    frame["y"] += np.arange(len(frame)) % 2
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y")
    assert data.rows is None
    [made] = hs.simulate(data, truth={"mu": 0, "tau": 1, "sigma": 2}, seed=1)
    assert made.data.rows is None
    assert made.data.cells["count"].tolist() == [20_000, 500, 1]
    assert abs(made.data.to_frame()["sd"].iloc[0] - 2) < 0.1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"truth": {"sgima": 1}}, "has no 'sgima'. It has mu, tau, theta"),
        ({"truth": {"tau": -1}}, "'tau' must be at least 0, got -1"),
        ({"truth": {"theta": [1, 2]}}, "'theta' must be 8 finite numbers, one a group"),
        ({"truth": {"mu": float("nan")}}, "'mu' must be a finite number, got nan"),
        ({"replicates": 0}, "replicates must be at least 1, got 0"),
        ({"population": "gamma"}, "population must be one of normal, template; got 'gamma'"),
    ],
)
def test_what_cannot_be_simulated_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(hs.HierstanError) as caught:
        hs.simulate(EIGHT, **options)
    assert words in str(caught.value)


# calibration: what is broken fails --------------------------------------------------------------


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


# pictures ---------------------------------------------------------------------------------------


def test_plot_sbc_draws_both_kinds(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    ranks = pd.DataFrame({name: rng.integers(0, 100, 100) for name in ("mu", "theta[$x$]")})
    result = SBCResult(ranks.assign(tau=50), draws=99, replicates=100)
    for kind in ("ecdf", "hist"):
        figure = hs.plot_sbc(result, kind)
        assert [ax.get_title(loc="left") for ax in figure.axes] == ["mu", "theta[$x$]", "tau"]
        figure.savefig(tmp_path / "sbc.png")
    assert list(result.idata()["prior_sbc"].data_vars) == ["mu", "theta[$x$]", "tau"]
    with pytest.raises(hs.HierstanError, match="kind must be one of ecdf, hist; got 'bars'"):
        hs.plot_sbc(result, "bars")


# every template, family and parameterization ----------------------------------------------------


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
]
FEW_WITH_FACTORS = [
    Case("partial", "normal_known", "auto", structure="crossed"),
    Case("complete", "poisson", structure="crossed"),
    Case("partial", "normal", "auto", structure="nested"),
    Case("partial", "binomial", "auto", structure="nested"),
    Case("partial", "poisson", "auto", structure="crossed"),
    Case("partial", "neg_binomial", "auto", structure="nested"),
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
    result = case.result(10, 1, draws=19, n_jobs=1)
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
