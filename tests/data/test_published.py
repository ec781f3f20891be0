"""What papers print: means with standard deviations, estimates with intervals, measures."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import hierstan as hs

OUTCOMES = pd.DataFrame(
    {"g": list("abbbcccccd"), "y": [3.0, 1.5, 2.5, 4.0, 7.0, 6.5, 8.0, 7.5, 1.0, -2.0]}
)
MEANS = OUTCOMES.groupby("g")["y"].agg(["mean", "std", "count"]).reset_index()
TRIALS = pd.DataFrame(
    {"t": ["A", "B"], "or": [0.8, 1.2], "low": [0.6, 0.9], "high": [1.0667, 1.6], "n": [90, 80]}
)


def from_means(frame: Any) -> hs.GroupedData:
    return hs.GroupedData.from_means(frame, group="g", mean="mean", sd="std", n="count")


def from_intervals(frame: pd.DataFrame = TRIALS, **more: Any) -> hs.GroupedData:
    return hs.GroupedData.from_estimates(
        frame, group="t", estimate="or", lower="low", upper="high", **more
    )


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, lambda f: pl.DataFrame(f).lazy()])
def test_means_are_the_sufficient_statistics_of_their_rows(make: Any) -> None:
    own, rows = from_means(make(MEANS)), hs.GroupedData.from_rows(OUTCOMES, group="g", outcome="y")
    pd.testing.assert_frame_equal(own.cells, rows.cells, rtol=1e-14)
    pd.testing.assert_frame_equal(own.to_frame(), rows.to_frame(), rtol=1e-14)
    assert (own.family, own.n_rows, own.groups.tolist()) == ("normal", 10, list("abcd"))


def test_fits_of_means_and_of_rows_agree() -> None:
    rows = hs.GroupedData.from_rows(OUTCOMES, group="g", outcome="y")
    fits = [
        hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
        for data in (from_means(MEANS), rows)
    ]
    tables = [hs.summary(fit) for fit in fits]
    error = np.hypot(*(table["mcse_mean"].to_numpy() for table in tables))
    assert (np.abs(tables[0]["mean"] - tables[1]["mean"]) < 5 * error + 1e-12).all()
    elpd = [hs.loo(fit, unit="group") for fit in fits]
    assert abs(elpd[0].elpd - elpd[1].elpd) < 5 * np.hypot(elpd[0].mcse, elpd[1].mcse)
    with pytest.raises(hs.HierstanError, match="came as summaries"):
        hs.loo(fits[0], unit="observation")


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("std", [0, -1.0, 1, 1], r"'std' \(sd\) must not be negative; 1 of 4 rows breaks this: ro"),
        ("std", [0, np.nan, 1, 1], r"'std' \(sd\) must not have missing values"),
        ("std", list("abcd"), r"'std' \(sd\) must hold numbers, not text"),
        ("count", [1, 0, 2, 2], r"'count' \(n\) must be at least 1"),
        ("count", [1, 2.5, 2, 2], r"'count' \(n\) must hold whole numbers"),
        ("g", ["a", "a", "c", "d"], "must name each group once"),
    ],
)
def test_means_are_checked(column: str, values: list[Any], words: str) -> None:
    with pytest.raises(hs.DataError, match=words):
        from_means(MEANS.assign(**{column: values}))


@pytest.mark.parametrize(("prob", "z"), [(0.95, 1.959963985), (0.9, 1.644853627)])
def test_intervals_give_standard_errors(prob: float, z: float) -> None:
    frame = pd.DataFrame({"t": ["A"], "or": [2.0], "low": [2 - 3 * z], "high": [2 + 3 * z]})
    table = from_intervals(frame, prob=prob).to_frame()
    assert table.loc["A", "estimate"] == 2
    assert table.loc["A", "se"] == pytest.approx(3, rel=1e-9)


def test_intervals_of_ratios_are_taken_on_the_log_scale() -> None:
    data = from_intervals(ratios=True, measure="or")
    table = data.to_frame()
    np.testing.assert_allclose(table["estimate"], np.log(TRIALS["or"]))
    widths = np.log(TRIALS["high"] / TRIALS["low"]) / (2 * 1.959963985)
    np.testing.assert_allclose(table["se"], widths)
    assert "log odds ratio, se from intervals" in repr(data)
    with pytest.warns(hs.HierstanWarning, match="say ratios=True"):
        from_intervals()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"se": "n"}, "either se= or both lower= and upper=; got se= and lower= and upper="),
        ({"upper": None}, "got lower="),
        ({"lower": "high", "upper": "low"}, "2 of 2 do not: 0.8 in .1.0667, 0.6.*swapped"),
        ({"prob": 95}, "prob must lie between 0 and 1, such as 0.95; got 95"),
        ({"ratios": True, "measure": "MD"}, "mean difference .measure='MD'. is not a ratio"),
        ({"measure": "odds"}, "no measure 'odds'.*Valid measures: HR, IRD, IRR"),
        ({"lower": None, "upper": None, "se": "n", "ratios": True}, "ratios=True goes with lower="),
    ],
)
def test_intervals_that_cannot_be(more: dict[str, Any], words: str) -> None:
    columns = {"lower": "low", "upper": "high"} | more
    with pytest.raises(hs.DataError, match=words):
        hs.GroupedData.from_estimates(TRIALS, group="t", estimate="or", **columns)


def test_ratios_are_above_0() -> None:
    with pytest.raises(hs.DataError, match="Ratios are above 0"):
        from_intervals(TRIALS.assign(low=[-0.1, 0.9]), ratios=True)


@pytest.mark.parametrize(
    "name", ["sd", "SD_effect", "std", "StdDev", "std_dev", "standard deviation"]
)
def test_standard_errors_that_are_called_deviations_warn(name: str) -> None:
    frame = TRIALS.rename(columns={"high": name}).drop(columns="n")
    with pytest.warns(hs.HierstanWarning, match="standard deviations, use GroupedData.from_means"):
        hs.GroupedData.from_estimates(frame, group="t", estimate="or", se=name)


def test_sizes_beside_a_standard_error_warn_unless_it_is_called_one() -> None:
    with pytest.warns(hs.HierstanWarning, match="column 'n' beside it") as caught:
        hs.GroupedData.from_estimates(TRIALS, group="t", estimate="or", se="high")
    assert Path(caught[0].filename) == Path(__file__)
    for name in ("se", "SE(log OR)", "std_err", "std.error", "standard_error", "sem", "stderr"):
        frame = TRIALS.rename(columns={"high": name})
        hs.GroupedData.from_estimates(frame, group="t", estimate="or", se=name)


@pytest.mark.parametrize(
    "labels", [["North", "north", "b"], ["a", "a ", "b"], [("x", "Y"), ("x", " y"), "b"]]
)
@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_labels_that_are_nearly_the_same_warn(labels: list[Any], make: Any) -> None:
    if make is pl.DataFrame and not isinstance(labels[0], str):
        pytest.skip("polars has no tuples")
    frame = make({"g": labels, "k": [1, 2, 3], "n": [4, 5, 6]})
    with pytest.warns(hs.HierstanWarning, match="differ by case or spaces alone") as caught:
        hs.GroupedData.from_counts(frame, group="g", successes="k", trials="n")
    assert f"{labels[0]!r} and {labels[1]!r}" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hs.GroupedData.from_counts(frame[1:], group="g", successes="k", trials="n")


def test_a_measure_goes_from_effect_sizes_to_the_data_and_into_the_file(tmp_path: Path) -> None:
    columns = {"events_treatment": "vaccinated_positive", "total_treatment": "vaccinated_total"}
    columns |= {"events_control": "control_positive", "total_control": "control_total"}
    trials = hs.effect_sizes(hs.load_dataset("bcg"), group="trial", measure="RR", **columns)
    data = hs.GroupedData.from_estimates(trials, group="trial", estimate="estimate", se="se")
    assert data.measure == data.without("Aronson 1948").measure == "RR"
    assert "log risk ratio" in repr(data)
    fit = hs.CompletePooling().fit(data, seed=1, engine="stanli", progress=False)
    fit.save(tmp_path / "fit.nc")
    assert hs.load(tmp_path / "fit.nc").data.measure == "RR"
    said = {"group": "trial", "estimate": "estimate", "se": "se", "measure": "OR"}
    assert hs.GroupedData.from_estimates(trials, **said).measure == "OR"
