"""Decisions against exact integration, published cases, and their own symmetries."""

from __future__ import annotations

import tracemalloc

import deciding
import numpy as np
import pandas as pd
import pytest
from deciding import DRAWS, TIMES, fit_of, mcse, reference, school_fits
from scipy import integrate, stats

import hierstan as hs


def is_best(theta: np.ndarray) -> np.ndarray:
    return theta == theta.max(axis=1, keepdims=True)


def loss(theta: np.ndarray) -> np.ndarray:
    return theta.max(axis=1, keepdims=True) - theta


def test_eight_schools() -> None:
    fit, exact = school_fits()["partial"], reference("eight_schools_posteriordb")
    off = np.abs(hs.prob_best(fit).to_numpy() - exact["p_best"])
    assert (off < TIMES * mcse(fit, is_best)).all()
    off = np.abs(hs.expected_loss(fit).to_numpy() - exact["expected_loss_vs_best"])
    assert (off < TIMES * mcse(fit, loss)).all()
    error = mcse(fit, lambda theta: theta[:, [0]] > theta[:, [2]])
    assert abs(hs.prob_greater(fit, than="C")["A"] - exact["p_A_gt_C"]) < TIMES * error[0]


@pytest.mark.parametrize("pooling", ["none", "partial"])
def test_baseball(pooling: str) -> None:
    fit, exact = deciding.baseball_fits()[pooling], reference("baseball_rstanarm")[pooling]
    off = np.abs(hs.prob_best(fit).to_numpy() - exact["p_best"])
    assert (off < TIMES * mcse(fit, is_best) + 1e-3).all()


def conjugate() -> tuple[np.ndarray, np.ndarray]:
    """Return the exact posterior means and sds of no pooling of the eight schools."""
    frame = hs.load_dataset("eight_schools")
    precision = 1 / frame["se"] ** 2 + 1 / 10**2
    mean = frame["effect"] / frame["se"] ** 2 / precision
    return mean.to_numpy(), (1 / np.sqrt(precision)).to_numpy()


def test_no_pooling_is_exact() -> None:
    fit, (mean, sd) = school_fits()["none"], conjugate()
    x = np.linspace(-60, 80, 20_001)
    cdf, pdf = stats.norm.cdf(x[:, None], mean, sd), stats.norm.pdf(x[:, None], mean, sd)
    others = np.array([np.delete(cdf, j, axis=1).prod(axis=1) for j in range(8)]).T
    best = integrate.trapezoid(pdf * others, x, axis=0)
    top = x[-1] - integrate.trapezoid(cdf.prod(axis=1), x)
    assert (np.abs(hs.prob_best(fit) - best) < TIMES * mcse(fit, is_best)).all()
    assert (np.abs(hs.expected_loss(fit) - (top - mean)) < TIMES * mcse(fit, loss)).all()
    above = stats.norm.sf(5, mean, sd)
    assert (np.abs(hs.prob_greater(fit, than=5) - above) < TIMES * mcse(fit, lambda t: t > 5)).all()


def test_uplift_of_no_pooling_is_exact() -> None:
    fit, (mean, sd) = school_fits()["none"], conjugate()
    table = hs.uplift(fit, control="C", caring=(-2, 3), prob=0.8)
    difference = stats.norm(np.delete(mean - mean[2], 2), np.delete(np.hypot(sd, sd[2]), 2))
    assert table.index.tolist() == list("ABDEFGH")
    assert table.index.name == "school"
    for column, exact, tolerance in (
        ("mean", difference.mean(), 1.2),
        ("sd", difference.std(), 0.8),
        ("lower", difference.ppf(0.1), 2.0),
        ("upper", difference.ppf(0.9), 2.0),
        ("prob_better", difference.sf(3), 0.035),
        ("prob_worse", difference.cdf(-2), 0.035),
        ("prob_equivalent", difference.cdf(3) - difference.cdf(-2), 0.035),
    ):
        np.testing.assert_allclose(table[column], exact, atol=tolerance)
    chances = table[["prob_better", "prob_worse", "prob_equivalent"]]
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    smaller = hs.uplift(fit, control="C", caring=(-2, 3), larger_is_better=False)
    np.testing.assert_allclose(smaller["prob_better"], table["prob_worse"])


