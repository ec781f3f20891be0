"""A unit left out by integrating over the few parameters that remain, with it and without it.

Given the parameters that are no group's own, groups are independent, and what is their own (theta,
baselines) is integrated out. What is left is a density of two to five parameters, whose integral
over the data with the unit is divided by that without it. Nothing is reweighted, so nothing fails
where the two are far apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from hierstan.answers.comparison.arms_integral import LATENT
from hierstan.answers.comparison.integral import population_means
from hierstan.answers.comparison.left_out import (
    group_of_units,
    hyper_draws,
    priors_without,
    with_its_group,
)
from hierstan.answers.comparison.log_integral import log_integral
from hierstan.answers.comparison.unit_likelihood import UnitLikelihood
from hierstan.errors import EngineError
from hierstan.fit.centers import with_levels
from hierstan.fit.fit import Fit
from hierstan.priors import Prior
from hierstan.sampling.inputs import stan_data, with_observations

MOST = 8  # parameters that an integral can have
START = 1000  # draws from which the integral's whereabouts are known


class Folds:
    """The units of a fit, left out one at a time; what they share is computed once.

    Parameters
    ----------
    fit : Fit
    unit : {"observation", "group"}
    """

    def __init__(self, fit: Fit, unit: str) -> None:
        self._fit, self._unit = fit, unit
        self._draws = hyper_draws(fit, START)
        self._whole: dict[tuple[tuple[str, Prior], ...], tuple[_Joint, tuple[float, float]]] = {}

    def without(self, index: int) -> tuple[float, float]:
        """Return the log predictive density of a unit and its error, NaN where none was found."""
        width = sum(int(np.prod(values.shape[1:])) for values in self._draws.values())
        if width > MOST:
            return np.nan, np.nan
        priors = priors_without(self._fit, self._unit, index)
        key = tuple(sorted(priors.items()))
        if key not in self._whole:
            joint = _Joint(self._fit, priors)
            points = joint.free(self._draws)
            self._whole = {key: (joint, log_integral(joint, points))}
        joint, (whole, error) = self._whole[key]
        rest = joint.without(self._unit, index)
        part, other = log_integral(rest, joint.free(self._draws))
        return whole - part, float(np.hypot(error, other))


# internals ------------------------------------------------------------------------------------


class _Joint:
    """Log density of the data and of what is no group's own, at unconstrained points (S, d)."""

    def __init__(self, fit: Fit, priors: Mapping[str, Prior]) -> None:
        from hierstan.engines.stanli import Evaluator

        self._fit = replace(fit, priors=dict(priors), cache={})
        self._first = with_levels(fit, fit.data.only(fit.data.groups[0]))
        nothing = with_observations(
            fit.conditional, stan_data(self._first, priors, pointwise=True, replicate=False), 0
        )
        self._prior = Evaluator(fit.conditional, nothing)
        places = self._prior.parameters
        self._own = {name: places[name] for name in LATENT if name in places}
        own = [np.arange(place.start, place.stop) for place in self._own.values()]
        self._kept = np.setdiff1d(
            np.arange(max(place.stop for place in places.values())), np.concatenate([[], *own])
        )
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._groups = UnitLikelihood(self._fit, "group")

    def free(self, draws: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return draws as points of the unconstrained space."""
        self._shapes = {name: values.shape[1:] for name, values in draws.items()}
        S = len(next(iter(draws.values())))
        own = {name: np.zeros((S, place.stop - place.start)) for name, place in self._own.items()}
        return self._prior.unconstrained({**draws, **own})[:, self._kept]

    def __call__(self, points: np.ndarray) -> np.ndarray:
        return self._at(points, self._groups.together)

    def without(self, unit: str, index: int) -> Callable[[np.ndarray], np.ndarray]:
        """Return the same without one unit."""
        fit, data = self._fit, self._fit.data
        codes = group_of_units(data, unit)
        code = codes[index]
        alone = int((codes == code).sum()) == 1
        if fit.family.correlated:  # given the others, of its group and of its study
            alone, mine, column = False, data, index
        else:
            mine, column = with_its_group(data, index) if not alone else (data, code)

        own = UnitLikelihood(fit, unit, data=mine)

        def rest(hyper: Mapping[str, np.ndarray]) -> np.ndarray:
            if alone:
                return np.asarray(np.delete(self._groups(hyper), code, axis=1).sum(axis=1))
            return np.asarray(self._groups.together(hyper) - own(hyper)[:, column])

        return lambda points: self._at(points, rest)

    def _at(
        self,
        points: np.ndarray,
        of: Callable[[Mapping[str, np.ndarray]], np.ndarray],
    ) -> np.ndarray:
        """Return log prior plus log likelihood; where either cannot be computed, they are 0."""
        try:
            hyper, log_prior = self._prior_at(points)
            log_lik = of(hyper)
        except EngineError:
            if len(points) == 1:
                return np.array([-np.inf])
            parts = np.array_split(points, 2)
            return np.concatenate([self._at(part, of) for part in parts])
        total = log_prior + log_lik
        return np.where(np.isfinite(total), total, -np.inf)

    def _prior_at(self, points: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Return the parameters and the log of their prior with the Jacobian.

        The program's own, without data; what is a group's own, which it holds too, stands at its
        mean.
        """
        width = sum(place.stop - place.start for place in self._own.values())
        full = np.zeros((len(points), points.shape[1] + width))
        full[:, self._kept] = points
        written = self._prior.written_at(full, list(self._shapes))
        hyper = {
            name: values.reshape(len(points), *self._shapes[name])
            for name, values in written.items()
        }
        if not width:
            return hyper, self._prior.log_density_at(full)
        theta = self._mean_of_theta(hyper)
        if "theta" in self._own:
            full[:, self._own["theta"]] = theta
        if "baseline" in self._own:
            slope = hyper["slope"][:, None] if "slope" in hyper else 0.0
            full[:, self._own["baseline"]] = hyper["intercept"][:, None] + slope * theta
        population = self._prior.written_at(full, ["log_population"])["log_population"]
        return hyper, self._prior.log_density_at(full) - population.sum(axis=1)

    def _mean_of_theta(self, hyper: Mapping[str, np.ndarray]) -> np.ndarray | float:
        if "mu" in hyper:
            return population_means(self._first, hyper)
        return self._fit.priors["theta"].numbers().get("location", 0.0)
