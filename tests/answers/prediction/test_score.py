"""Held-out data: log scores of the published baseball analysis, coverage in simulation."""

from __future__ import annotations

import deciding
import numpy as np
import pandas as pd
import pytest
from deciding import baseball, baseball_fits, reference, school_fits, schools
from scipy import stats

import hierstan as hs


@pytest.mark.parametrize("pooling", ["complete", "none", "partial"])
def test_the_rest_of_the_baseball_season(pooling: str) -> None:
    exact = reference("baseball_rstanarm")[pooling]["sum_log_E_p_new"]
    score = hs.score(baseball_fits()[pooling], baseball("later_"))
    assert abs(score.log_score - exact) < 4 * 1.5 * score.mcse  # draws are somewhat correlated
    assert score.mcse < 0.2
    assert score.table["log_score"].sum() == pytest.approx(score.log_score)
    assert score.coverage == score.table["covered"].mean()
    assert 0.7 < score.coverage <= 1


def test_a_new_group_of_eight_schools() -> None:
    """Leave out C: its exact log density under the other seven is in the reference case."""
    exact = reference("eight_schools_posteriordb")["elpd_loo_exact"]["partial"]["pointwise"][2]
    model = hs.PartialPooling(priors={"mu": hs.Normal(0, 5), "tau": hs.HalfCauchy(5)})
    fit = model.fit(schools().without("C"), seed=1, engine="stanli")
    score = hs.score(fit, schools().only("C"))
    assert score.table.index.tolist() == ["C"]
    assert score.table["new"].tolist() == [True]
    assert score.log_score == pytest.approx(exact, abs=6 * score.mcse)
    assert score.se == np.inf


def test_no_pooling_has_a_closed_form() -> None:
    frame = hs.load_dataset("eight_schools")
    later = frame.assign(effect=frame["effect"] / 2, se=4.0)
    data = hs.GroupedData.from_estimates(later, group="school", estimate="effect", se="se")
    score = hs.score(school_fits()["none"], data, prob=0.5)
    precision = 1 / frame["se"] ** 2 + 1 / 10**2
    exact = stats.norm(frame["effect"] / frame["se"] ** 2 / precision, np.sqrt(1 / precision + 16))
    np.testing.assert_allclose(score.table["log_score"], exact.logpdf(later["effect"]), atol=0.06)
    width = (exact.ppf(0.75) - exact.ppf(0.25)).mean()
    assert score.sharpness == pytest.approx(width, rel=0.05)
    assert score.prob == 0.5


def test_a_prediction_and_its_fit_score_the_same() -> None:
    fit, later = baseball_fits()["partial"], baseball("later_")
    prediction = hs.predict(fit, later, prob=0.8)
    first = hs.score(prediction, later)
    second = hs.score(hs.predict(fit, later, seed=prediction.seed), later, prob=0.8)
    pd.testing.assert_frame_equal(first.table, second.table)
    third, again = (hs.score(fit, later, prob=0.8) for _ in range(2))
    pd.testing.assert_frame_equal(third.table, again.table)
    np.testing.assert_allclose(first.table["log_score"], third.table["log_score"])
    with pytest.raises(hs.DataError, match="of other observations"):
        hs.score(hs.predict(fit, trials=10), later)
    with pytest.raises(hs.HierstanError, match="takes a fit or a prediction"):
        hs.score(later, later)


def test_a_new_prediction_is_scored_at_its_own_new_groups() -> None:
    fit = school_fits()["partial"]
    frame = pd.DataFrame({"school": ["X", "A"], "effect": [3.0, 4.0], "se": [2.0, 2.0]})
    data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    assert hs.score(fit, data).table["new"].tolist() == [True, False]


@pytest.mark.slow
@pytest.mark.parametrize("new", [False, True])
def test_prediction_intervals_cover_in_simulation(new: bool) -> None:
    """Over many experiments, 80% intervals hold 80% of what comes next, of old and new groups."""
    rng = np.random.default_rng(7)
    model = hs.PartialPooling(priors={"mu": hs.Normal(0, 3), "tau": hs.HalfNormal(2)})
    covered = []
    for repeat in range(40):
        mu, tau = rng.normal(0, 3), abs(rng.normal(0, 2))
        theta = rng.normal(mu, tau, 30)
        se = rng.uniform(0.5, 3, 30)
        fit_to, kept = slice(0, 10), slice(10, 30) if new else slice(0, 10)
        frame = pd.DataFrame({"g": np.arange(30), "y": rng.normal(theta, se), "se": se})
        later = frame.assign(y=rng.normal(theta, se))
        made = [
            hs.GroupedData.from_estimates(part, group="g", estimate="y", se="se")
            for part in (frame[fit_to], later[kept])
        ]
        fit = model.fit(
            made[0],
            seed=repeat + 1,
            engine="stanli",
            chains=2,
            draws=300,
            warmup=300,
            progress=False,
        )
        covered.append(hs.score(fit, made[1], prob=0.8).coverage)
    error = np.std(covered) / np.sqrt(len(covered))
    assert abs(np.mean(covered) - 0.8) < 4 * error


def test_far_away_data_score_badly_and_say_so() -> None:
    frame = pd.DataFrame({"school": ["A"], "effect": [900.0], "se": [1.0]})
    data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    score = hs.score(school_fits()["complete"], data)
    assert score.log_score < -1e4
    assert score.coverage == 0
    assert score.mcse > 0.5
    assert "0% of the observations" in repr(score)
    assert deciding.TIMES == 4


@pytest.mark.parametrize("how", ["the same object", "made again", "in another order"])
def test_the_data_of_the_fit_are_no_data_kept_aside(how: str) -> None:
    frame = pd.DataFrame({"g": list("aabbcc"), "y": [1.0, 2.0, 4.0, 3.0, 7.0, 5.5]})
    data = hs.GroupedData.from_rows(frame, group="g", outcome="y")
    fit = hs.CompletePooling().fit(data, seed=1, engine="stanli", progress=False)
    if how != "the same object":
        other = frame if how == "made again" else frame[::-1]
        data = hs.GroupedData.from_rows(other, group="g", outcome="y")
    for prediction in (fit, hs.predict(fit, data)):
        with pytest.raises(hs.DataError, match="none was kept aside.*loo"):
            hs.score(prediction, data)
    later = hs.GroupedData.from_rows(frame.assign(y=frame["y"] + 1), group="g", outcome="y")
    assert len(hs.score(fit, later).table) == 6
