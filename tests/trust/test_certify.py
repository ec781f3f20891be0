"""The exact certificate: quadrature against closed forms and against other quadrature."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import exact
import numpy as np
import pandas as pd
import pytest
from programs import POOLINGS, small_data
from scipy import integrate, stats

import hierstan as hs
from hierstan.sampling.arrays import Sampled
from hierstan.trust import certify
from hierstan.trust.certify import FAMILIES
from hierstan.trust.quadrature import Moments

SCHOOLS = hs.load_dataset("eight_schools")
EIGHT = hs.GroupedData.from_estimates(SCHOOLS, group="school", estimate="effect", se="se")
PUMPS = hs.GroupedData.from_events(
    pd.DataFrame({"pump": list("abcde"), "y": [0, 1, 5, 22, 2], "t": [1.0, 2.1, 94.3, 10.5, 1]}),
    group="pump", events="y", exposure="t",
)  # fmt: skip
ALLOWED = (
    "errors",
    "fit.fit",
    "fit.taken",
    "priors",
    "text.answer",
    "text.tables",
    "trust.quadrature",
    "trust.scale_grid",
)
QUICK = {"seed": 1, "engine": "stanli", "progress": False}


def moments(data: hs.GroupedData, model: hs.PartialPooling, draws: int = 50) -> Moments:
    return certify._exact(model.fit(data, chains=1, warmup=50, draws=draws, **QUICK))


def agree(ours: Moments, theirs: exact.Posterior, sds: float) -> None:
    for name in ours.mean:
        assert (np.abs(ours.mean[name] - theirs.mean[name]) < sds * theirs.sd[name]).all(), name
        assert (np.abs(ours.sd[name] / theirs.sd[name] - 1) < sds).all(), name


def test_known_standard_errors_against_the_closed_form() -> None:
    priors = {"mu": hs.Normal(3, 8), "tau": hs.HalfCauchy(4)}
    ours = moments(EIGHT, hs.PartialPooling(priors=priors))
    y, se = SCHOOLS["effect"].to_numpy(dtype=float), SCHOOLS["se"].to_numpy(dtype=float)
    tau = (stats.halfcauchy(scale=4).logpdf, 2000.0)
    theirs = exact.known_normal(y, se, mu=(3, 8), tau=tau)
    for name in ("mu", "theta"):
        assert (np.abs(ours.mean[name] - theirs.mean[name]) < 1e-3 * theirs.sd[name]).all()
        assert (np.abs(ours.sd[name] / theirs.sd[name] - 1) < 2e-3).all()


def test_counts_against_other_quadrature() -> None:
    y, t = PUMPS.cells["y"].to_numpy(), PUMPS.cells["exposure"].to_numpy()
    priors = {"mu": hs.Normal(0, 1.5), "tau": hs.HalfNormal(1)}
    theirs = exact.partial(
        lambda theta: y * theta - t * np.exp(np.minimum(theta, 50)),
        mu=(stats.norm(0, 1.5).logpdf, -6, 6),
        tau=(stats.halfnorm(scale=1).logpdf, 5),
    )
    agree(moments(PUMPS, hs.PartialPooling(priors=priors)), theirs, 1e-3)


def test_separate_groups_against_closed_forms() -> None:
    # a normal prior on known-se estimates; and a rate's logarithm against adaptive integration
    model = hs.NoPooling(priors={"theta": hs.Normal(5, 2)})
    found = certify._exact(model.fit(EIGHT, chains=1, warmup=50, draws=50, **QUICK))
    y, v = EIGHT.cells["y"].to_numpy(), EIGHT.cells["se"].to_numpy() ** 2
    np.testing.assert_allclose(found.mean["theta"], (y / v + 5 / 4) / (1 / v + 1 / 4), rtol=1e-6)
    np.testing.assert_allclose(found.sd["theta"], (1 / v + 1 / 4) ** -0.5, rtol=1e-6)
    model = hs.CompletePooling(priors={"mu": hs.Normal(0, 2)})
    found = certify._exact(model.fit(PUMPS, chains=1, warmup=50, draws=50, **QUICK))

    def density(x: float) -> float:
        return float(np.exp(30 * x - 108.9 * np.exp(x) - x**2 / 8 + 70))

    mass, first = (
        integrate.quad(lambda x, k=k: x**k * density(x), -4, 1, epsabs=0)[0] for k in (0, 1)
    )
    np.testing.assert_allclose(found.mean["mu"], first / mass, rtol=1e-6)


@pytest.mark.slow
def test_normal_rows_against_other_quadrature() -> None:
    # sigma is integrated over a grid of its own: complete pooling has two dimensions
    data = small_data("normal")
    priors = {"mu": hs.Normal(0, 2), "sigma": hs.HalfNormal(1)}
    model = hs.CompletePooling(priors=priors)
    found = certify._exact(model.fit(data, chains=1, warmup=50, draws=50, **QUICK))
    rows = data.rows["y"].to_numpy()
    mu, sigma = (axis[..., None] for axis in np.meshgrid(
        np.linspace(-1.5, 1, 400), np.linspace(0.5, 2, 300), indexing="ij"
    ))  # fmt: skip
    log = stats.norm.logpdf(rows, mu, sigma).sum(axis=2) + stats.norm.logpdf(mu[..., 0], 0, 2)
    weight = np.exp(log - log.max() - sigma[..., 0] ** 2 / 2)
    weight /= weight.sum()
    assert abs((weight * mu[..., 0]).sum() - found.mean["mu"]) < 1e-3 * found.sd["mu"]
    assert abs((weight * sigma[..., 0]).sum() - found.mean["sigma"]) < 1e-3 * found.sd["sigma"]


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_draws_are_certified(family: str, pooling: str) -> None:
    fit = POOLINGS[pooling]().fit(small_data(family), **QUICK)
    certified = hs.certify(fit)
    assert certified.ok, str(certified)
    assert certified.quadrature_error < 1e-3
    names = {name.partition("[")[0] for name in certified.table.index}
    own = {"complete": {"mu"}, "none": {"theta"}, "partial": {"mu", "tau", "theta"}}[pooling]
    assert names == own | set(fit.family.parameters)
    assert "The draws agree with the exact posterior" in str(certified)


HARD = {
    "no successes": ([0] * 5, [10, 20, 5, 100, 1]),
    "all successes": ([10, 20, 5, 5], [10, 20, 5, 5]),
    "one huge group": ([3, 700_000, 2, 0], [10, 1_000_000, 5, 3]),
}


@pytest.mark.parametrize("case", HARD)
def test_extreme_counts_are_certified(case: str) -> None:
    y, n = HARD[case]
    frame = pd.DataFrame({"g": range(len(y)), "y": y, "n": n})
    data = hs.GroupedData.from_counts(frame, group="g", successes="y", trials="n")
    assert hs.certify(hs.PartialPooling().fit(data, **QUICK)).ok


def test_extreme_estimates_are_certified() -> None:
    z = np.array([0.3, -1.2, 0.8, 0.1, 1.9, -0.4])
    for y, se in ((1e9 + 1e3 * z, 1e3), (z, 10.0 ** np.linspace(-6, 6, 6)), (100 + z, 0.5)):
        frame = pd.DataFrame({"g": range(6), "y": y, "se": se})
        data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
        certified = hs.certify(hs.PartialPooling().fit(data, **QUICK))
        assert certified.ok, str(certified)
    # a prior that the data contradict, so that both count
    for place in (0, 97):
        far = hs.NoPooling(priors={"theta": hs.StudentT(3, place, 0.5)}).fit(data, **QUICK)
        certified = hs.certify(far)
        assert certified.ok, str(certified)


def test_wrong_draws_are_not_certified() -> None:
    fit = hs.PartialPooling().fit(EIGHT, **QUICK)
    assert hs.certify(fit).ok
    other = hs.certify(replace(fit, priors={**fit.priors, "tau": hs.HalfNormal(8)}))
    assert not other.ok
    assert "do NOT agree with the exact posterior: " in str(other)
    assert "The draws do NOT agree" in repr(other)
    shifted = fit.idata.copy()
    shifted["posterior"] = (
        shifted["posterior"]
        .to_dataset()
        .assign(mu=fit.posterior["mu"] + 0.15 * fit.posterior["mu"].std())
    )
    off = hs.certify(replace(fit, kept=Sampled(shifted))).table
    assert abs(off.loc["mu", "mean_z"]) > 4
    assert off["mean_z"].drop("mu").abs().max() < 4


def test_what_cannot_be_certified_says_why(tmp_path: Path) -> None:
    gamma = hs.CompletePooling().fit(small_data("gamma"), **QUICK)
    with pytest.raises(hs.HierstanError, match="the exact posterior of gamma data is not at hand"):
        hs.certify(gamma)
    prior = hs.CompletePooling().fit(EIGHT, prior_only=True, **QUICK)
    with pytest.raises(hs.HierstanError, match="its draws are from the prior"):
        hs.certify(prior)
    folder = hs.copy_templates(tmp_path / "copy")
    file = folder / "complete_pooling.stan"
    file.write_text(file.read_text().replace("mu ~ {{ prior.mu }};", "mu ~ normal(0, 1);"))
    with pytest.raises(hs.HierstanError, match="its templates were edited"):
        hs.certify(hs.CompletePooling(template_dir=folder).fit(EIGHT, **QUICK))


def test_it_is_a_second_opinion() -> None:
    for room in ("certify", "quadrature", "scale_grid"):
        source = (Path(hs.__file__).parent / "trust" / f"{room}.py").read_text()
        modules = {
            node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)
        }
        inside = {module for module in modules if module.startswith("hierstan")}
        assert inside <= {f"hierstan.{name}" for name in ALLOWED}


def test_labels_that_read_alike_are_told_apart() -> None:
    frame = pd.DataFrame(
        {"g": pd.Series([1, "1", 2], dtype=object), "y": [1.0, 2.0, 4.0], "se": 1.0}
    )
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    assert sum(name.startswith("theta[") for name in hs.certify(fit).table.index) == 3
