"""A unit left out by integrating over the few parameters that remain, with it and without it.

Given the parameters that are no group's own, groups are independent, and what is their own (theta,
baselines) is integrated out. What is left is a density of two to five parameters, whose integral
over the data with the unit is divided by that without it. Nothing is reweighted, so nothing fails
where the two are far apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hierstan.answers.comparison.arms_integral import LATENT
from hierstan.answers.comparison.left_out import (
    FoldPriors,
    group_of_units,
    hyper_draws,
    priors_without,
    with_its_group,
    without_unit,
)
from hierstan.answers.comparison.log_integral import Integral, Target, fine, log_integral
from hierstan.answers.comparison.unit_likelihood import UnitLikelihood
from hierstan.errors import EngineError
from hierstan.fit.centers import centers, with_levels
from hierstan.fit.fit import Fit
from hierstan.priors import Prior
from hierstan.sampling.inputs import stan_data, with_observations

if TYPE_CHECKING:
    from hierstan.engines.stanli import Evaluator

OfHyper = Callable[[Mapping[str, np.ndarray]], np.ndarray]  # draws of hyperparameters to (S,)
MOST = 8  # parameters that an integral can have
LONGEST = 300.0  # of a logarithm, whose exponential can be squared
START = 1000  # draws from which the integral's whereabouts are known


class Folds:
    """The units of a fit, left out one at a time; what they share is computed once.

    Parameters
    ----------
    fit : Fit
    unit : {"observation", "arm", "group"}
    """

    def __init__(self, fit: Fit, unit: str) -> None:
        self._fit, self._unit = fit, unit
        self._draws = hyper_draws(fit, START)
        self._whole: tuple[_Joint, Integral] | None = None

    def without(self, index: int) -> tuple[float, float]:
        """Return the log predictive density of a unit and its error, NaN where none was found.

        None is looked for where fitting again costs less: with many parameters, and with levels of
        factors, whose sds make a funnel of them.
        """
        width = sum(int(np.prod(values.shape[1:])) for values in self._draws.values())
        edited = self._fit.family.treatment and self._fit.conditional.edited
        if width > MOST or edited or "u" in self._draws:
            return np.nan, np.nan
        priors = priors_without(self._fit, self._unit, index)
        joint, whole = self._with(priors)
        if not np.isfinite(whole.value):
            return np.nan, np.nan
        change, less = joint.change(priors), joint.less(self._unit, index)
        complete = whole.times(joint.factor(whole, None, change)) if change else whole
        rest = whole.times(joint.factor(whole, less, change))
        value, error = complete.over(rest)
        draws = joint.free(self._draws)
        least = fine(draws.shape[1])
        if error < least:
            return value, error
        if not complete.error < least:
            complete = log_integral(lambda points: joint(points, change), draws, complete)
        rest = log_integral(joint.without(self._unit, index, change), draws, rest)
        return complete.value - rest.value, float(np.hypot(complete.error, rest.error))

    def _with(self, priors: Mapping[str, Prior]) -> tuple[_Joint, Integral]:
        """Return the density of all data under some priors, and its integral.

        Priors of what is no group's own weight the points at which another integral was found.
        """
        if self._whole is None or not self._whole[0].differs_by_weights(priors):
            joint = _Joint(self._fit, priors)
            self._whole = joint, log_integral(joint, joint.free(self._draws))
        return self._whole


# internals ------------------------------------------------------------------------------------


class _Joint:
    """Log density of the data and of what is no group's own, at unconstrained points (S, d)."""

    def __init__(self, fit: Fit, priors: Mapping[str, Prior]) -> None:
        from hierstan.engines.stanli import Evaluator

        self._fit = replace(fit, priors=dict(priors))
        self._first = with_levels(fit, fit.data.only(fit.data.groups[0]))
        nothing = with_observations(
            fit.conditional, stan_data(self._first, priors, pointwise=True, replicate=False), 0
        )
        self._prior = Evaluator(fit.conditional, nothing)
        places = self._prior.parameters
        latent = (*LATENT, fit.family.log_name)
        self._own = {name: places[name] for name in latent if name in places}
        own = [np.arange(place.start, place.stop) for place in self._own.values()]
        self._kept = np.setdiff1d(
            np.arange(max(place.stop for place in places.values())), np.concatenate([[], *own])
        )
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._groups = UnitLikelihood(self._fit, "group")
        self._scales = None if fit.conditional.edited else _scales(self._prior, self._kept)

    def differs_by_weights(self, priors: Mapping[str, Prior]) -> bool:
        """Whether other priors are these but for parameters that are no group's own."""
        return self._fit.priors.get("theta") == priors.get("theta")

    def change(self, priors: Mapping[str, Prior]) -> FoldPriors | None:
        """Return how other priors differ from these; None where they do not."""
        other = {name: prior for name, prior in priors.items() if prior != self._fit.priors[name]}
        if not other:
            return None
        full = {name: self._fit.priors[name] for name in other}
        folds = {name: [prior] for name, prior in other.items()}
        return FoldPriors(full, folds, self._fit.data.tau_names)

    def factor(
        self, whole: Integral, less: OfHyper | None, change: FoldPriors | None
    ) -> np.ndarray:
        """Return the log of what the density changes by at the points of its integral, (8, n)."""
        known = np.isfinite(whole.log_weight)
        factor = np.zeros(known.shape)
        points = whole.points[known]
        hyper, _ = self._prior_at(points)
        if less is not None:
            factor[known] += less(hyper)
        if change is not None:
            factor[known] += np.broadcast_to(change.correction(hyper, 1), (len(points), 1))[:, 0]
        return np.where(np.isnan(factor), -np.inf, factor)

    def free(self, draws: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return draws as points of the unconstrained space."""
        self._shapes = {name: values.shape[1:] for name, values in draws.items()}
        S = len(next(iter(draws.values())))
        own = {name: np.zeros((S, place.stop - place.start)) for name, place in self._own.items()}
        return self._prior.unconstrained({**draws, **own})[:, self._kept]

    def __call__(self, points: np.ndarray, change: FoldPriors | None = None) -> np.ndarray:
        return self._at(points, self._groups.together, change)

    def without(self, unit: str, index: int, change: FoldPriors | None) -> Target:
        """Return the same without one unit, and with a change of the priors."""
        if self._fit.family.correlated:
            less = self.less(unit, index)
            return lambda points: self._at(
                points, lambda hyper: self._groups.together(hyper) + less(hyper), change
            )
        data, code = self._fit.data, group_of_units(self._fit.data, unit)[index]
        rest = np.delete(np.arange(len(data.groups)), code)
        others = UnitLikelihood(self._fit, "group", data=data.only_groups(rest))
        left = self._left(unit, index)
        return lambda points: self._at(
            points, lambda hyper: others.together(hyper) + left(hyper), change
        )

    def less(self, unit: str, index: int) -> OfHyper:
        """Return what the log likelihood of all data changes by without one unit."""
        if self._fit.family.correlated:  # given the others, of its group and of its study
            own = UnitLikelihood(self._fit, unit)
            return lambda hyper: -own(hyper)[:, index]
        mine, _ = with_its_group(self._fit.data, unit, index)
        group = UnitLikelihood(self._fit, "group", data=mine)
        left = self._left(unit, index)
        return lambda hyper: left(hyper) - group.together(hyper)

    def _left(self, unit: str, index: int) -> OfHyper:
        """Return the log likelihood of what a unit leaves of its group."""
        codes = group_of_units(self._fit.data, unit)
        if (codes == codes[index]).sum() == 1:
            return lambda hyper: np.zeros(1)
        mine, column = with_its_group(self._fit.data, unit, index)
        left = without_unit(mine, unit, column)
        return UnitLikelihood(self._fit, "group", data=left).together

    def _at(
        self,
        points: np.ndarray,
        of: OfHyper,
        change: FoldPriors | None = None,
    ) -> np.ndarray:
        """Return log prior plus log likelihood; where either cannot be computed, they are 0."""
        try:
            hyper, log_prior = self._prior_at(points)
            log_lik = of(hyper)
        except EngineError:
            if len(points) == 1:
                return np.array([-np.inf])
            parts = np.array_split(points, 2)
            return np.concatenate([self._at(part, of, change) for part in parts])
        total = log_prior + log_lik
        if change:
            total = total + np.asarray(change.correction(hyper, 1)).reshape(-1)
        return np.where(np.isfinite(total), total, -np.inf)

    def _prior_at(self, points: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Return the parameters and the log of their prior with the Jacobian.

        The program's own, without data; what is a group's own, which it holds too, stands at its
        mean.
        """
        if self._scales is not None and set(self._shapes) <= {*self._fit.priors}:
            return self._plain_prior_at(points)
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
        of_logs: np.ndarray | float = 0.0
        if self._fit.family.of_group:
            middle, sd = self._fit.family.log_population(hyper)
            full[:, self._own[self._fit.family.log_name]] = middle[:, None]
            of_logs = np.log(sd)
        if "log_population" not in self._fit.conditional.written:
            return hyper, self._prior.log_density_at(full) + of_logs
        population = self._prior.written_at(full, ["log_population"])["log_population"]
        return hyper, self._prior.log_density_at(full) - population.sum(axis=1) + of_logs

    def _plain_prior_at(self, points: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Return the same without the program, where priors are all there is."""
        assert self._scales is not None
        logs, lower = self._scales
        beyond = (logs & (np.abs(points) > LONGEST)).any(axis=1)
        points = np.where(beyond[:, None], 0.0, points)
        values = np.where(logs, lower + np.exp(np.where(logs, points, 0.0)), points)
        log_prior = np.where(beyond, -np.inf, (points * logs).sum(axis=1))
        hyper, places = {}, self._prior.parameters
        column = {kept: number for number, kept in enumerate(self._kept)}
        for name, shape in self._shapes.items():
            of = [column[place] for place in range(places[name].start, places[name].stop)]
            hyper[name] = values[:, of].reshape(len(points), *shape)
            log_prior = log_prior + self._fit.priors[name].log_density(values[:, of]).sum(axis=1)
        return hyper, log_prior

    def _mean_of_theta(self, hyper: Mapping[str, np.ndarray]) -> np.ndarray | float:
        if "mu" in hyper:
            return centers(self._first, hyper)
        return self._fit.priors["theta"].numbers().get("location", 0.0)


def _scales(prior: Evaluator, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return which parameters are sampled as logarithms, and what these are above.

    None where one of them is sampled in yet another way.
    """
    points = np.zeros((2, max(place.stop for place in prior.parameters.values())))
    points[1] = 1.0
    names = list(prior.parameters)
    written = prior.written_at(points, names)
    at_0, at_1 = np.hstack([written[name] for name in names])[:, kept]
    logs = np.asarray(np.isclose(at_1 - at_0, math.e - 1))
    plain = (at_0 == 0) & (at_1 == 1)
    return (logs, np.where(logs, at_0 - 1, 0.0)) if (logs | plain).all() else None
