"""Run one program on one engine and lay the draws out as a DataTree."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hierstan.data import GroupedData
from hierstan.engines import Draws, Engine, Settings
from hierstan.errors import TemplateError
from hierstan.families import FAMILIES
from hierstan.parameterization import starting_points
from hierstan.priors import Prior, Uniform
from hierstan.program import Program

if TYPE_CHECKING:
    import xarray as xr

MAX_POINTWISE = 10_000_000  # draws x observations: 80 MB each for log_lik and y_rep
MENDING = 0.99  # adapt_delta of a second attempt
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


def with_observations(entries: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return a program's data with the first `count` observations; with none, the prior is left."""
    N = int(entries["N"])
    arrays = {
        name: value[:count]
        for name, value in entries.items()
        if name not in ("weak", "x_new") and np.ndim(value) == 1 and len(value) == N
    }
    return {**entries, **arrays, "N": min(N, count)}


def run(
    plan: Plan, engine: Engine, settings: Settings, *, mend: bool = False
) -> tuple[xr.DataTree, Settings, str]:
    """Sample; return the DataTree, the settings it was sampled with, and a note for the user.

    With `mend`, a run that had trouble is repeated once with a smaller step size.
    """
    if plan.conditional.edited or plan.program.edited:
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
    ``log_lik`` and ``log_population`` do, whatever the other parameters; what leave-one-out uses
    is then what was fitted. The first observation alone tells the likelihood from the population.

    Raises
    ------
    TemplateError
        Naming the statement that was edited in one place only.
    """
    from hierstan.engines.stanli import Evaluator

    entries = stan_data(plan.data, plan.priors, pointwise=True)
    if plan.mixing is not None:
        entries["weak"] = plan.mixing
    inits = starting_points(plan.data, plan.priors, chains=2, seed=1)
    evaluator = Evaluator(plan.conditional, entries)
    first = Evaluator(plan.conditional, with_observations(entries, 1))
    if not set(evaluator.parameters) <= set(inits[0]):
        return
    moved = "theta" if "theta" in evaluator.parameters else "mu"
    bounded = isinstance(plan.priors.get("theta"), Uniform)  # flat, but for the change of variables
    for other in inits:
        points = {name: np.array([other[name]] * 2) for name in evaluator.parameters}
        points[moved] = np.array([init[moved] for init in inits])
        full, one = (np.diff(program.log_density(points))[0] for program in (evaluator, first))
        log_lik = np.diff(evaluator.written(points, ["log_lik"])["log_lik"], axis=0)[0]
        _compare("the likelihood", "log_lik", full - one, log_lik[1:].sum(), plan.conditional)
        if moved == "theta" and not bounded:
            population = evaluator.written(points, ["log_population"])["log_population"]
            _compare(
                "the population of theta",
                "log_population",
                one - log_lik[0],
                np.diff(population.sum(axis=1))[0],
                plan.conditional,
            )
    if moved == "theta" and "theta" not in Evaluator(plan.program, entries).parameters:
        _check_integrated(plan, entries, inits)


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
        entries["weak"] = plan.mixing
    if plan.prior_only:
        entries = with_observations(entries, 0)
    draws = engine.sample(plan.program, entries, settings, _starts(plan, settings))
    written = {name: draws.variables.pop(name) for name in WRITTEN if name in draws.variables}
    if wanted and not direct:
        written = _evaluate(plan, draws, settings)
    return _tree(plan, draws, written)


def _check_integrated(plan: Plan, entries: dict[str, Any], inits: list[dict[str, Any]]) -> None:
    """Make sure that a program without ``theta`` is `conditional` with ``theta`` integrated out.

    Both are normal in ``theta``, so three points give each group's integral exactly.
    """
    from hierstan.engines.stanli import Evaluator

    conditional, integrated = (Evaluator(p, entries) for p in (plan.conditional, plan.program))
    draws = {name: np.array([init[name] for init in inits]) for name in conditional.parameters}
    theta, step = draws["theta"][:1], draws["tau"][:, None]
    terms = []
    for shift in (-step, 0 * step, step):
        written = conditional.written(
            {**draws, "theta": theta + shift}, ["log_lik", "log_population"]
        )
        terms.append(written["log_lik"] + written["log_population"])
    behind, here, ahead = terms
    slope, curvature = (ahead - behind) / 2, ahead - 2 * here + behind
    with np.errstate(invalid="ignore"):  # where it is not normal: the comparison then fails
        integral = here - slope**2 / (2 * curvature) + np.log(step / np.sqrt(-curvature))
    joint = conditional.log_density({**draws, "theta": theta + 0 * step})
    expected = np.diff(joint + (integral - here).sum(axis=1))[0]
    change = np.diff(integrated.log_density(draws))[0]
    if not np.isclose(expected, change, rtol=1e-6, atol=1e-6):
        raise TemplateError(
            f"{plan.program.name} is not {plan.conditional.name} with theta integrated out: "
            f"between two values of the other parameters its log density changes by {change:.6g} "
            f"instead of {expected:.6g}. Edit both in the same way, or use "
            "parameterization='centered' or 'noncentered', which need one template only."
        )


def _compare(what: str, name: str, model: float, written: float, program: Program) -> None:
    if np.isclose(model, written, rtol=1e-6, atol=1e-6):
        return
    raise TemplateError(
        f"In {program.name}, the model block and {name} disagree about {what}: between two values "
        f"of the group means the model's log density changes by {model:.6g}, {name} by "
        f"{written:.6g}. Edit both in the same way: leave-one-out relies on {name}."
    )


def _starts(plan: Plan, settings: Settings) -> list[dict[str, Any]]:
    return starting_points(plan.data, plan.priors, chains=settings.chains, seed=settings.seed)


def _evaluate(plan: Plan, draws: Draws, settings: Settings) -> dict[str, np.ndarray]:
    """Evaluate log_lik and y_rep of every row at the draws."""
    from hierstan.engines.stanli import Evaluator

    entries = stan_data(plan.data, plan.priors, rows=True, pointwise=True)
    evaluator = Evaluator(plan.conditional, entries, settings.seed)
    flat = {name: values.reshape(-1, *values.shape[2:]) for name, values in draws.variables.items()}
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
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="More chains")
        tree: xr.DataTree = azb.from_dict(
            groups,
            coords={"observation": np.arange(len(observed)), **_coordinates(data)},
            dims={"theta": ["group"], "beta": ["predictor"], "y": observation, **constant},
        )
    return tree


def _coordinates(data: GroupedData) -> dict[str, np.ndarray]:
    found = {"group": _coordinate(data.groups)}
    if data.predictors is not None:
        found["predictor"] = np.array([str(name) for name in data.predictors.columns])
    return found


def _coordinate(groups: pd.Index) -> np.ndarray:
    """Return the group labels as a coordinate; labels of any type stay themselves."""
    values = groups.to_numpy()
    if values.dtype.kind in "iufbM":
        return values
    labels = np.empty(len(groups), dtype=object)
    labels[:] = list(groups)
    if all(isinstance(label, str) for label in labels):
        return labels.astype(str)
    return labels
