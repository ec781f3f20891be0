"""What is roughly known of the sds of factors, and what a fit makes of it."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

import hierstan as hs
from hierstan.models.plan import make_plan
from hierstan.sampling import structure
from hierstan.sampling.starts import levels_differ, starting_variances
from hierstan.sampling.structure import Rough, level_log_variances, level_of_groups, rough


def cells(
    sizes: tuple[int, ...], sds: tuple[float, ...], *, J: int, seed: int = 1, nested: bool = False
) -> hs.GroupedData:
    """Return estimates of cells that lie in levels: those of a first factor in a second, or any."""
    rng = np.random.default_rng(seed)
    every = np.array(list(itertools.product(*map(range, sizes))))
    codes = every[rng.permutation(len(every))[:J]]
    if nested:
        codes = np.column_stack([np.arange(J) % sizes[0], np.arange(J) % sizes[0] % sizes[1]])
    theta = rng.normal(3, 0.4, J)
    for f, sd in enumerate(sds):
        theta += rng.normal(0, sd, sizes[f])[codes[:, f]]
    names = [f"f{f}" for f in range(len(sizes))]
    frame = pd.DataFrame(codes, columns=names).assign(cell=range(J), se=rng.uniform(0.2, 0.6, J))
    frame["y"] = rng.normal(theta, frame["se"])
    return hs.GroupedData.from_estimates(frame, group="cell", estimate="y", se="se", factors=names)


@pytest.mark.parametrize("nested", [False, True])
def test_variances_of_the_sds_are_those_of_the_residual_likelihood(nested: bool) -> None:
    data = cells((12, 4), (0.5, 0.6), J=40, nested=nested)
    found = rough(data)
    codes, factor = level_of_groups(data)
    Z = (codes[:, :, None] == np.arange(len(factor))).any(axis=0).astype(float)
    V = np.diag(1 / found.weights) + (Z * found.level_tau2[factor]) @ Z.T
    inverse, X = np.linalg.inv(V), data.design
    P = inverse - inverse @ X @ np.linalg.solve(X.T @ inverse @ X, X.T @ inverse)
    for f, variance in enumerate(level_log_variances(data, found)):
        of = Z[:, factor == f]
        information = (
            2 * found.level_tau2[f] ** 2 * np.trace(np.linalg.matrix_power(of.T @ P @ of, 2))
        )
        np.testing.assert_allclose(variance, min(1, 1 / information), rtol=1e-4)


def test_many_levels_are_taken_one_by_one() -> None:
    data = cells((430, 6), (0.5, 0.6), J=1200)
    one_by_one = level_log_variances(data, rough(data))
    few = cells((380, 6), (0.5, 0.6), J=1200)
    together = level_log_variances(few, rough(few))
    np.testing.assert_allclose(one_by_one * [430 / 380, 1], together, rtol=0.15)


def test_counts_of_many_levels_are_expanded_by_conjugate_gradients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)
    codes = {"a": np.arange(60) % 20, "b": np.arange(60) // 20}
    odds = np.exp(rng.normal(0, 0.7, 20)[codes["a"]] + rng.normal(-1, 0.5, 60))
    frame = pd.DataFrame(codes).assign(n=9, y=rng.binomial(9, odds / (1 + odds)))

    def found() -> Rough:
        return rough(hs.GroupedData.from_counts(frame, group=["a", "b"], successes="y", trials="n"))

    solved = found()
    monkeypatch.setattr(structure, "DENSE", 10)
    iterated = found()
    np.testing.assert_allclose(iterated.level_tau2, solved.level_tau2, rtol=1e-3)
    np.testing.assert_allclose(iterated.estimate, solved.estimate, atol=1e-3)


@pytest.mark.parametrize(
    ("sds", "warmup"), [((0.5, 0.5, 0.5), 149), ((0.5, 0.0, 0.5), 1000), ((0.5, 0.5, 0.0), 1000)]
)
def test_warmup_is_short_only_where_the_levels_of_each_factor_differ(
    sds: tuple[float, ...], warmup: int
) -> None:
    data = cells((20, 10, 5), sds, J=1000)
    plan = make_plan(hs.PartialPooling(), data)
    assert (levels_differ(data), plan.warmup) == (warmup == 149, warmup)


def test_one_level_that_is_left_does_not_differ() -> None:
    frame = pd.DataFrame({"cell": range(502), "a": np.arange(502) % 12, "y": 1.0, "se": 0.2})
    frame["y"] += frame["a"]
    frame["b"] = frame["cell"] == 5
    data = hs.GroupedData.from_estimates(
        frame, group="cell", estimate="y", se="se", factors=["a", "b"]
    ).without(5)
    assert list(map(len, data.levels.values())) == [12, 1]
    assert not levels_differ(data)
    assert make_plan(hs.PartialPooling(), data).warmup == 1000


@pytest.mark.slow
@pytest.mark.parametrize("sds", [(0.0, 0.5), (0.5, 0.0), (0.5, 0.5)])
def test_factors_without_an_effect_mix(sds: tuple[float, ...]) -> None:
    data = cells((40, 20), sds, J=600)
    fit = hs.PartialPooling().fit(data, seed=1, engine="stanli", progress=False)
    table = fit.convergence().parameters
    assert table.loc[["tau_f0", "tau_f1"], "ess_bulk"].min() > 400
    assert table["r_hat"].max() < 1.015
    if all(sds):
        draws = np.log(np.stack([fit.draws("tau_f0"), fit.draws("tau_f1")]))
        ratio = starting_variances(data)["tau_level"] / draws.reshape(2, -1).var(axis=1)
        assert ((ratio > 0.5) & (ratio < 2)).all()
