"""Measures of convergence, against ArviZ, against arithmetic by hand and against what is known."""

from __future__ import annotations

import math
import statistics
import time
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hierstan.sampling.convergence import (
    check_convergence,
    e_bfmi,
    max_r_hat,
    parameter_table,
    quantiles,
)

RNG_SEED = 20261122


def autoregressive(chains: int, draws: int, size: int, rho: float) -> np.ndarray:
    """Draws (C, D, K) of stationary AR(1) chains with unit variance."""
    rng = np.random.default_rng(RNG_SEED)
    noise = rng.normal(size=(chains, draws, size))
    result = noise.copy()
    for t in range(1, draws):
        result[:, t] = rho * result[:, t - 1] + noise[:, t] * math.sqrt(1 - rho**2)
    return result


def dataset(values: np.ndarray, **others: np.ndarray) -> xr.Dataset:
    scalars = {name: (("chain", "draw"), value) for name, value in others.items()}
    return xr.Dataset({"theta": (("chain", "draw", "group"), values), **scalars})


def stats(chains: int, draws: int, **changes: np.ndarray) -> xr.Dataset:
    rng = np.random.default_rng(RNG_SEED)
    values = {
        "diverging": np.zeros((chains, draws), bool),
        "energy": rng.normal(size=(chains, draws)),
        "tree_depth": np.full((chains, draws), 3),
    }
    return xr.Dataset(
        {name: (("chain", "draw"), value) for name, value in (values | changes).items()}
    )


def r_hat_by_hand(chains: list[list[float]]) -> float:
    """Rank-normalized split R-hat of the paper, in plain Python."""
    halves = []
    for chain in chains:
        half = len(chain) // 2
        halves += [chain[:half], chain[-half:]]

    def of(values: list[list[float]]) -> float:
        pooled = sorted(value for chain in values for value in chain)
        S = len(pooled)
        normal = statistics.NormalDist()

        def score(value: float) -> float:
            ranks = [rank for rank, other in enumerate(pooled, 1) if other == value]
            return normal.inv_cdf((sum(ranks) / len(ranks) - 3 / 8) / (S + 1 / 4))

        z = [[score(value) for value in chain] for chain in values]
        n = len(z[0])
        between = n * statistics.variance([statistics.fmean(chain) for chain in z])
        within = statistics.fmean([statistics.variance(chain) for chain in z])
        return math.sqrt(((n - 1) / n * within + between / n) / within)

    median = statistics.median(value for chain in halves for value in chain)
    folded = [[abs(value - median) for value in chain] for chain in halves]
    return max(of(halves), of(folded))


@pytest.mark.parametrize("shift", [0.0, 1.0])
@pytest.mark.parametrize("draws", [20, 31])
def test_r_hat_is_that_of_the_paper(draws: int, shift: float) -> None:
    values = autoregressive(3, draws, 2, 0.5)
    values[0] += shift
    values[..., 1] = values[..., 1].round()  # ties
    table = parameter_table(dataset(values))
    by_hand = [r_hat_by_hand(values[..., k].tolist()) for k in range(2)]
    np.testing.assert_allclose(table["r_hat"], by_hand, rtol=1e-10)


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.97, -0.6])
@pytest.mark.parametrize(("chains", "draws"), [(4, 500), (2, 101), (1, 200), (4, 10), (3, 7)])
def test_measures_are_arviz_measures(chains: int, draws: int, rho: float) -> None:
    import arviz_stats as azs

    values = autoregressive(chains, draws, 5, rho)
    values = np.concatenate((values, np.exp(values), values.round(1)), axis=2)
    draws_of = dataset(values, mu=values[..., 0] + np.arange(chains)[:, None])
    table = parameter_table(draws_of)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # chains too short or too few
        expected = {
            "ess_bulk": azs.ess(draws_of, method="bulk"),
            "ess_tail": azs.ess(draws_of, method="tail", prob=(0.05, 0.95)),
            "mcse_mean": azs.mcse(draws_of, method="mean"),
        }
        if chains > 1:  # of a single chain, ArviZ gives none
            expected["r_hat"] = azs.rhat(draws_of)
    for name, values_of in expected.items():
        flat = [float(values_of["mu"]), *values_of["theta"].to_numpy()]
        np.testing.assert_allclose(table[name], flat, rtol=1e-8, err_msg=name)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_ess_is_that_of_an_autoregressive_chain(rho: float) -> None:
    table = parameter_table(dataset(autoregressive(4, 2000, 30, rho)))
    known = 8000 * (1 - rho) / (1 + rho)
    assert table["ess_bulk"].mean() == pytest.approx(known, rel=0.06)
    assert table["mcse_mean"].mean() == pytest.approx(1 / math.sqrt(known), rel=0.06)


def test_chains_in_two_places_are_seen() -> None:
    values = autoregressive(4, 500, 1, 0.3)
    values[2:] += 6
    found = check_convergence(dataset(values), stats(4, 500))
    assert found.parameters["r_hat"].item() > 1.5
    assert found.parameters["ess_bulk"].item() < 10
    np.testing.assert_allclose(found.chain_means[0], [0, 0, 6, 6], atol=0.3)


