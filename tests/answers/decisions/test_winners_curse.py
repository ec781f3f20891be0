"""The winner's curse, on a variant with a single visitor and on cases by hand."""

from __future__ import annotations

import deciding
import numpy as np
import pandas as pd
import pytest
from two_arms import unpaired

import hierstan as hs


@pytest.fixture(scope="module")
def variants() -> hs.GroupedData:
    rng = np.random.default_rng(5)
    visitors = np.append(rng.integers(200, 3000, 19), 1)
    sold = np.append(rng.binomial(visitors[:-1], 0.05), 1)
    frame = pd.DataFrame({"page": [*range(19), "lucky"], "sold": sold, "seen": visitors})
    return hs.GroupedData.from_counts(frame, group="page", successes="sold", trials="seen")


@pytest.mark.slow
def test_a_single_lucky_visitor_is_seen_through(variants: hs.GroupedData) -> None:
    fit = hs.PartialPooling().fit(variants, seed=1, engine="stanli")
    audit = hs.winners_curse(fit)
    assert audit.raw_winner == "lucky"
    assert audit.shrunken_winner != "lucky"
    assert audit.exaggeration > 20
    assert audit.replicates < 0.3
    assert audit.table.index.name == "page"
    assert "looks best, but the model's choice is" in " ".join(audit.verdict.split())
    assert "times too large" in repr(audit)
    naive = hs.NoPooling().fit(variants, seed=1, engine="stanli")
    assert hs.winners_curse(naive).shrunken_winner == "lucky"
    assert hs.prob_best(naive).idxmax() == "lucky"


@pytest.mark.slow
def test_against_a_control(variants: hs.GroupedData) -> None:
    fit = hs.PartialPooling().fit(variants, seed=1, engine="stanli")
    audit = hs.winners_curse(fit, control="lucky")
    assert audit.raw_winner != "lucky"
    # the control had one visitor, who will seldom buy again
    assert audit.replicates > 0.9
    worst = hs.winners_curse(fit, larger_is_better=False)
    assert worst.raw_winner == variants.to_frame()["rate"].idxmin()


def test_the_chance_to_replicate_is_exact() -> None:
    frame = pd.DataFrame({"arm": ["a", "b"], "y": [1.0, 0.0], "se": [0.5, 0.5]})
    data = hs.GroupedData.from_estimates(frame, group="arm", estimate="y", se="se")
    model = hs.NoPooling(priors={"theta": hs.Normal(0, 100)})
    audit = hs.winners_curse(model.fit(data, seed=1, engine="stanli"), control="b")
    # y_a - y_b of a repetition is normal(1, sqrt(4 * 0.25)): P(> 0) = Phi(1)
    assert audit.replicates == pytest.approx(0.8413, abs=4 * np.sqrt(0.84 * 0.16 / 1000))
    assert audit.exaggeration == pytest.approx(1, abs=0.1)


