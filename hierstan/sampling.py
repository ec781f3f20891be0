"""Run one program on one engine and lay the draws out as a DataTree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hierstan.data import GroupedData
from hierstan.engines import Draws, Engine, Settings
from hierstan.errors import TemplateError
from hierstan.families import FAMILIES
from hierstan.priors import Prior, Uniform
from hierstan.program import Program

if TYPE_CHECKING:
    import xarray as xr

MAX_POINTWISE = 10_000_000  # draws x observations: 80 MB each for log_lik and y_rep
MENDING = 0.99  # adapt_delta of a second attempt
MAX_DIVERGING = 0.001
MIN_BFMI = 0.3
WRITTEN = ("log_lik", "y_rep", "log_population")


@dataclass(frozen=True)
class Plan:
    """Everything a run needs: the data, the priors and the programs.

    `program` is sampled. `conditional` is the same model with ``theta`` as a plain parameter; its
    ``log_lik`` and ``y_rep`` are evaluated at the draws.
    """

    data: GroupedData
    priors: Mapping[str, Prior]
    program: Program
    conditional: Program
    mixing: np.ndarray | None = None
    prior_only: bool = False


def stan_data(
    data: GroupedData, priors: Mapping[str, Prior], *, rows: bool = False, pointwise: bool = False
) -> dict[str, Any]:
    """Return the data dictionary of a program: the groups' data and the priors' numbers."""
    numbers = {
        f"{name}_{number}": value
        for name, prior in priors.items()
        for number, value in prior.numbers().items()
    }
    return {**data.stan_data(rows=rows), **numbers, "pointwise": int(pointwise), "draw_theta": 1}


def without_observations(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return a program's data with no observations: what is left is the prior."""
    N = int(entries["N"])
    arrays = {
        name: value[:0]
        for name, value in entries.items()
        if name != "noncentered" and np.ndim(value) == 1 and len(value) == N
    }
    return {**entries, **arrays, "N": 0}


def run(
    plan: Plan, engine: Engine, settings: Settings, *, mend: bool = False
) -> tuple[xr.DataTree, Settings, str]:
    """Sample; return the DataTree, the settings it was sampled with, and a note for the user.

    With `mend`, a run that had trouble is repeated once with a smaller step size.
    """
    if plan.conditional.edited:
        check_consistency(plan)
    tree = _sampled(plan, engine, settings)
    trouble = _trouble(tree) if mend and settings.adapt_delta < MENDING else ""
    if not trouble:
        return tree, settings, ""
    settings = replace(settings, adapt_delta=MENDING)
    note = f"sampled a second time with adapt_delta={MENDING}, since the first time {trouble}"
    return _sampled(plan, engine, settings), settings, note


def check_consistency(plan: Plan) -> None:
    """Make sure that an edited template's model block and its generated quantities agree.

    Between two points that differ in ``theta`` alone, the log density must change by as much as
    ``log_lik`` and ``log_population`` do; what leave-one-out uses is then what was fitted.

    Raises
    ------
    TemplateError
        Naming the statement that was edited in one place only.
    """
    from hierstan.engines.stanli import Evaluator

    entries = stan_data(plan.data, plan.priors, pointwise=True)
    settings = Settings(chains=2, seed=1)
    inits = _inits(plan, settings)
    evaluator = Evaluator(plan.conditional, entries)
    if not set(evaluator.parameters) <= set(inits[0]):
        return
    points = {name: np.array([inits[0][name]] * 2) for name in evaluator.parameters}
    moved = "theta" if "theta" in points else "mu"
    points[moved][1] = inits[1][moved]
    full = np.diff(evaluator.log_density(points))[0]
    empty = Evaluator(plan.conditional, without_observations(entries))
    prior = np.diff(empty.log_density(points))[0]
    log_lik = evaluator.written(points, ["log_lik"])["log_lik"].sum(axis=1)
    _compare("the likelihood", "log_lik", full - prior, np.diff(log_lik)[0], plan.conditional)
    if moved == "theta":
        population = evaluator.written(points, ["log_population"])["log_population"].sum(axis=1)
        _compare(
            "the population of theta", "log_population", prior, np.diff(population)[0], plan.conditional
        )


# internals ------------------------------------------------------------------------------------


def _trouble(tree: xr.DataTree) -> str:
    name = "sample_stats" if "sample_stats" in tree.children else "sample_stats_prior"
    stats = tree[name].to_dataset()
    diverging = stats["diverging"].to_numpy()
    if diverging.mean() > MAX_DIVERGING:
        return f"{int(diverging.sum()):,} of {diverging.size:,} transitions diverged"
    energy = stats["energy"].to_numpy()
    bfmi = (np.diff(energy, axis=1) ** 2).mean(axis=1) / energy.var(axis=1)
    return f"E-BFMI was as low as {bfmi.min():.2f}" if bfmi.min() < MIN_BFMI else ""


