from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import special

from hierstan.data.effect_sizes import effect_sizes
from hierstan.datasets import load_dataset
from hierstan.errors import DataError, HierstanWarning

COUNTS = {
    "events_treatment": "e1",
    "total_treatment": "n1",
    "events_control": "e2",
    "total_control": "n2",
}
MEANS = {
    "mean_treatment": "m1",
    "sd_treatment": "s1",
    "n_treatment": "n1",
    "mean_control": "m2",
    "sd_control": "s2",
    "n_control": "n2",
}

# Log risk ratios and their standard errors of the 13 BCG trials, as metafor's escalc gives them.
BCG_RR = """
-0.88931133 -1.5853887 -1.3480731 -1.4415512 -0.21754732 -0.78611559 -1.6208982
0.011952334 -0.46941765 -1.3713448 -0.33935883 0.4459134 -0.017313948
"""
BCG_RR_SE = """
0.57060035 0.4411135 0.64449047 0.14145682 0.22629665 0.083100051 0.47224702
0.062941078 0.23755886 0.270231 0.11141012 0.72972998 0.2672165
"""
# Length of stay after a stroke (Normand 1999), with Hedges' g and its variance from escalc.
STAYS = pd.DataFrame(
    [
        ("Edinburgh", 155, 55, 47, 156, 75, 64, -0.3551696, 0.0130647),
        ("Orpington-Mild", 31, 27, 7, 32, 29, 4, -0.3479400, 0.0644689),
        ("Orpington-Moderate", 75, 64, 17, 71, 119, 29, -2.3175692, 0.0458121),
        ("Orpington-Severe", 18, 66, 20, 18, 137, 48, -1.8879823, 0.1606177),
        ("Montreal-Home", 8, 14, 8, 13, 18, 11, -0.3839641, 0.2054333),
        ("Montreal-Transfer", 57, 19, 7, 52, 18, 4, 0.1721487, 0.0369106),
        ("Newcastle", 34, 52, 45, 33, 41, 34, 0.2720521, 0.0602671),
        ("Umea", 110, 21, 16, 183, 31, 27, -0.4245963, 0.0148630),
        ("Uppsala", 60, 30, 27, 52, 23, 20, 0.2895562, 0.0362717),
    ],
    columns=["source", "n1", "m1", "s1", "n2", "m2", "s2", "g", "variance"],
)


