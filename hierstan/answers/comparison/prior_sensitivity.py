"""Whether the conclusions depend on the priors of `mu` and `tau`."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hierstan import priors as distributions
from hierstan.answers.comparison.compare import compare
from hierstan.answers.comparison.left_out import hyper_draws
from hierstan.answers.comparison.loo import loo
from hierstan.answers.comparison.refits import like, reweighed
from hierstan.answers.comparison.subsampling import MAX_GROUPS, sampled_groups
from hierstan.answers.comparison.unit_likelihood import log_lik_together
from hierstan.errors import HierstanError, HierstanWarning
from hierstan.fit import group_summaries
from hierstan.fit.centers import centers
from hierstan.fit.fit import Fit
from hierstan.fit.taken import refuse_two_part
from hierstan.priors import Prior
from hierstan.sampling.approximation import expected_means, normal_approximation
from hierstan.text.answer import tables_of
from hierstan.text.bars import with_bar
from hierstan.text.numbers import figure
from hierstan.text.tables import Page, Printed, Table, called

DRAWS = 1000  # for the means of very many groups
PROB = 0.9
HIGHEST = 100  # groups, of very many, that may be the highest under another prior
SENSITIVE = 0.05  # power-scaling measure above which a quantity is called sensitive


@dataclass(frozen=True, eq=False, repr=False)
class PriorSensitivity(Printed):
    """How the answers move when the priors do.

    Attributes
    ----------
    power : pandas.DataFrame
        Power-scaling sensitivity of ``mu``, ``tau`` and every factor's tau (Kallioinen et al. 2024,
        doi:10.1007/s11222-023-10366-5): to the prior, to the likelihood, and a diagnosis. Values
        above 0.05 mean that the quantity moves.
    sweep : pandas.DataFrame
        One line per prior of ``tau``, the fit's own first: ``mean, lower, upper`` of ``tau`` (90%),
        ``mu``, ``best`` (group with the highest mean), ``rank_correlation`` of the group means with
        those of the fit, ``elpd``, ``preferred`` (by `compare`; only if fits were given),
        ``pareto_k`` (the largest of `loo`) and ``method`` (``"fit"``: the model was fitted with
        that prior; ``"weights"``: the draws were weighted by it).
    changes : bool
        Whether the preferred pooling or the best group depends on the prior, the uniform one aside.
    verdict : str
        In plain words.
    """

    power: pd.DataFrame
    sweep: pd.DataFrame
    changes: bool
    verdict: str

    def page(self) -> Page:
        """Return what is printed: other priors of tau, power-scaling, what they come to."""
        power = [
            (str(name), *(f"{value:.2f}" for value in line[:2]), str(line[2]))
            for name, *line in self.power.itertuples()
        ]
        header = ("power-scaling", *map(str, self.power))
        tables = (*tables_of(self.sweep), Table(header, tuple(power), align="<..<"))
        return Page(
            "Other priors of tau, and slightly stronger and weaker ones",
            (),
            tables,
            (self.verdict,),
        )


def prior_sensitivity(
    fit: Fit | Mapping[str, Fit],
    *,
    tau_priors: list[Prior] | None = None,
    unit: str = "observation",
    progress: bool = True,
) -> PriorSensitivity:
    """Examine how much the conclusions depend on the priors.

    Two looks: the priors of ``mu`` and ``tau`` are made slightly stronger and weaker
    (power-scaling), and the prior of ``tau`` is exchanged for other families with the same median.
    The first reweights the draws there are. For the second the model is fitted with each prior,
    since weights cannot reach tails that were never drawn; unless the data determine ``tau``, so
    that the weights of all draws are nearly the same. The line of the fit's own prior is what
    `loo`, `compare` and `heterogeneity` say. Of more than 5,000 groups it looks at the means of a
    sample and of the highest ones, and leaves a sample out, as `loo` does.

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
    progress : bool
        Whether fits that take long show a progress bar.

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
    for one in fits.values():
        refuse_two_part(one, "prior_sensitivity")
    partial = next((one for one in fits.values() if _is_partial(one)), None)
    if partial is None:
        raise HierstanError(
            "prior_sensitivity asks what the prior of tau does, so it takes a fit of "
            "PartialPooling (not prior_only), or the fits of fit_poolings(data)."
        )
    name = next(name for name, one in fits.items() if one is partial)
    used, shown = partial.priors["tau"], _shown(partial)
    others = tau_priors if tau_priors is not None else comparable(used)
    rows, means = [], []
    tried = [used, *(prior for prior in others if prior != used)]
    for prior in with_bar(tried, "fitting with other priors of tau", shown=progress):
        one, method = (partial, "fit") if prior is used else _under(partial, prior)
        row, of_groups = _line(one, {**fits, name: one}, unit, shown)
        row["method"] = method
        means.append(of_groups)
        rows.append({**row, "rank_correlation": _rank_correlation(of_groups, means[0])})
    sweep = pd.DataFrame(rows).set_index("prior")
    power = power_scaling(partial)
    changes, words = _judge(sweep, power)
    return PriorSensitivity(power, sweep, changes, words)


