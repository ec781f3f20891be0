"""Leave-one-out of very many groups, from a sample of them.

Every unit gets a cheap stand-in, its log predictive density at the posterior means of the other
parameters. A simple random sample of groups is left out properly, and what that changes on average
is added to the stand-ins of the others: the difference estimator of Magnusson, Vehtari, Jonasson
and Andersen 2020, https://proceedings.mlr.press/v108/magnusson20a.html.
"""

from __future__ import annotations

import numpy as np

from hierstan.answers.comparison.elpd import Elpd, summarised
from hierstan.answers.comparison.left_out import group_of_units, hyper_draws, unit_labels
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units
from hierstan.answers.comparison.units import distinct_units, draws_to_use, left_out_by_weights
from hierstan.fit.fit import Fit

MAX_GROUPS = 5_000
SAMPLE = 1_000
SEED = 1  # the same groups for every model, so that differences are those of pairs


def sampled_groups(fit: Fit) -> np.ndarray:
    """Return the positions of the sample of groups, in order."""
    J = len(fit.data.groups)
    return np.sort(np.random.default_rng(SEED).choice(J, SAMPLE, replace=False))


def subsampled(fit: Fit, unit: str, *, progress: bool = False) -> Elpd:
    """Leave out the units of a sample of groups: see `hierstan.loo`."""
    chosen = sampled_groups(fit)
    every = hyper_draws(fit)
    center = {name: values.mean(axis=0)[None] for name, values in every.items()}
    elpd_i = log_lik_of_units(fit, center, unit)[0]
    U = len(elpd_i)
    sampled = np.isin(group_of_units(fit.data, unit), chosen)
    first, _ = distinct_units(fit, unit)
    hyper = hyper_draws(fit, draws_to_use(fit, int(sampled[first].sum())))
    left_out = left_out_by_weights(fit, unit, hyper, groups=chosen, progress=progress)
    change = left_out.elpd_i - elpd_i[sampled]
    elpd_i[~sampled] += change.mean()
    elpd_i[sampled] = left_out.elpd_i
    k, mcse_i = np.full(U, np.nan), np.full(U, np.nan)
    k[sampled], mcse_i[sampled] = left_out.pareto_k, left_out.mcse_i
    n = int(sampled.sum())
    part = summarised(
        left_out, unit=unit, method=np.full(n, "psis"),
        labels=unit_labels(fit, unit)[sampled], model=fit.model.name,
    )  # fmt: skip
    sampling = U * change.std(ddof=1) * np.sqrt((1 - n / U) / n)
    return Elpd(
        elpd=float(elpd_i.sum()),
        se=float(np.sqrt(U) * np.std(elpd_i, ddof=1)),
        mcse=float(np.hypot(part.mcse * U / n, sampling)),
        p_loo=float((left_out.lpd_i - left_out.elpd_i).mean() * U),
        elpd_i=elpd_i,
        pareto_k=k,
        mcse_i=mcse_i,
        unit=unit,
        method=np.where(sampled, "psis", "subsample"),
        labels=unit_labels(fit, unit),
        model=fit.model.name,
    )
