from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special
from two_arms import FAST, POOLINGS, counts, rows

import hierstan as hs
from hierstan.fit.baselines import correlation


@pytest.mark.parametrize("pooling", POOLINGS)
def test_both_arms_of_each_group(pooling: str) -> None:
    fit = counts(pooling)
    table = hs.arms(fit)
    assert table.index.name == "site"
    b, theta = fit.draws("baseline"), fit.draws("theta")
    np.testing.assert_allclose(table["baseline"], special.expit(b).mean(axis=0))
    np.testing.assert_allclose(table["treated"], special.expit(b + theta).mean(axis=0))
    np.testing.assert_allclose(table["effect"], np.exp(theta.mean(axis=0)))
    np.testing.assert_allclose(table["effect_upper"], np.quantile(np.exp(theta), 0.95, axis=0))
    link = hs.arms(fit, scale="link", prob=0.5)
    np.testing.assert_allclose(link["baseline_lower"], np.quantile(b, 0.25, axis=0))
    np.testing.assert_allclose(link["effect"], theta.mean(axis=0))


def test_how_effects_go_with_baselines_is_said_where_fits_are_met() -> None:
    fit = counts()
    words = "The log odds ratio is lower where the baseline is higher, with probability"
    for text in (str(fit), hs.heterogeneity(fit).verdict, repr(hs.arms(fit))):
        assert words in " ".join(text.split())
    assert "standard deviation of the groups' log odds ratios, is" in hs.heterogeneity(fit).verdict
    assert "the groups' mean differences, is" in hs.heterogeneity(rows("normal")).verdict
    assert "the groups' log ratios of means, is" in hs.heterogeneity(rows("gamma")).verdict
    chance = float(np.mean(correlation(fit) < 0))
    assert chance > 0.9
    unsure = " ".join(str(rows("normal")).split())
    assert "The data cannot tell whether effects go with baselines" in unsure


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_fit_says_how_baselines_are_pooled(pooling: str) -> None:
    text = " ".join(str(counts(pooling)).split())
    along = " + slope * theta[j]" if pooling == "partial" else ""
    how = "each by its own arm" if pooling == "none" else "partially pooled"
    assert f"Baselines {how}" in text
    assert f"baseline[j] ~ normal(intercept{along}, spread)" in text
    assert "effect" in text.split(" Data ")[0]


def test_arms_keep_their_names(tmp_path: Path) -> None:
    fit = counts()
    assert fit.data.arms.tolist() == ["old", "new"]
    assert "Risk difference (new - old)" in repr(hs.absolute_effects(fit))
    coded = replace(fit, data=replace(fit.data, arms=pd.Index([0, 1])))  # words say more
    assert "Risk difference (treatment - control)" in repr(hs.absolute_effects(coded))
    fit.save(tmp_path / "fit.nc")
    kept = hs.load(tmp_path / "fit.nc")
    assert kept.data.arms.tolist() == ["old", "new"]
    assert repr(hs.absolute_effects(kept)) == repr(hs.absolute_effects(fit))


def test_arms_and_baselines_need_two_arms() -> None:
    schools = hs.load_dataset("eight_schools")
    data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    fit = hs.PartialPooling().fit(data, **FAST)
    for answer in (hs.absolute_effects, hs.arms):
        with pytest.raises(hs.HierstanError, match="needs data with two arms"):
            answer(fit)
    with pytest.raises(hs.HierstanError, match="baseline= means nothing here"):
        hs.predict(fit, new_groups=1, se=1.0, baseline=0.5)
    with pytest.raises(hs.HierstanError, match="the groups of the fit have their own"):
        hs.predict(counts(), groups=["site 0"], baseline=0.5)
    with pytest.raises(hs.HierstanError, match="rates between 0 and 1"):
        hs.predict(counts(), new_groups=1, baseline=2.0)
    with pytest.raises(hs.HierstanError, match=r"in each group: absolute_effects\(fit\)"):
        hs.uplift(counts())
    with pytest.raises(hs.HierstanError, match="of= takes 'groups' or 'population'"):
        hs.arms(counts(), of="sites")
