"""A unit left out by fitting again, once for all fits that only weigh the draws differently."""

from __future__ import annotations

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np

from hierstan.answers.comparison.left_out import hyper_draws, with_its_group, without_unit
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units
from hierstan.fit.centers import drawn_noise, placed
from hierstan.fit.fit import Fit
from hierstan.fit.fitted_model import FittedModel
from hierstan.fit.once import once
from hierstan.priors import Prior
from hierstan.sampling.arrays import SAMPLE, Arrays, Sampled
from hierstan.sampling.convergence import ess_of_mean
from hierstan.sampling.starts import NARROW

_LIKE: WeakKeyDictionary[Fit, Fit] = WeakKeyDictionary()  # another, but for the prior of tau
ENOUGH = 0.5  # of the draws are left, in effect, under another prior
NEARLY_ALL = 0.8


def refit_without(fit: Fit, unit: str, index: int) -> tuple[float, float]:
    """Fit again without one unit; return its log predictive density and Monte Carlo error.

    The error is that of the mean density over all draws, with their autocorrelation. A fit like
    another but for its prior of ``tau`` (`like`) takes the other's refit, each draw as often as its
    own prior would have it, where that leaves enough draws.
    """
    other = _LIKE.get(fit)
    chains = fit.options["chains"]
    if other is not None and other.priors["tau"] != fit.priors["tau"]:
        kept = _without_unit_fitted(other, unit, index)
        assert kept.prior is not None
        log_ratio = fit.priors["tau"].log_density(kept.tau) - kept.prior.log_density(kept.tau)
        weights = np.exp(log_ratio - log_ratio.max())
        if weights.sum() ** 2 > ENOUGH * len(weights) * (weights**2).sum():
            return log_mean_and_error(kept.log_lik, chains, weights / weights.mean())
    return log_mean_and_error(_without_unit_fitted(fit, unit, index).log_lik, chains)


def reweighed(fit: Fit, model: FittedModel, prior: Prior) -> Fit | None:
    """Return a fit of a model with another prior of ``tau``: the draws, as often as that has them.

    None if that leaves less than `NEARLY_ALL` of them in effect, or the data do not determine
    ``tau``: then draws of one prior do not reach the tails that another has. Nor where the group
    means are too many to keep: the program that makes them again has the prior of the fit.
    """
    tau = fit.draws("tau")
    if fit.program.edited or not fit.keeps_theta or np.log(tau).var() > NARROW:
        return None
    log_ratio = prior.log_density(tau) - fit.priors["tau"].log_density(tau)
    if not np.isfinite(log_ratio.max()):
        return None
    weights = np.exp(log_ratio - log_ratio.max())
    if weights.sum() ** 2 <= NEARLY_ALL * len(weights) * (weights**2).sum():
        return None
    sums = np.cumsum(weights)
    index = np.searchsorted(sums, (np.arange(len(sums)) + 0.5) / len(sums) * sums[-1])
    kept = {name: fit.kept.arrays(name) for name in GROUPS if name in fit.kept}
    return replace(
        fit,
        model=model,
        priors={**fit.priors, "tau": prior},
        kept=Sampled({name: _taken(arrays, index) for name, arrays in kept.items()}),
    )


def like(fit: Fit, other: Fit) -> Fit:
    """Tell a fit of another that differs from it in nothing but the prior of ``tau``."""
    _LIKE[fit] = other
    return fit


def log_mean_and_error(
    log_lik: np.ndarray, chains: int, weights: np.ndarray | float = 1.0
) -> tuple[float, float]:
    """Return the log of the mean density over draws (S,), chain by chain, and its error.

    Draws may count more or less than once: by `weights` with mean 1.
    """
    if not np.isfinite(log_lik).all():
        return np.nan, np.nan
    density = np.exp(log_lik - log_lik.max())
    mean = (weights * density).mean()
    value = float(np.log(mean) + log_lik.max())
    if len(density) < 8:
        return value, 0.0
    terms = weights * (density / mean - 1)
    size = float(ess_of_mean(terms.reshape(1, chains, -1))[0])
    return value, float(terms.std(ddof=1) / np.sqrt(size))


# internals ------------------------------------------------------------------------------------


GROUPS = ("posterior", "sample_stats", "observed_data", "constant_data")


def _taken(arrays: Arrays, index: np.ndarray) -> Arrays:
    """Return the draws at these places, chains concatenated."""
    return arrays.with_values(
        {
            name: values.reshape(-1, *values.shape[2:])[index].reshape(values.shape)
            for name, values in arrays.items()
            if arrays.dims[name][:2] == SAMPLE
        }
    )


@dataclass(frozen=True, eq=False)
class _Fitted:
    """What is kept of a fit without a unit: the unit's log density at its draws, (S,), and tau."""

    log_lik: np.ndarray
    tau: np.ndarray
    prior: Prior | None


def _without_unit_fitted(fit: Fit, unit: str, index: int) -> _Fitted:
    return once(fit, (_fitted_without, unit, index), lambda: _fitted_without(fit, unit, index))


def _fitted_without(fit: Fit, unit: str, index: int) -> _Fitted:
    rest = without_unit(fit.data, unit, index)
    mine, column = with_its_group(fit.data, unit, index)
    if fit.family.correlated:  # predicted given the others, of its group and of its study
        mine, column = fit.data, index
    refit = fit.model.fit(
        rest, **fit.options, seed=fit.seed, engine=fit.engine.split()[0].lower(), progress=False
    )
    hyper = hyper_draws(refit)
    tau, prior = hyper.get("tau", np.empty(0)), refit.priors.get("tau")
    if "u" in hyper:
        noise = drawn_noise(refit, mine, len(hyper["u"]), fit.seed)
        mine, hyper = placed(refit, mine, hyper, noise)
    log_lik = log_lik_of_units(refit, hyper, unit, data=mine)[:, column]
    return _Fitted(log_lik, tau, prior)