def _sampled(plan: Plan, engine: Engine, settings: Settings) -> xr.DataTree:
    """Return posterior, statistics, pointwise values and data as a DataTree."""
    values = settings.chains * settings.draws * plan.data.n_rows
    wanted = plan.data.rows is not None and values <= MAX_POINTWISE
    direct = (
        wanted
        and plan.data.rows is plan.data.cells
        and not plan.prior_only
        and "pointwise" in plan.program.code
    )
    entries = stan_data(plan.data, plan.priors, pointwise=direct)
    if plan.mixing is not None:
        entries["noncentered"] = plan.mixing
    if plan.prior_only:
        entries = without_observations(entries)
    draws = engine.sample(plan.program, entries, settings, _inits(plan, settings))
    written = {name: draws.variables.pop(name) for name in WRITTEN if name in draws.variables}
    if wanted and not direct:
        written = _evaluate(plan, draws, settings)
    return _tree(plan, draws, written)


def _compare(what: str, name: str, model: float, written: float, program: Program) -> None:
    if np.isclose(model, written, rtol=1e-6, atol=1e-6):
        return
    raise TemplateError(
        f"In {program.name}, the model block and {name} disagree about {what}: between two values "
        f"of the group means the model's log density changes by {model:.6g}, {name} by "
        f"{written:.6g}. Edit both in the same way: leave-one-out relies on {name}."
    )


def _inits(plan: Plan, settings: Settings) -> list[dict[str, Any]]:
    """Return a starting point for each chain, spread over the scale of the data."""
    family = FAMILIES[plan.data.family]
    J = len(plan.data.groups)
    typical = family.default_priors(plan.data.cells)
    inits = []
    for chain in range(settings.chains):
        rng = np.random.default_rng([settings.seed, chain])
        init: dict[str, Any] = {}
        for name, prior in plan.priors.items():
            size = J if name == "theta" else None
            value = typical[name].quantile(rng.uniform(0.25, 0.75, size))
            if isinstance(prior, Uniform):
                margin = 0.1 * (prior.upper - prior.lower)
                value = np.clip(value, prior.lower + margin, prior.upper - margin)
            init[name] = np.maximum(value, family.lower_bounds.get(name, -np.inf) + 0.5)
        if "tau" in init:
            init["theta"] = init["mu"] + init["tau"] * rng.uniform(-1, 1, J)
        inits.append({name: np.asarray(value).tolist() for name, value in init.items()})
    return inits


def _evaluate(plan: Plan, draws: Draws, settings: Settings) -> dict[str, np.ndarray]:
    """Evaluate log_lik and y_rep of every row at the draws."""
    from hierstan.engines.stanli import Evaluator

    entries = stan_data(plan.data, plan.priors, rows=True, pointwise=True)
    evaluator = Evaluator(plan.conditional, entries, settings.seed)
    flat = {
        name: values.reshape(-1, *values.shape[2:]) for name, values in draws.variables.items()
    }
    names = ["y_rep"] if plan.prior_only else ["log_lik", "y_rep"]
    shape = (settings.chains, settings.draws, -1)
    return {name: value.reshape(shape) for name, value in evaluator.written(flat, names).items()}


def _tree(plan: Plan, draws: Draws, written: Mapping[str, np.ndarray]) -> xr.DataTree:
    import arviz_base as azb

    data, family = plan.data, FAMILIES[plan.data.family]
    groups: dict[str, Any] = {"posterior": draws.variables}
    stats = dict(draws.stats)
    stats["diverging"] = stats["diverging"] > 0
    for name in ("tree_depth", "n_steps"):
        stats[name] = stats[name].astype(np.int64)
    groups["sample_stats"] = stats
    if "log_lik" in written and not plan.prior_only:
        groups["log_likelihood"] = {"y": written["log_lik"]}
    if "y_rep" in written:
        rep = written["y_rep"]
        rep = rep.astype(np.int64) if family.columns["y"] == "int" else rep
        groups["prior_predictive" if plan.prior_only else "posterior_predictive"] = {"y": rep}
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
    labels = np.empty(len(data.groups), dtype=object)
    labels[:] = list(data.groups)
    return azb.from_dict(
        groups,
        coords={"group": _coordinate(data), "observation": np.arange(len(observed))},
        dims={"theta": ["group"], "y": observation, **constant},
    )


def _coordinate(data: GroupedData) -> np.ndarray:
    """Return the group labels as a coordinate; labels of any type stay themselves."""
    values = data.groups.to_numpy()
    if values.dtype.kind in "iufbM":
        return values
    labels = np.empty(len(data.groups), dtype=object)
    labels[:] = list(data.groups)
    if all(isinstance(label, str) for label in labels):
        return labels.astype(str)
    return labels
