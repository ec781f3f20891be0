"""Run one program on one engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.engines import Draws, Engine, Settings
from hierstan.families import FAMILIES
from hierstan.priors import Uniform
from hierstan.sampling.arrays import Sampled
from hierstan.sampling.convergence import MIN_E_BFMI, e_bfmi
from hierstan.sampling.inputs import Plan
from hierstan.sampling.starts import starting_points, starting_variances
from hierstan.sampling.theta import TILE, noise_seed, theta_by_rejection, theta_of_tile
from hierstan.sampling.tree import laid_out

MAX_POINTWISE = 10_000_000  # draws x observations: 80 MB each for log_lik and y_rep
MENDING = 0.99  # adapt_delta of a second attempt
MAX_THETA = 20_000_000  # draws x groups, 160 MB; above, theta is drawn when it is asked for
DEARER = 2.5  # times as many where each answer would draw them by rejection
MAX_DESCRIBED = 400_000  # draws x groups of which the program that is sampled describes theta
WRITTEN = (
    "eta", "log_lik", "y_rep", "log_population", "theta_mean", "theta_sd",
)  # fmt: skip


def run(
    plan: Plan, engine: Engine, settings: Settings, *, mend: bool = False
) -> tuple[Sampled, Settings, str]:
    """Sample; return the draws, the settings it was sampled with, and a note for the user.

    With `mend`, a run that had trouble is repeated once with a smaller step size. Where theta is
    integrated out, they are without it.
    """
    sampled = _sampled(plan, engine, settings)
    trouble = _trouble(sampled) if mend and settings.adapt_delta < MENDING else ""
    if not trouble:
        return sampled, settings, ""
    settings = replace(settings, adapt_delta=MENDING)
    note = f"sampled a second time with adapt_delta={MENDING}, since the first time {trouble}"
    return _sampled(plan, engine, settings), settings, note


def keeps_pointwise(data: GroupedData, draws: int) -> bool:
    """Whether there is room for ``log_lik`` and ``y_rep`` of every row at every draw."""
    return data.rows is not None and draws * data.n_rows <= MAX_POINTWISE


def keeps_theta(plan: Plan, draws: int) -> bool:
    """Whether there is room for theta, or it can only be drawn when it is asked for."""
    can_wait = plan.one_mean or plan.program.integrates_theta
    most = MAX_THETA * (DEARER if plan.grid else 1)
    return not can_wait or draws * len(plan.data.groups) <= most


def describes_theta(plan: Plan, draws: int) -> bool:
    """Whether the program that is sampled says what theta is given all else, at every draw."""
    J = len(plan.data.groups)
    few = TILE[1] >= J and draws * J <= MAX_DESCRIBED
    kept = few and keeps_theta(plan, draws)
    return kept and plan.integrated is not None and not plan.prior_only


# internals ------------------------------------------------------------------------------------


def _trouble(sampled: Sampled) -> str:
    stats = sampled.arrays("sample_stats" if "sample_stats" in sampled else "sample_stats_prior")
    diverging = stats["diverging"]
    if diverging.any():
        return f"{int(diverging.sum()):,} of {diverging.size:,} transitions diverged"
    lowest = e_bfmi(stats["energy"]).min()
    return f"E-BFMI was as low as {lowest:.2f}" if lowest < MIN_E_BFMI else ""


def _sampled(plan: Plan, engine: Engine, settings: Settings) -> Sampled:
    """Return posterior, statistics and data."""
    size, J = settings.chains * settings.draws, len(plan.data.groups)
    in_passing = (  # an edited template may ask for what the embedded engine has not
        plan.program.edited
        and plan.data.rows is plan.data.cells
        and not plan.prior_only
        and "pointwise" in plan.program.data
        and keeps_pointwise(plan.data, size)
    )
    described = describes_theta(plan, size)
    entries = plan.inputs(pointwise=in_passing, describe=described)
    draws = engine.sample(
        plan.program, entries, settings, _starts(plan, settings), _variances(plan)
    )
    written = {name: draws.variables.pop(name) for name in WRITTEN if name in draws.variables}
    identified = FAMILIES[plan.data.family].identified(draws.variables)
    draws = Draws(_in_order(plan, identified), draws.stats)
    if plan.one_mean:
        theta = draws.variables.pop("theta")
        if keeps_theta(plan, size):
            draws.variables["theta"] = np.broadcast_to(theta, (*theta.shape[:2], J))
    seed = noise_seed(settings.seed, plan.data, plan.priors)
    if described and {"theta_mean", "theta_sd"} <= set(written):
        draws.variables["theta"] = _theta(plan, draws.variables, written, seed)
    if plan.grid and keeps_theta(plan, size):
        draws.variables["theta"] = _theta_by_rejection(plan, draws.variables, seed)
    return laid_out(plan, draws, written)


def _theta(
    plan: Plan, draws: Mapping[str, np.ndarray], written: Mapping[str, np.ndarray], seed: int
) -> np.ndarray:
    """Draw theta, which was integrated out, from what the program says of it."""
    shape = written["theta_mean"].shape
    mean, sd = (written[name].reshape(-1, shape[-1]) for name in ("theta_mean", "theta_sd"))
    tau = draws["tau"].ravel() if "tau" in draws else None
    parts = [slice(start, start + TILE[0]) for start in range(0, len(mean), TILE[0])]
    made = [
        theta_of_tile(
            plan.data,
            plan.priors,
            mean[part],
            sd[part],
            None if tau is None else tau[part],
            [seed, number, 0],
        )
        for number, part in enumerate(parts)
    ]
    return np.concatenate(made).reshape(shape)


def _theta_by_rejection(plan: Plan, draws: Mapping[str, np.ndarray], seed: int) -> np.ndarray:
    """Draw theta, which was integrated out numerically, as `GroupDraws` does."""
    mu, tau = draws["mu"].ravel(), draws["tau"].ravel()
    theta = np.empty((len(mu), len(plan.data.groups)))
    for part in range(0, len(mu), TILE[0]):
        rows = slice(part, part + TILE[0])
        for tile in range(0, theta.shape[1], TILE[1]):
            columns = slice(tile, tile + TILE[1])
            places = [seed, part // TILE[0], tile // TILE[1]]
            theta[rows, columns] = theta_by_rejection(
                plan.data, columns, mu[rows], tau[rows], places
            )
    return theta.reshape(*draws["mu"].shape, -1)


def _in_order(plan: Plan, variables: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the model's variables that have a value, those that the page declares in its order."""
    order = [name for name in plan.conditional.parameters if name in variables]
    order += [name for name in variables if name not in (*order, *plan.program.coordinates)]
    return {name: variables[name] for name in order if variables[name].size}


def _starts(plan: Plan, settings: Settings) -> list[dict[str, object]]:
    points = starting_points(plan.data, plan.priors, chains=settings.chains, seed=settings.seed)
    known = plan.program.parameters
    return [{name: value for name, value in point.items() if name in known} for point in points]


def _variances(plan: Plan) -> dict[str, np.ndarray]:
    """Return variances for adaptation to start from, where the data have a say."""
    if plan.program.edited or plan.prior_only:
        return {}
    flat = {name for name, prior in plan.priors.items() if isinstance(prior, Uniform)}
    names = {*plan.priors, "tau_level"} - flat
    if flat & set(plan.data.tau_names):
        names.remove("tau_level")
    return {
        name: np.array(variance)
        for name, variance in starting_variances(plan.data).items()
        if name in names and name in plan.program.parameters and np.size(variance)
    }
