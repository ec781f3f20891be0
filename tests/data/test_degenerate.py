"""Rows without variation have no posterior: they are refused, and their neighbours are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from scipy.special import logsumexp

import hierstan as hs
from hierstan.data.degenerate import check_variation

SCALED = ("normal", "lognormal", "gamma", "student_t")


def fitted(y: list[float] | np.ndarray, groups: str, family: str, **options: object) -> hs.Fit:
    frame = pd.DataFrame({"shop": list(groups), "price": y})
    data = hs.GroupedData.from_rows(frame, group="shop", outcome="price", family=family)
    return hs.PartialPooling().fit(
        data, seed=1, engine="stanli", progress=False, chains=1, warmup=100, draws=20, **options
    )


@pytest.mark.parametrize("family", SCALED)
@pytest.mark.parametrize("rounding", [0.0, 2e-16, -4e-16])
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e9])
def test_rows_that_equal_their_groups_mean(family: str, rounding: float, scale: float) -> None:
    y = scale * np.array([1.0, 1 + rounding, 2, 2, 3, 3 * (1 + rounding), 4, 4])
    message = r"Column 'price' \(outcome\) does not vary within any group: 2 × .* in 'a', "
    with pytest.raises(hs.DataError, match=message) as caught:
        fitted(y, "aabbccdd", family)
    assert f"family='{family}'" in str(caught.value)
    assert "compare them as they are" in str(caught.value)


@pytest.mark.parametrize("family", SCALED)
def test_one_value_everywhere(family: str) -> None:
    for groups in ("aabb", "abcd"):
        with pytest.raises(hs.DataError, match="is the same in all 4 rows: 5|2 × 5 in 'a'"):
            fitted([5.0] * 4, groups, family)


@pytest.mark.parametrize("family", ["normal", "student_t"])
def test_zeros_are_equal_too(family: str) -> None:
    with pytest.raises(hs.DataError, match="rows: 0|2 × 0 in 'a'"):
        fitted([0.0] * 4, "aabb", family)


@pytest.mark.parametrize("family", SCALED)
def test_one_row_in_every_group_is_another_matter(family: str) -> None:
    assert fitted([1.0, 2, 3, 4], "abcd", family).data.n_rows == 4


@pytest.mark.parametrize("family", SCALED[:3])
def test_one_group_that_varies_is_enough(family: str) -> None:
    assert fitted([1.0, 1, 2, 2, 3, 3.01], "aabbcc", family).data.n_rows == 6


def test_small_but_real_variation_is_kept() -> None:
    """A speed of light in m/s, to the micrometre per second."""
    y = 299_792_458 + 1e-5 * np.array([0.0, 1, 5, 2, 3, 1])
    assert fitted(y, "aabbcc", "normal").data.n_rows == 6


def test_draws_from_the_prior_ignore_the_outcomes() -> None:
    assert fitted([1.0, 1, 2, 2], "aabb", "normal", prior_only=True).prior_only


def test_a_fold_without_variation_is_refused() -> None:
    frame = pd.DataFrame({"shop": list("aabbcc"), "price": [1.0, 1, 2, 2, 3, 4]})
    data = hs.GroupedData.from_rows(frame, group="shop", outcome="price")
    with pytest.raises(hs.DataError, match="does not vary within any group"):
        hs.NoPooling().fit(data.without("c"), engine="stanli", progress=False)


@pytest.mark.parametrize("amounts", ["gamma", "lognormal"])
def test_amounts_of_one_price_each(amounts: str) -> None:
    frame = pd.DataFrame({"v": list("AAABBB"), "paid": [4.95, 4.95, 0, 5.95, 5.95, 0]})
    with pytest.raises(hs.DataError, match=r"2 × 4.95 in 'A'.*multiply the rates by the prices"):
        hs.TwoPart(amounts).fit(frame, group="v", outcome="paid", engine="stanli", progress=False)


@pytest.mark.parametrize(("ties", "refused"), [(6, False), (7, True), (8, True)])
def test_student_t_is_refused_where_its_likelihood_is_unbounded(ties: int, refused: bool) -> None:
    """Near sigma = 0, at nu = 1, it grows as sigma^-e; with e at least 1 it has no integral."""
    rng = np.random.default_rng(ties)
    ties_a = ties // 2
    y = rng.normal(0, 1, 10)
    y[:ties_a] = 0.25
    y[5 : 5 + ties - ties_a] = -0.5
    assert (_exponent(y[:5]) + _exponent(y[5:]) >= 0.98) == refused
    if refused:
        match = rf"too many equal rows .*{ties - ties_a} of 5 rows in 'b' are -0.5"
        with pytest.raises(hs.DataError, match=match):
            fitted(y, "aaaaabbbbb", "student_t")
    else:
        assert fitted(y, "aaaaabbbbb", "student_t").data.n_rows == 10


def test_ties_across_groups_count_for_complete_pooling() -> None:
    with pytest.raises(hs.DataError, match="5 of 7 rows are 1"):
        fitted([1.0, 1, 1, 1, 1, 2, 3], "abcdefg", "student_t")


@pytest.mark.parametrize(("equal", "vary", "refused"), [(1, 1, 0), (2, 1, 0), (3, 1, 1), (3, 5, 0)])
def test_groups_of_two_equal_rows_add_up(equal: int, vary: int, refused: int) -> None:
    """The density of the sd of the log sds is as that of exp(rate sd^2 / 2), of its prior -4."""
    rate = 2 * (_log_marginal(equal, vary, 30) - _log_marginal(equal, vary, 20)) / (30**2 - 20**2)
    assert (rate >= 4) == bool(refused)
    groups = [f"{j}" for j in range(equal + vary) for _ in range(2)]
    y = [float(j) + 0.5 * (i and j >= equal) for j in range(equal + vary) for i in range(2)]
    frame = pd.DataFrame({"shop": groups, "price": y})
    data = hs.GroupedData.from_rows(frame, group="shop", outcome="price", family="normal_unequal")
    if refused:
        with pytest.raises(hs.DataError, match="does not vary within 3 of 4 groups"):
            hs.PartialPooling().fit(data, engine="stanli", progress=False)
    else:
        check_variation(data)


def _log_marginal(equal: int, vary: int, sd: float) -> float:
    """Return the log likelihood of an sd of log sds of groups of two rows, typical one summed out.

    Its density is that of a half-normal, constant near 0: exp(L) of its logarithm L.
    """
    L = np.linspace(-4 * equal * sd**2 / vary - 50, 0, 601)
    z = np.linspace(-8, 8 + 4 * equal * sd / vary, 1201)
    log_sigma = L[:, None] + sd * z
    own = -log_sigma - 0.5 * 0.125 * np.exp(np.minimum(-2 * log_sigma, 600))
    of_one = logsumexp(own + stats.norm.logpdf(z), axis=1)
    return float(logsumexp(L - equal * L + vary * of_one) + np.log(L[1] - L[0]) + equal * sd**2 / 2)


def _exponent(y: np.ndarray) -> float:
    """Return how fast the likelihood grows as sigma falls, theta integrated out, at nu = 1."""

    def log_integral(sigma: float) -> float:
        middle = pd.Series(y).mode()[0]

        def density(z: float) -> float:  # theta in units of sigma
            return float(np.exp(stats.t.logpdf(y, 1, middle + sigma * z, sigma).sum() - shift))

        shift = stats.t.logpdf(y, 1, middle, sigma).sum()
        return shift + np.log(sigma * integrate.quad(density, -50, 50, points=[0])[0])

    return float(-(log_integral(1e-6) - log_integral(1e-4)) / np.log(1e-2))


# two arms ---------------------------------------------------------------------------------------


def in_arms(spread: dict[str, float], family: str, rows: int = 4) -> hs.GroupedData:
    """Return rows of two arms that vary by so much within each site."""
    values = np.linspace(-1, 1, rows)
    parts = [
        pd.DataFrame({"site": site, "arm": arm, "y": 3 + j + (arm == "new") + sd * values})
        for j, (site, sd) in enumerate(spread.items())
        for arm in ("old", "new")
    ]
    return hs.GroupedData.from_trial(
        pd.concat(parts), group="site", arm="arm", control="old", outcome="y", family=family
    )


@pytest.mark.parametrize("family", [*SCALED, "normal_unequal"])
def test_arms_without_variation_are_refused_by_name(family: str) -> None:
    check_variation(in_arms({"A": 1.0, "B": 0.5}, family))
    found = rf"any arm of a group: 4 × 3 in 'A' \(old\), 4 × 4 in 'A' \(new\).*family='{family}'"
    with pytest.raises(hs.DataError, match=found):
        check_variation(in_arms({"A": 0.0, "B": 0.0}, family))


def test_both_arms_of_a_group_share_its_standard_deviation() -> None:
    data = in_arms({"A": 1.0, "B": 0.0, "C": 2.0}, "normal_unequal", rows=2)
    with pytest.raises(hs.DataError, match=r"the arms of 1 of 3 groups: 2 × 4 in 'B' \(old\), "):
        check_variation(data)
    one = data.cells.assign(squares=np.where(data.cells["treated"] == 1, 0.5, 0.0))
    check_variation(replace(data, cells=one))
