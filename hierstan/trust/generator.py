"""Draw values from a model's prior and population, and outcomes from its Stan program.

The values come from the priors and the population as documented, the outcomes from the program's
own ``y_rep``: two things that the posterior of the same program has to agree with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hierstan.data.grouped_data import GroupedData
from hierstan.data.validation import INT_MAX
from hierstan.errors import DataError, HierstanError
from hierstan.families import FAMILIES
from hierstan.families.treatment import TREATED
from hierstan.fit.centers import centers
from hierstan.models.plan import make_plan
from hierstan.models.pooling import Pooling
from hierstan.priors import Prior
from hierstan.programs.files import packaged_directory
from hierstan.programs.program import Program
from hierstan.sampling.inputs import stan_data
from hierstan.text.wording import pooling_words

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from hierstan.engines.stanli import Evaluator

POPULATIONS = ("normal", "template")
MAX_SIMULATED = 1_000_000  # rows of one data set
MAX_ATTEMPTS = 200  # for one data set whose outcomes computer numbers can hold
ZERO = np.zeros(())
TINY = 1e-300  # a population sd of 0, for a program that asks for a positive one


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated data set and the values it was simulated at.

    Attributes
    ----------
    data : GroupedData
        Same groups and design as the data that were given, new outcomes.
    truth : dict of str to float or numpy.ndarray
        ``mu``, ``tau``, ``theta`` (J,) and the family's own parameters, on the link scale; with
        predictors ``beta`` (K,), and for each factor, such as region, ``tau_region`` and what its
        levels add, ``u_region``.
    """

    data: GroupedData
    truth: dict[str, float | np.ndarray]


