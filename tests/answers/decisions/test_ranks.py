"""Ranks, by hand and against the published baseball analysis."""

from __future__ import annotations

import itertools

import deciding
import numpy as np
import pytest
from deciding import DRAWS, fit_of

import hierstan as hs


def test_by_hand() -> None:
    fit = fit_of(DRAWS, ["a", "b", "c"])
    table = hs.rank_probabilities(fit)
    third = 1 / 3
    exact = np.array(
        [
            [1.5 + third, 0.5 + third, 1 + third],
            [1.5 + third, 0.5 + third, 1 + third],
            [third, 2 + third, 1 + third],
        ]
    )
    # draws: a c b | a=b c | b c a | a=b=c
    exact = np.array(
        [
            [1 + 0.5 + 0 + third, 0 + 0.5 + 0 + third, 0 + 0 + 1 + third],
            [0 + 0.5 + 1 + third, 0 + 0.5 + 0 + third, 1 + 0 + 0 + third],
            [0 + 0 + 0 + third, 1 + 0 + 1 + third, 0 + 1 + 0 + third],
        ]
    )
    np.testing.assert_allclose(table, exact / 4)
    assert table.columns.tolist() == [1, 2, 3]
    assert table.columns.name == "rank"
    assert table.index.name == fit.data.columns["group"]


@pytest.mark.parametrize("larger_is_better", [True, False])
def test_ranks_agree_with_each_other_and_with_the_best(larger_is_better: bool) -> None:
    rng = np.random.default_rng(2)
    fit = fit_of(rng.integers(0, 4, (2, 300, 6)).astype(float))  # full of ties
    which = {"larger_is_better": larger_is_better}
    table = hs.rank_probabilities(fit, **which)
    np.testing.assert_allclose(table.sum(axis=0), 1)
    np.testing.assert_allclose(table.sum(axis=1), 1)
    np.testing.assert_allclose(table[1], hs.prob_best(fit, **which))
    np.testing.assert_allclose(table[[1, 2, 3]].sum(axis=1), hs.prob_top(fit, 3, **which))
    np.testing.assert_allclose(table[[1, 2]], hs.rank_probabilities(fit, top=2, **which))
    ranks = hs.rank_intervals(fit, **which)
    np.testing.assert_allclose(ranks["mean"], table @ np.arange(1, 7), atol=0.2)


def test_ties_are_shared_over_all_orders() -> None:
    row = np.array([2.0, 2.0, 1.0, 2.0, 0.0, 0.0])
    exact = np.zeros((6, 6))
    orders = [o for o in itertools.permutations(range(6)) if (np.diff(row[list(o)]) <= 0).all()]
    for order in orders:
        exact[list(order), range(6)] += 1 / len(orders)
    np.testing.assert_allclose(hs.rank_probabilities(fit_of(row[None, None])), exact)


def test_complete_pooling_knows_no_ranks() -> None:
    fit = deciding.school_fits()["complete"]
    np.testing.assert_allclose(hs.rank_probabilities(fit), 1 / 8)
    np.testing.assert_allclose(hs.prob_top(fit, 3), 3 / 8)
    ranks = hs.rank_intervals(fit)
    assert (ranks["lower"] == 1).all()
    assert (ranks["upper"] == 8).all()


def test_baseball_rank_intervals() -> None:
    published = {"Clemente": [1, 14], "Robinson": [1, 14], "Santo": [3, 17], "Alvis": [5, 18]}
    ranks = hs.rank_intervals(deciding.baseball_fits()["partial"], prob=0.8)
    for player, ends in published.items():
        assert np.abs(ranks.loc[player, ["lower", "upper"]] - ends).max() <= 1


def test_many_groups_ask_for_the_first_ranks() -> None:
    fit = fit_of(np.random.default_rng(1).normal(size=(1, 20, 501)))
    with pytest.raises(hs.HierstanError, match=r"251,001 numbers\. Ask for the first: top=10"):
        hs.rank_probabilities(fit)
    assert hs.rank_probabilities(fit, top=3).shape == (501, 3)
    with pytest.raises(hs.HierstanError, match=r"top= must be a whole number from 1 to 501"):
        hs.rank_probabilities(fit, top=0)
    with pytest.raises(hs.HierstanError, match=r"k= must be a whole number from 1 to 501"):
        hs.prob_top(fit, 2.5)
