"""Run one program on one engine and lay the draws out as a DataTree."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.engines import Draws, Engine, Settings
from hierstan.families import FAMILIES
from hierstan.priors import Prior, Uniform
from hierstan.programs.program import Program
from hierstan.sampling.coordinates import starting_points, starting_variances
from hierstan.text.tables import plain_labels

if TYPE_CHECKING:
    import xarray as xr

MAX_POINTWISE = 10_000_000  # draws x observations: 80 MB each for log_lik and y_rep
MENDING = 0.99  # adapt_delta of a second attempt
MIN_BFMI = 0.3
MAX_THETA = 20_000_000  # draws x groups, 160 MB; above, theta is drawn when it is asked for
WRITTEN = (
    "log_lik", "y_rep", "control_rep", "log_population", "theta_mean", "theta_sd",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """Everything a run needs: the data, the priors and the programs.

    `program` is sampled. `conditional` is the same model with ``theta`` as a plain parameter; its
    ``log_lik`` and ``y_rep`` are evaluated at the draws. `scale` is what a mixed program is told
    about the groups, see `coordinates.sampling_scale`. With `one_mean` the groups do
    not differ at all, and are sampled as a single one.
    """

    data: GroupedData
    priors: Mapping[str, Prior]
    program: Program
    conditional: Program
    scale: Mapping[str, Any] = field(default_factory=dict)
    prior_only: bool = False
    one_mean: bool = False


def stan_data(
    data: GroupedData, priors: Mapping[str, Prior], *, rows: bool = False, pointwise: bool = False
) -> dict[str, Any]:
    """Return the data dictionary of a program: the groups' data and the priors' numbers."""
    numbers = {
        f"{name}_{number}": value
        for name, prior in priors.items()
        for number, value in prior.numbers().items()
    }
    flags = {"pointwise": int(pointwise), "draw_theta": 1, "describe_theta": 0}
    flags["draw_baseline"] = 0  # only where it is kept
    return {**data.stan_data(rows=rows), **numbers, **flags}


def with_observations(entries: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return a program's data with the first `count` observations; with none, the prior is left."""
    N = int(entries["N"])
    arrays = {
        name: value[:count]
        for name, value in entries.items()
        if name not in ("estimate", "precision", "x_new")
        and np.ndim(value) == 1
        and len(value) == N
    }
    return {**entries, **arrays, "N": min(N, count)}


def run(
    plan: Plan, engine: Engine, settings: Settings, *, mend: bool = False
) -> tuple[xr.DataTree, Settings, str]:
    """Sample; return the DataTree, the settings it was sampled with, and a note for the user.

    With `mend`, a run that had trouble is repeated once with a smaller step size.
    """
    tree = _sampled(plan, engine, settings)
    trouble = _trouble(tree) if mend and settings.adapt_delta < MENDING else ""
    if not trouble:
        return tree, settings, ""
    settings = replace(settings, adapt_delta=MENDING)
    note = f"sampled a second time with adapt_delta={MENDING}, since the first time {trouble}"
    return _sampled(plan, engine, settings), settings, note


def coordinate(groups: pd.Index) -> np.ndarray:
    """Return the group labels as a coordinate; labels of any type stay themselves.

    Labels of several columns are joined to texts, which netCDF and ArviZ's tables can hold.
    """
    if isinstance(groups, pd.MultiIndex):
        return np.array(plain_labels(groups))
    values = groups.to_numpy()
    if values.dtype.kind in "iufbM":
        return values
    labels = np.empty(len(groups), dtype=object)
    labels[:] = list(groups)
    if all(isinstance(label, str) for label in labels):
        return labels.astype(str)
    return labels


def whole_numbers(values: np.ndarray) -> np.ndarray:
    """Return counts as 64-bit integers, or as they are where one of them is larger than that."""
    fits = values.size == 0 or np.abs(values).max() < 2.0**63
    return values.astype(np.int64) if fits else values


def keeps_pointwise(data: GroupedData, draws: int) -> bool:
    """Whether there is room for ``log_lik`` and ``y_rep`` of every row at every draw."""
    return data.rows is not None and draws * data.n_rows <= MAX_POINTWISE


# internals ------------------------------------------------------------------------------------


def _trouble(tree: xr.DataTree) -> str:
    name = "sample_stats" if "sample_stats" in tree.children else "sample_stats_prior"
    stats = tree[name].to_dataset()
    diverging = stats["diverging"].to_numpy()
    if diverging.any():
        return f"{int(diverging.sum()):,} of {diverging.size:,} transitions diverged"
    energy = stats["energy"].to_numpy()
    bfmi = (np.diff(energy, axis=1) ** 2).mean(axis=1) / energy.var(axis=1)
    return f"E-BFMI was as low as {bfmi.min():.2f}" if bfmi.min() < MIN_BFMI else ""