def test_by_hand() -> None:
    fit = fit_of(DRAWS, ["a", "b", "c"])
    np.testing.assert_allclose(hs.prob_best(fit), np.array([11, 11, 2]) / 24)
    np.testing.assert_allclose(hs.expected_loss(fit), [1.25, 0.5, 0.75])
    np.testing.assert_allclose(hs.prob_greater(fit, than="b"), [0.5, 0.5, 0.375])
    np.testing.assert_allclose(hs.prob_greater(fit, than=1.0), [0.625, 0.75, 0.75])


def test_complete_pooling_shares_everything() -> None:
    fit = school_fits()["complete"]
    np.testing.assert_allclose(hs.prob_best(fit), 1 / 8)
    np.testing.assert_allclose(hs.prob_greater(fit, than="B"), 1 / 2)
    np.testing.assert_allclose(hs.uplift(fit, control="B")["prob_better"], 1 / 2)
    assert (hs.expected_loss(fit) == 0).all()
    assert (hs.prob_regret(fit, 0) == 0).all()
    table = hs.decision_table(fit, control="B", caring=1)
    assert set(table["verdict"]) == {"no difference"}
    assert "any will do" in table.attrs["advice"]


def test_smaller_is_better_mirrors() -> None:
    theta = school_fits()["partial"].posterior["theta"].to_numpy()
    fit, mirror = fit_of(theta), fit_of(-theta)
    for verb in (hs.prob_best, hs.expected_loss, lambda f, **k: hs.prob_regret(f, 2, **k)):
        np.testing.assert_allclose(verb(fit), verb(mirror, larger_is_better=False))
    mine = hs.decision_table(fit, control=3, caring=1)
    other = hs.decision_table(mirror, control=3, caring=1, larger_is_better=False)
    assert mine.index.tolist() == other.index.tolist()
    assert mine["verdict"].tolist() == other["verdict"].tolist()
    np.testing.assert_allclose(mine["prob_better"], other["prob_better"])
    np.testing.assert_allclose(mine["uplift_upper"], -other["uplift_lower"])


def test_scales_keep_the_order_but_not_the_units() -> None:
    theta = np.random.default_rng(1).normal(-1, 0.5, (2, 500, 4))
    fit = fit_of(theta, family="binomial")
    np.testing.assert_allclose(hs.prob_best(fit), hs.prob_best(fit, scale="link"))
    rate = 1 / (1 + np.exp(-theta.reshape(-1, 4)))
    np.testing.assert_allclose(hs.expected_loss(fit), loss(rate).mean(axis=0))
    np.testing.assert_allclose(
        hs.expected_loss(fit, scale="link"), loss(theta.reshape(-1, 4)).mean(0)
    )
    relative = hs.uplift(fit, control=0, relative=True)
    np.testing.assert_allclose(relative["mean"], (rate[:, 1:] / rate[:, [0]] - 1).mean(axis=0))


def test_rates_that_run_together_at_one_are_no_ties() -> None:
    fit = fit_of(np.array([[[40.0, 50.0], [41.0, 45.0]]]), family="binomial")
    assert hs.prob_best(fit).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    "labels",
    [["x", "y"], [7, 8], [("a", 1), ("b", 2)], pd.to_datetime(["2026-01-01", "2026-01-02"])],
)
def test_labels_keep_their_type(labels) -> None:
    fit = fit_of(DRAWS[..., :2], pd.Series(list(labels)))
    for table in (
        hs.prob_best(fit),
        hs.expected_loss(fit),
        hs.decision_table(fit, fit.data.groups[0]),
    ):
        assert table.index.name == fit.data.columns["group"]
        assert set(table.index) == set(fit.data.groups)
        assert table.index.dtype == fit.data.groups.dtype
    assert hs.uplift(fit, control=next(iter(fit.data.groups))).index.tolist() == [
        fit.data.groups[1]
    ]


def amounts(prior: hs.HalfNormal | hs.HalfCauchy) -> hs.Fit:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"shop": np.repeat(list("abcd"), 20), "spent": rng.lognormal(2, 0.7, 80)})
    data = hs.GroupedData.from_rows(frame, group="shop", outcome="spent", family="lognormal")
    return hs.PartialPooling(priors={"sigma": prior}).fit(data, seed=1, engine="stanli")


def test_mean_amounts() -> None:
    fit = amounts(hs.HalfNormal(0.8))
    mean = np.exp(fit.draws("theta") + fit.draws("sigma")[:, None] ** 2 / 2)
    np.testing.assert_allclose(hs.expected_loss(fit, scale="mean"), loss(mean).mean(axis=0))
    table = hs.uplift(fit, control="a", scale="mean")
    np.testing.assert_allclose(table["mean"], (mean[:, 1:] - mean[:, [0]]).mean(axis=0))
    np.testing.assert_allclose(
        hs.prob_greater(fit, than=10.0, scale="mean"), (mean > 10).mean(axis=0)
    )


