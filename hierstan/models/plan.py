"""What a fit of a model to data will run."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import ClassVar, Protocol

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.errors import TemplateError
from hierstan.families import FAMILIES
from hierstan.families.adjusted import SLOPES
from hierstan.priors import Prior
from hierstan.programs.program import Program
from hierstan.programs.render import render
from hierstan.sampling.grid import Grid
from hierstan.sampling.inputs import ABSENT, Plan
from hierstan.sampling.starts import levels_differ, nearly_normal

# With more than so many groups. Steps get shorter with their number; at these rates a trajectory of
# 2^k - 1 of them is about half a turn, which leaves the least correlation between draws.
ADAPT_DELTA = {3000: 0.7, 1000: 0.8, 100: 0.85, 0: 0.9}
ADAPT_DELTA_KEPT = {500: 0.8, 0: 0.75}  # at most, where variances are kept: the same of 15 or 7
ADAPT_DELTA_NORMAL = 0.7  # without the group means, where what is left is nearly normal
ADAPT_DELTA_LEVELS = 0.65  # and with many levels, among which the sds of few of them hardly count
MANY_LEVELS = 100
FEW_GROUPS = 100
ADAPT_DELTA_EASY = 0.6  # few groups that many data determine well
WARMUP = 1000
# Of many data. Below 150 iterations nothing but the step is adapted: of parameters in units of
# their own uncertainty the variances are known better than 300 draws can tell them.
KEPT_VARIANCES = 149
OF_POPULATION = {"mu", "beta", "tau", "tau_level", "u", "theta", "theta_new"}  # in such units
OF_ROWS = {"sigma", SLOPES}  # also in such, but the units of theta follow from them
WELL_KNOWN = 0.005  # variance of log(tau) below which the rough one is right
SHORT_WARMUP = 400  # of others: the least whose last window estimates variances from 200 draws
OF_MANY_MEANS = 600  # and from 300: those of hundreds of means, which make steps short where off
MANY_CELLS = 500


class Model(Protocol):
    """What a plan has to know of a pooling."""

    page: ClassVar[str]
    structured_page: ClassVar[str | None]
    shares_mean: ClassVar[bool]

    @property
    def template_dir(self) -> str | os.PathLike[str] | None:
        """Folder of edited templates."""
        ...

    def described(self, data: GroupedData) -> GroupedData:
        """Return the data with those of their factors that the model uses."""
        ...

    def resolve_priors(self, data: GroupedData) -> dict[str, Prior]:
        """Return the prior of every parameter."""
        ...

    def page_for(self, data: GroupedData) -> str:
        """Return the name of the page that these data are fitted with."""
        ...

    def way(
        self,
        data: GroupedData,
        priors: Mapping[str, Prior],
        *,
        edited: bool = False,
        prior_only: bool = False,
    ) -> str | None:
        """Return how theta is sampled."""
        ...


def make_plan(model: Model, data: GroupedData, *, prior_only: bool = False) -> Plan:
    """Return what fitting a model to data will run: the priors, the programs and their inputs.

    Parameters
    ----------
    model : CompletePooling, NoPooling or PartialPooling
    data : GroupedData
    prior_only : bool
        Whether the outcomes are ignored.

    Returns
    -------
    Plan

    Examples
    --------
    >>> import hierstan as hs
    >>> from hierstan.models.plan import make_plan
    >>> frame = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(frame, group="school", estimate="effect", se="se")
    >>> plan = make_plan(hs.PartialPooling(), data)
    >>> plan.program.name, list(plan.program.parameters), sorted(plan.priors)
    ('partial_pooling_normal_known_marginal_measured', ['tau', 'mu'], ['mu', 'tau'])
    """
    data = model.described(data)
    priors = model.resolve_priors(data)
    conditional = rendered(model, data, priors)
    way = model.way(data, priors, edited=conditional.edited, prior_only=prior_only)
    marginal = way == "marginal"
    grid = Grid(data, priors) if marginal and FAMILIES[data.family].one_parameter else None
    program = rendered(
        model,
        data,
        priors,
        marginal=marginal,
        coordinates="centered" if way == "centered" else "measured",
    )
    easy = _easy(data, program, priors) and (grid is None or grid.wide)
    kept = easy and _keeps_variances(data, program, priors)
    return Plan(
        data=data,
        priors=priors,
        program=program,
        conditional=conditional,
        integrated=_integrated(model, data, priors, conditional) if marginal else None,
        grid=grid,
        parameterization=way,
        adapt_delta=_adapt_delta(data, program, priors, easy=easy, kept=kept),
        warmup=WARMUP if prior_only or not easy else _warmup(data, program, kept=kept),
        own_data=way != "noncentered",
        prior_only=prior_only,
        one_mean=_one_mean(model, data, program),
    )


def rendered(
    model: Model,
    data: GroupedData,
    priors: Mapping[str, Prior],
    *,
    marginal: bool = False,
    coordinates: str | None = None,
) -> Program:
    """Render a model's page and the family of the data; by default as the page stands."""
    family, page = FAMILIES[data.family], model.page_for(data)
    structured = page != model.page and model.structured_page is not None
    bounds = {"tau": 0.0, "tau_level": 0.0, "spread": 0.0, **dict.fromkeys(family.parameters, 0.0)}
    bounds |= family.lower_bounds
    return render(
        page,
        family.file or family.name,
        {**ABSENT, **_of_program(data, priors)} if structured else priors,
        lower_bounds={name: bound for name, bound in bounds.items() if bound > -np.inf},
        marginal=("grid" if family.one_parameter else "marginal") if marginal else "",
        coordinates=coordinates,
        empty=_empty(data) if structured else (),
        adjusted=family.adjusted,
        template_dir=model.template_dir,
    )


