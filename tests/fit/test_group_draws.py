"""Very many groups: theta drawn when asked for, exact summaries, leave-one-out from a sample."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pictures import close
from programs import POOLINGS
from scipy import stats

import hierstan as hs
from hierstan.answers.comparison import subsampling
from hierstan.answers.prediction import design
from hierstan.fit import group_draws
from hierstan.fit.group_summaries import mixture_quantile
from hierstan.fit.once import forget
from hierstan.sampling import run

QUICK: dict[str, Any] = {"seed": 5, "engine": "stanli", "progress": False}


def known(J: int = 60, seed: int = 3) -> hs.GroupedData:
    rng = np.random.default_rng(seed)
    se = rng.uniform(0.5, 2, J)
    frame = pd.DataFrame({"g": range(J), "y": 3 + rng.normal(size=J) + se * rng.normal(size=J)})
    return hs.GroupedData.from_estimates(frame.assign(se=se), group="g", estimate="y", se="se")


def rows(family: str, J: int = 60) -> hs.GroupedData:
    rng = np.random.default_rng(4)
    group = rng.integers(0, J, 8 * J)
    y = rng.normal(0, 0.6, J)[group] + 0.8 * rng.normal(size=8 * J)
    frame = pd.DataFrame({"g": group, "y": np.exp(y) if family == "lognormal" else y})
    return hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)


DATA = {
    "normal_known": known,
    "normal": lambda: rows("normal"),
    "lognormal": lambda: rows("lognormal"),
}


@pytest.fixture
def pair(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[hs.Fit, hs.Fit]:
    """Fit the same data twice: with theta kept, and with theta made on demand."""
    pooling, family = request.param.split("-")
    data, model = DATA[family](), POOLINGS[pooling]()
    kept = model.fit(data, **QUICK)
    monkeypatch.setattr(run, "MAX_THETA", 1)
    monkeypatch.setattr(group_draws, "TILE", (170, 7))
    return kept, model.fit(data, **QUICK)


INTEGRATED = [f"{pooling}-{family}" for family in DATA for pooling in ("none", "partial")]
each_integrated = pytest.mark.parametrize("pair", INTEGRATED, indirect=True)
each = pytest.mark.parametrize("pair", [*INTEGRATED, "complete-normal"], indirect=True)


@each
def test_both_ways_say_the_same(pair: tuple[hs.Fit, hs.Fit]) -> None:
    kept, made = pair
    assert kept.keeps_theta
    assert not made.keeps_theta
    assert "theta" not in made.posterior
    sampled = [name for name in ("mu", "tau", "theta_new", "sigma") if name in made.posterior]
    tables = [hs.summary(fit).loc[sampled] for fit in pair]
    apart = np.abs(tables[0]["mean"] - tables[1]["mean"])
    assert (apart <= 5 * np.hypot(tables[0]["mcse_mean"], tables[1]["mcse_mean"])).all()
    for scale in ("response", "link"):
        one, other = (hs.group_means(fit, scale=scale) for fit in pair)
        error = one["sd"] / np.sqrt(len(kept.theta()) / 4)
        assert (np.abs(one["mean"] - other["mean"]) < 5 * error).all()
        np.testing.assert_allclose(one["sd"], other["sd"], rtol=0.12)
        for end in ("lower", "upper"):
            assert (np.abs(one[end] - other[end]) < 12 * error).all()


@pytest.mark.parametrize("of", INTEGRATED)
def test_theta_drawn_in_passing_is_what_is_drawn_when_it_is_asked_for(
    of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pooling, family = of.split("-")
    data, few = DATA[family](), {"warmup": 200, "draws": 150, **QUICK}  # 600: three parts of tiles
    fit = POOLINGS[pooling]().fit(data, **few)
    np.testing.assert_allclose(fit.group_draws().at(np.arange(600), np.arange(60)), fit.theta())
    monkeypatch.setattr(run, "MAX_DESCRIBED", 0)
    other = POOLINGS[pooling]().fit(data, **few)
    assert list(other.posterior) == list(fit.posterior)
    np.testing.assert_allclose(other.theta(), fit.theta())


@pytest.mark.slow
@each_integrated
def test_theta_is_the_same_every_time_whatever_is_asked_for(pair: tuple[hs.Fit, hs.Fit]) -> None:
    _, made = pair
    whole = made.theta()
    assert whole.shape == (4000, 60)
    np.testing.assert_array_equal(made.theta(groups=slice(5, 9)), whole[:, 5:9])
    some, few = np.array([59, 3, 3, 20]), np.array([3999, 0, 171])
    np.testing.assert_array_equal(made.theta(some, few), whole[np.ix_(few, some)])
    np.testing.assert_allclose(
        whole.mean(axis=0), hs.group_means(made, scale="link")["mean"], atol=0.08
    )
    assert not np.array_equal(whole[:, 0], whole[:, 1])
    apart = np.corrcoef(whole[:170, 0], whole[170:340, 0])[0, 1]
    assert abs(apart) < 0.35  # tiles have seeds of their own


@pytest.mark.slow
@each
def test_every_answer_works(pair: tuple[hs.Fit, hs.Fit], tmp_path: Path) -> None:
    kept, made = pair
    table = hs.summary(made)
    assert table.index.tolist() == hs.summary(kept).index.tolist()
    assert table.loc[table.index.str.startswith("theta["), "mean"].notna().all()
    partial = made.model.name == "partial"
    answers = [hs.prob_best, hs.expected_loss, hs.rank_intervals]
    for answer in answers + [hs.shrinkage] * partial:
        one, other = (pd.DataFrame(answer(fit)) for fit in pair)
        assert one.index.equals(other.index)
        assert other.notna().all(axis=None)
    best = [hs.prob_best(fit) for fit in pair]
    np.testing.assert_allclose(*best, atol=0.06)
    control = made.data.groups[0]
    np.testing.assert_allclose(
        *(hs.uplift(fit, control=control)["prob_better"] for fit in pair), atol=0.06
    )
    assert hs.predict(made, groups=[control], new_groups=1).summary.notna().all(axis=None)
    assert hs.diagnose(made).ok
    pictures = [hs.plot_forest, hs.plot_trace]
    if partial:
        assert hs.heterogeneity(made).verdict
        pictures += [hs.plot_shrinkage, hs.plot_population]
    if made.model.name != "complete":
        assert "not kept but made when asked for" in " ".join(str(made).split())
    for picture in pictures:
        picture(made).savefig(tmp_path / "picture.png")
    close()
    made.save(tmp_path / "fit.nc")
    loaded = hs.load(tmp_path / "fit.nc")
    np.testing.assert_array_equal(loaded.theta(), made.theta())
    with pytest.raises(hs.HierstanError, match=r"are not kept. fit.theta\(groups\) makes"):
        made.draws("theta")


def test_group_means_of_complete_pooling_are_its_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    data = rows("lognormal")
    kept = hs.CompletePooling().fit(data, **QUICK)
    assert (kept.draws("theta") == kept.draws("mu")[:, None]).all()
    monkeypatch.setattr(run, "MAX_THETA", 1)
    made = hs.CompletePooling().fit(data, **QUICK)
    assert not made.keeps_theta
    np.testing.assert_array_equal(made.theta(), kept.theta())
    pd.testing.assert_frame_equal(hs.group_means(made), hs.group_means(kept))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_predictions_of_very_many_groups_are_of_fewer_draws(
    pooling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = POOLINGS[pooling]().fit(known(), **QUICK)
    whole = hs.predict(fit)
    monkeypatch.setattr(design, "MAX_VALUES", 60 * 1500)
    some = hs.predict(fit)
    assert some.draws.shape == (4, 333, 60)
    assert some.draws["draw"].to_numpy()[:2].tolist() == [2, 5]
    assert "of 1,332 of the 4,000 draws" in str(some)
    error = whole.summary["sd"] / np.sqrt(some.draws[..., 0].size / 4)
    assert (np.abs(some.summary["mean"] - whole.summary["mean"]) < 5 * error).all()
    monkeypatch.setattr(design, "MAX_VALUES", 60 * 399)
    with pytest.raises(hs.HierstanError, match="60 observations x 400 draws are more than"):
        hs.predict(fit)


def test_quantiles_of_mixtures() -> None:
    rng = np.random.default_rng(1)
    means, sds = rng.normal(0, [0.01, 1, 10], (50, 3)), rng.uniform(0.1, [0.2, 2, 3], (50, 3))
    for probability in (0.001, 0.05, 0.5, 0.975):
        found = mixture_quantile(means, sds, probability)
        reached = stats.norm.cdf(found, means, sds).mean(axis=0)
        np.testing.assert_allclose(reached, probability, rtol=1e-7)
    same = mixture_quantile(np.full((9, 1), 2.0), np.full((9, 1), 3.0), 0.9)
    np.testing.assert_allclose(same, stats.norm.ppf(0.9, 2, 3))


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["observation", "group"])
@pytest.mark.parametrize("model", [hs.CompletePooling, hs.NoPooling, hs.PartialPooling])
def test_a_sample_of_groups_stands_for_all(
    model: type, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = model().fit(rows("normal", J=80), **QUICK)
    whole = hs.loo(fit, unit=unit, progress=False)
    forget(fit)
    monkeypatch.setattr("hierstan.answers.comparison.loo.MAX_GROUPS", 50)
    monkeypatch.setattr(subsampling, "SAMPLE", 40)
    found = hs.loo(fit, unit=unit, progress=False)
    # default priors do not follow the folds of a sample: a difference of its own, and small
    assert abs(found.elpd - whole.elpd) < 4 * np.hypot(found.mcse, whole.mcse) + 1.5
    np.testing.assert_allclose(found.se, whole.se, rtol=0.05)
    assert set(found.method) == {"psis", "subsample"}
    assert np.isnan(found.pareto_k[found.method == "subsample"]).all()
    assert found.elpd == pytest.approx(found.elpd_i.sum())
    assert "subsample" in str(found)
    assert found.reliable


@pytest.mark.slow
def test_checks_of_draws_that_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MAX_THETA", 1)
    data = known(8)
    fit = hs.PartialPooling().fit(data, **QUICK)
    certificate = hs.certify(fit)
    assert certificate.ok, str(certificate)
    assert "theta[7]" in certificate.table.index
    result = hs.sbc(
        hs.PartialPooling(), data, replicates=10, draws=19, seed=1, n_jobs=1, progress=False
    )
    assert sum(name.startswith("theta[") for name in result.ranks) == 3


def test_a_fit_can_be_pickled_whatever_it_has_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MAX_THETA", 1)
    fit = hs.PartialPooling().fit(known(8), **QUICK)
    made = fit.theta()
    words = str(fit)
    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(again.theta(), made)
    assert str(again) == words


def test_parameters_of_an_edited_family_reach_the_draws_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = hs.copy_templates(tmp_path / "stan")
    own = "model {\n  kappa ~ lognormal(0, 0.1);"
    for file in ("families", "sampling/marginal/families"):
        path = folder / file / "normal_known.stan"
        text = path.read_text().replace("model {", own)
        for old in ("square(se)", "error = se", "y ~ family(eta, se", "n : n], se[n : n]"):
            text = text.replace(old, old.replace("se", "kappa * se"))
        if file == "families":  # the other inherits its parameters
            text = text.replace("model {", "parameters {\n  real<lower=0> kappa;\n}\nmodel {")
        path.write_text(text)
    model = hs.PartialPooling(template_dir=folder, parameterization="marginal")
    monkeypatch.setattr(run, "MAX_THETA", 1)
    fit = model.fit(known(20), **QUICK)
    assert not fit.keeps_theta
    assert fit.theta().shape == (4000, 20)
    means = hs.group_means(fit)
    error = means["sd"] / np.sqrt(len(fit.draws("mu")) / 4)
    assert (np.abs(means["mean"] - fit.theta().mean(axis=0)) < 5 * error).all()
    assert hs.shrinkage(fit)["pooling_factor"].between(0, 1).all()
