"""The log likelihood and a replicated outcome of every observation, at every draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.priors import Prior
from hierstan.programs.program import Program
from hierstan.sampling.run import keeps_pointwise, stan_data

if TYPE_CHECKING:
    import xarray as xr


def pointwise(
    sampled: xr.DataTree,
    data: GroupedData,
    priors: Mapping[str, Prior],
    conditional: Program,
    seed: int,
) -> dict[str, xr.Dataset]:
    """Return what ArviZ wants to know of every observation, by its name for it.

    ``log_likelihood`` and ``posterior_predictive``, or ``prior_predictive`` of draws from the
    prior. Nothing where the engine wrote them, or where they would be too many.

    Parameters
    ----------
    sampled : xarray.DataTree
        With the draws and the observed data.
    data : GroupedData
    priors : mapping of str to Prior
    conditional : Program
        The model with ``theta`` as a plain parameter.
    seed : int
    """
    import xarray as xr

    from hierstan.engines.stanli import Evaluator

    prior_only = "prior" in sampled.children
    draws = sampled["prior" if prior_only else "posterior"].to_dataset()
    names = {"posterior_predictive": "y_rep", "log_likelihood": "log_lik"}
    names = {"prior_predictive": "y_rep"} if prior_only else names
    shape = draws.sizes["chain"], draws.sizes["draw"]
    known = names.keys() <= set(sampled.children)
    if known or "theta" not in draws or not keeps_pointwise(data, shape[0] * shape[1]):
        return {}
    entries = stan_data(data, priors, rows=True, pointwise=True)
    evaluator = Evaluator(conditional, entries, seed)
    found = {name: draws[name].to_numpy() for name in evaluator.parameters}
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in found.items()}
    written = evaluator.written(flat, list(names.values()))
    if FAMILIES[data.family].columns["y"] == "int":
        written["y_rep"] = written["y_rep"].astype(np.int64)
    dims = ("chain", "draw", "observation")
    observed = sampled["observed_data"].to_dataset()
    coordinates = {
        "chain": draws["chain"],
        "draw": draws["draw"],
        "observation": observed["observation"],
    }
    return {
        name: xr.Dataset({"y": (dims, written[of].reshape(*shape, -1))}, coordinates)
        for name, of in names.items()
    }
