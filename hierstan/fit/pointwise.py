"""The log likelihood and a replicated outcome of every observation, at every draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.priors import Prior
from hierstan.programs.program import Program
from hierstan.sampling.arrays import Arrays
from hierstan.sampling.inputs import stan_data
from hierstan.sampling.run import keeps_pointwise
from hierstan.sampling.streams import stream
from hierstan.sampling.tree import drawn, whole_numbers

if TYPE_CHECKING:
    import xarray as xr

CONDITIONAL = (
    "theta, the groups' means: leave-one-out of a group's only observation from it is far too "
    "optimistic; hierstan.loo integrates theta out, and hierstan.integrated_log_likelihood(fit) is "
    "what ArviZ's loo and compare need for the same"
)


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
    arrays = Arrays.of(draws)
    names = {"posterior_predictive": "y_rep", "log_likelihood": "log_lik"}
    names = {"prior_predictive": "y_rep"} if prior_only else names
    shape = draws.sizes["chain"], draws.sizes["draw"]
    known = names.keys() <= set(sampled.children)
    if known or "theta" not in draws or not keeps_pointwise(data, shape[0] * shape[1]):
        return {}
    entries = stan_data(data, priors, rows=True, pointwise=True)
    evaluator = Evaluator(conditional, entries, stream(seed, arrays, "replications"))
    found = {name: drawn(arrays, data, name) for name in evaluator.parameters}
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in found.items()}
    written = evaluator.written(flat, list(names.values()))
    if FAMILIES[data.family].columns["y"] == "int":
        written["y_rep"] = whole_numbers(written["y_rep"])
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


def log_prior(draws: xr.Dataset, priors: Mapping[str, Prior]) -> xr.Dataset:
    """Return the log prior density of each parameter at each draw, for prior sensitivity in ArviZ.

    Parameters
    ----------
    draws : xarray.Dataset
        The posterior.
    priors : mapping of str to Prior
        Of whole vectors (``theta`` without pooling, ``beta``) the log density is the sum.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> import hierstan as hs
    >>> draws = xr.Dataset({"mu": (("chain", "draw"), np.zeros((1, 2)))})
    >>> log_prior(draws, {"mu": hs.Normal(0, 1)})["mu"].values.round(2)
    array([[-0.92, -0.92]])
    """
    found = {}
    for name, prior in priors.items():
        if name in draws:
            values = draws[name].transpose("chain", "draw", ...)
            density = prior.log_density(values.to_numpy())
            total = density.reshape(*density.shape[:2], -1).sum(axis=2)
            found[name] = (("chain", "draw"), total)
    return draws[["chain", "draw"]].drop_vars(draws.data_vars, errors="ignore").assign(found)
