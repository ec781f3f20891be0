"""What every family tells of itself, and what follows from that for all of them.

A family says how observations arise around a group's mean, on which link scale. It is a subclass of
`Family` in a file of its own, beside the file of the same name in ``stan/families/``. Nobody else
asks for its name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, NamedTuple

import narwhals as nw
import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.families.between import between_groups, far_apart
from hierstan.families.collapse import Frame
from hierstan.families.links import INVERSES, LINKS
from hierstan.priors import Prior

Draws = Mapping[str, np.ndarray]  # of the family's own parameters, by name
NOTHING: Draws = {}


class Role(NamedTuple):
    """A column of the user's: what Stan calls it, and what it must hold.

    Attributes
    ----------
    column : str
        The family's column that it becomes.
    holds : str
        A kind of `hierstan.data.validation`, such as ``"count"``.
    optional : bool
        Whether it can be left out; then it has the value that `Family.observation` says.
    """

    column: str
    holds: str
    optional: bool = False


class Family(ABC):
    """One family: its columns, its link, its own parameters, and what its data say.

    Attributes
    ----------
    name : str
        That of its file in ``stan/families/``.
    link : {"identity", "logit", "log"}
    file : str
        That of the outcomes in ``stan/families/``, where it has another name.
    treatment : bool
        Whether means are effects of a treatment, beside a baseline of each group.
    words : str
        What the page of a fit calls it.
    distribution : str
        Its name in a sentence, where `name` is not fit for that.
    columns : mapping
        What the Stan program reads of each cell, ``"int"`` or ``"real"``.
    vectors : tuple of str
        Columns of several numbers: of ``z`` the frame's are ``z 0``, ``z 1``, ….
    takes : mapping
        By constructor ("estimates", "counts", "arms", "events", "rows", "means"): the roles it
        names columns for.
    once : str
        Where a group has one row only, what to do about several.
    observation : mapping
        The columns of one observation where nothing else is said.
    size : sequence of str
        The columns that count a group's data, added up; without any, rows count.
    unit : str
        The word for what they count.
    predicted_size : str
        The column that says how large an observation to predict is, if one does.
    per : str
        The column by which outcomes are divided to be rates, as group means are, if one is.
    constants : tuple of str
        Columns that are the same in every row, and one number in the Stan program.
    collapses : bool
        Whether rows have sufficient statistics.
    parameters : tuple of str
        The family's own.
    parameter_dims : mapping
        Of these, which are vectors, and what their dimension is called.
    of_group : str
        One that each group has of its own, besides its mean: above 0, its logarithm normal around
        that of ``<of_group>_typical`` with ``<of_group>_sd``, which are among `parameters`.
    within : str
        Of `parameters`, how much the rows of a group vary: with one row per group the data cannot
        tell it from ``tau``.
    lower_bounds : mapping
        Of `parameters`, where it is not 0.
    replicated : tuple of str
        Columns of outcomes; the program writes ``y_rep`` and so on.
    natural : bool
        Whether the link scale has a unit of its own, in which 1 is a large difference between
        groups: log-odds and logarithms of means. Else the data give the unit.
    gaussian : bool
        Whether the likelihood of a cell is a normal density in its mean, as `as_normal` says.
    marginal : bool
        Whether programs integrate group means out in closed form; of `gaussian` families.
    one_parameter : bool
        Whether the likelihood of a group depends on its mean alone, as `log_kernel` says, so that
        the mean can be integrated out numerically.
    known : bool
        Whether `log_lik` says what the Stan program does.
    ordered : tuple of str
        Of `parameters`, vectors in ascending order, of which only differences count.
    curved : bool
        Whether the likelihood of a group is far from normal on the link scale, so that
        `information_near` says what it is at another mean.
    mean_words : str
        What a group's mean is.
    shares : bool
        Whether that is a share of trials, which people read as a percentage.
    scored : bool
        Whether that is a mean of the scores of ordered categories, `GroupedData.scores`.
    medians : bool
        Whether that is a median: the mean of outcomes lies `mean_offset` above it.
    estimates : bool
        Whether an outcome is an estimate of the user's own, with a meaning of its own: no
        treatment has effects on these.
    correlated : bool
        Whether outcomes are correlated given the group means.
    adjusted : bool
        Whether rows differ by covariates, whose slopes are ``gamma``.
    positive : bool
        Whether outcomes are amounts above 0.
    additive : bool
        Whether the sum of amounts has a distribution of its own, whatever their number.
    robust : bool
        Whether outliers hardly move the mean of a group, which is then that of the other rows.
    zeros_apart : bool
        Whether an outcome may be 0 whatever the mean of its group, so that zeros alone do not bound
        it.
    bounded : bool
        Whether outcomes are bounded, so that all their moments are finite.
    unbounded : {"", "no variation", "no variation in a group", "ties"}
        Which rows leave the likelihood without a bound: none, those without any variation within
        groups or within one of them, or those most of which are tied (see
        `hierstan.data.degenerate`).
    checks : mapping
        What `hierstan.check` looks at within groups (a name of `hierstan.fit.statistics`), and
        which families fit better where that is wrong, the best first; ``"a|b"`` are equals.
    power_of_mean : str
        The parameter, if any, that times the rows of a group is the power with which their
        likelihood falls in a large mean.
    """

    name: ClassVar[str]
    link: ClassVar[str]
    words: ClassVar[str]
    distribution: ClassVar[str] = ""
    file: ClassVar[str] = ""
    treatment: ClassVar[bool] = False
    columns: ClassVar[Mapping[str, str]]
    vectors: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[Mapping[str, Mapping[str, Role]]]
    once: ClassVar[str] = ""
    observation: ClassVar[Mapping[str, float]] = {"y": 1}
    size: ClassVar[tuple[str, ...]] = ()
    unit: ClassVar[str] = "rows"
    predicted_size: ClassVar[str] = ""
    per: ClassVar[str] = ""
    constants: ClassVar[tuple[str, ...]] = ()
    collapses: ClassVar[bool] = False
    parameters: ClassVar[tuple[str, ...]] = ()
    parameter_dims: ClassVar[Mapping[str, str]] = {}
    of_group: ClassVar[str] = ""
    within: ClassVar[str] = ""
    lower_bounds: ClassVar[Mapping[str, float]] = {}
    replicated: ClassVar[tuple[str, ...]] = ("y",)
    natural: ClassVar[bool] = False
    gaussian: ClassVar[bool] = False
    marginal: ClassVar[bool] = False
    one_parameter: ClassVar[bool] = False
    known: ClassVar[bool] = False
    ordered: ClassVar[tuple[str, ...]] = ()
    curved: ClassVar[bool] = False
    mean_words: ClassVar[str] = "mean"
    shares: ClassVar[bool] = False
    scored: ClassVar[bool] = False
    medians: ClassVar[bool] = False
    estimates: ClassVar[bool] = False
    correlated: ClassVar[bool] = False
    adjusted: ClassVar[bool] = False
    positive: ClassVar[bool] = False
    additive: ClassVar[bool] = False
    robust: ClassVar[bool] = False
    zeros_apart: ClassVar[bool] = False
    bounded: ClassVar[bool] = False
    unbounded: ClassVar[str] = ""
    checks: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    power_of_mean: ClassVar[str] = ""

    # the link -----------------------------------------------------------------------------------

    def to_response(self, theta: np.ndarray, own: Draws | None = None) -> np.ndarray:
        """Return group means on the response scale, from the link scale.

        Parameters
        ----------
        theta : numpy.ndarray
            Of shape (S, K).
        own : mapping, optional
            Draws of the family's own parameters, (S, 1, ...), and the ``scores`` of categories;
            needed where the family is `scored`.
        """
        return LINKS[self.link][0](np.asarray(theta, dtype=float))

    def to_link(self, mean: np.ndarray, own: Draws | None = None) -> np.ndarray:
        """Return group means on the link scale, from the response scale."""
        return INVERSES[self.link](np.asarray(mean, dtype=float))

    def slope(self, theta: np.ndarray) -> np.ndarray:
        """Return the derivative of `to_response`."""
        return LINKS[self.link][1](np.asarray(theta, dtype=float))

    # priors -------------------------------------------------------------------------------------

    @abstractmethod
    def location_scale(self, cells: pd.DataFrame) -> tuple[float, float]:
        """Return location and scale of the data on the link scale, for the default priors."""

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return the default priors of the family's own parameters."""
        return {}

    def default_priors(self, cells: pd.DataFrame, *, alone: bool = False) -> dict[str, Prior]:
        """Return every default prior, by parameter: the documented formulas on these data.

        With `location` and `scale` from `location_scale`, and `spread` from `between_groups`:
        ``mu`` gets ``Normal(location, 10 spread)`` and ``tau`` ``HalfNormal(few spread)``, with
        ``few = (J + 2) / (J - 1)`` for J groups, whose spread says less of tau the fewer they are;
        ``beta`` (the slopes of standardized predictors) gets ``Normal(0, few spread)``. In the
        families whose link scale is `natural` these are ``Normal(location, 1.5)``,
        ``HalfNormal(1)`` and ``Normal(0, 1)``; groups that differ by more, as `far_apart` says, get
        that in place of 1, and three times that in place of 1.5. (Of logarithms of means this
        leaves the mean of a new group infinite, which predictions say.) ``theta`` of no pooling
        gets a prior so wide that each group's own data speak: ``Normal(location, 100 widest)`` with
        the larger of `spread` and the largest standard error; where `natural`, ``Normal(0, 10)``,
        but for logarithms of means, whose zero is no more than a unit, ``Normal(location, 10)``.
        With `alone`, those of no pooling, which differ for the baselines of two arms.
        """
        location, scale = self.location_scale(cells)
        own = self.own_priors(scale, cells)
        if self.natural:
            apart = far_apart(self, cells)
            neutral = location if self.link == "log" else 0.0
            mean = priors.Normal(location, max(1.5, 3 * apart))
            free, spread = priors.Normal(neutral, 10), max(1.0, apart)
        else:
            between, widest, few = between_groups(self, cells)
            mean = priors.Normal(location, 10 * between)
            free = priors.Normal(location, 100 * widest)
            spread = few * between
        common = {"beta": priors.Normal(0, spread), "tau": priors.HalfNormal(spread)}
        return {"mu": mean, "theta": free, **common, **own}

    # the family's own parameters ----------------------------------------------------------------

    def starts(
        self, typical: Mapping[str, Prior], rng: np.random.Generator, cells: pd.DataFrame
    ) -> dict[str, np.ndarray]:
        """Return where a chain may start, from typical priors."""
        return {
            name: np.maximum(
                typical[name].quantile(rng.uniform(0.25, 0.75)),
                self.lower_bounds.get(name, -np.inf) + 0.5,
            )
            for name in self.parameters
        }

    def log_variances(self, cells: pd.DataFrame) -> dict[str, float]:
        """Return rough posterior variances of the logarithms of parameters, above their bounds."""
        return {}

    def identified(self, draws: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return draws of a program without what nothing else depends on."""
        return dict(draws)

    def sizes_of(self, cells: pd.DataFrame) -> dict[str, int]:
        """Return the number of elements of each of the family's vector parameters."""
        return {}

    # the user's columns -------------------------------------------------------------------------

    def role_of(self, column: str, given: Collection[str]) -> str | None:
        """Return which of the roles given became a column, such as ``"trials"``."""
        roles = (pair for taken in self.takes.values() for pair in taken.items())
        return next((name for name, role in roles if role.column == column and name in given), None)

    # what each group has of its own ---------------------------------------------------------------

    @property
    def log_name(self) -> str:
        """What programs call the logarithm of `of_group`."""
        return f"log_{self.of_group}" if self.of_group else ""

    def log_population(self, own: Draws) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of that logarithm, from draws of `parameters`."""
        return np.log(own[f"{self.of_group}_typical"]), own[f"{self.of_group}_sd"]

    def log_of_group(
        self, cells: pd.DataFrame, J: int, own: Draws = NOTHING
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what each group's rows say of that logarithm: estimate and precision, (J,).

        About where draws of the family's own parameters have these, if they are given.
        """
        raise NotImplementedError(f"{self.name} has nothing of each group's own")

    def without_each(self, rows: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return the cell that is left of the group of each row without it, of count 0 if none."""
        raise NotImplementedError(f"{self.name} has nothing of each group's own")

    @property
    def outcomes(self) -> Family:
        """The family of the outcomes: itself, but where its means are effects on another's."""
        return self

    # rows and cells -----------------------------------------------------------------------------

    def collapse(self, frame: Frame) -> Frame:
        """Reduce rows, ``group`` and ``y``, to sufficient statistics, inside the frame's engine."""
        raise NotImplementedError(f"{self.name} rows do not collapse")

    def finished(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Turn what `collapse` made, its groups coded, into the family's columns, in order."""
        return self.typed(raw.sort_values("group"))

    def collapsed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Reduce rows (``group`` as codes, ``y``) that are in pandas already to finished cells."""
        taken = [name for name in ("group", *self.columns) if name in rows]
        taken += self.vector_columns(rows)
        raw = self.collapse(nw.from_native(rows[taken], eager_only=True))
        same = {name: rows[name].iloc[0] for name in self.constants if name in rows}
        return self.finished(nw.to_native(raw)).assign(**same)

    def single(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Write observations (``group``, ``y``, ...) as cells of one row each."""
        return self.typed(
            rows.assign(**{k: v for k, v in self.observation.items() if k not in rows})
        )

    def typed(self, cells: pd.DataFrame) -> pd.DataFrame:
        """Return the family's columns, and no others, as 64-bit numbers with a fresh index."""
        kinds = self.columns.items()
        types = {name: np.int64 if kind == "int" else np.float64 for name, kind in kinds}
        types |= dict.fromkeys(self.vector_columns(cells), np.float64)
        return cells[["group", *types]].astype({"group": np.int64, **types}).reset_index(drop=True)

    def vector_columns(self, cells: pd.DataFrame) -> list[str]:
        """Return the columns of a frame that belong to `vectors`."""
        return [str(name) for name in cells if str(name).split()[0] in self.vectors]

    def entries(self, cells: pd.DataFrame) -> dict[str, Any]:
        """Return what a program reads of N cells, but for their groups."""
        found: dict[str, Any] = {
            name: cells[name].to_numpy().astype(np.int32 if kind == "int" else np.float64)
            for name, kind in self.columns.items()
            if name not in self.constants
        }
        found |= {name: int(cells[name].iloc[0]) for name in self.constants if name in cells}
        for vector in self.vectors:
            names = [name for name in self.vector_columns(cells) if name.split()[0] == vector]
            found[vector] = cells[names].to_numpy(float)
        if self.adjusted:
            found["z_row"] = found.pop("z")
            found["D"] = found["z_row"].shape[1]
        return found

    # what the data of each group say ------------------------------------------------------------

    @abstractmethod
    def summarised(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Return one line per group: what its own rows say, in the family's own quantities."""

    @abstractmethod
    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Estimate every group alone; see `hierstan.data.own_estimates.raw_estimates`."""

    def sizes(self, cells: pd.DataFrame, J: int) -> np.ndarray:
        """Return how much data each group has, (J,), in the family's `unit`."""
        weights = cells[list(self.size)].to_numpy(float).sum(axis=1) if self.size else None
        return np.bincount(cells["group"], weights=weights, minlength=J).astype(float)

    def weights(self, cells: pd.DataFrame, J: int) -> np.ndarray:
        """Return what the Fisher information of each group is proportional to, (J,)."""
        return self.sizes(cells, J)

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """Return the Fisher information of each group's data about its mean.

        Parameters
        ----------
        theta : numpy.ndarray
            Draws of the groups' means on the link scale, (S, K).
        weights : numpy.ndarray
            Of the groups, (K,).
        own : mapping
            Draws of the family's own parameters, (S, 1) each.
        """
        raise NotImplementedError(f"{self.name} has no closed form")

    def as_normal(
        self, cells: pd.DataFrame, own: Draws
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the likelihood of each cell as a normal density in theta; of `gaussian` families.

        Its log is that of ``normal(value | theta, sqrt(variance))`` plus a rest without theta.

        Parameters
        ----------
        cells : pandas.DataFrame
            N cells, or single rows.
        own : mapping
            Draws of the family's own parameters, (S, 1) each.

        Returns
        -------
        tuple of numpy.ndarray
            Value (N,), variance and rest, (S, N) or (1, N).
        """
        raise NotImplementedError(f"{self.name} is not normal in theta")

    def log_lik(
        self, cells: Mapping[str, np.ndarray], theta: np.ndarray, own: Draws = NOTHING
    ) -> np.ndarray:
        """Return the log likelihood of N cells at means (S, N), of `known` families.

        The cells come as their `columns`, in floating point; draws of the family's own parameters
        are (S, 1), or (S, 1, K) of vectors.
        """
        raise NotImplementedError(f"the likelihood of {self.name} is its Stan program's alone")

    def log_kernel(self, total: np.ndarray, weight: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Return the log likelihood of groups at means, up to a constant, of `one_parameter` ones.

        `total` are their outcomes and `weight` what they are `per`, both added up. The derivative
        is ``total - weight * to_response(theta)``.
        """
        raise NotImplementedError(f"{self.name} has other parameters")

    def log_ways(self, cells: pd.DataFrame) -> np.ndarray:
        """Return what the log density of each cell, (N,), has in it of how its rows were added up.

        Nothing, but where the program has the density of their sum and not of the rows.
        """
        return np.zeros(len(cells))

    def floats(self, cells: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return the columns of cells as `log_lik` takes them."""
        return {name: cells[name].to_numpy(float) for name in self.columns}

    def deviations(
        self, cells: pd.DataFrame, noise: np.ndarray, sd: np.ndarray, spread: np.ndarray
    ) -> np.ndarray:
        """Return draws of theta less its mean given all else, (S, J); of `marginal` families.

        Parameters
        ----------
        cells : pandas.DataFrame
        noise : numpy.ndarray
            Standard normal, (S, J).
        sd : numpy.ndarray
            Of theta given all else, (S, J).
        spread : numpy.ndarray
            Standard deviation of the population, (S,).
        """
        return sd * noise

    def axes(self, cells: pd.DataFrame) -> tuple[Any, np.ndarray]:
        """Return the matrix (J, J) to where the errors of `correlated` outcomes are independent.

        And their variances there, (J,).
        """
        raise NotImplementedError(f"{self.name} has independent errors")

    def expansion(self, raw: Draws, mode: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return estimate and precision of the normal that fits each likelihood at a mean.

        Of `curved` families; the arguments are those of `information_near`.
        """
        estimate = mode + (raw["raw"] - self.to_response(mode)) / self.slope(mode)
        return estimate, self.information_near(raw, mode)

    def on_scores(self, table: pd.DataFrame, scores: np.ndarray) -> pd.DataFrame:
        """Return raw estimates in units of the scores of categories, where they are `scored`."""
        return table

    def information_near(self, raw: Draws, theta: np.ndarray) -> np.ndarray:
        """Return the information of each group's data at a mean, from their raw estimates.

        Parameters
        ----------
        raw : mapping
            The columns of `raw_estimates`, (J,) each.
        theta : numpy.ndarray
            Means on the link scale, (J,).
        """
        return raw["link_se"] ** -2.0

    def totals(
        self, rng: np.random.Generator, rows: np.ndarray, means: np.ndarray, own: Draws
    ) -> np.ndarray:
        """Draw sums of so many amounts around these means, (S, J); `own` has (S, 1)."""
        raise NotImplementedError(f"{self.name} has no amounts")

    def best_log_lik(self, cells: pd.DataFrame) -> float:
        """Return the log likelihood of amounts at its best, with a mean of each cell's own."""
        raise NotImplementedError(f"{self.name} has no amounts")

    def mean_offset(self, own: Draws) -> np.ndarray | float:
        """Return what the log of the mean of outcomes lies above theta, (S, 1)."""
        return 0.0