def test_ratings_of_two_arms_adjusted_for_covariates_can_be_repeated() -> None:
    frame = pd.DataFrame({"shop": np.repeat(list("abc"), 8), "arm": ["c", "t"] * 12})
    frame["stars"], frame["age"] = [1, 2, 3, 2, 1, 3] * 4, np.arange(24.0) % 7
    names = {"group": "shop", "arm": "arm", "control": "c", "outcome": "stars", "adjust": ["age"]}
    data = hs.GroupedData.from_trial(frame, family="ordinal", order=[1, 2, 3], **names)
    options = {"chains": 1, "warmup": 200, "draws": 100, "progress": False}
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", **options)
    assert 0 <= hs.winners_curse(fit).replicates <= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "family", ["normal", "student_t", "lognormal", "gamma", "poisson", "neg_binomial", "bernoulli"]
)
@pytest.mark.parametrize("scale", ["response", "link"])
def test_every_family_of_rows(family: str, scale: str) -> None:
    rng = np.random.default_rng(1)
    y = {"bernoulli": rng.binomial(1, 0.5, 40), "poisson": rng.poisson(4, 40)}
    y["neg_binomial"] = y["poisson"]
    frame = pd.DataFrame(
        {"g": np.repeat(list("abcd"), 10), "y": y.get(family, rng.gamma(4, 1, 40))}
    )
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y", family=family)
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    audit = hs.winners_curse(fit, scale=scale)
    assert audit.raw_winner == frame.groupby("g")["y"].mean().idxmax() or family in (
        "student_t",
        "lognormal",
    )
    assert 0 <= audit.replicates <= 1
    assert not audit.table.isna().any(axis=None)


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["response", "link"])
def test_ratings(scale: str) -> None:
    stars = np.random.default_rng(1).integers(1, 6, 40)
    frame = pd.DataFrame({"g": np.repeat(list("abcd"), 10), "stars": stars})
    data = hs.GroupedData.from_ratings(frame, group="g", rating="stars", order=range(1, 6))
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", warmup=300, draws=300)
    audit = hs.winners_curse(fit, scale=scale)
    assert audit.raw_winner == frame.groupby("g")["stars"].mean().idxmax()
    assert 0 < audit.replicates < 1
    assert not audit.table.isna().any(axis=None)


def test_complete_pooling_believes_no_lead() -> None:
    audit = hs.winners_curse(deciding.school_fits()["complete"])
    assert np.isnan(audit.exaggeration)
    assert "the model believes 0." in " ".join(audit.verdict.split())


def test_raw_estimates_have_two_scales() -> None:
    with pytest.raises(hs.HierstanError, match="response or link"):
        hs.winners_curse(deciding.school_fits()["partial"], scale="mean")


def test_leads_of_rates_are_in_points_and_labels_of_two_columns_are_read() -> None:
    frame = pd.DataFrame({"a": list("xxyy"), "b": [1, 2, 1, 2], "k": [13, 25, 17, 31], "n": 10_000})
    data = hs.GroupedData.from_counts(frame, group=["a", "b"], successes="k", trials="n")
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    audit = hs.winners_curse(fit, control=("x", 1))
    table = audit.table.iloc[0]
    assert f"Of its lead over 'x, 1', {100 * table['raw_lead']:.3g} percentage points" in (
        audit.verdict
    )
    assert audit.verdict.startswith("'y, 2' looks best")
    table = hs.decision_table(fit, caring=1e-5)
    loss = table["expected_loss"].iloc[0]
    assert f"lose {100 * loss:.3g} percentage points against" in table.attrs["advice"]
    assert "the 0.001 percentage points you care for" in table.attrs["advice"]
    rate = hs.decision_table(fit, scale="link").attrs["advice"]
    assert "points" not in rate


def test_where_the_control_leads_no_group_is_said_to_beat_it() -> None:
    frame = pd.DataFrame({"v": ["ctl", "b", "c"], "k": [130, 100, 104], "n": [1000] * 3})
    data = hs.GroupedData.from_counts(frame, group="v", successes="k", trials="n")
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    audit = hs.winners_curse(fit, control="ctl")
    assert audit.verdict.startswith(
        "No group beats the control, 'ctl', which is the model's choice"
    )
    assert not np.isinf(audit.table["exaggeration"]).any()
    assert "choice too" in hs.winners_curse(fit, control="b").verdict


def test_a_group_with_one_arm_neither_looks_best_nor_wins_again() -> None:
    audit = hs.winners_curse(unpaired())
    raw = hs.shrinkage(unpaired())["raw"]
    assert audit.raw_winner == raw.idxmax() != "c"
    assert 0 < audit.replicates < 1


def test_a_lead_far_from_zero_can_be_seen_in_what_prints() -> None:
    frame = pd.DataFrame({"g": list("abc"), "y": [9.8066, 9.8070, 9.8061], "se": [2e-4] * 3})
    data = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    line = str(hs.winners_curse(fit)).splitlines()[-1].split()
    raw, mean, raw_lead, lead = (float(number) for number in line[3:7])
    assert raw - mean == pytest.approx(raw_lead - lead, abs=2e-6)