def table(*rows: tuple[str, float, float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["trial", "e1", "n1", "e2", "n2"])


def bcg(measure: str) -> pd.DataFrame:
    return effect_sizes(
        load_dataset("bcg"),
        group="trial",
        measure=measure,
        events_treatment="vaccinated_positive",
        total_treatment="vaccinated_total",
        events_control="control_positive",
        total_control="control_total",
    )


def test_risk_ratios_are_metafors() -> None:
    trials = bcg("RR")
    np.testing.assert_allclose(trials["estimate"], np.array(BCG_RR.split(), float), rtol=1e-6)
    np.testing.assert_allclose(trials["se"], np.array(BCG_RR_SE.split(), float), rtol=1e-6)
    assert trials["trial"].tolist() == load_dataset("bcg")["trial"].tolist()


def test_odds_ratios_pool_to_the_published_one() -> None:
    trials = bcg("OR")
    weight = trials["se"] ** -2
    pooled = (weight * trials["estimate"]).sum() / weight.sum()
    ends = np.exp(pooled + np.array([-1, 0, 1]) * special.ndtri(0.975) / math.sqrt(weight.sum()))
    # van Houwelingen, Arends and Stijnen (2002), Statistics in Medicine 21, 589-624
    np.testing.assert_allclose(ends, [0.5951, 0.6465, 0.7024], atol=6e-5)


def test_each_measure_of_counts_by_hand() -> None:
    frame = table(("A", 12, 50, 20, 40))
    expected = {
        "OR": (math.log(12 * 20 / (38 * 20)), 1 / 12 + 1 / 38 + 1 / 20 + 1 / 20),
        "RR": (math.log(0.24 / 0.5), 1 / 12 - 1 / 50 + 1 / 20 - 1 / 40),
        "RD": (0.24 - 0.5, 0.24 * 0.76 / 50 + 0.5 * 0.5 / 40),
    }
    for measure, (estimate, variance) in expected.items():
        row = effect_sizes(frame, group="trial", measure=measure, **COUNTS).iloc[0]
        assert row["estimate"] == pytest.approx(estimate, rel=1e-13)
        assert row["se"] == pytest.approx(math.sqrt(variance), rel=1e-13)


def test_hedges_g_is_metafors() -> None:
    trials = effect_sizes(STAYS, group="source", measure="SMD", **MEANS)
    np.testing.assert_allclose(trials["estimate"], STAYS["g"], atol=6e-8)
    np.testing.assert_allclose(trials["se"] ** 2, STAYS["variance"], atol=6e-8)


def test_mean_differences_by_hand() -> None:
    trials = effect_sizes(STAYS, group="source", measure="MD", **MEANS)
    assert trials["estimate"].tolist() == [-20, -2, -55, -71, -4, 1, 11, -10, 7]
    assert trials["se"][0] == pytest.approx(math.sqrt(47**2 / 155 + 64**2 / 156), rel=1e-13)


@pytest.mark.parametrize("sizes", [(2, 2), (3, 2), (5, 9), (100, 130), (50_000, 1_000_000)])
def test_the_small_sample_correction_is_exact(sizes: tuple[int, int]) -> None:
    n1, n2 = sizes
    frame = pd.DataFrame({"t": ["A"], "m1": 1.5, "s1": 1.0, "n1": n1, "m2": 0.0, "s2": 1.0})
    row = effect_sizes(frame.assign(n2=n2), group="t", measure="SMD", **MEANS).iloc[0]
    k = n1 + n2 - 2
    if k < 300:
        exact = math.gamma(k / 2) / math.gamma((k - 1) / 2) / math.sqrt(k / 2)
    else:
        exact = 1 - 3 / (4 * k) - 7 / (32 * k**2)  # its series in 1 / k, to order 1 / k^3
    # The pooled standard deviation is 1, so that d = 1.5.
    assert row["estimate"] / 1.5 == pytest.approx(exact, rel=1e-12)


def test_only_tables_with_a_zero_cell_are_corrected() -> None:
    rows = [("none", 3, 10, 5, 10), ("treated", 0, 10, 5, 10), ("all", 10, 10, 5, 12)]
    odds = effect_sizes(table(*rows), group="trial", **COUNTS)
    assert odds["estimate"][0] == pytest.approx(math.log(3 * 5 / (7 * 5)))
    assert odds["estimate"][1] == pytest.approx(math.log(0.5 * 5.5 / (10.5 * 5.5)))
    assert odds["se"][1] == pytest.approx(math.sqrt(1 / 0.5 + 1 / 10.5 + 2 / 5.5))
    assert odds["estimate"][2] == pytest.approx(math.log(10.5 * 7.5 / (0.5 * 5.5)))
    risks = effect_sizes(table(*rows), group="trial", measure="RR", correction=0.1, **COUNTS)
    assert risks["estimate"][1] == pytest.approx(math.log((0.1 / 10.2) / (5.1 / 10.2)))
    assert risks["se"][1] == pytest.approx(math.sqrt(1 / 0.1 - 1 / 10.2 + 1 / 5.1 - 1 / 10.2))
    differences = effect_sizes(table(*rows), group="trial", measure="RD", **COUNTS)
    assert differences["estimate"][1] == pytest.approx((0.5 - 5.5) / 11)


def test_without_correction_the_tables_that_need_one_are_named() -> None:
    frame = table(("fine", 3, 10, 5, 10), ("one arm", 0, 10, 5, 10), ("double zero", 0, 9, 0, 8))
    with pytest.raises(DataError, match=r"'one arm' \(0 of 10 and 5 of 10\), 'double") as error:
        effect_sizes(frame, group="trial", correction=None, **COUNTS)
    assert "'fine'" not in str(error.value)
    assert "In 1 of them neither arm has an event" in str(error.value)
    assert "correction=0.5" in str(error.value)
    # Everyone with the event: no odds, but a risk ratio and (with one arm at 5 of 10) a difference.
    everyone = table(("A", 10, 10, 5, 10))
    with pytest.raises(DataError, match="OR has no finite"):
        effect_sizes(everyone, group="trial", correction=None, **COUNTS)
    ratio = effect_sizes(everyone, group="trial", measure="RR", correction=None, **COUNTS)
    assert ratio["estimate"][0] == pytest.approx(math.log(2))
    difference = effect_sizes(everyone, group="trial", measure="RD", correction=None, **COUNTS)
    assert difference["se"][0] == pytest.approx(math.sqrt(0.25 / 10))
    with pytest.raises(DataError, match="RD has no finite estimate, or no standard error"):
        effect_sizes(frame, group="trial", measure="RD", correction=None, **COUNTS)


@pytest.mark.parametrize("measure", ["OR", "RR"])
@pytest.mark.parametrize("row", [("empty", 0, 20, 0, 10), ("full", 20, 20, 10, 10)])
def test_a_ratio_of_arms_without_events_warns(measure: str, row: tuple) -> None:
    frame = table(("fine", 3, 10, 5, 10), row)
    with pytest.warns(HierstanWarning, match=rf"'{row[0]}' .* nothing about a ratio") as caught:
        effect_sizes(frame, group="trial", measure=measure, **COUNTS)
    assert caught[0].filename == __file__
    effect_sizes(frame, group="trial", measure="RD", **COUNTS)  # a difference of 0: no warning


@pytest.mark.parametrize("correction", [0, -0.5, math.inf, math.nan])
def test_a_correction_is_a_number_above_zero(correction: float) -> None:
    with pytest.raises(DataError, match="correction must be a number above zero"):
        effect_sizes(table(("A", 1, 2, 1, 2)), group="trial", correction=correction, **COUNTS)


def test_the_columns_must_be_those_of_the_measure() -> None:
    frame = table(("A", 1, 2, 1, 2))
    with pytest.raises(DataError, match="no measure 'LOR'. Valid measures: MD, OR, RD, RR, SMD"):
        effect_sizes(frame, group="trial", measure="LOR", **COUNTS)
    with pytest.raises(DataError, match="measure='OR' lacks total_treatment=, total_control=. It"):
        effect_sizes(frame, group="trial", events_treatment="e1", events_control="e2")
    with pytest.raises(DataError, match="measure='OR' has no use for sd_control=. It takes"):
        effect_sizes(frame, group="trial", sd_control="s", **COUNTS)
    with pytest.raises(DataError, match="measure='MD' lacks mean_.* and has no use for events_"):
        effect_sizes(frame, group="trial", measure="MD", **COUNTS)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            {"e1": [1, 5]},
            r"'e1' \(events_treatment\) must not exceed the total.*row 1: e1 5 and n1 4",
        ),
        ({"e2": [1, -1]}, r"'e2' \(events_control\) must not be negative.*row 1: -1"),
        ({"e2": [1, 0.5]}, r"'e2' \(events_control\) must hold whole numbers.*row 1: 0.5"),
        ({"n2": [4, 0]}, r"'n2' \(total_control\) must be at least 1.*row 1: 0"),
        ({"n1": [4, np.nan]}, r"'n1' \(total_treatment\) must not have missing values.*row 1"),
        ({"e1": ["1", "2"]}, r"'e1' \(events_treatment\) must hold numbers, not text"),
        ({"trial": ["A", "A"]}, r"'trial' \(group\) must name each trial once.*often: 'A'"),
        ({"trial": ["A", None]}, r"'trial' \(group\) must not have missing values.*row 1"),
    ],
)
def test_bad_counts_are_refused(change: dict, match: str) -> None:
    frame = table(("A", 1, 4, 2, 4), ("B", 2, 4, 1, 4)).assign(**change)
    with pytest.raises(DataError, match=match):
        effect_sizes(frame, group="trial", **COUNTS)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"n1": 1}, r"n_treatment must be at least 2.*'Edinburgh' \(1\).* and 4 more"),
        ({"s2": 0.0}, r"'s2' \(sd_control\) must be greater than 0"),
        ({"m1": np.inf}, r"'m1' \(mean_treatment\) must be finite"),
    ],
)
def test_bad_means_are_refused(change: dict, match: str) -> None:
    with pytest.raises(DataError, match=match):
        effect_sizes(STAYS.assign(**change), group="source", measure="SMD", **MEANS)


