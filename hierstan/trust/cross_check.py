"""Whether CmdStan and the embedded engine compute the same log density for a program."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.engines.cmdstan import CmdStan
from hierstan.engines.stanli import Evaluator, Stanli
from hierstan.errors import HierstanError, HierstanWarning
from hierstan.models.plan import make_plan
from hierstan.models.pooling import Pooling
from hierstan.programs.program import Program
from hierstan.sampling.inputs import Plan
from hierstan.sampling.starts import starting_points
from hierstan.text.tables import Page, Printed

POINTS = 8
TOLERANCE = 1e-8  # of a difference of log densities
JITTER = 0.5  # around starting points, on the unconstrained scale
COMPARED = ("log_lik", "log_population")


@dataclass(frozen=True, eq=False, repr=False)
class CrossCheck(Printed):
    """Log densities of one program on two engines.

    Attributes
    ----------
    table : pandas.DataFrame
        One line per point but the first: ``cmdstan`` and ``stanli``, by how much the log density
        differs from that of the first point, ``error`` of that relative to it (absolute below 1),
        and ``written``: the largest error of ``log_lik`` and ``log_population``.
    program : str
        Name of the program, as in the cache of compiled ones.
    engines : tuple of str
    written : tuple of str
        What was compared besides the log density.
    """

    table: pd.DataFrame
    program: str
    engines: tuple[str, str]
    written: tuple[str, ...] = ()

    @property
    def error(self) -> float:
        """The largest error."""
        return float(np.nanmax(self.table[["error", "written"]].to_numpy()))

    @property
    def ok(self) -> bool:
        """Whether no error is above 1e-8."""
        return bool(np.isfinite(self.table["error"]).all()) and self.error <= TOLERANCE

    def page(self) -> Page:
        """Return what is printed."""
        said = "compute the same" if self.ok else "do NOT compute the same"
        also = f", and {' and '.join(self.written)} at each of them," if self.written else ""
        checked = (
            f"the log density (with the change of variables, without constants) at "
            f"{len(self.table) + 1} random points. Its differences between the points{also} agree "
            f"to {self.error:.1e}; {TOLERANCE:.0e} is allowed."
        )
        title = f"{' and '.join(self.engines)} {said}: {self.program}."
        return Page(title, (("Checked", checked),))


def cross_check(model: Pooling, data: GroupedData, *, seed: int = 1) -> CrossCheck:
    """Hold the two engines against each other on the program that `fit` samples.

    CmdStan's log density is read off a chain of a single draw that is started at the point and
    takes a step of no length, so that it works with every CmdStan. Needs CmdStan; compiles the
    program once, which takes about 20 seconds.

    Parameters
    ----------
    model : CompletePooling, NoPooling or PartialPooling
        Its templates may have been edited.
    data : GroupedData
    seed : int
        Of the random points.

    Returns
    -------
    CrossCheck
        ``.ok``, ``.table``, ``.error``; says it in words when printed.

    Raises
    ------
    EngineError
        If CmdStan is not installed, or if one of the engines cannot run the program.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> try:
    ...     print(hs.cross_check(hs.PartialPooling(), data).ok)
    ... except hs.EngineError as error:  # where there is no CmdStan
    ...     print("CmdStan is not installed" in str(error))
    True
    """
    if not isinstance(model, Pooling):
        raise HierstanError(
            f"cross_check takes a model such as hs.PartialPooling(), got {type(model).__name__}."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HierstanWarning)  # said when the user made the model
        model = replace(model, priors=model.resolve_priors(data))
    plan = make_plan(model, data)
    return compare_engines(plan.program, plan.inputs(pointwise=True), _points(plan, seed))


def compare_engines(
    program: Program, entries: Mapping[str, object], points: list[dict[str, object]]
) -> CrossCheck:
    """Compare the engines on a program, its data and some values of its parameters."""
    cmdstan = CmdStan()
    there = cmdstan.evaluate(program, entries, points)
    evaluator = Evaluator(program, entries)
    draws = {name: there.variables[name][:, 0] for name in evaluator.parameters}
    differences = pd.DataFrame(
        {
            "cmdstan": there.stats["lp"][1:, 0] - there.stats["lp"][0, 0],
            "stanli": np.diff(evaluator.log_density(draws)).cumsum(),
        },
        index=pd.RangeIndex(1, len(points), name="point"),
    )
    differences["error"] = _error(
        differences["cmdstan"].to_numpy(), differences["stanli"].to_numpy()
    )
    written = tuple(name for name in COMPARED if there.variables.get(name, np.empty(0)).size)
    ours = evaluator.written(draws, written)
    errors = [_error(there.variables[name][:, 0], ours[name]).max(axis=1) for name in written]
    differences["written"] = np.max(errors, axis=0)[1:] if errors else np.nan
    versions = (cmdstan.version(), Stanli().version())
    return CrossCheck(differences, program.name, versions, written)


# internals ------------------------------------------------------------------------------------


def _error(theirs: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """Return relative errors, absolute below 1, and infinite where only one side is finite."""
    with np.errstate(invalid="ignore"):
        error = np.abs(theirs - ours) / np.maximum(1.0, np.maximum(np.abs(theirs), np.abs(ours)))
    return np.where(theirs == ours, 0.0, np.nan_to_num(error, nan=np.inf))


def _points(plan: Plan, seed: int) -> list[dict[str, object]]:
    """Return random parameter values, around where a chain would start."""
    evaluator = Evaluator(plan.program, plan.inputs(pointwise=True))
    known = starting_points(plan.data, plan.priors, chains=POINTS, seed=seed)
    starts = evaluator.completed(known, seed)
    near = {name: np.array([s[name] for s in starts]) for name in evaluator.parameters}
    points = evaluator.unconstrained(near)
    noise = np.random.default_rng(seed).normal(size=points.shape)
    return evaluator.values_at(points + JITTER * noise)