# internals ------------------------------------------------------------------------------------


def _of_program(data: GroupedData, priors: Mapping[str, Prior]) -> dict[str, Prior]:
    """Return the priors under the program's names: one kind for the sds of all factors."""
    levels = [priors[name] for name in data.tau_names if name in priors]
    rest = {name: prior for name, prior in priors.items() if name not in data.tau_names}
    return {**rest, "tau_level": levels[0]} if levels else rest


def _empty(data: GroupedData) -> Collection[str]:
    """Name the vectors that have no elements: measured in units, they would be NaN."""
    known = data.stan_data()
    return [name for name, size in (("beta", "K"), ("u", "L")) if not known.get(size)]


def _integrated(
    model: Model, data: GroupedData, priors: Mapping[str, Prior], conditional: Program
) -> Program | None:
    """Return the page with theta integrated out that describes it.

    That of two arms draws it, and nothing but the likelihood is needed where it is integrated out
    numerically: an edit of these alone is refused, since nothing would tell it from the model.
    """
    page = rendered(model, data, priors, marginal=True)
    if "theta_mean" in page.written:
        return page
    if page.edited:
        raise TemplateError(
            f"{page.name} was edited, and {conditional.name}, whose model it samples, was not. "
            "Edit the page of the model, which is then sampled as it stands."
        )
    return None


def _one_mean(model: Model, data: GroupedData, program: Program) -> bool:
    """Whether the groups are all the same, so that a single one stands for them."""
    alike = model.page_for(data) == model.page
    same = alike and not FAMILIES[data.family].of_group
    return model.shares_mean and same and not program.edited


def _adapt_delta(
    data: GroupedData, program: Program, priors: Collection[str], *, easy: bool, kept: bool
) -> float:
    if "theta_mean" in program.written and not program.edited:
        many = sum(map(len, data.levels.values())) > MANY_LEVELS
        if many and nearly_normal(data, priors) and levels_differ(data):
            return ADAPT_DELTA_LEVELS
        if nearly_normal(data, {*priors, "tau_level"}):
            return ADAPT_DELTA_NORMAL
    if easy and len(data.groups) <= FEW_GROUPS:
        return ADAPT_DELTA_EASY
    if easy and program.integrates_theta:
        return ADAPT_DELTA_NORMAL
    sampled = _sampled(data, program)
    delta = _above(ADAPT_DELTA, sampled)
    return min(delta, _above(ADAPT_DELTA_KEPT, sampled)) if kept else delta


def _above(table: Mapping[int, float], sampled: int) -> float:
    return next(delta for least, delta in table.items() if sampled > least)


def _warmup(data: GroupedData, program: Program, *, kept: bool) -> int:
    if kept:
        return KEPT_VARIANCES
    return OF_MANY_MEANS if _sampled(data, program) > MANY_CELLS else SHORT_WARMUP


def _keeps_variances(data: GroupedData, program: Program, priors: Collection[str]) -> bool:
    """Whether every parameter is sampled in units of its own uncertainty, or its variance is known.

    Group means are where they have a population and nothing else moves what their rows say of them.
    """
    told = FAMILIES[data.family].log_variances(data.cells)
    others = {*program.parameters} - {*program.coordinates, *OF_POPULATION}
    measured = others <= (OF_ROWS if program.integrates_theta else {*told})
    has_population = program.integrates_theta or "tau" in program.parameters
    known = nearly_normal(data, {"tau"} & set(priors), WELL_KNOWN) and nearly_normal(data, told)
    return measured and has_population and known


def _sampled(data: GroupedData, program: Program) -> int:
    """Return how many group means are sampled, or 1."""
    return 1 if program.integrates_theta else len(data.groups)


def _easy(data: GroupedData, program: Program, priors: Collection[str]) -> bool:
    """Whether there are many data, which determine how groups and their rows vary.

    Rows of 0 and 1, one to a group, say nothing of tau, whatever a normal approximation makes of
    them: on a grid, tau has to be away from 0 by the likelihood itself.
    """
    many = len(data.cells) > MANY_CELLS and not program.edited
    shared = {"tau", *({"sigma"} & set(priors))}
    return many and nearly_normal(data, shared) and levels_differ(data)
