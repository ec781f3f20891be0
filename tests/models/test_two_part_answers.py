"""What answers make of a fit of both parts: the revenue per customer, or each under its name."""

from __future__ import annotations

import functools
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hierstan as hs

QUICK = {"engine": "stanli", "progress": False, "chains": 2, "warmup": 300, "draws": 300}


@functools.cache
def fitted(amounts: str = "gamma", seed: int = 1):
    """Three segments that buy, one that does not."""
    rng = np.random.default_rng(seed)
    segment = np.repeat(list("abcd"), [300, 80, 30, 12])
    rate = np.repeat([0.2, 0.4, 0.3, 0.0], [300, 80, 30, 12])
    spent = np.where(rng.random(len(segment)) < rate, rng.gamma(2, 10, len(segment)), 0.0)
    frame = pd.DataFrame({"segment": segment, "spent": spent})
    priors = {"rate": {"tau": hs.HalfNormal(0.7)}}
    model = hs.TwoPart(amounts, priors=priors)
    return frame, model.fit(frame, group="segment", outcome="spent", seed=seed, **QUICK)


def test_group_means_are_those_of_the_revenue() -> None:
    _, fit = fitted()
    draws = fit.draws("mean")
    for scale, values in (("response", draws), ("link", np.log(draws))):
        table = hs.group_means(fit, prob=0.8, scale=scale)
        assert table["mean"].to_numpy() == pytest.approx(values.mean(axis=0))
        assert table["upper"].to_numpy() == pytest.approx(np.quantile(values, 0.9, axis=0))
    assert list(table.index) == list("abcd")
    assert "revenue per customer" in table.attrs["caption"]


def test_shrinkage_has_the_pooling_of_either_part() -> None:
    frame, fit = fitted()
    table = hs.shrinkage(fit)
    by_segment = frame.groupby("segment")["spent"]
    assert table["raw"].to_numpy() == pytest.approx(by_segment.mean().to_numpy())
    rate, amount = hs.shrinkage(fit.rate), hs.shrinkage(fit.amount)
    assert (table["pooling_factor_rate"] == rate["pooling_factor"]).all()
    assert (table.loc[list("abc"), "pooling_factor_amount"] == amount["pooling_factor"]).all()
    assert np.isnan(table.loc["d", ["raw_se", "pooling_factor_amount"]].to_numpy(float)).all()
    assert table.loc["d", ["raw", "toward", "n", "buyers"]].tolist() == [0, "up", 12, 0]


def test_the_raw_standard_error_is_that_of_the_mean_of_all_customers() -> None:
    # a rate of buyers times a mean amount is a plain mean; gamma amounts have one shape for all
    frame, fit = fitted()
    plain = frame.groupby("segment")["spent"].sem()
    ratio = hs.shrinkage(fit)["raw_se"] / plain
    assert ratio[:3].to_numpy() == pytest.approx(np.ones(3), abs=0.15)


def test_heterogeneity_is_told_of_either_part() -> None:
    _, fit = fitted()
    both = hs.heterogeneity(fit, prob=0.8)
    for name, part in (("rate", fit.rate), ("amount", fit.amount)):
        alone = hs.heterogeneity(part, prob=0.8)
        assert getattr(both, name).verdict == alone.verdict
        assert both.table.loc[name].equals(alone.table)
        assert alone.verdict in both.verdict
        assert alone.verdict.split()[0] in repr(both)
    with pytest.raises(hs.HierstanError, match=r"heterogeneity\(fit.rate"):
        hs.heterogeneity(fit, threshold=0.1)


def test_summary_and_diagnosis_have_both_parts() -> None:
    _, fit = fitted()
    table = hs.summary(fit)
    assert table.loc["rate"].equals(hs.summary(fit.rate))
    assert ("amount", "theta[a]") in table.index
    found, parts = hs.diagnose(fit), [hs.diagnose(fit.rate), hs.diagnose(fit.amount)]
    assert found.ok == all(one.ok for one in parts)
    assert len(found.messages) == sum(len(one.messages) for one in parts)
    assert f"rate, R-hat  {hs.diagnose(fit.rate).table.loc['R-hat', 'worst']:.3f}" in re.sub(
        r" {2,}", "  ", str(found)
    )


