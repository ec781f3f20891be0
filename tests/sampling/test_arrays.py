"""Plain arrays of draws say what the DataTree says that is made of them, before and after."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import hierstan as hs
from hierstan.sampling.arrays import Arrays, Sampled
from hierstan.sampling.convergence import parameter_table


def rows(labels: list[object]) -> hs.GroupedData:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "team": np.repeat(np.array(labels, dtype=object), 6),
            "score": rng.normal(1e3, 2, 6 * len(labels)),
        }
    )
    return hs.GroupedData.from_rows(frame, group="team", outcome="score")


def fitted(labels: list[object]) -> hs.Fit:
    model = hs.PartialPooling()
    return model.fit(rows(labels), seed=4, draws=100, warmup=200, engine="stanli", progress=False)


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b", "c"],
        [3, 1, 2],
        [0.5, 2.0, 7.25],
        ["a", 2, ("x", 1)],
        list(pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01"])),
    ],
)
def test_draws_are_the_same_before_and_after_a_datatree_was_asked_for(labels: list[object]) -> None:
    fit = fitted(labels)
    before = {name: fit.draws(name) for name in fit.arrays}
    table = parameter_table(fit.arrays)
    sizes = dict(fit.arrays.sizes)
    posterior = fit.idata["posterior"].to_dataset()
    assert list(posterior.data_vars) == list(before)
    for name, values in before.items():
        np.testing.assert_array_equal(fit.draws(name), values)
        np.testing.assert_array_equal(posterior[name].to_numpy().reshape(values.shape), values)
    assert dict(fit.arrays.sizes) == sizes == dict(posterior.sizes)
    assert posterior["theta"].dims == ("chain", "draw", "group")
    assert posterior["chain"].to_numpy().tolist() == [0, 1, 2, 3]
    pd.testing.assert_frame_equal(parameter_table(posterior), table)
    pd.testing.assert_frame_equal(parameter_table(fit.arrays), table)


def test_what_is_changed_in_the_tree_is_what_the_fit_says_from_then_on() -> None:
    fit = fitted(["a", "b", "c"])
    posterior = fit.posterior
    fit.sampled["posterior"] = posterior.assign(mu=posterior["mu"] + 5)
    np.testing.assert_array_equal(fit.draws("mu"), posterior["mu"].to_numpy().ravel() + 5)


def test_a_dataset_comes_by_chain_and_draw_first() -> None:
    values = np.arange(24.0).reshape(2, 3, 4)
    draws = xr.Dataset(
        {"theta": (("group", "draw", "chain"), values), "mu": (("draw", "chain"), values[0])},
        coords={"group": ["a", "b"], "chain": np.arange(4) + 1},
    )
    arrays = Arrays.of(draws)
    assert arrays.dims == {"theta": ("chain", "draw", "group"), "mu": ("chain", "draw")}
    np.testing.assert_array_equal(arrays["theta"], values.transpose(2, 1, 0))
    assert arrays.labels("group").tolist() == ["a", "b"]
    assert arrays.labels("chain").tolist() == [1, 2, 3, 4]
    assert arrays.labels("draw").tolist() == [0, 1, 2]
    assert (
        arrays.dataset()["theta"]
        .transpose(*draws["theta"].dims)
        .equals(draws["theta"].assign_coords(draw=np.arange(3)))
    )


def test_labels_of_several_columns_stand_beside_the_groups() -> None:
    frame = pd.DataFrame({"age": [1, 1, 2], "sex": ["f", "m", "f"], "k": [3, 5, 2], "n": 9})
    data = hs.GroupedData.from_counts(frame, group=["age", "sex"], successes="k", trials="n")
    fit = hs.NoPooling().fit(data, seed=1, draws=50, warmup=100, engine="stanli", progress=False)
    assert {"group", "group_age", "group_sex"} <= set(fit.posterior.coords)
    assert fit.posterior["group_age"].dims == ("group",)


def test_theta_is_kept_with_arrays_and_with_a_tree_alike() -> None:
    made = []
    for first in ("arrays", "posterior"):
        fit = fitted(["a", "b", "c"])
        getattr(fit, first)
        fit.keep_theta()
        made.append(fit.draws("theta"))
        assert fit.posterior["theta"].coords["group"].to_numpy().tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(*made)


def test_fits_pickle_with_and_without_a_tree() -> None:
    fit = fitted(["a", "b", "c"])
    for _ in range(2):
        again = pickle.loads(pickle.dumps(fit))
        np.testing.assert_array_equal(again.draws("theta"), fit.draws("theta"))
        assert again.posterior.equals(fit.posterior)


def test_groups_that_were_not_sampled_are_not_there() -> None:
    kept = Sampled({"posterior": Arrays({"mu": np.zeros((1, 2))}, {"mu": ("chain", "draw")})})
    assert "posterior" in kept
    assert "prior" not in kept
    assert "posterior" in kept.tree.children
    assert "prior" not in kept