def test_frames_that_are_none_are_refused() -> None:
    frame = table(("A", 1, 2, 1, 2))
    with pytest.raises(DataError, match="There is no column 'trail'.* mean 'trial'"):
        effect_sizes(frame, group="trail", **COUNTS)
    with pytest.raises(DataError, match="frame= takes a pandas or polars DataFrame"):
        effect_sizes([1, 2], group="trial", **COUNTS)
    with pytest.raises(DataError, match="no rows"):
        effect_sizes(frame.head(0), group="trial", **COUNTS)
    with pytest.raises(DataError, match="group='se' names a column of the result"):
        effect_sizes(frame.rename(columns={"trial": "se"}), group="se", **COUNTS)


def test_labels_and_frames_of_other_kinds() -> None:
    frame = table(("A", 1, 4, 2, 4), ("B", 2, 4, 1, 4))
    expected = effect_sizes(frame, group="trial", **COUNTS)
    pl = pytest.importorskip("polars")
    polars = pl.DataFrame({name: frame[name].to_list() for name in frame})
    pd.testing.assert_frame_equal(
        effect_sizes(polars, group="trial", **COUNTS), expected, check_dtype=False
    )
    tuples = frame.assign(trial=[("UK", 1), ("US", 2)])
    assert effect_sizes(tuples, group="trial", **COUNTS)["trial"].tolist() == [("UK", 1), ("US", 2)]
    nullable = frame.convert_dtypes().assign(trial=pd.Categorical(["A", "B"], ["B", "A"]))
    pd.testing.assert_frame_equal(
        effect_sizes(nullable, group="trial", **COUNTS).astype({"trial": object}),
        expected.astype({"trial": object}),
    )


def test_what_comes_out_goes_into_grouped_data() -> None:
    from hierstan.data.grouped_data import GroupedData

    data = GroupedData.from_estimates(bcg("OR"), group="trial", estimate="estimate", se="se")
    assert len(data.groups) == 13
