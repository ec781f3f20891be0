"""Groups that have structure: crossed and nested factors against closed forms and quadrature."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from crossed import PRIORS, QUICK, cells, crossed
from exact import Posterior, structured
from monte_carlo import far_off

import hierstan as hs

CASES = Path(__file__).parent.parent / "reference_cases"


@functools.cache
def calendars() -> dict[str, Any]:
    return json.loads((CASES / "three_level_calendars.json").read_text())


def three_level() -> hs.GroupedData:
    frame = pd.DataFrame(calendars()["data"])
    return hs.GroupedData.from_estimates(
        frame.assign(se=np.sqrt(frame["variance"])),
        group="study", estimate="y", se="se", factors=["district"],
    )  # fmt: skip


HALF = {"tau": hs.HalfNormal(0.5), "tau_district": hs.HalfNormal(0.5)}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["stanli", pytest.param("cmdstan", marks=pytest.mark.cmdstan)])
def test_studies_in_districts_are_exact(engine: str) -> None:
    fit = hs.PartialPooling(priors={"mu": hs.Normal(0, 1), **HALF}).fit(
        three_level(), seed=3, engine=engine, progress=False, draws=2000
    )
    exact = calendars()["exact"]
    mean, sd = {}, {}
    for name in ("mu", "tau", "tau_district"):
        mean[name], sd[name] = map(np.array, exact[name])
    for name in ("u_district", "theta"):
        mean[name], sd[name] = (np.array(exact[name][kind]) for kind in ("mean", "sd"))
    assert far_off(fit, Posterior(mean, sd, 0.0)) == []
    share = fit.posterior["tau_district"] ** 2
    share = share / (share + fit.posterior["tau"] ** 2)
    told = {"share": np.array(exact["share_of_district"][0])}
    of_share = {"share": np.array(exact["share_of_district"][1])}
    draws = share.to_dataset(name="share")
    assert far_off(fit, Posterior(told, of_share, 0.0), draws=draws) == []


def exact_of(frame: pd.DataFrame) -> Posterior:
    levels = [
        frame["age"].map("abc".index).to_numpy(),
        frame["channel"].map("wxyz".index).to_numpy(),
    ]
    return structured(
        frame["y"].to_numpy(), frame["se"].to_numpy(), levels, mu=(0.0, 1.0), scales=[1, 0.6, 0.5]
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("way", ["auto", "centered", "noncentered"])
def test_crossed_factors_are_exact(way: str) -> None:
    frame = crossed(noise=0.25 if way == "centered" else 1.0)  # which needs a tau that is known
    model = hs.PartialPooling(priors=PRIORS, parameterization=way)
    fit = model.fit(cells(frame), seed=5, adapt_delta=0.98, draws=2000, **QUICK)
    exact, split = exact_of(frame), {}
    for values, kind in ((exact.mean, "mean"), (exact.sd, "sd")):
        split[kind] = {
            "mu": values["mu"][0], "u_age": values["u"][:3], "u_channel": values["u"][3:],
            "theta": values["theta"], "tau_age": values["sd"][0],
            "tau_channel": values["sd"][1], "tau": values["sd"][2],
        }  # fmt: skip
    assert far_off(fit, Posterior(split["mean"], split["sd"], 0.0)) == []


@pytest.mark.slow
def test_leaving_out_groups_and_levels_is_exact() -> None:
    frame = crossed()
    fit = hs.PartialPooling(priors=PRIORS).fit(
        cells(frame), seed=5, adapt_delta=0.95, warmup=500, draws=500, **QUICK
    )
    whole = exact_of(frame)
    loo = hs.loo(fit, unit="group", progress=False)
    exact = [whole.log_predictive(exact_of(frame.drop(index=j))) for j in range(len(frame))]
    assert (np.abs(loo.elpd_i - exact) < 4 * loo.mcse_i + 0.03).all()
    by_age = hs.loo(fit, unit="age", progress=False)
    assert by_age.labels.tolist() == ["a", "b", "c"]
    assert by_age.unit == "age"
    assert "refit  without each of them" in str(by_age)
    for age, elpd, error in zip("abc", by_age.elpd_i, by_age.mcse_i, strict=True):
        rest = exact_without_age(frame, age)
        assert abs(elpd - whole.log_predictive(rest)) < 4 * error + 0.05


def exact_without_age(frame: pd.DataFrame, age: str) -> Posterior:
    rest = frame[frame["age"] != age]
    levels = [pd.factorize(rest["age"])[0], rest["channel"].map("wxyz".index).to_numpy()]
    return structured(
        rest["y"].to_numpy(), rest["se"].to_numpy(), levels, mu=(0.0, 1.0), scales=[1, 0.6, 0.5]
    )  # fmt: skip


def test_a_part_of_the_factors_and_priors_of_all() -> None:
    data = cells(crossed())
    fit = hs.PartialPooling(factors=["age"], priors={"tau_level": hs.HalfNormal(2)}).fit(
        data, seed=1, draws=200, **QUICK
    )
    assert list(fit.data.levels) == ["age"]
    assert fit.priors["tau_age"] == hs.HalfNormal(2)
    assert "u_channel" not in fit.posterior
    with pytest.raises(hs.DataError, match="no factor 'aeg'. Did you mean 'age'"):
        hs.PartialPooling(factors=["aeg"]).fit(data, **QUICK)
    with pytest.raises(hs.PriorError, match="tau_age, tau_channel, tau_level"):
        hs.PartialPooling(priors={"tau_aeg": hs.HalfNormal(2)}).fit(data, **QUICK)
    with pytest.raises(hs.PriorError, match="must be of one kind"):
        hs.PartialPooling(priors={"tau_age": hs.HalfCauchy(2)}).fit(data, **QUICK)


def test_a_structured_fit_survives_a_file(tmp_path: Path) -> None:
    fit = hs.PartialPooling(factors=["age"]).fit(cells(crossed()), seed=1, draws=200, **QUICK)
    fit.save(tmp_path / "fit.nc")
    again = hs.load(tmp_path / "fit.nc")
    assert str(again) == str(fit)
    assert again.model.factors == ["age"]
    np.testing.assert_array_equal(again.draws("u_age"), fit.draws("u_age"))
    pd.testing.assert_frame_equal(hs.effects(again, "age"), hs.effects(fit, "age"))


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("theta", [("a", 1), ("b", 2), ("c", 3)]),
        ("chain", list(map(pd.Timestamp, ["2020-01-01", "2020-06-01", "2021-01-01"]))),
        (("a", "b"), [1, "1", 2.5]),
    ],
)  # fmt: skip
def test_any_name_and_label_survives_a_file(name: Any, labels: list[Any], tmp_path: Path) -> None:
    frame = pd.DataFrame({"store": range(9), "y": np.arange(9) % 4, "se": 0.5})
    frame[name] = pd.Series([labels[j % 3] for j in range(9)], dtype=object)
    data = hs.GroupedData.from_estimates(
        frame, group="store", estimate="y", se="se", factors=[name]
    )
    fit = hs.PartialPooling().fit(data, seed=1, chains=2, warmup=100, draws=50, **QUICK)
    fit.save(tmp_path / "fit.nc")
    again = hs.load(tmp_path / "fit.nc")
    assert hs.effects(again, name).index.tolist() == labels
    pd.testing.assert_frame_equal(hs.effects(again, name), hs.effects(fit, name))
    assert fit.draws(f"u_{name}").shape == (100, 3)
    assert str(again) == str(fit)
