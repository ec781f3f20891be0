"""Outcomes that were not fitted: the program's own ``y_rep`` and ``log_lik`` of them.

Nothing is drawn or evaluated here but by the Stan program, so that an edited template predicts what
it was edited to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from hierstan.errors import EngineError, HierstanError, TemplateError
from hierstan.families.family import Family
from hierstan.fit.baselines import effects_given
from hierstan.fit.centers import NewGroups, unknown_groups
from hierstan.fit.fit import Fit
from hierstan.sampling.inputs import stan_data

BLOCK = 2**21  # draws x observations at a time, 16 MB for each quantity


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Observations of groups that were fitted, of new groups, or of both.

    Parameters
    ----------
    fit : Fit
    cells : pandas.DataFrame
        One line per observation: ``group``, from 0 in the order of the fit's groups and then of the
        new ones, and the family's columns. Without ``y`` only ``y_rep`` means something.
    new_groups : int
        How many groups the fit has not seen.
    seed : int
    which : numpy.ndarray, optional
        Positions of the draws to use, chains concatenated; all of them by default.
    known : NewGroups, optional
        What is known of the new groups; nothing by default.
    baselines : numpy.ndarray, optional
        Of new groups with two arms whose baselines are known: these on the link scale, (S, new
        groups) or (1, new groups).
    """

    fit: Fit
    cells: pd.DataFrame
    new_groups: int = 0
    seed: int = 1
    which: np.ndarray | None = None
    known: NewGroups | None = None
    baselines: np.ndarray | None = None
    _about: NewGroups = field(init=False)
    _u: np.ndarray = field(init=False)
    _means: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        about = unknown_groups(self.fit, self.new_groups) if self.known is None else self.known
        u = np.zeros((0, 0)) if self.fit.model.stands_alone else about.u(self.fit, self.seed)
        means = new_means(self.fit, self.new_groups, self.seed, about, u, self.baselines)
        for name, value in (("_about", about), ("_u", u), ("_means", means)):
            object.__setattr__(self, name, value)

    @property
    def size(self) -> int:
        """Number of draws."""
        sizes = self.fit.arrays.sizes
        return int(sizes["chain"] * sizes["draw"]) if self.which is None else len(self.which)

    def evaluate(self, names: Sequence[str]) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
        """Yield some observations at a time, and what the program writes for them, (S, K) each.

        Parameters
        ----------
        names : sequence of str
            Of ``"y_rep"`` and ``"log_lik"``.
        """
        width = max(1, BLOCK // self.size)
        for start in range(0, len(self.cells), width):
            part = slice(start, min(start + width, len(self.cells)))
            yield part, self._evaluate(self.cells.iloc[part], names, _seed(self.seed, 1, start))

    def _evaluate(
        self, cells: pd.DataFrame, names: Sequence[str], seed: int
    ) -> dict[str, np.ndarray]:
        from hierstan.engines.stanli import Evaluator

        codes, group = np.unique(cells["group"], return_inverse=True)
        entries = {
            **stan_data(self.fit.data, self.fit.priors, pointwise=True),
            "J": len(codes),
            "N": len(cells),
            "group": (group + 1).astype(np.int32),
            **self._known(codes),
            **_columns(self.fit.family, cells, self.fit.data.cells),
        }
        evaluator = Evaluator(self.fit.conditional, entries, seed)
        draws = {
            name: self._of_groups(name, codes)
            if name in ("theta", "baseline", self.fit.family.log_name)
            else self._picked(self._drawn(name))
            for name in evaluator.parameters
        }
        for name, values in draws.items():
            columns = evaluator.parameters[name]
            if values[0].size != columns.stop - columns.start:
                raise TemplateError(
                    f"{self.fit.conditional.name} has a parameter {name!r} whose size depends on "
                    "the groups. Beside theta there can be none where new outcomes are predicted."
                )
        written = evaluator.written(draws, names)
        for name, values in written.items():
            if np.isnan(values).any():
                raise EngineError(
                    f"{float(np.isnan(values).mean()):.0%} of {name!r} are NaN: a computation in "
                    "generated quantities failed at some draws. Guard it in the template."
                )
        return written

    def _drawn(self, name: str) -> np.ndarray:
        return self._u if name == "u" else self.fit.draws(name)

    def _known(self, codes: np.ndarray) -> dict[str, np.ndarray | int]:
        """Return what is known of some groups, known and new, with all levels there are."""
        data, about = self.fit.data, self._about
        found: dict[str, np.ndarray | int] = {"x": np.vstack([data.design[:, 1:], about.x])[codes]}
        if data.factors is None or about.level.shape[0] == 0:
            return found if data.factors is None else {**found, **_no_levels(len(codes))}
        entries = data.stan_data()
        level = np.hstack([entries["level"], about.level + 1])[:, codes]
        factor = np.append(entries["factor"], about.fresh + 1)
        return {
            **found,
            "L": len(factor),
            "factor": factor.astype(np.int32),
            "level": level.astype(np.int32),
        }

    def _of_groups(self, name: str, codes: np.ndarray) -> np.ndarray:
        """Return the means of some groups, known and new, or what else is theirs, (S, K)."""
        J = len(self.fit.data.groups)
        draws = slice(None) if self.which is None else self.which
        known, new = codes[codes < J], codes[codes >= J] - J
        if name == "theta":
            return np.hstack([self.fit.theta(known, draws), self._picked(self._means[:, new])])
        if name == "baseline":
            fresh = new_baselines(self.fit, self._means, self.seed, self.baselines)
        else:
            fresh = new_logs(self.fit, self.new_groups, self.seed)
        own = self.fit.draws(name)[:, known]
        return np.hstack([self._picked(own), self._picked(fresh[:, new])])

    def _picked(self, values: np.ndarray) -> np.ndarray:
        return values if self.which is None else values[self.which]


def new_means(
    fit: Fit,
    count: int,
    seed: int,
    about: NewGroups | None = None,
    u: np.ndarray | None = None,
    baselines: np.ndarray | None = None,
) -> np.ndarray:
    """Draw the means of new groups from the population, independent given its parameters.

    Complete pooling has no population: a new group has ``mu``, like every other. No pooling has
    only the prior of ``theta`` to offer. An edited template draws its own ``theta_new``, one group
    at a time.

    Parameters
    ----------
    fit : Fit
    count : int
    seed : int
    about : NewGroups, optional
        What is known of them; nothing by default.
    u : numpy.ndarray, optional
        What the levels of ``about.u`` add, where it was drawn already.
    baselines : numpy.ndarray, optional
        Of groups with two arms whose baselines are known, (S, count) or (1, count) on the link
        scale: in partial pooling their effects go with these.

    Returns
    -------
    numpy.ndarray
        Of shape (S, count), on the link scale.
    """
    sizes = fit.arrays.sizes
    S = int(sizes["chain"] * sizes["draw"])
    if fit.model.stands_alone:
        rng = np.random.default_rng([seed, 0])
        return fit.priors["theta"].quantile(rng.uniform(size=(S, count)))
    about = unknown_groups(fit, count) if about is None else about
    center = about.centers(fit, about.u(fit, seed) if u is None else u)
    if fit.model.shares_mean:
        return center
    if count and fit.conditional.edited:
        if baselines is not None:
            raise HierstanError(
                "baseline= needs the population of the templates as they come, of which the effect "
                "given the baseline is known, but these templates are edited. Leave it out."
            )
        return _written_means(fit, count, _seed(seed, 0, 0), about.x)
    rng = np.random.default_rng([seed, 0])
    if baselines is not None:
        return rng.normal(*effects_given(fit, center, baselines))
    return rng.normal(center, fit.draws("tau")[:, None])


def new_baselines(
    fit: Fit, effects: np.ndarray, seed: int, known: np.ndarray | None = None
) -> np.ndarray:
    """Draw the baselines of new groups, given their effects, (S, count) on the link scale.

    Those `known`, (S or 1, count), are what they are.
    """
    if known is not None:
        return np.broadcast_to(known, effects.shape)
    slope = fit.draws("slope")[:, None] if "slope" in fit.arrays else 0.0
    center = fit.draws("intercept")[:, None] + slope * effects
    return np.random.default_rng([seed, 4]).normal(center, fit.draws("spread")[:, None])


def new_logs(fit: Fit, count: int, seed: int) -> np.ndarray:
    """Draw the logarithms of what new groups have of their own, (S, count)."""
    own = {name: fit.draws(name)[:, None] for name in fit.family.parameters}
    center, sd = fit.family.log_population(own)
    return np.random.default_rng([seed, 5]).normal(center, sd, (len(center), count))


# internals ------------------------------------------------------------------------------------


def _written_means(fit: Fit, count: int, seed: int, x: np.ndarray) -> np.ndarray:
    from hierstan.engines.stanli import Evaluator

    K = fit.data.design.shape[1] - 1
    entries = {
        **stan_data(fit.data, fit.priors),
        "J": 1,
        "N": 1,
        "group": np.array([1], dtype=np.int32),
        "x": np.zeros((1, K)),
        **({} if fit.data.factors is None else {"level": fit.data.stan_data()["level"][:, :1]}),
        **_columns(
            fit.family, fit.data.cells[:1], fit.data.cells
        ),  # one observation, without a say in it
    }
    columns = []
    for number, x_new in enumerate(x):
        if number == 0 or x.any():
            evaluator = Evaluator(fit.conditional, {**entries, "x_new": x_new}, seed + number)
        draws = {name: fit.draws(name) for name in evaluator.parameters if name != "theta"}
        for name in {"baseline", fit.family.log_name} & {*draws}:
            draws[name] = draws[name][:, :1]
        points = evaluator.unconstrained({**draws, "theta": fit.theta(groups=slice(0, 1))})
        columns.append(evaluator.written_at(points, ["theta_new"])["theta_new"])
    return np.hstack(columns)


def _no_levels(count: int) -> dict[str, np.ndarray | int]:
    empty = np.zeros(0, dtype=np.int32)
    return {"F": 0, "L": 0, "factor": empty, "level": np.zeros((0, count), dtype=np.int32)}


def _columns(family: Family, cells: pd.DataFrame, like: pd.DataFrame) -> dict[str, object]:
    """Return the family's columns as the program reads them, placeholders for what is missing."""
    known = [
        name
        for name in (*family.columns, *family.vector_columns(like))
        if name not in (*cells, *family.constants)
    ]
    at_mean = dict.fromkeys(known, 0.0) | dict(family.observation)
    missing = {name: at_mean[name] for name in known}
    return family.entries(cells.assign(**missing))


def _seed(*parts: int) -> int:
    """Return a seed for the engine that differs for each use and each block."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0] >> 1) + 1