@dataclass(frozen=True, eq=False)
class Generator:
    """Draws from a model's prior and prior predictive distribution, on the design of some data."""

    model: Pooling
    data: GroupedData
    population: str = "normal"

    def __post_init__(self) -> None:
        if self.population not in POPULATIONS:
            raise HierstanError(
                f"population must be one of {', '.join(POPULATIONS)}; got {self.population!r}."
            )
        if not isinstance(self.data, GroupedData):
            raise DataError(f"simulate takes a GroupedData, got {type(self.data).__name__}.")
        if self.data.n_rows > MAX_SIMULATED:
            raise DataError(
                f"These data have {self.data.n_rows:,} rows; data sets of up to {MAX_SIMULATED:,} "
                "rows can be simulated. Give a part of them."
            )

    @cached_property
    def described(self) -> GroupedData:
        """The data with those of their factors that the model uses."""
        return self.model.described(self.data)

    @cached_property
    def vectors(self) -> dict[str, tuple[int, str]]:
        """The values that are not a single number: how many they are, and of what."""
        found = {"theta": (len(self.data.groups), "group")}
        family = FAMILIES[self.data.family]
        if family.treatment:
            found["baseline"] = found["theta"]
        for name, size in family.sizes_of(self.data.cells).items():
            found[name] = (size, name)
        if family.of_group:
            found[family.of_group] = found["theta"]
        if "beta" in self.priors:
            found["beta"] = (self.data.design.shape[1] - 1, "predictor")
        for factor, known in self.described.levels.items():
            if f"tau_{factor}" in self.priors:
                found[f"u_{factor}"] = (len(known), f"level of {factor}")
        return found

    @cached_property
    def priors(self) -> dict[str, Prior]:
        """The model's priors, the default ones scaled to the data that were given."""
        return self.model.resolve_priors(self.data)

    @cached_property
    def program(self) -> Program:
        """The program that writes ``y_rep``, with mu, tau, theta and the like as parameters.

        A template that samples other parameters instead (``log_tau``, say) says nothing about the
        documented ones; then the templates as shipped write the outcomes.
        """
        program = make_plan(self.model, self.data).conditional
        parameters = set(self._evaluator_of(program).parameters)
        known = set(of_program(self.described, dict.fromkeys([*self.priors, *self.vectors], ZERO)))
        if known - {"theta"} - parameters:
            shipped = replace(self.model, template_dir=packaged_directory())
            return make_plan(shipped, self.data).conditional
        extra = sorted(parameters - known)
        if extra:
            raise HierstanError(
                f"The edited template has the parameter {extra[0]}, whose prior stands in the "
                "template alone, so that there is nothing to simulate it from. Fix its value in "
                "the template to simulate from it or to check its calibration."
            )
        return program

    @cached_property
    def _evaluator(self) -> Evaluator:
        return self._evaluator_of(self.program)

    def _evaluator_of(self, program: Program) -> Evaluator:
        from hierstan.engines.stanli import Evaluator

        design = self._design
        entries = {**stan_data(self.described, self.priors, pointwise=True), "N": len(design)}
        entries["group"] = design["group"].to_numpy() + 1
        entries |= FAMILIES[self.data.family].entries(design)
        return Evaluator(program, entries)

    @cached_property
    def _design(self) -> pd.DataFrame:
        """Single rows; where none were kept, rows with the outcome 1, which every family allows."""
        data = self.data
        if data.rows is not None:
            return data.rows
        if data.covariates is not None:
            raise HierstanError(
                "These rows were too many to be kept, and with them their covariates. Simulate "
                "from a part of them."
            )
        name = next(n for n in ("count", "trials", "weight", "exposure") if n in data.cells)
        codes = np.repeat(data.cells["group"], data.cells[name].astype(int))
        rows = pd.DataFrame({"group": codes, "y": 1})
        if FAMILIES[data.family].treatment:
            repeated = np.repeat(data.cells.index, data.cells[name].astype(int))
            rows[TREATED] = data.cells.loc[repeated, TREATED].to_numpy()
        family = FAMILIES[data.family]
        same = {name: data.cells[name].iloc[0] for name in family.constants}
        return family.single(rows.assign(**same))

    def checked(self, truth: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
        """Return given values as arrays of the right shape, inside the parameters' range."""
        valid = {*self.priors, *self.vectors} - ({"theta"} if self.model.shares_mean else set())
        if unknown := sorted(set(truth) - valid):
            raise HierstanError(
                f"truth: {pooling_words(self.model.name)} of {self.data.family} data has no "
                f"{', '.join(map(repr, unknown))}. It has {', '.join(sorted(valid))}."
            )
        family, found = FAMILIES[self.data.family], {}
        for name, value in truth.items():
            array = np.asarray(value, dtype=float)
            size, noun = self.vectors.get(name, (0, ""))
            if array.shape != (size,) * bool(noun) or not np.isfinite(array).all():
                wanted = f"{size} finite numbers, one a {noun}" if noun else "a finite number"
                raise HierstanError(f"truth: {name!r} must be {wanted}, got {value!r}.")
            lowest = family.lower_bounds.get(name, 0.0)
            if name != "mu" and not noun and array < lowest:
                raise HierstanError(f"truth: {name!r} must be at least {lowest:g}, got {value!r}.")
            found[name] = array
        return found

    def simulate(self, given: Mapping[str, np.ndarray], rng: np.random.Generator) -> Simulation:
        """Draw values and outcomes, until the outcomes are numbers that the family can hold."""
        for _ in range(MAX_ATTEMPTS):
            truth = self._values(given, rng)
            simulated = self._with_outcomes(self._outcomes(truth, rng))
            if simulated is not None:
                plain = {name: v if v.ndim else float(v) for name, v in truth.items()}
                return Simulation(simulated, plain)
        raise HierstanError(
            f"{MAX_ATTEMPTS} data sets in a row held outcomes that overflow, underflow or exceed "
            "Stan's integers. Give narrower priors, or true values that make smaller outcomes."
        )

    def _values(
        self, given: Mapping[str, np.ndarray], rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        J, lower = len(self.data.groups), FAMILIES[self.data.family].lower_bounds
        truth = dict(given)
        for name, prior in self.priors.items():
            if name not in truth:
                size, _ = self.vectors.get(name, (None, ""))
                truth[name] = _prior_draw(prior, lower.get(name, -np.inf), rng, size)
        family = FAMILIES[self.data.family]
        if family.of_group and family.of_group not in truth:
            middle, sd = family.log_population(truth)
            truth[family.of_group] = np.exp(middle + sd * rng.normal(size=J))
        for name, (size, _) in self.vectors.items():
            if name not in (*truth, "theta", "baseline"):
                truth[name] = truth[f"tau_{name.removeprefix('u_')}"] * rng.normal(size=size)
        if self.model.shares_mean:
            truth["theta"] = self._line(truth)
        elif "theta" not in truth and self.population == "normal":
            truth["theta"] = self._line(truth) + truth["tau"] * rng.normal(size=J)
        elif "theta" not in truth and set(self.vectors) - {"theta", "baseline", family.of_group}:
            raise HierstanError(
                "An edited population of group means cannot be simulated with predictors or "
                "factors yet. Leave them out, or give theta in truth."
            )
        elif "theta" not in truth:
            start = {"baseline": np.zeros(J), **truth, "theta": np.full(J, truth["mu"])}
            points = self._points(start, J)
            truth["theta"] = self._written(points, ["theta_new"], rng)["theta_new"][:, 0]
        if FAMILIES[self.data.family].treatment and "baseline" not in truth:
            center = truth["intercept"] + truth.get("slope", np.zeros(())) * truth["theta"]
            truth["baseline"] = center + truth["spread"] * rng.normal(size=J)
        return truth

    def _line(self, truth: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the mean of each group's population, (J,)."""
        draw = {name: value[None] for name, value in of_program(self.described, truth).items()}
        return centers(self.described, draw)[0] + np.zeros(len(self.data.groups))

    def _outcomes(
        self, truth: Mapping[str, np.ndarray], rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Return the columns of outcomes, all of one draw."""
        names = {f"{column}_rep": column for column in FAMILIES[self.data.family].replicated}
        written = self._written(self._points(truth, 1), list(names), rng)
        return {names[name]: values[0] for name, values in written.items()}

    def _points(self, truth: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
        values = of_program(self.described, truth)
        points = {name: np.array([values[name]] * count) for name in self._evaluator.parameters}
        for name in {"tau", "tau_level"} & {*points}:
            points[name] = np.maximum(points[name], TINY)
        return points

    def _written(
        self, points: dict[str, np.ndarray], names: list[str], rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        self._evaluator.reseed(int(rng.integers(1, 2**31)))
        return self._evaluator.written(points, names)

    def _with_outcomes(self, outcomes: dict[str, np.ndarray]) -> GroupedData | None:
        """Return the data with other outcomes, or None where they are out of range."""
        family, data, y = FAMILIES[self.data.family], self.data, outcomes["y"]
        if not np.isfinite(y).all() or (family.positive and not (y > 0).all()):
            return None
        whole = family.columns["y"] == "int"
        design = self._design.drop(columns="mean_log", errors="ignore").assign(**outcomes)
        rows = cells = family.single(design)
        if data.rows is not data.cells:
            with np.errstate(all="ignore"):
                cells = family.collapsed(rows)
        numbers = cells.drop(columns="group").to_numpy(dtype=float)
        if not np.isfinite(numbers).all() or (whole and cells["y"].max() > INT_MAX):
            return None
        return replace(data, cells=cells, rows=None if data.rows is None else rows)


def of_program(data: GroupedData, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return values under a program's names: ``u`` and ``tau_level`` are those of all factors.

    Parameters
    ----------
    data : GroupedData
        With the factors that the model uses.
    values : mapping of str to numpy.ndarray
    """
    names = [name for name in data.levels if f"tau_{name}" in values]
    own = {f"{kind}_{name}" for name in names for kind in ("tau", "u")}
    found = {name: value for name, value in values.items() if name not in own}
    family = FAMILIES[data.family]
    if family.of_group in found:
        with np.errstate(divide="ignore"):
            found[family.log_name] = np.log(found.pop(family.of_group))
    if names:
        found["tau_level"] = np.array([values[f"tau_{name}"] for name in names])
        found["u"] = np.concatenate([np.atleast_1d(values[f"u_{name}"]) for name in names])
    return found


# internals ------------------------------------------------------------------------------------


def _prior_draw(
    prior: Prior, lower: float, rng: np.random.Generator, size: int | None
) -> np.ndarray:
    """Draw from a prior, cut at the parameter's lower bound as in Stan."""
    while True:
        draw = prior.draw(rng, size)
        if np.isfinite(draw).all() and (draw > lower).all():
            return draw