def test_what_the_amounts_miss_is_told_where_the_fit_is_met() -> None:
    rng = np.random.default_rng(4)
    spent = np.where(rng.random(1500) < 0.3, rng.lognormal(3, 2, 1500), 0.0)
    frame = pd.DataFrame({"page": np.repeat(list("abc"), 500), "spent": spent})
    model = hs.TwoPart("gamma")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hs.HierstanWarning)
        fit = model.fit(frame, group="page", outcome="spent", seed=1, **QUICK)
    assert "lognormal" in hs.check(fit.amount).messages[0]
    told = " ".join(str(fit).split())
    assert "model misses this" in told
    assert "Use amounts='lognormal'." in told


@pytest.mark.parametrize(
    ("buyers", "spread", "told"),
    [
        (3, 0.9, "74% to 85%"),  # of six buyers a log-sd of 2 may well show as 0.9
        (5, 2.2, "74% to 85%"),
        (8, 2.2, "85% to 90%"),
        (8, 0.5, ""),
        (40, 2.2, ""),
    ],
)
def test_few_buyers_who_may_have_a_heavy_tail_are_told_to_wait(
    buyers: int, spread: float, told: str
) -> None:
    rng = np.random.default_rng(1)
    spent = np.tile(np.arange(200) < buyers, 2) * np.exp(rng.normal(3, spread, 400))
    frame = pd.DataFrame({"page": np.repeat(list("ab"), 200), "spent": spent})
    fit = hs.TwoPart("lognormal").fit(frame, group="page", outcome="spent", seed=1, **QUICK)
    page = " ".join(str(fit).split())
    assert ("Wait for more buyers" in page) == bool(told)
    assert told in page


def test_what_is_of_one_part_names_both() -> None:
    _, fit = fitted()
    with pytest.raises(hs.HierstanError, match=r"prior_sensitivity\(fit.rate\) for who buys"):
        hs.prior_sensitivity({"partial": fit})
    with pytest.raises(hs.HierstanError, match=r"hs.compare\(\{name: fit.rate for name, fit"):
        hs.compare({"a": fit, "b": fit})


def test_it_prints_with_the_columns_that_tables_have() -> None:
    _, fit = fitted()
    header = ["segment", "customers", "buyers", "rate", "amount", "raw", *["mean", "sd"]]
    lines = [line.split() for line in str(fit).splitlines()]
    assert [*header, "lower", "upper"] in lines
    assert "lower and upper: equal-tailed 90% intervals." in str(fit)


@pytest.mark.slow
@pytest.mark.parametrize("amounts", ["gamma", "lognormal"])
def test_what_was_saved_comes_back(amounts: str, tmp_path: Path) -> None:
    _, fit = fitted(amounts)
    file = tmp_path / "both.nc"
    fit.save(file)
    back = hs.load(file)
    assert str(back) == str(fit)
    assert (back.draws("mean") == fit.draws("mean")).all()
    assert back.data.table.equals(fit.data.table)
    assert back.model.priors == fit.model.priors
    assert back.model.amounts == amounts
    pd.testing.assert_frame_equal(hs.shrinkage(back), hs.shrinkage(fit), rtol=1e-12)
    assert hs.heterogeneity(back).verdict == hs.heterogeneity(fit).verdict


@pytest.mark.slow
def test_damage_is_named(tmp_path: Path) -> None:
    import xarray as xr

    _, fit = fitted()
    file = tmp_path / "both.nc"
    fit.save(file)
    with xr.open_datatree(file, engine="h5netcdf") as tree:
        tree.load()
    halved = tree.copy()
    del halved["amount"]
    halved.to_netcdf(tmp_path / "half.nc", engine="h5netcdf")
    with pytest.raises(hs.HierstanError, match="the part 'amount' is missing"):
        hs.load(tmp_path / "half.nc")
