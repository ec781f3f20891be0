"""Leave-one-out, WAIC and comparison: against quadrature, refits and closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from left_out import MU, PRIORS, SEED, counts

import hierstan as hs
from hierstan.answers.comparison.comparison import compared, stacking_weights
from hierstan.data.own_estimates import raw_estimates
from hierstan.fit.tau_evidence import spread_of


@pytest.mark.slow
def test_the_table_holds_differences_and_their_standard_errors():
    data, _ = counts()
    fits = hs.fit_poolings(data, priors=PRIORS, seed=SEED, engine="stanli")
    comparison = hs.compare(fits)
    table = comparison.table
    assert table["rank"].isna().tolist() == [False, False, True]
    assert table.index[2] == "none"  # of one row each: left out, their prior is all there is
    assert "No pooling is not ranked" in comparison.verdict
    assert table["elpd"].iloc[:2].is_monotonic_decreasing
    best, last = table.index[0], table.index[1]
    apart = hs.loo(fits[last]).elpd_i - hs.loo(fits[best]).elpd_i
    assert table.loc[last, "elpd_diff"] == pytest.approx(apart.sum())
    assert table.loc[last, "dse"] == pytest.approx(np.sqrt(len(apart) * apart.var(ddof=1)))
    assert table["weight"].sum() == pytest.approx(1)
    assert table.index.name == "model"


@pytest.mark.parametrize("sd", [0.01, 0.7, 30.0, 1000.0])
@pytest.mark.parametrize("seed", range(5))
def test_stacking_weights_maximise_the_score_of_the_mixture(seed: int, sd: float) -> None:
    """At the maximum no model's densities are on average larger than the mixture's."""
    rng = np.random.default_rng(seed)
    elpd = rng.normal(-1, sd, (40, 4)) + rng.normal(0, sd, 4)
    weights = stacking_weights(elpd)
    assert weights.sum() == pytest.approx(1)
    density = np.exp(elpd - elpd.max(axis=1, keepdims=True))
    gain = (density / (density @ weights)[:, None]).mean(axis=0)
    assert gain.max() < 1 + 1e-5


@pytest.mark.slow
def test_what_is_no_finite_number_has_no_rank_no_weight_and_no_verdict() -> None:
    data, _ = counts()
    fits = hs.fit_poolings(data, priors=PRIORS, seed=SEED, engine="stanli")
    results = {name: hs.loo(fit) for name, fit in fits.items()}
    broken = results["complete"].elpd_i.copy()
    broken[2] = np.nan
    results["complete"] = replace(results["complete"], elpd_i=broken, elpd=float("nan"))
    comparison = compared(results, fits)
    assert comparison.table.index[-1] == "complete"
    assert comparison.table["rank"].isna().tolist() == [False, True, True]
    assert comparison.table["weight"].isna().tolist() == [False, True, True]
    assert "cannot be relied on" in comparison.verdict
    assert "nan" not in str(comparison).lower()


def test_a_large_monte_carlo_error_is_not_reliable_whatever_pareto_k_says() -> None:
    data, _ = counts()
    fit = hs.CompletePooling(priors={"mu": MU}).fit(data, seed=SEED, engine="stanli")
    result = hs.loo(fit)
    assert result.reliable
    mcse_i = result.mcse_i.copy()
    mcse_i[0] = 1.0
    worse = replace(result, mcse_i=mcse_i, method=np.full(8, "refit"))
    assert not worse.reliable
    assert "Monte Carlo error of 1 unit is large" in str(worse)
    assert not replace(result, mcse=2.0).reliable


def test_fits_of_different_data_are_refused():
    one, _ = counts()
    fit = hs.CompletePooling().fit(one, seed=1, engine="stanli")
    other = hs.CompletePooling().fit(one.without("a"), seed=1, engine="stanli")
    with pytest.raises(hs.DataError, match="different data"):
        hs.compare({"a": fit, "b": other})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda fit: hs.loo({"a": fit}), r"loo\(fits\['a'\]\)"),
        (lambda fit: hs.loo(fit, unit="school"), "observation, group"),
        (lambda fit: hs.compare({"a": fit}), "at least two"),
        (lambda fit: hs.compare({"a": fit, "b": 3}), "'b' is no fit"),
        (lambda fit: hs.compare(fit), "mapping"),
    ],
)
def test_wrong_arguments_say_what_to_do(call, message):
    data, _ = counts()
    fit = hs.CompletePooling().fit(data, seed=1, engine="stanli")
    with pytest.raises(hs.HierstanError, match=message):
        call(fit)


def scores(theta: np.ndarray, n: int, sd: float, seed: int) -> hs.GroupedData:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(theta)), n)
    frame = pd.DataFrame({"g": group, "y": rng.normal(theta[group], sd)})
    return hs.GroupedData.from_rows(frame, group="g", outcome="y")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("kind", "preferred"),
    [("identical", "complete"), ("unrelated", "none"), ("between", "partial")],
)
def test_each_verdict_is_the_right_one_on_its_own_data(kind, preferred, seed):
    rng = np.random.default_rng(seed)
    data = {
        "identical": lambda: scores(np.zeros(400), 3, 1.0, seed),
        "unrelated": lambda: scores(rng.uniform(-100, 100, 12), 20, 1.0, seed),
        "between": lambda: scores(rng.normal(0, 1.0, 40), 3, 1.0, seed),
    }[kind]()
    comparison = hs.compare(hs.fit_poolings(data, seed=seed, engine="stanli"))
    assert comparison.preferred == preferred, comparison


@pytest.mark.slow
def test_registries_of_millions_differ_whatever_leave_one_out_finds() -> None:
    frame = pd.DataFrame(
        {
            "r": list("abc"),
            "y": [1_545_000, 1_600_000, 1_400_000],
            "n": [6_800_000, 6_900_000, 6_700_000],
        }
    )
    data = hs.GroupedData.from_counts(frame, group="r", successes="y", trials="n")
    comparison = hs.compare(hs.fit_poolings(data, seed=SEED, engine="stanli"))
    assert comparison.verdict.startswith("The groups really differ")
    assert "over 1,000 times as likely" in comparison.verdict
    assert comparison.preferred == "none"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("J", "tau"), [(3, 0.0), (8, 1.0), (8, 10.0), (30, 0.5), (30, 3.0)])
def test_compare_and_heterogeneity_say_the_same_of_rows_and_estimates(
    J: int, tau: float, seed: int
) -> None:
    rng = np.random.default_rng([J, seed])
    rows = scores(rng.normal(0, tau / np.sqrt(10), J), 10, 1.0, seed)
    raw = raw_estimates(rows)
    frame = pd.DataFrame({"g": range(J), "y": raw["link"], "se": raw["link_se"]})
    known = hs.GroupedData.from_estimates(frame, group="g", estimate="y", se="se")
    found = []
    for data in (rows, known):
        partial = hs.PartialPooling().fit(data, seed=seed, engine="stanli")
        complete = hs.CompletePooling().fit(data, seed=seed, engine="stanli")
        verdict = hs.compare({"complete": complete, "partial": partial}).verdict
        first = verdict.partition(": ")[0]
        assert hs.heterogeneity(partial).verdict.startswith(first)
        found.append(first)
    assert found[0] == found[1] or abs(np.log(spread_of(partial).bayes_factor / 3)) < 0.5


def test_too_little_data_prefer_nothing():
    frame = hs.load_dataset("eight_schools")
    data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    comparison = hs.compare(hs.fit_poolings(data, seed=SEED, engine="stanli"))
    assert comparison.preferred is None
    assert "cannot tell" in comparison.verdict