def comparable(prior: Prior) -> list[Prior]:
    """Return priors of other families with the same median, to three digits."""
    median = float(prior.quantile(0.5))
    of_normal, of_t = (
        float(unit.quantile(0.5))
        for unit in (distributions.HalfNormal(1), distributions.HalfStudentT(4, 1))
    )
    found = [
        distributions.HalfNormal(_rounded(median / of_normal)),
        distributions.HalfCauchy(_rounded(median)),
        distributions.HalfStudentT(4, _rounded(median / of_t)),
        distributions.Exponential(_rounded(math.log(2) / median)),
        distributions.Uniform(0, _rounded(10 * median)),
    ]
    ends = np.array([0.1, 0.9])
    own = prior.quantile(ends)
    return [other for other in found if not np.allclose(other.quantile(ends), own, rtol=0.02)]


def power_scaling(fit: Fit) -> pd.DataFrame:
    """Power-scaling through ArviZ, with the likelihood of all observations as one term.

    Returns
    -------
    pandas.DataFrame
        ``prior, likelihood, diagnosis`` of ``mu``, ``tau`` and the levels' taus.
    """
    import arviz_base as azb
    from arviz_stats import psense_summary  # type: ignore[attr-defined]

    J = len(fit.data.groups)
    hyper = hyper_draws(fit, len(fit.draws("tau")) if J <= MAX_GROUPS else DRAWS)
    shape = (fit.arrays.sizes["chain"], -1) if J <= MAX_GROUPS else (1, -1)
    draws: dict[str, np.ndarray] = {n: hyper[n] for n in ("mu", "tau") if n in fit.priors}
    draws |= {name: hyper["tau_level"][:, f] for f, name in enumerate(fit.data.tau_names)}
    total = np.zeros(len(hyper["tau"]))
    blocks = 1 if fit.family.correlated else -(-J // MAX_GROUPS)
    for block in np.array_split(np.arange(J), blocks):
        total += log_lik_together(fit, hyper, fit.data.only_groups(block))
    tree = azb.from_dict(
        {
            "posterior": {name: values.reshape(shape) for name, values in draws.items()},
            "log_prior": {
                name: fit.priors[name].log_density(values).reshape(shape)
                for name, values in draws.items()
            },
            "log_likelihood": {"y": total.reshape(shape)[..., None]},
        }
    )
    log = logging.getLogger("arviz_stats")
    level = log.level
    log.setLevel(logging.ERROR)  # its advice to read on is what `verdict` says in words
    try:
        table: pd.DataFrame = psense_summary(tree, var_names=list(draws), round_to=6)
    finally:
        log.setLevel(level)
    return table


def words_of_power(power: pd.DataFrame) -> str:
    """Say what slightly stronger and weaker priors move."""
    moved = [str(name) for name in power.index[power["prior"] > SENSITIVE]]
    if not moved:
        return f"Slightly stronger or weaker priors move neither {' nor '.join(power.index)}."
    return (
        f"Slightly stronger or weaker priors move {' and '.join(moved)}: say in the report which "
        "prior was used and why."
    )


# internals ------------------------------------------------------------------------------------


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def _is_partial(fit: object) -> bool:
    return isinstance(fit, Fit) and fit.model.has_population and not fit.prior_only


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
    center = centers(fit.data, middle)[0]
    means = expected_means(estimate, precision, center, float(middle["tau"][0]) ** 2)
    highest = np.argsort(means)[-HIGHEST:]
    return np.union1d(sampled_groups(fit), highest)


def _line(
    fit: Fit, fits: Mapping[str, Fit], unit: str, shown: np.ndarray
) -> tuple[dict[str, object], np.ndarray]:
    """Return a line of the sweep, from one of the fits, and the means of the groups shown."""
    size = len(fit.draws("tau"))
    every = 1 if len(fit.data.groups) <= MAX_GROUPS else -(-size // DRAWS)
    means = fit.theta(shown, np.arange(size)[::every]).mean(axis=0)
    mean, _, lower, upper = group_summaries.summarise(fit.draws("tau"), PROB)
    result = loo(fit, unit=unit, progress=False)
    line = {
        "prior": str(fit.priors["tau"]),
        "mean": float(mean),
        "lower": float(lower),
        "upper": float(upper),
        "mu": float(fit.draws("mu").mean()),
        "best": fit.data.groups[int(shown[np.argmax(means)])],
        "elpd": result.elpd,
    }
    if len(fits) > 1:
        line["preferred"] = compare(fits, unit=unit, progress=False).preferred
    k = result.pareto_k[np.isfinite(result.pareto_k)]
    return {**line, "pareto_k": float(k.max()) if k.size else np.nan}, means


def _under(fit: Fit, prior: Prior) -> tuple[Fit, str]:
    """Return a fit under another prior of tau, and how it was made."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HierstanWarning)
        model = replace(fit.model, priors={**(fit.model.priors or {}), "tau": prior})
        weighed = reweighed(fit, model, prior)
        again = weighed or model.fit(
            fit.data,
            **fit.options,
            seed=fit.seed,
            engine=fit.engine.split()[0].lower(),
            progress=False,
        )
    return like(again, fit), "weights" if weighed else "fit"


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    first, second = (pd.Series(values).rank().to_numpy() for values in (a, b))
    return float(np.corrcoef(first, second)[0, 1])


def _judge(sweep: pd.DataFrame, power: pd.DataFrame) -> tuple[bool, str]:
    sound = sweep[~sweep.index.str.startswith("Uniform")]
    first = sweep.iloc[0]
    parts = []
    best_moves = bool((sound["best"] != first["best"]).any())
    verdict_moves = "preferred" in sweep and len(set(sound["preferred"].map(str))) > 1
    low, high = sweep["mean"].min(), sweep["mean"].max()
    parts.append(
        f"Across the priors, the posterior mean of tau runs from {figure(low)} to {figure(high)} "
        f"(fitted: {figure(first['mean'])})"
    )
    parts[-1] += (
        f"; the highest group {'changes' if best_moves else 'stays ' + called(first['best'])}"
    )
    if "preferred" in sweep:
        parts[-1] += f", and the verdict {'changes' if verdict_moves else 'stays the same'}"
    parts[-1] += "."
    parts.append(words_of_power(power))
    uniform = sweep[sweep.index.str.startswith("Uniform")]
    if len(uniform) and uniform["mean"].iloc[0] > 1.1 * sound["mean"].max():
        parts.append(
            f"The uniform prior pushes tau up to {figure(uniform['mean'].iloc[0])}, as uniform "
            "priors on tau do: shown as a warning, not as a choice."
        )
    return best_moves or bool(verdict_moves), " ".join(parts)
