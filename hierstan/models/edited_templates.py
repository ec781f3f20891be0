"""Whether an edited template says the same thing in all of its places."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from hierstan.errors import TemplateError
from hierstan.families import FAMILIES
from hierstan.families.ordinal import Ordinal
from hierstan.priors import Uniform
from hierstan.programs.program import Program
from hierstan.sampling.inputs import Plan, stan_data, with_observations
from hierstan.sampling.starts import starting_points

if TYPE_CHECKING:
    from hierstan.engines.stanli import Evaluator


def check_consistency(plan: Plan) -> None:
    """Make sure that an edited template's model block and its generated quantities agree.

    Between two points that differ in ``theta`` alone, or in ``baseline``, the log density must
    change by as much as ``log_lik`` and ``log_population`` do, whatever the other parameters; what
    leave-one-out uses is then what was fitted. The first observation alone tells the likelihood
    from the population.

    Raises
    ------
    TemplateError
        Naming the statement that was edited in one place only.
    """
    from hierstan.engines.stanli import Evaluator

    if not (plan.conditional.edited or plan.program.edited):
        return
    entries = stan_data(plan.data, plan.priors, pointwise=True)
    evaluator = Evaluator(plan.conditional, entries)
    first = Evaluator(plan.conditional, with_observations(plan.conditional, entries, 1))
    known = starting_points(plan.data, plan.priors, chains=2, seed=1)
    inits = evaluator.completed(known, seed=1)
    latent = [name for name in ("theta", "baseline") if name in evaluator.parameters]
    bounded = isinstance(plan.priors.get("theta"), Uniform)  # flat, but for the change of variables
    for other, moved in itertools.product(inits, latent if "theta" in latent else ["mu", *latent]):
        points = {name: np.array([other[name]] * 2) for name in evaluator.parameters}
        points[moved] = np.array([init[moved] for init in inits])
        full, one = (np.diff(program.log_density(points))[0] for program in (evaluator, first))
        log_lik = np.diff(evaluator.written(points, ["log_lik"])["log_lik"], axis=0)[0]
        _compare("the likelihood", "log_lik", full - one, log_lik[1:].sum(), plan.conditional)
        if moved in latent and not (moved == "theta" and bounded):
            population = evaluator.written(points, ["log_population"])["log_population"]
            _compare(
                f"the population of {moved}",
                "log_population",
                one - log_lik[0],
                np.diff(population.sum(axis=1))[0],
                plan.conditional,
            )
    base = FAMILIES[plan.data.family].outcomes
    if isinstance(base, Ordinal):
        _check_categories(base, plan, evaluator, inits)
    if plan.integrated:
        _check_integrated(plan, plan.integrated, entries, inits)


# internals ------------------------------------------------------------------------------------


def _check_categories(
    family: Ordinal, plan: Plan, evaluator: Evaluator, inits: list[dict[str, object]]
) -> None:
    """Make sure that the categories have the shares that answers about ratings make of `eta`.

    Mean scores and top boxes are no parameters: they are worked out from the cut points.
    """
    points = {name: np.array([one[name] for one in inits]) for name in evaluator.parameters}
    points["cutpoint"] = points["cutpoint"] + np.arange(len(inits))[:, None]  # not around 0
    written = evaluator.written(points, ["eta", "log_lik"])
    shares = family.category_shares(written["eta"], {"cutpoint": points["cutpoint"][:, None]})
    cells = plan.data.cells
    rated = shares[:, np.arange(len(cells)), cells["y"].to_numpy() - 1]
    expected = cells["weight"].to_numpy() * np.log(rated)
    if not np.allclose(written["log_lik"], expected, rtol=1e-6, atol=1e-6):
        raise TemplateError(
            f"In {plan.conditional.name}, log_lik is not that of P(y > c) = inv_logit(eta - "
            "(cutpoint[c] - mean(cutpoint))), by which mean scores, top boxes and distributions of "
            "ratings are worked out from the draws: they would be of another model. Keep this "
            f"part of families/{family.name}.stan as it is; priors and populations may change."
        )


def _check_integrated(
    plan: Plan, program: Program, entries: dict[str, object], inits: list[dict[str, object]]
) -> None:
    """Make sure that a program without ``theta`` is `conditional` with ``theta`` integrated out.

    Both are normal in ``theta``, so three points give each group's integral exactly, and the mean
    and standard deviation that ``theta`` must be drawn with.
    """
    from hierstan.engines.stanli import Evaluator

    entries = {**entries, "describe_theta": 1}
    conditional, integrated = (Evaluator(p, entries) for p in (plan.conditional, program))
    names = {*conditional.parameters, *integrated.parameters}
    shared = {*conditional.parameters} & {*integrated.parameters}
    different = names - shared - {"theta", "theta_new"}
    if different:
        raise _not_integrated(plan, f"only one of them has {', '.join(sorted(different))}")
    draws = {name: np.array([init[name] for init in inits]) for name in names}
    if "theta_new" in draws:  # no part of the integral
        draws["theta_new"][:] = draws["theta_new"][0]
    spread = draws["tau"] if "tau" in draws else [plan.priors["theta"].numbers()["scale"]] * 2
    step = np.array(spread)[:, None]
    theta = draws["theta"][:1]
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
    density = integrated.log_density(draws)
    change = np.diff(density)[0]
    if not np.isclose(expected, change, rtol=1e-6, atol=1e-6):
        raise _not_integrated(
            plan,
            f"between two values of the other parameters its log density changes by {change:.6g} "
            f"instead of {expected:.6g}",
        )
    written = integrated.written(draws, ["theta_mean", "theta_sd"])
    right = theta - step * slope / curvature, step / np.sqrt(-curvature)
    for name, value in zip(written, right, strict=True):
        if not np.allclose(written[name], value, rtol=1e-6, atol=1e-6 * step.min()):
            worst = np.unravel_index(np.abs(written[name] - value).argmax(), value.shape)
            raise _not_integrated(
                plan, f"{name} is {written[name][worst]:.6g} instead of {value[worst]:.6g}"
            )


def _not_integrated(plan: Plan, why: str) -> TemplateError:
    return TemplateError(
        f"{plan.program.name} is not {plan.conditional.name} with theta integrated out: {why}. "
        "Edit both in the same way, or use parameterization='centered' or 'noncentered', which "
        "need one template only."
    )


def _compare(what: str, name: str, model: float, written: float, program: Program) -> None:
    if np.isclose(model, written, rtol=1e-6, atol=1e-6) or not np.isfinite(model):
        return
    raise TemplateError(
        f"In {program.name}, the model block and {name} disagree about {what}: between two values "
        f"of the group means the model's log density changes by {model:.6g}, {name} by "
        f"{written:.6g}. Edit both in the same way: leave-one-out relies on {name}."
    )