def test_infinite_mean_amounts_are_refused() -> None:
    fit = amounts(hs.HalfCauchy(1))
    with pytest.raises(hs.HierstanError, match=r"infinite under the prior sigma ~ HalfCauchy\(1\)"):
        hs.expected_loss(fit, scale="mean")
    assert np.isfinite(hs.expected_loss(fit)).all()


def test_a_mean_that_a_few_draws_decide_warns() -> None:
    theta = np.random.default_rng(1).normal(0, 5, (4, 1000, 3))
    fit = fit_of(theta, family="poisson")
    for verb in (hs.expected_loss, lambda fit, **scale: hs.uplift(fit, control=0, **scale)):
        with pytest.warns(
            hs.HierstanWarning, match="(loss|uplift) .*Pareto k.*scale='link'"
        ) as caught:
            verb(fit)
        assert caught[0].filename == __file__
        assert np.isfinite(verb(fit, scale="link")).all(axis=None)
    with pytest.warns(hs.HierstanWarning, match="relative=False"):
        hs.uplift(fit_of(theta, family="binomial"), control=0, relative=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: hs.uplift(f), "control=.*'A', 'B'"),
        (lambda f: hs.uplift(f, control="a"), r"no group 'a'\. Did you mean 'A'\?"),
        (lambda f: hs.decision_table(f, control="Z"), "no group 'Z'"),
        (lambda f: hs.uplift(f, control=["A"]), "no group"),
        (lambda f: hs.uplift(f, control="A", prob=1.0), "prob="),
        (lambda f: hs.uplift(f, control="A", caring=(1, -1)), "lower number first"),
        (lambda f: hs.uplift(f, control="A", caring=(0.1,)), "a number or two"),
        (lambda f: hs.uplift(f, control="A", relative=True), "0 or below.*relative=False"),
        (lambda f: hs.expected_loss(f, scale="log"), "response, link, mean; got 'log'"),
        (lambda f: hs.prob_best(f, larger_is_better="yes"), "True or False"),
        (lambda f: hs.prob_best({"partial": f}), r"fits\[\"partial\"\]"),
        (lambda f: hs.prob_greater(f), "a value or a group"),
        (lambda f: hs.prob_greater(f, than=np.nan), "than= must be a finite number"),
        (lambda f: hs.prob_regret(f, -1), "caring= .* at least 0"),
        (lambda f: hs.decision_table(f, caring=-1), "caring= .* at least 0"),
        (lambda f: hs.value_remaining(f, prob=0), "prob="),
    ],
)
def test_errors_name_argument_rule_and_cure(call, message: str) -> None:
    with pytest.raises(hs.HierstanError, match=message):
        call(school_fits()["partial"])


def test_a_number_that_may_be_a_label_has_to_be_told_apart() -> None:
    fit = fit_of(DRAWS)
    with pytest.raises(hs.DataError, match=r"than=1\.0 for the value, than_group=1"):
        hs.prob_greater(fit, than=1)
    np.testing.assert_allclose(hs.prob_greater(fit, than_group=1), [0.5, 0.5, 0.375])
    np.testing.assert_allclose(hs.prob_greater(fit, than=1.0), [0.625, 0.75, 0.75])


@pytest.mark.slow
def test_memory_stays_bounded_for_ten_thousand_variants() -> None:
    theta = np.random.default_rng(1).normal(size=(4, 1000, 10_000)).astype(np.float32)
    fit = fit_of(theta, family="binomial")
    calls = {
        "prob_best": lambda: hs.prob_best(fit),
        "expected_loss": lambda: hs.expected_loss(fit),
        "uplift": lambda: hs.uplift(fit, control=5, relative=True, caring=(-0.1, 0.1)),
        "rank_probabilities": lambda: hs.rank_probabilities(fit, top=5),
        "rank_intervals": lambda: hs.rank_intervals(fit),
        "value_remaining": lambda: hs.value_remaining(fit),
    }
    tracemalloc.start()
    for name, call in calls.items():
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        result = call()
        megabytes = (tracemalloc.get_traced_memory()[1] - before) / 1e6
        assert megabytes < (150 if name == "rank_intervals" else 80), (name, megabytes)
        if name in ("prob_best", "rank_probabilities"):
            np.testing.assert_allclose(result.sum(axis=0), 1)
    tracemalloc.stop()
