"""Effects on the absolute scale: against arithmetic on draws, simulation, and the words of both."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special
from two_arms import FAST, POOLINGS, counts, rows, sites, unpaired

import hierstan as hs
from hierstan.answers.differences.needed import SIDES, inverted
from hierstan.fit.baselines import correlation, effects_given
from hierstan.report.again import script


@pytest.mark.parametrize("pooling", POOLINGS)
def test_differences_and_ratios_are_those_of_the_draws(pooling: str) -> None:
    fit = counts(pooling)
    control = special.expit(fit.draws("baseline"))
    treated = special.expit(fit.draws("baseline") + fit.draws("theta"))
    share = fit.data.to_frame()[["total_treatment", "total_control"]].sum(axis=1).to_numpy()
    share = share / share.sum()
    for measure, effect, overall in (
        ("RD", treated - control, (treated - control) @ share),
        ("RR", treated / control, treated @ share / (control @ share)),
    ):
        found = hs.absolute_effects(fit, measure=measure, prob=0.8)
        assert found.table.index.equals(fit.data.groups.rename("site"))
        mean = np.exp(np.log(effect).mean(axis=0)) if measure == "RR" else effect.mean(axis=0)
        np.testing.assert_allclose(found.table["mean"], mean)
        np.testing.assert_allclose(found.table["lower"], np.quantile(effect, 0.1, axis=0))
        np.testing.assert_allclose(found.overall["upper"], np.quantile(overall, 0.9))
        np.testing.assert_allclose(found.overall_draws, overall)
        np.testing.assert_allclose(found.draws.to_numpy().reshape(effect.shape), effect)
        np.testing.assert_allclose(found.table["prob_positive"], (treated > control).mean(axis=0))
        np.testing.assert_allclose(found.table["weight"], share)
    np.testing.assert_allclose(found.table["control"], control.mean(axis=0))


@pytest.mark.parametrize("kind", ["equal", "mapping", "series"])
def test_the_population_is_the_one_that_is_asked_for(kind: str) -> None:
    fit = counts()
    groups = fit.data.groups.tolist()
    weights = dict(zip(groups, np.arange(40.0), strict=True))
    shares = np.full(40, 1 / 40) if kind == "equal" else np.arange(40) / np.arange(40).sum()
    shuffled = pd.Series(weights).sample(frac=1, random_state=1)
    given: Any = {"equal": "equal", "mapping": weights, "series": shuffled}[kind]
    found = hs.absolute_effects(fit, weights=given)
    draws = found.draws.to_numpy().reshape(-1, 40)
    np.testing.assert_allclose(found.overall_draws, draws @ shares)
    told = "40 groups of equal size" if kind == "equal" else "groups with the weights given"
    assert told in " ".join(repr(found).split())


def test_numbers_needed_go_through_infinity() -> None:
    table = pd.DataFrame({"mean": [-0.058, 0.05], "lower": [-0.144, 0.02], "upper": [0.027, 0.1]})
    bad = inverted(table, SIDES[False])
    assert bad["interval"].tolist() == ["NNTB 6.9 to ∞ to NNTH 37", "NNTH 10 to 50"]
    np.testing.assert_allclose(bad["nnt"], [1 / 0.058, -20])
    np.testing.assert_allclose(bad[["lower", "upper"]], [[1 / 0.144, -1 / 0.027], [-50, -10]])
    good = inverted(table, SIDES[True])
    assert good["interval"].tolist() == ["NNTB 37 to ∞ to NNTH 6.9", "NNTB 10 to 50"]
    plain = inverted(table, SIDES[None])["interval"].tolist()
    assert plain[0] == "6.9 for one event fewer to ∞ to 37 for one event more"
    assert plain[1] == "10 to 50 for one event more"


def test_numbers_needed_are_one_over_differences() -> None:
    fit = counts()
    difference = hs.absolute_effects(fit)
    found = hs.absolute_effects(fit, measure="NNT")
    np.testing.assert_allclose(found.table["nnt"], -1 / difference.table["mean"])
    np.testing.assert_allclose(found.overall["nnt"], -1 / difference.overall["mean"])
    np.testing.assert_allclose(found.overall_draws, -1 / difference.overall_draws)
    better = hs.absolute_effects(fit, measure="NNT", larger_is_better=True)
    np.testing.assert_allclose(better.table["nnt"], 1 / difference.table["mean"])
    assert "NNTH" in better.overall["interval"]  # the new page sells less
    text = repr(found)
    assert "…" not in text
    assert all(words in text for words in found.table["interval"])


FACTORS = {
    "gamma": lambda fit: 1.0,
    "poisson": lambda fit: 1.0,
    "neg_binomial": lambda fit: 1.0,
    "lognormal": lambda fit: np.exp(fit.draws("sigma")[:, None] ** 2 / 2),
}


@pytest.mark.parametrize("family", FACTORS)
def test_means_of_amounts_and_counts(family: str) -> None:
    fit = rows(family)
    b, theta = fit.draws("baseline"), fit.draws("theta")
    effect = (np.exp(b + theta) - np.exp(b)) * FACTORS[family](fit)
    found = hs.absolute_effects(fit)
    np.testing.assert_allclose(found.table["mean"], effect.mean(axis=0))
    ratio = hs.absolute_effects(fit, measure="ROM" if family in ("gamma", "lognormal") else "IRR")
    np.testing.assert_allclose(ratio.table["mean"], np.exp(theta.mean(axis=0)))
    np.testing.assert_allclose(ratio.table["sd"], theta.std(axis=0, ddof=1))
    assert "posterior geometric mean, sd of the log" in " ".join(repr(ratio).split())


@pytest.mark.parametrize("family", ["normal", "student_t"])
def test_without_a_link_effects_are_absolute_already(family: str) -> None:
    fit = rows(family)
    found = hs.absolute_effects(fit)
    np.testing.assert_allclose(found.table["mean"], fit.draws("theta").mean(axis=0))
    with pytest.raises(hs.HierstanError, match=r"measure= is one of 'MD' \(mean difference\) for"):
        hs.absolute_effects(fit, measure="RD")


def test_effects_given_a_baseline_are_those_of_the_bivariate_normal() -> None:
    fit = counts()
    center, at = fit.draws("mu")[:, None], np.array([[-3.0, 0.0]])
    mean, sd = effects_given(fit, center, at)
    s = 17
    h = {name: fit.draws(name)[s] for name in ("mu", "tau", "slope", "spread", "intercept")}
    off = h["slope"] * h["tau"] ** 2
    joint = np.array([[h["tau"] ** 2, off], [off, h["slope"] * off + h["spread"] ** 2]])
    expected = h["mu"] + off / joint[1, 1] * (at[0] - h["intercept"] - h["slope"] * h["mu"])
    np.testing.assert_allclose(mean[s], expected)
    np.testing.assert_allclose(sd[s] ** -2.0, np.full(2, np.linalg.inv(joint)[0, 0]))
    assert correlation(fit)[s] == pytest.approx(off / np.sqrt(joint[0, 0] * joint[1, 1]))


def test_new_sites_are_foreseen_with_and_without_their_baseline() -> None:
    fit, J = counts(), 400
    theta, baseline = sites(J, 21)
    truth = special.expit(baseline + theta) - special.expit(baseline)
    known = hs.absolute_effects(fit, baseline=special.expit(baseline)).new_group
    inside = (known["lower"] < truth) & (truth < known["upper"])
    # the population is estimated from 40 sites, so that all intervals are off together
    assert 0.8 < inside.mean() < 0.98
    np.testing.assert_allclose(known["control"], special.expit(baseline))
    unknown = hs.absolute_effects(fit).new_group.iloc[0]
    inside = (unknown["lower"] < truth) & (truth < unknown["upper"])
    assert 0.8 < inside.mean() < 0.98
    widths = known["upper"] - known["lower"]
    assert widths.mean() < 0.8 * (unknown["upper"] - unknown["lower"])


def test_predictions_of_new_sites_go_by_their_baselines() -> None:
    fit, size = counts(), 100_000
    given = {"low": 0.02, "high": 0.6}
    of = {
        treated: hs.predict(
            fit, new_groups=["low", "high"], baseline=given, trials=size, treated=treated, seed=5
        )
        for treated in (False, True)
    }
    means = of[False].summary["mean"] / size
    assert means.to_numpy() == pytest.approx(list(given.values()), rel=0.02)
    effects = hs.absolute_effects(fit, baseline=given).new_group
    assert effects.index.tolist() == ["low", "high"]
    treated = of[True].draws.to_numpy().reshape(-1, 2) / size
    off = np.median(treated, axis=0) - effects["treated"].to_numpy()
    error = 1.25 * treated.std(axis=0) / np.sqrt(len(treated))
    assert (np.abs(off) < 4 * np.sqrt(2) * error).all()
    # their correlation is negative: where more buy already, the new page does worse
    ratios = special.logit(effects["treated"]) - special.logit(effects["control"])
    assert ratios["high"] < ratios["low"] - 0.2
    frame = pd.DataFrame({"site": ["low", "high"]})
    again = hs.predict(fit, frame, baseline=given, trials=size, treated=False)
    np.testing.assert_allclose(again.summary["mean"] / size, means, rtol=0.02)


def test_without_partial_pooling_the_baseline_tells_nothing_of_the_effect() -> None:
    for pooling in ("complete", "none"):
        fit = counts(pooling)
        found = hs.absolute_effects(fit, measure="RR", baseline=[0.1]).new_group.iloc[0]
        assert found["control"] == pytest.approx(0.1)
        effect = fit.draws("mu") if pooling == "complete" else np.zeros(1)
        odds = np.exp(np.median(effect)) / 9
        if pooling == "complete":
            assert found["treated"] == pytest.approx(odds / (1 + odds), rel=1e-6)


def test_the_verdict_says_what_the_treatment_changes() -> None:
    found = hs.absolute_effects(counts(), prob=0.95)
    whole = found.overall
    told = re.search(
        r"is (\S+)% with the treatment and (\S+)% without; the risk difference is (\S+) "
        r"percentage points \(95% interval (\S+) to (\S+)\)",
        found.verdict,
    )
    names = ["treated", "control", "mean", "lower", "upper"]
    np.testing.assert_allclose(
        [float(text) for text in told.groups()], 100 * whole[names].to_numpy(float), atol=0.051
    )
    assert "lower with the treatment with probability more than 99%" in found.verdict
    lower = int((found.table["prob_positive"] <= 0.05).sum())
    assert f"higher in 0 and lower in {lower}" in found.verdict
    assert "overall" in repr(found)
    assert "<table" in found._repr_html_()


def test_the_prior_has_effects_too() -> None:
    fit = hs.PartialPooling().fit(counts().data, prior_only=True, **FAST)
    found = hs.absolute_effects(fit)
    assert "prior mean" in found.table.attrs["caption"]
    assert "probability" not in str(fit).split("Baselines")[1].split("Trust")[0]


def test_labels_of_several_columns_and_factors() -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"land": ["A", "A", "B", "B"] * 2, "shop": ["x", "y", "x", "y"] * 2})
    frame["arm"], frame["n"] = ["old"] * 4 + ["new"] * 4, 200
    frame["y"] = rng.binomial(200, 0.3, 8)
    data = hs.GroupedData.from_trial(
        frame, group=["land", "shop"], arm="arm", control="old", successes="y", trials="n"
    )
    fit = hs.PartialPooling().fit(data, **FAST)
    weights = {label: 1 + place for place, label in enumerate(data.groups)}
    found = hs.absolute_effects(fit, weights=weights, baseline=0.3)
    assert found.table.loc[("A", "y"), "weight"] == pytest.approx(0.2)
    assert found.new_group.iloc[0]["control"] == pytest.approx(0.3)


@pytest.mark.parametrize("family", ["binomial", "gamma"])
def test_the_script_of_a_report_makes_the_same_data(family: str) -> None:
    fit = counts() if family == "binomial" else rows("gamma")
    line = next(text for text in script({"partial": fit}, {}).split("\n") if "from_trial" in text)
    data, cells = fit.data, fit.data.rows
    names = {role: data.columns[role] for role in ("group", "arm")}
    frame = pd.DataFrame({names["group"]: data.groups[cells["group"]]})
    frame[names["arm"]] = data.arms.to_numpy()[cells["treated"].astype(int)]
    frame[data.columns.get("successes", "y")] = cells["y"]
    if family == "binomial":
        frame[data.columns["trials"]] = cells["trials"]
    found: dict[str, Any] = {"hs": hs, "frame": frame}
    exec(line, found)
    pd.testing.assert_frame_equal(found["data"].cells, data.cells)
    assert found["data"].family == data.family


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a measure": ({"measure": "OR"}, r"one of 'RD' .*, 'RR' .*, 'NNT' \(number needed to treat\)"),
    "a population": ({"weights": "people"}, "weights= takes 'size', 'equal'"),
    "no mapping": ({"weights": [1, 2]}, "a mapping or Series with a weight for each group"),
    "a label": ({"weights": {"site 0": 1, "sight 1": 2}}, "'sight 1'.*Did you mean 'site 1'"),
    "too few": ({"weights": {"site 0": 1}}, "weights= says nothing about 'site 1'"),
    "negative": (
        {"weights": {f"site {j}": -1 for j in range(40)}}, "must hold numbers from 0 on",
    ),
    "a rate": ({"baseline": 1.2}, "rates between 0 and 1, got 1.2"),
    "text": ({"baseline": "many"}, "rates between 0 and 1, got 'many'"),
    "a direction": ({"larger_is_better": True}, 'is for measure="NNT", not \'RD\''),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_asked_says_so(case: str) -> None:
    given, words = BAD[case]
    with pytest.raises(hs.HierstanError, match=words):
        hs.absolute_effects(counts(), **given)


def test_a_group_of_which_next_to_nothing_is_known_has_a_ratio_inside_its_interval() -> None:
    fit = hs.NoPooling(priors={"theta": hs.Normal(0, 5)}).fit(unpaired().data, **FAST)
    for table, name in (
        (hs.arms(fit), "effect"),
        (hs.absolute_effects(fit, measure="RR").table, "mean"),
    ):
        assert np.exp(fit.draws("theta")).mean(axis=0).max() > 50
        assert table.loc["c", name] < 10
