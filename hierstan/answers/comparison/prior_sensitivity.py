"""Whether the conclusions depend on the priors of `mu` and `tau`."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from hierstan import priors as distributions
from hierstan.answers.comparison.comparison import compared
from hierstan.answers.comparison.elpd import GOOD_K, Elpd, psis, smoothed_weights, summarised
from hierstan.answers.comparison.integral import population_means
from hierstan.answers.comparison.left_out import hyper_draws, log_lik_of_units, unit_labels
from hierstan.answers.comparison.subsampling import MAX_GROUPS, sampled_groups, subsampled
from hierstan.errors import HierstanError, HierstanWarning
from hierstan.fit.fit import Fit
from hierstan.priors import Prior
from hierstan.sampling.coordinates import expected_means, normal_approximation

DRAWS = 1000
HIGHEST = 100  # groups, of very many, that may be the highest under another prior
SENSITIVE = 0.05  # power-scaling measure above which a quantity is called sensitive


@dataclass(frozen=True, eq=False, repr=False)
class PriorSensitivity:
    """How the answers move when the priors do.

    Attributes
    ----------
    power : pandas.DataFrame
        Power-scaling sensitivity of ``mu`` and ``tau`` (Kallioinen et al. 2024,
        doi:10.1007/s11222-023-10366-5): to the prior, to the likelihood, and a diagnosis. Values
        above 0.05 mean that the quantity moves.
    sweep : pandas.DataFrame
        One line per prior of ``tau``, the fit's own first: ``mean, lower, upper`` of ``tau`` (90%),
        ``mu``, ``best`` (group with the highest mean), ``rank_correlation`` of the group means with
        those of the fit, ``elpd``, ``preferred`` (by `compare`; only if fits were given),
        ``pareto_k`` and ``method`` (``"weights"`` or ``"refit"``).
    changes : bool
        Whether the preferred pooling or the best group depends on the prior, the uniform one aside.
    verdict : str
        In plain words.
    """

    power: pd.DataFrame
    sweep: pd.DataFrame
    changes: bool
    verdict: str

    def __repr__(self) -> str:
        power = self.power.to_string(float_format="{:.3f}".format)
        sweep = self.sweep.to_string(float_format="{:.3g}".format)
        return f"Power-scaling\n\n{power}\n\nOther priors of tau\n\n{sweep}\n\n{self.verdict}"


def prior_sensitivity(
    fit: Fit | Mapping[str, Fit],
    *,
    tau_priors: list[Prior] | None = None,
    unit: str = "observation",
) -> PriorSensitivity:
    """Examine how much the conclusions depend on the priors.

    Two looks: the priors of ``mu`` and ``tau`` are made slightly stronger and weaker
    (power-scaling), and the prior of ``tau`` is exchanged for other families with the same median.
    Both reweight the draws there are; where the weights fail (Pareto k > 0.7), the model is fitted
    again. Of more than 5,000 groups it looks at the means of a sample and of the highest ones, and
    leaves a sample out, as `loo` does.

    Parameters
    ----------
    fit : Fit or mapping of str to Fit
        A partial pooling fit, or the three of `fit_poolings`: then the sweep says whether the
        verdict of `compare` changes.
    tau_priors : list of Prior, optional
        Instead of half-normal, half-Cauchy, half-Student-t (4 degrees of freedom), exponential and,
        as the bad example, uniform up to ten times the median.
    unit : {"observation", "group"}
        What the comparison leaves out.

    Returns
    -------
    PriorSensitivity

    Raises
    ------
    HierstanError
        Without a partial pooling fit.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> sensitivity = hs.prior_sensitivity(fit)
    >>> sensitivity.sweep.index[0]
    'HalfNormal(15.71)'
    """
    fits = dict(fit) if isinstance(fit, Mapping) else {"partial": fit}
    partial = next((one for one in fits.values() if _is_partial(one)), None)
    if partial is None:
        raise HierstanError(
            "prior_sensitivity asks what the prior of tau does, so it takes a fit of "
            "PartialPooling (not prior_only), or the fits of fit_poolings(data)."
        )
    base = _Base(partial, fits, unit)
    rows = [base.row(partial.priors["tau"], np.zeros(base.size))]
    used = partial.priors["tau"]
    for prior in tau_priors if tau_priors is not None else comparable(used):
        if str(prior) == str(used):  # but for rounding
            continue
        rows.append(_reweighted_or_refitted(base, prior))
    sweep = pd.DataFrame(rows).set_index("prior")
    power = _power(partial)
    changes, words = _judge(sweep, power)
    return PriorSensitivity(power, sweep, changes, words)


def comparable(prior: Prior) -> list[Prior]:
    """Return priors of other families with the same median."""
    median = float(prior.quantile(0.5))
    return [
        distributions.HalfNormal(median / 0.6745),
        distributions.HalfCauchy(median),
        distributions.HalfStudentT(4, median / 0.7407),
        distributions.Exponential(math.log(2) / median),
        distributions.Uniform(0, 10 * median),
    ]


# internals ------------------------------------------------------------------------------------


def _is_partial(fit: Any) -> bool:
    return isinstance(fit, Fit) and fit.model.name == "partial" and not fit.prior_only


class _Base:
    """The draws that are reweighted, and the fits they are compared with."""

    def __init__(self, fit: Fit, fits: Mapping[str, Fit], unit: str) -> None:
        self.fit, self.fits, self.unit = fit, fits, unit
        self.hyper = hyper_draws(fit, DRAWS)
        self.size = len(self.hyper["tau"])
        keep = np.linspace(0, len(fit.draws("tau")) - 1, self.size).astype(int)
        self.shown = _shown(fit)
        self.theta = fit.theta(self.shown, keep)
        self.elpd = _estimator(fit, self.hyper, unit)
        self.others = {
            name: _estimator(other, hyper_draws(other, DRAWS), unit)(0.0)
            for name, other in fits.items()
            if other is not fit
        }
        self.name = next(name for name, other in fits.items() if other is fit)
        self.reference: np.ndarray | None = None

    def row(self, prior: Prior, log_ratio: np.ndarray, method: str = "weights") -> dict[str, Any]:
        """Return a line of the sweep, from the draws weighted by exp(log_ratio)."""
        weights, k = smoothed_weights(log_ratio)
        tau = self.hyper["tau"]
        means = weights @ self.theta
        if self.reference is None:
            self.reference = means
        result = self.elpd(log_ratio[:, None])
        row = {
            "prior": str(prior),
            "mean": float(weights @ tau),
            "lower": _quantile(tau, weights, 0.05),
            "upper": _quantile(tau, weights, 0.95),
            "mu": float(weights @ self.hyper["mu"]),
            "best": self.fit.data.groups[int(self.shown[np.argmax(means)])],
            "rank_correlation": _rank_correlation(means, self.reference),
            "elpd": result.elpd,
        }
        if self.others:
            comparison = compared(
                {**self.others, self.name: result},
                self.fits,
                tau_prior=prior,
            )
            row["preferred"] = comparison.preferred
        return {**row, "pareto_k": k, "method": method}


def _estimator(
    fit: Fit, hyper: Mapping[str, np.ndarray], unit: str
) -> Callable[[np.ndarray | float], Elpd]:
    """Return the function that leaves units out, given the logarithm of weights of the draws."""
    if len(fit.data.groups) > MAX_GROUPS:
        return lambda correction: subsampled(fit, hyper, unit, correction)
    log_lik = log_lik_of_units(fit, hyper, unit)
    method = np.full(log_lik.shape[1], "psis" if len(log_lik) > 1 else "exact")
    labels = unit_labels(fit, unit)
    return lambda correction: summarised(
        psis(log_lik, correction), log_lik, unit=unit, method=method, labels=labels,
        model=fit.model.name,
    )  # fmt: skip


def _shown(fit: Fit) -> np.ndarray:
    """Return the groups whose means are looked at; of very many a sample and the highest."""
    if len(fit.data.groups) <= MAX_GROUPS:
        return np.arange(len(fit.data.groups))
    estimate, precision = normal_approximation(fit.data)
    middle: dict[str, np.ndarray] = {
        name: fit.draws(name).mean(axis=0, keepdims=True)
        for name in ("mu", "beta", "tau")
        if name in fit.priors
    }
    center = population_means(fit.data, middle)[0]
    means = expected_means(estimate, precision, center, float(middle["tau"][0]) ** 2)
    highest = np.argsort(means)[-HIGHEST:]
    return np.union1d(sampled_groups(fit), highest)


def _reweighted_or_refitted(base: _Base, prior: Prior) -> dict[str, Any]:
    tau = base.hyper["tau"]
    log_ratio = prior.log_density(tau) - base.fit.priors["tau"].log_density(tau)
    if np.isfinite(log_ratio).all() and not smoothed_weights(log_ratio)[1] > GOOD_K:
        return base.row(prior, log_ratio)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HierstanWarning)
        model = replace(base.fit.model, priors={**(base.fit.model.priors or {}), "tau": prior})
        refit = model.fit(
            base.fit.data,
            **base.fit.options,
            seed=base.fit.seed,
            engine=base.fit.engine.split()[0].lower(),
            progress=False,
        )
    fits = {name: refit if fit is base.fit else fit for name, fit in base.fits.items()}
    again = _Base(refit, fits, base.unit)
    again.reference = base.reference
    return again.row(prior, np.zeros(again.size), "refit")


def _quantile(values: np.ndarray, weights: np.ndarray, q: float) -> float:
    order = np.argsort(values)
    return float(np.interp(q, np.cumsum(weights[order]), values[order]))


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    from scipy import stats

    return float(stats.spearmanr(a, b).statistic)


def _power(fit: Fit) -> pd.DataFrame:
    """Power-scaling through ArviZ, with the likelihood of all observations as one term."""
    import arviz_base as azb
    from arviz_stats import psense_summary  # type: ignore[attr-defined]

    J = len(fit.data.groups)
    hyper = hyper_draws(fit, len(fit.draws("tau")) if J <= MAX_GROUPS else DRAWS)
    shape = (fit.posterior.sizes["chain"], -1) if J <= MAX_GROUPS else (1, -1)
    names = [name for name in ("mu", "tau") if name in fit.priors]
    total = np.zeros(len(hyper["tau"]))
    for block in np.array_split(np.arange(J), -(-J // MAX_GROUPS)):
        data = fit.data.only_groups(block)
        total += log_lik_of_units(fit, hyper, "group", data=data).sum(axis=1)
    tree = azb.from_dict(
        {
            "posterior": {name: hyper[name].reshape(shape) for name in names},
            "log_prior": {
                name: fit.priors[name].log_density(hyper[name]).reshape(shape) for name in names
            },
            "log_likelihood": {"y": total.reshape(shape)[..., None]},
        }
    )
    log = logging.getLogger("arviz_stats")
    level = log.level
    log.setLevel(logging.ERROR)  # its advice to read on is what `verdict` says in words
    try:
        table: pd.DataFrame = psense_summary(tree, var_names=names, round_to=6)
    finally:
        log.setLevel(level)
    return table


def _judge(sweep: pd.DataFrame, power: pd.DataFrame) -> tuple[bool, str]:
    sound = sweep[~sweep.index.str.startswith("Uniform")]
    first = sweep.iloc[0]
    parts = []
    best_moves = bool((sound["best"] != first["best"]).any())
    verdict_moves = "preferred" in sweep and len(set(sound["preferred"].map(str))) > 1
    low, high = sound["mean"].min(), sound["mean"].max()
    parts.append(
        f"Across the priors, the posterior mean of tau runs from {low:.3g} to {high:.3g} "
        f"(fitted: {first['mean']:.3g})"
    )
    parts[-1] += f"; the highest group {'changes' if best_moves else 'stays ' + str(first['best'])}"
    if "preferred" in sweep:
        parts[-1] += f", and the verdict {'changes' if verdict_moves else 'stays the same'}"
    parts[-1] += "."
    moved = power.index[power["prior"] > SENSITIVE].tolist()
    if moved:
        parts.append(
            f"Slightly stronger or weaker priors move {' and '.join(map(str, moved))}: say in the "
            "report which prior was used and why."
        )
    uniform = sweep[sweep.index.str.startswith("Uniform")]
    if len(uniform) and uniform["mean"].iloc[0] > 1.1 * high:
        parts.append(
            f"The uniform prior pushes tau up to {uniform['mean'].iloc[0]:.3g}, as uniform priors "
            "on tau do: shown as a warning, not as a choice."
        )
    return best_moves or bool(verdict_moves), " ".join(parts)