def test_chains_of_different_width_are_seen() -> None:
    values = autoregressive(4, 500, 1, 0.0)
    values[0] *= 4  # the means agree: only folded draws tell
    assert parameter_table(dataset(values))["r_hat"].item() > 1.1


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.6])
def test_the_largest_of_many_r_hats_is_allowed_more(rho: float) -> None:
    # 10,000 parameters whose chains agree, with 4,000 to 1,000 effective draws; and one that does
    # not: one chain of four is elsewhere by 0.6 standard deviations
    values = autoregressive(4, 1000, 10_000, rho)
    mixed = parameter_table(dataset(values))
    limit = max_r_hat(10_000, 4)
    assert mixed["r_hat"].max() < limit
    if rho:
        assert (mixed["r_hat"] > max_r_hat(1, 4)).any(), "the limit of one parameter is too strict"
    values[0, :, 0] += 0.6
    assert parameter_table(dataset(values[..., :2]))["r_hat"].iloc[0] > limit


@pytest.mark.parametrize("chains", [1, 2, 4, 8])
def test_few_parameters_have_the_usual_limit_of_r_hat(chains: int) -> None:
    assert max_r_hat(1, chains) == 1.01
    limits = [max_r_hat(10**power, chains) for power in range(7)]
    assert limits == sorted(limits)
    assert limits[-1] <= 1.05


def test_one_chain_is_compared_with_itself() -> None:
    values = autoregressive(1, 1000, 2, 0.0)
    values[0, 500:, 1] += 3
    found = check_convergence(dataset(values), stats(1, 1000))
    assert found.parameters["r_hat"].tolist()[0] < 1.01
    assert found.parameters["r_hat"].tolist()[1] > 1.5
    assert found.chain_means.shape == (2, 2)


def test_what_never_changes_has_no_r_hat() -> None:
    values = autoregressive(4, 100, 2, 0.0)
    values[..., 1] = 0.1
    line = parameter_table(dataset(values)).iloc[1]
    assert np.isnan(line["r_hat"])
    assert line["sd"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_too_few_draws_give_no_numbers(draws: int) -> None:
    found = check_convergence(dataset(autoregressive(2, draws, 2, 0.0)), stats(2, draws))
    assert found.parameters[["r_hat", "ess_bulk", "ess_tail", "mcse_mean"]].isna().all(axis=None)
    assert np.isnan(found.e_bfmi).all()
    assert found.parameters["mean"].notna().all()


def test_the_samplers_troubles_are_counted() -> None:
    diverging = np.zeros((4, 100), bool)
    diverging[1, :7] = True
    depth = np.full((4, 100), 5)
    depth[0, :20] = 10
    found = check_convergence(
        dataset(autoregressive(4, 100, 1, 0.0)),
        stats(4, 100, diverging=diverging, tree_depth=depth),
    )
    assert (found.chains, found.draws, found.divergences, found.at_depth) == (4, 100, 7, 0.05)


def test_e_bfmi_is_arviz_e_bfmi_and_small_for_a_random_walk() -> None:
    import arviz_stats as azs

    energy = np.random.default_rng(RNG_SEED).normal(size=(4, 500))
    energy[2] = energy[2].cumsum()
    found = e_bfmi(energy)
    coords = {"chain": range(4), "draw": range(500)}
    tree = xr.DataTree.from_dict(
        {"sample_stats": stats(4, 500, energy=energy).assign_coords(coords)}
    )
    np.testing.assert_allclose(found, azs.bfmi(tree)["energy"], rtol=1e-10)
    assert (found < 0.3).tolist() == [False, False, True, False]


def test_labels_name_groups_and_keep_them_apart() -> None:
    values = np.zeros((2, 10, 2))
    groups: dict[str, pd.Index] = {
        "text": pd.Index(["A", "B c"]),
        "days": pd.DatetimeIndex(["2026-01-01", "2026-02-01"]),
        "mixed": pd.Index([1, "1"], dtype=object),
    }
    expected = {
        "text": ["theta[A]", "theta[B c]"],
        "days": ["theta[2026-01-01]", "theta[2026-02-01]"],
        "mixed": ["theta[1]", "theta['1']"],
    }
    for kind, labels in groups.items():
        draws = dataset(values, mu=values[..., 0]).assign_coords(group=labels.to_numpy())
        assert parameter_table(draws).index.tolist() == ["mu", *expected[kind]]


def test_order_is_numbers_then_a_new_group_then_groups() -> None:
    values = np.zeros((2, 10, 2))
    scalars = dict.fromkeys(("theta_new", "mu", "sigma"), values[..., 0])
    table = parameter_table(dataset(values, **scalars))
    assert table.index.tolist() == ["mu", "sigma", "theta_new", "theta[0]", "theta[1]"]
    assert table["variable"].tolist() == ["mu", "sigma", "theta_new", "theta", "theta"]


def test_quantiles_stand_in_the_order_of_the_table() -> None:
    values = autoregressive(2, 50, 3, 0.0)
    found = quantiles(dataset(values, mu=10 + values[..., 0]), (0.1, 0.9))
    np.testing.assert_allclose(found[2], np.quantile(values[..., 1], (0.1, 0.9)))
    assert found[0, 0] > 5


@pytest.mark.slow
def test_a_thousand_groups_take_seconds() -> None:
    draws = dataset(autoregressive(4, 1000, 1000, 0.3))
    start = time.perf_counter()
    parameter_table(draws)
    assert time.perf_counter() - start < 10  # 2 on a laptop; one group at a time takes 20
