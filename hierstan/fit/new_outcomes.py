"""Outcomes that were not fitted: the program's own ``y_rep`` and ``log_lik`` of them.

Nothing is drawn or evaluated here but by the Stan program, so that an edited template predicts what
it was edited to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from hierstan.errors import EngineError, TemplateError
from hierstan.families.family import Family
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
    x : numpy.ndarray, optional
        Standardized predictors of the new groups, (new_groups, K); average ones by default.
    """

    fit: Fit
    cells: pd.DataFrame
    new_groups: int = 0
    seed: int = 1
    which: np.ndarray | None = None
    x: np.ndarray | None = None
    _means: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        means = new_means(self.fit, self.new_groups, self.seed, self.x)
        object.__setattr__(self, "_means", means)

    @property
    def size(self) -> int:
        """Number of draws."""
        sizes = self.fit.posterior.sizes
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
            "x": self._predictors(codes),
            **_columns(self.fit.family, cells),
        }
        evaluator = Evaluator(self.fit.conditional, entries, seed)
        draws = {
            name: self._theta(codes) if name == "theta" else self._picked(self.fit.draws(name))
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

    def _predictors(self, codes: np.ndarray) -> np.ndarray:
        """Return the standardized predictors of some groups, known and new, (K, P)."""
        known = self.fit.data.design[:, 1:]
        new = np.zeros((self.new_groups, known.shape[1])) if self.x is None else self.x
        return np.vstack([known, new])[codes]

    def _theta(self, codes: np.ndarray) -> np.ndarray:
        """Return the means of some groups, known and new, (S, K)."""
        J = len(self.fit.data.groups)
        draws = slice(None) if self.which is None else self.which
        known = self.fit.theta(codes[codes < J], draws)
        return np.hstack([known, self._picked(self._means[:, codes[codes >= J] - J])])

    def _picked(self, values: np.ndarray) -> np.ndarray:
        return values if self.which is None else values[self.which]


def new_means(fit: Fit, count: int, seed: int, x: np.ndarray | None = None) -> np.ndarray:
    """Draw the means of new groups from the population, independent given its parameters.

    Complete pooling has no population: a new group has ``mu``, like every other. No pooling has
    only the prior of ``theta`` to offer. An edited template draws its own ``theta_new``, one group
    at a time.

    Parameters
    ----------
    fit : Fit
    count : int
    seed : int
    x : numpy.ndarray, optional
        Standardized predictors of the new groups, (count, K); else they have average ones.

    Returns
    -------
    numpy.ndarray
        Of shape (S, count), on the link scale.
    """
    sizes = fit.posterior.sizes
    S = int(sizes["chain"] * sizes["draw"])
    if fit.model.name == "none":
        rng = np.random.default_rng([seed, 0])
        return fit.priors["theta"].quantile(rng.uniform(size=(S, count)))
    center = fit.draws("mu")[:, None] + np.zeros(count)
    if x is not None:
        center += fit.draws("beta") @ x.T
    if fit.model.name == "complete":
        return center
    if count and fit.conditional.edited:
        return _written_means(fit, count, _seed(seed, 0, 0), x)
    rng = np.random.default_rng([seed, 0])
    return rng.normal(center, fit.draws("tau")[:, None])


# internals ------------------------------------------------------------------------------------


def _written_means(fit: Fit, count: int, seed: int, x: np.ndarray | None) -> np.ndarray:
    from hierstan.engines.stanli import Evaluator

    K = fit.data.design.shape[1] - 1
    entries = {
        **stan_data(fit.data, fit.priors),
        "J": 1,
        "N": 1,
        "group": np.array([1], dtype=np.int32),
        "x": np.zeros((1, K)),
        **_columns(fit.family, fit.data.cells[:1]),  # one observation, without a say in it
    }
    columns = []
    for number, x_new in enumerate(np.zeros((count, K)) if x is None else x):
        if number == 0 or x is not None:
            evaluator = Evaluator(fit.conditional, {**entries, "x_new": x_new}, seed + number)
        draws = {name: fit.draws(name) for name in evaluator.parameters if name != "theta"}
        points = evaluator.unconstrained({**draws, "theta": fit.theta(groups=slice(0, 1))})
        columns.append(evaluator.written_at(points, ["theta_new"])["theta_new"])
    return np.hstack(columns)


def _columns(family: Family, cells: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the family's columns as the program reads them, placeholders for what is missing."""
    columns = {}
    for name, kind in family.columns.items():
        values = cells[name] if name in cells else np.full(len(cells), family.observation[name])
        columns[name] = np.asarray(values).astype(np.int32 if kind == "int" else np.float64)
    return columns


def _seed(*parts: int) -> int:
    """Return a seed for the engine that differs for each use and each block."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0] >> 1) + 1
