"""Rendering the Stan templates: priors, broken templates and edited ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from exact import Posterior, known_normal, partial
from format_golden import GOLDEN
from monte_carlo import TIMES, far_off
from programs import BINOMIAL, POOLINGS, small_data
from scipy import special, stats
from templates import edited

import hierstan as hs
from hierstan.engines import Settings, get_engine
from hierstan.models.plan import make_plan
from hierstan.programs.files import packaged_directory

POOLING, FAMILY = "partial_pooling.stan", "families/binomial.stan"


KNOWN = "families/normal_known.stan"


MARGINAL = "sampling/marginal"


def test_nothing_steers_the_templates() -> None:
    for file in packaged_directory().rglob("*.stan"):
        assert not any(mark in file.read_text() for mark in ("//%", "{%", "{#")), file.name


@pytest.mark.slow
def test_every_kind_of_prior_is_spelled_as_stan_wants_it(tmp_path: Path) -> None:
    data = small_data("normal")
    kinds = {
        "mu": [hs.Normal(0, 1), hs.StudentT(3, 0, 1), hs.Cauchy(0, 1), hs.Uniform(-9, 9)],
        "tau": [
            hs.HalfNormal(1), hs.HalfStudentT(4, 1), hs.HalfCauchy(1), hs.Exponential(1),
            hs.Gamma(2, 1), hs.InverseGamma(3, 1), hs.LogNormal(0, 1),
        ],
    }  # fmt: skip
    for name, priors in kinds.items():
        for prior in priors:
            fit = hs.PartialPooling(priors={name: prior}).fit(
                data, seed=1, engine="stanli", chains=1, warmup=200, draws=100, progress=False
            )
            assert f"  {name} ~ {prior.stan_name}(" in fit.stan_code
            # the sampled log density is the prior's and the likelihood's: no prior is left out
            assert np.isfinite(fit.idata.sample_stats["lp"]).all()


def test_numbers_and_data_do_not_reach_the_text() -> None:
    for family in ("normal_known", "poisson"):
        data = small_data(family)
        plain = hs.PartialPooling().stan_code(data)
        other = hs.PartialPooling(priors={"mu": hs.Normal(12.25, 77.5)}).stan_code(data)
        assert plain == other
        assert plain == hs.PartialPooling().stan_code(data.without("f"))


def test_labels_and_columns_do_not_reach_the_text() -> None:
    label = "}; model { target += 1e9; } // {{ prior.mu }} //% if True"
    columns = {"group": label, "successes": "y; int evil", "trials": "{{ n }}"}
    frame = pd.DataFrame({label: [label, "b", "c"], "y; int evil": [1, 2, 3], "{{ n }}": 9})
    evil = hs.GroupedData.from_counts(frame, **columns)
    for model in (hs.CompletePooling(), hs.NoPooling(), hs.PartialPooling()):
        plain = (GOLDEN / f"{model.program(evil).name}.stan").read_text()
        assert model.stan_code(evil) == plain
    fit = hs.NoPooling().fit(evil, seed=1, engine="stanli", chains=1, warmup=50, draws=50)
    assert fit.posterior["group"].to_numpy()[0] == label


def line_of(folder: Path, file: str, passage: str) -> str:
    """Say where a passage is, as the errors do."""
    before = (folder / file).read_text().split(passage)[0]
    return f"{file}, line {1 + before.count(chr(10))}"


def refusal(folder: Path, engine: str = "stanli") -> str:
    """Return what the error says when binomial data are fitted with these templates."""
    data, model = small_data("binomial"), hs.PartialPooling(template_dir=folder)

    def fit() -> None:  # `model.fit` would ask the embedded engine about the edit first
        plan = make_plan(model, data)
        get_engine(engine).sample(plan.program, plan.inputs(), Settings(progress=False), [])

    with pytest.raises(hs.TemplateError) as caught:
        fit()
    return str(caught.value)


BROKEN = {
    "unknown slot": (POOLING, "{{ family.model }}", "{{ family.modle }}", "unknown slot"),
    "unknown noun": (POOLING, "{{ family.model }}", "{{ famly.model }}", "unknown slot"),
    "unknown prior": (FAMILY, "model {\n", "model {\n  z ~ {{ prior.kappa }};\n", "unknown slot"),
    "stray text": (FAMILY, "data {\n", "stray text\ndata {\n", "stands outside a block"),
    "stray brace": (FAMILY, "data {\n", "}\ndata {\n", "stands outside a block"),
    "block unclosed": (FAMILY, "successes\n}", "successes", "the block 'data' is not closed"),
    "block twice": (FAMILY, "model {\n", "data {\n}\nmodel {\n", "a second block 'data'"),
    "not a block": (FAMILY, "model {\n", "modle {\n", "'modle {' stands outside a block"),
    "slot over two lines": (POOLING, "mu ~ {{ prior.mu }}", "mu ~ {{ prior\n.mu }}", "unexpected"),
    "two populations": (
        POOLING, "theta ~ normal(mu, tau);", "theta ~ normal(mu, tau);\n  theta ~ normal(0, 9);",
        "expected one statement 'theta ~ distribution(…);', found 2",
    ),
    "truncated population": (
        POOLING, "theta ~ normal(mu, tau);", "theta ~ normal(mu, tau) T[0, ];",
        "is not of the form",
    ),
}  # fmt: skip


WHERE = {
    "unknown prior": "prior.kappa",
    "block unclosed": "data {\n",
    "block twice": "data {\n}",
    "two populations": "theta ~ normal(0, 9)",
    "slot over two lines": "mu ~ {{ prior",
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_template_names_file_and_line(case: str, tmp_path: Path) -> None:
    file, old, new, words = BROKEN[case]
    folder = edited(tmp_path, file, old, new)
    said = refusal(folder)
    assert said.startswith(line_of(folder, file, WHERE.get(case, new)) + ": ")
    assert words in said


def test_an_unknown_slot_lists_the_valid_ones(tmp_path: Path) -> None:
    said = refusal(edited(tmp_path, POOLING, "{{ family.model }}", "{{ family.modle }}"))
    assert "Did you mean {{ family.model }}? Valid here: bounds.mu, bounds.tau, family.c" in said


def test_a_block_without_a_slot_names_both_files(tmp_path: Path) -> None:
    folder = edited(tmp_path, POOLING, "  {{ family.generated_quantities }}\n", "")
    assert refusal(folder) == (
        f"{line_of(folder, FAMILY, 'generated quantities {')}: the block 'generated quantities' "
        "has no place in partial_pooling.stan. Add the slot {{ family.generated_quantities }} "
        "there, where the block's lines belong."
    )


@pytest.mark.slow
def test_a_population_that_is_not_stated_can_be_written_out(tmp_path: Path) -> None:
    density = "target += normal_lpdf(theta | mu, tau);"
    folder = edited(tmp_path, POOLING, "theta ~ normal(mu, tau);", density)
    assert "found 0. Leave-one-out and new groups ({{ population.lpdf }}," in refusal(folder)
    path = folder / POOLING
    text = path.read_text().replace("{{ population.rng }}", "normal_rng(mu, tau)")
    path.write_text(text.replace("{{ population.lpdf }}", "normal_lpdf(theta[j] | mu, tau)"))
    data = small_data("binomial")
    fit = hs.PartialPooling(template_dir=folder).fit(data, seed=1, engine="stanli", draws=50)
    assert np.isfinite(hs.loo(fit).elpd)


@pytest.mark.parametrize("file", [POOLING, FAMILY])
def test_a_missing_file_says_which_and_where(file: str, tmp_path: Path) -> None:
    (hs.copy_templates(tmp_path) / file).unlink()
    assert refusal(tmp_path).startswith(f"There is no template {file} in {tmp_path}. hierstan.copy")


def test_a_file_that_cannot_be_read_says_which(tmp_path: Path) -> None:
    (hs.copy_templates(tmp_path) / FAMILY).write_bytes(b"// \xff\xfe")
    assert refusal(tmp_path).startswith(f"{tmp_path / FAMILY} cannot be read")


INJECTIONS = {
    "attribute": "{{ ''.__class__ }}",
    "filter": "{{ prior.mu|attr('__class__') }}",
    "call": "{{ prior.mu.format() }}",
}


@pytest.mark.parametrize("case", INJECTIONS)
@pytest.mark.parametrize("file", [POOLING, FAMILY])
def test_a_template_cannot_reach_python(case: str, file: str, tmp_path: Path) -> None:
    folder = edited(tmp_path, file, "model {\n", f"model {{\n{INJECTIONS[case]}\n")
    assert refusal(folder).startswith(line_of(folder, file, INJECTIONS[case]) + ": ")


def test_stan_braces_stay_stan(tmp_path: Path) -> None:
    table = "  array[2, 2] int table = {{1, 2}, {3, 4}};\n"
    folder = edited(tmp_path, POOLING, "model {\n", f"model {{\n{table}")
    assert table in hs.PartialPooling(template_dir=folder).stan_code(small_data("binomial"))


ENGINES = pytest.mark.parametrize(
    "engine", ["stanli", pytest.param("cmdstan", marks=pytest.mark.cmdstan)]
)


COMPILER = {
    "word": (FAMILY, "y ~ family(eta,", "y ~ family(etas,", "etas"),
    "type": (POOLING, "mu ~ {{ prior.mu }};", "mu ~ {{ prior.mu }} + mu;", "mu"),
    "block": (POOLING, "parameters {\n", "parameters {\n  real mu = 3;\n", "mu"),
    "slot": (FAMILY, "array[N] int<lower=0> trials;", "array[N] int<lower=0 trials;", "trials"),
}  # fmt: skip


@ENGINES
@pytest.mark.parametrize("case", COMPILER)
def test_a_program_that_stan_refuses_names_the_template(
    case: str, engine: str, tmp_path: Path
) -> None:
    file, old, new, word = COMPILER[case]
    folder = edited(tmp_path, file, old, new)
    said = refusal(folder, engine)
    passage = new.split("\n")[-2] if new.endswith("\n") else new
    assert said.startswith(line_of(folder, file, passage))
    assert f"the Stan compiler refuses the program {POOLING[:-5]}_binomial_" in said
    assert word in said


@ENGINES
@pytest.mark.parametrize(
    ("file", "statement"),
    [(POOLING, "tau ~ {{ prior.tau }}"), (FAMILY, "y ~ family(eta, trials)")],
)
def test_a_missing_semicolon_names_its_line(
    engine: str, file: str, statement: str, tmp_path: Path
) -> None:
    folder = edited(tmp_path, file, f"{statement};", statement)
    said = refusal(folder, engine)
    assert f"(or just before it: {line_of(folder, file, statement)})" in said
    assert "Expected" in said or "expected" in said  # Stan's own words


def test_data_that_hierstan_has_not_got_are_named(tmp_path: Path) -> None:
    folder = edited(tmp_path, FAMILY, "\ndata {\n", "\ndata {\n  vector[J] age;\n")
    assert "declares the data 'age', which hierstan does not supply" in refusal(folder)


EFFECTS = hs.load_dataset("eight_schools").assign(
    effect=[60.0, 8, -3, 7, -1, 1, 18, 12]
)  # an outlier, so that the edits matter


EIGHT = hs.GroupedData.from_estimates(EFFECTS, group="school", estimate="effect", se="se")


Y, SE = EFFECTS["effect"].to_numpy(), EFFECTS["se"].to_numpy(dtype=float)


PRIORS = {"mu": hs.Normal(0, 20), "tau": hs.HalfNormal(10)}


Likelihood = Callable[[np.ndarray, np.ndarray], np.ndarray]


def exactly(
    likelihood: Likelihood, population: Callable[[np.ndarray], np.ndarray], left_out: int | None
) -> Posterior:
    """Quadrature on the eight schools, one left out or none."""
    kept = np.array([j for j in range(8) if j != left_out])
    return partial(
        lambda theta: likelihood(theta, kept),
        mu=(stats.norm(0, 20).logpdf, -70, 90),
        tau=(stats.halfnorm(scale=10).logpdf, 60),
        population=population,
        nodes=32,
    )


def normal(theta: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return stats.norm.logpdf(Y[kept], theta, SE[kept])


def student_t(theta: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return stats.t.logpdf(Y[kept], 4, theta, SE[kept])


EDITS = {
    "population": (
        POOLING, "theta ~ normal(mu, tau);", "theta ~ student_t(4, mu, tau);",
        normal, stats.t(4).logpdf,
    ),
    "family": (
        KNOWN, "normal_lupdf(y | eta, se)", "student_t_lupdf(y | 4, eta, se)",
        student_t, stats.norm.logpdf,
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", EDITS)
def test_an_edit_changes_the_fit_its_log_lik_and_its_loo_alike(case: str, tmp_path: Path) -> None:
    file, old, new, likelihood, population = EDITS[case]
    model = hs.PartialPooling(
        priors=PRIORS, template_dir=edited(tmp_path, file, old, new), parameterization="noncentered"
    )
    fit = model.fit(EIGHT, seed=3, engine="stanli")
    posterior = exactly(likelihood, population, None)
    assert far_off(fit, posterior) == []
    theta = fit.idata.posterior["theta"].to_numpy()
    log_lik = fit.idata.log_likelihood["y"].to_numpy()
    np.testing.assert_allclose(log_lik, likelihood(theta, np.arange(8)), rtol=1e-9)
    loo = hs.loo(fit)
    for j in (0, 2):
        exact = posterior.log_predictive(exactly(likelihood, population, j))
        assert abs(loo.elpd_i[j] - exact) < 5 * loo.mcse_i[j]

    # the edits are not so small that the shipped templates would have passed too
    prior = (stats.halfnorm(scale=10).logpdf, 60)
    plain, rest = (known_normal(Y[i:], SE[i:], mu=(0, 20), tau=prior) for i in (0, 1))
    shift = plain.log_predictive(rest) - posterior.log_predictive(
        exactly(likelihood, population, 0)
    )
    assert abs(shift) > 0.3
    unedited = hs.PartialPooling(priors=PRIORS).fit(EIGHT, seed=3, engine="stanli")
    assert len(far_off(unedited, posterior)) > 4


@pytest.mark.slow
def test_an_edited_count_family_is_integrated_as_edited(tmp_path: Path) -> None:
    # a beta-binomial: the chance of a success differs between the trials of a group too
    size = 20
    beta = f"beta_binomial_lupmf(y | trials, {size} * inv_logit(eta), {size} * inv_logit(-eta))"
    folder = edited(tmp_path, FAMILY, BINOMIAL, beta)
    y, n = np.array([1, 4, 9, 30, 2]), np.array([10, 10, 20, 45, 5])
    frame = pd.DataFrame({"site": list("abcde"), "y": y, "n": n})
    data = hs.GroupedData.from_counts(frame, group="site", successes="y", trials="n")

    def likelihood(theta: np.ndarray, kept: np.ndarray) -> np.ndarray:
        chance = special.expit(np.clip(theta, -30, 30))
        return stats.betabinom.logpmf(y[kept], n[kept], size * chance, size * (1 - chance))

    def exactly(kept: np.ndarray) -> Posterior:
        prior = (stats.norm(0, 1).logpdf, -5, 5), (stats.halfnorm(scale=1).logpdf, 5.5)
        return partial(lambda theta: likelihood(theta, kept), mu=prior[0], tau=prior[1], nodes=32)

    priors = {"mu": hs.Normal(0, 1), "tau": hs.HalfNormal(1)}
    model = hs.PartialPooling(priors=priors, template_dir=folder)
    fit = model.fit(data, seed=2, engine="stanli")
    posterior = exactly(np.arange(5))
    assert far_off(fit, posterior) == []
    loo = hs.loo(fit)
    exact = posterior.log_predictive(exactly(np.arange(4)))
    assert abs(loo.elpd_i[4] - exact) < 5 * loo.mcse_i[4]


def test_poolings_other_than_partial_can_be_edited(tmp_path: Path) -> None:
    folder = edited(
        tmp_path, "no_pooling.stan", "theta ~ {{ prior.theta }};", "theta ~ normal(5, 2);"
    )
    fit = hs.NoPooling(template_dir=folder).fit(EIGHT, seed=2, engine="stanli")
    weight = 4 / (4 + SE**2)
    mean, sd = weight * Y + (1 - weight) * 5, np.sqrt(weight) * SE
    moments = {"mean": {"theta": mean}, "sd": {"theta": sd}}
    assert far_off(fit, Posterior(**moments, log_marginal=0.0)) == []
    density = stats.norm.logpdf(Y, 5, np.sqrt(4 + SE**2))  # the prior predictive
    np.testing.assert_allclose(hs.loo(fit).elpd_i, density, rtol=1e-6)


INCONSISTENT = {
    "likelihood only in the model": (
        "binomial", "partial", "auto", FAMILY,
        "y ~ family(eta, trials);", "y ~ binomial_logit(trials, 0.5 * eta);",
        "the model block and log_lik disagree about the likelihood",
    ),
    "likelihood only in log_lik": (
        "binomial", "complete", None, FAMILY,
        "log_lik[n] = family_lpmf(", "log_lik[n] = 2 * family_lpmf(",
        "the model block and log_lik disagree about the likelihood",
    ),
    "sigma only in the model": (
        "student_t", "none", None, "families/student_t.stan",
        "y ~ family(eta, sigma, nu);", "y ~ family(eta, 2 * sigma, nu);",
        "the model block and log_lik disagree about the likelihood",
    ),
    "population only in log_population": (
        "poisson", "partial", "auto", POOLING,
        "{{ population.lpdf }}", "normal_lpdf(theta[j] | mu, 2 * tau)",
        "the model block and log_population disagree about the population",
    ),
    "marginal template only": (
        "normal_known", "partial", "auto", f"{MARGINAL}/families/normal_known.stan",
        "y ~ normal(center,", "y ~ student_t(4, center,",
        "is not partial_pooling_normal_known with theta integrated out",
    ),
    "theta drawn from elsewhere": (
        "lognormal", "partial", "auto", f"{MARGINAL}/families/lognormal.stan",
        "vector[N] error = sigma ./ sqrt(count);", "vector[N] error = sigma ./ count;",
        "with theta integrated out: theta_mean is",
    ),
    "no pooling, marginal template only": (
        "normal", "none", None, f"{MARGINAL}/no_pooling.stan",
        "real tau = theta_scale;", "real tau = 2 * theta_scale;",
        "is not no_pooling_normal with theta integrated out: between two values",
    ),
    "no pooling, theta drawn from elsewhere": (
        "normal_known", "none", None, f"{MARGINAL}/no_pooling.stan",
        "real center = theta_location;", "real center = 0;",
        "is not no_pooling_normal_known with theta integrated out: theta_mean is",
    ),
    "not the marginal template": (
        "normal", "partial", "marginal", POOLING,
        "theta ~ normal(mu, tau);", "theta ~ student_t(4, mu, tau);",
        "is not partial_pooling_normal with theta integrated out",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", INCONSISTENT)
def test_an_edit_in_one_place_only_is_refused(case: str, tmp_path: Path) -> None:
    family, pooling, way, file, old, new, words = INCONSISTENT[case]
    options: dict[str, Any] = {"parameterization": way} if way else {}
    if pooling == "none":  # whose default prior says too little to be seen
        options["priors"] = {"theta": hs.Normal(1, 1)}
    model = POOLINGS[pooling](template_dir=edited(tmp_path, file, old, new), **options)
    with pytest.raises(hs.TemplateError) as caught:
        model.fit(small_data(family), seed=1, engine="stanli", progress=False)
    assert words in str(caught.value)
    assert "Edit both in the same way" in str(caught.value)


OWN = """parameters {
  real<lower=0> kappa;
}
model {
  kappa ~ lognormal(0, 1);"""


def test_a_parameter_of_its_own_hides_no_contradiction(tmp_path: Path) -> None:
    folder = edited(tmp_path, FAMILY, "model {", OWN)
    path, data = folder / FAMILY, small_data("binomial")
    text, model = path.read_text(), hs.PartialPooling(template_dir=folder)
    both = "kappa * inv_logit(eta), kappa * inv_logit(-eta)"
    path.write_text(text.replace("family(eta, trials)", f"beta_binomial(trials, {both})"))
    with pytest.raises(hs.TemplateError, match="log_lik disagree about the likelihood"):
        model.fit(data, seed=1, engine="stanli", progress=False)
    path.write_text(text)
    sound = hs.summary(model.fit(data, seed=1, engine="stanli", progress=False)).loc["kappa"]
    assert abs(sound["mean"] - np.exp(0.5)) < TIMES * sound["mcse_mean"]  # its prior's: no data


@pytest.mark.parametrize("file", [POOLING, f"{MARGINAL}/partial_pooling.stan"])
def test_a_parameter_in_one_of_two_templates_is_refused(file: str, tmp_path: Path) -> None:
    edit = "tau ~ {{ prior.tau }};", "tau ~ normal(0, scale);\n  scale ~ lognormal(0, 1);"
    folder = edited(tmp_path, file, *edit)
    path = folder / file
    path.write_text(
        path.read_text().replace("parameters {", "parameters {\n  real<lower=0> scale;")
    )
    model = hs.PartialPooling(template_dir=folder, parameterization="marginal")
    with pytest.raises(hs.TemplateError, match="only one of them has scale. Edit both in the same"):
        model.fit(EIGHT, seed=1, engine="stanli", progress=False)


def test_an_edited_template_starts_where_the_data_are(tmp_path: Path) -> None:
    frame = pd.DataFrame({"g": range(30), "y": 50_000 + np.arange(30.0), "se": 3.0})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    declared = "real{{ bounds.mu }} mu; // population mean"
    folder = edited(tmp_path, POOLING, declared, declared + "\n  real<lower=1> nu;")
    path = folder / POOLING
    path.write_text(
        path.read_text().replace(
            "  theta ~ normal(mu, tau);", "  nu ~ gamma(2, 0.1);\n  theta ~ student_t(nu, mu, tau);"
        )
    )
    fit = hs.PartialPooling(template_dir=folder).fit(data, seed=1, warmup=100, engine="stanli")
    mu = hs.summary(fit).loc["mu"]
    assert abs(mu["mean"] - 50_014.5) < TIMES * mu["mcse_mean"]  # by symmetry
    assert fit.draws("nu").min() > 1


def test_a_program_without_log_lik_is_refused(tmp_path: Path) -> None:
    folder = edited(tmp_path, FAMILY, "generated quantities {", "functions_gone {")
    path = folder / FAMILY
    path.write_text(path.read_text().split("functions_gone")[0])
    with pytest.raises(hs.TemplateError, match=r"writes no log_lik\. An edited template must keep"):
        hs.PartialPooling(template_dir=folder).fit(small_data("binomial"), engine="stanli")


def test_the_same_edit_in_both_templates_may_be_integrated(tmp_path: Path) -> None:
    folder = edited(tmp_path, POOLING, "tau ~ {{ prior.tau }};", "tau ~ exponential(0.1);")
    path = folder / f"{MARGINAL}/partial_pooling.stan"
    path.write_text(path.read_text().replace("tau ~ {{ prior.tau }};", "tau ~ exponential(0.1);"))
    model = hs.PartialPooling(template_dir=folder, parameterization="marginal")
    same = hs.PartialPooling(priors={"tau": hs.Exponential(0.1)})
    tables = [hs.summary(one.fit(EIGHT, seed=1, engine="stanli")) for one in (model, same)]
    error = np.hypot(*(table["mcse_mean"] for table in tables))
    assert (np.abs(tables[0]["mean"] - tables[1]["mean"]) < TIMES * error).all()