def _sampled(plan: Plan, engine: Engine, settings: Settings) -> xr.DataTree:
    """Return posterior, statistics and data as a DataTree."""
    size, J = settings.chains * settings.draws, len(plan.data.groups)
    can_wait = plan.one_mean or "draw_theta" in plan.program.code
    later = can_wait and size * J > MAX_THETA
    in_passing = (  # an edited template may ask for what the embedded engine has not
        plan.program.edited
        and plan.data.rows is plan.data.cells
        and not plan.prior_only
        and "pointwise" in plan.program.code
        and keeps_pointwise(plan.data, size)
    )
    entries = stan_data(plan.data, plan.priors, pointwise=in_passing) | {"draw_baseline": 1}
    entries |= plan.scale
    if plan.one_mean:
        entries |= {"J": 1, "group": np.ones_like(entries["group"])}
    if plan.prior_only:
        entries = with_observations(entries, 0)
    if later:
        entries["draw_theta"] = 0
    draws = engine.sample(
        plan.program, entries, settings, _starts(plan, settings), _variances(plan)
    )
    written = {name: draws.variables.pop(name) for name in WRITTEN if name in draws.variables}
    if "mu" in draws.variables:
        draws = Draws({"mu": draws.variables.pop("mu"), **draws.variables}, draws.stats)
    if later:
        draws.variables.pop("theta", None)
    elif plan.one_mean:
        theta = draws.variables["theta"]
        draws.variables["theta"] = np.broadcast_to(theta, (*theta.shape[:2], J))
    return _tree(plan, draws, written)


def _starts(plan: Plan, settings: Settings) -> list[dict[str, Any]]:
    points = starting_points(plan.data, plan.priors, chains=settings.chains, seed=settings.seed)
    if "draw_theta" in plan.program.code:  # theta is no parameter
        points = [{name: point[name] for name in point if name != "theta"} for point in points]
    return points


def _variances(plan: Plan) -> dict[str, np.ndarray]:
    """Return variances for adaptation to start from, but where theta is a parameter as it is."""
    integrated = "draw_theta" in plan.program.code
    if not (plan.scale or integrated) or plan.program.edited or plan.prior_only:
        return {}
    measured = {"mu"} if plan.scale and integrated else set()  # in units of its own
    return {
        name: variance
        for name, variance in starting_variances(plan.data).items()
        if name in {*plan.priors} - measured and not isinstance(plan.priors[name], Uniform)
    }


def _tree(plan: Plan, draws: Draws, written: Mapping[str, np.ndarray]) -> xr.DataTree:
    import arviz_base as azb

    data, family = plan.data, FAMILIES[plan.data.family]
    groups: dict[str, Any] = {"posterior": draws.variables}
    stats = dict(draws.stats)
    stats["diverging"] = stats["diverging"] > 0
    for name in ("tree_depth", "n_steps"):
        stats[name] = stats[name].astype(np.int64)
    groups["sample_stats"] = stats
    if {"log_lik", "y_rep"} <= set(written):
        rep = written["y_rep"]
        rep = whole_numbers(rep) if family.columns["y"] == "int" else rep
        groups |= {"log_likelihood": {"y": written["log_lik"]}, "posterior_predictive": {"y": rep}}
    observed = data.cells if data.rows is None else data.rows
    groups["observed_data"] = {"y": observed["y"].to_numpy()}
    groups["constant_data"] = {
        "group_index": observed["group"].to_numpy(),
        **{name: observed[name].to_numpy() for name in family.columns if name != "y"},
    }
    if plan.prior_only:
        groups["prior"] = groups.pop("posterior")
        groups["sample_stats_prior"] = groups.pop("sample_stats")
    observation = ["observation"]
    constant = dict.fromkeys(groups["constant_data"], observation)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="More chains")
        tree: xr.DataTree = azb.from_dict(
            groups,
            coords={"observation": np.arange(len(observed)), **_coordinates(data)},
            dims={
                "theta": ["group"],
                "baseline": ["group"],
                "beta": ["predictor"],
                "y": observation,
                **constant,
            },
        )
    return tree


def _coordinates(data: GroupedData) -> dict[str, np.ndarray]:
    found = {"group": coordinate(data.groups)}
    if data.predictors is not None:
        found["predictor"] = np.array([str(name) for name in data.predictors.columns])
    return found
