"""Leave-one-out cross-validation and WAIC of one fit."""

from __future__ import annotations

import warnings

import numpy as np

from hierstan.answers.comparison.elpd import LARGE_ERROR_I, NOTHING, Elpd, summarised
from hierstan.answers.comparison.fold import Folds
from hierstan.answers.comparison.importance import LeftOut, log_mean
from hierstan.answers.comparison.left_out import (
    can_refit,
    fold_priors,
    group_of_units,
    hyper_draws,
    unit_labels,
    units_of,
    without_unit,
)
from hierstan.answers.comparison.levels import loo_of_levels
from hierstan.answers.comparison.refits import refit_without
from hierstan.answers.comparison.subsampling import MAX_GROUPS, subsampled
from hierstan.answers.comparison.unit_likelihood import log_lik_of_units
from hierstan.answers.comparison.units import distinct_units, draws_to_use, left_out_by_weights
from hierstan.data.degenerate import varies
from hierstan.errors import HierstanError, HierstanWarning
from hierstan.fit.fit import Fit
from hierstan.fit.once import once
from hierstan.fit.taken import check_fit
from hierstan.text.bars import with_bar

LEVEL_DRAWS = 500  # at which a level left out is predicted
WAIC_LIMIT = 0.4


def loo(fit: Fit, *, unit: str = "observation", refit: bool = True, progress: bool = True) -> Elpd:
    """Leave-one-out cross-validation with the group means integrated out.

    Leaving out a group's only observation changes that group's ``theta`` beyond recognition, so
    importance weights over ``theta`` fail just where these models are used most. Here ``theta`` is
    integrated out by adaptive quadrature, and importance weights run over ``mu``, ``tau`` and the
    family's own parameters alone. Where these may still not be trusted (Pareto k > 0.5; above 0.7
    they must not be) or leave a Monte Carlo error above 0.05, the few parameters that remain are
    integrated out numerically, with the unit and without it; only where that fails too is the model
    fitted again. Default priors take their numbers from the data without the unit. Of more than
    5,000 groups, a random sample of 1,000 is left out and the rest estimated from them; ``.method``
    then says ``"subsample"`` for these.

    Parameters
    ----------
    fit : Fit
    unit : {"observation", "arm", "group"} or a factor, such as "region"
        Leave out single observations, keeping the rest of their group, or a whole group at a time:
        the accuracy for a group not seen before. Of data with two arms also a whole arm of a group
        at a time, predicted from the other arm.
    refit : bool
        Whether to do without importance sampling where it fails.
    progress : bool
        Whether that shows a progress bar when it takes long.

    Returns
    -------
    Elpd
        ``.elpd``, ``.se``, ``.mcse``, ``.p_loo``, ``.elpd_i``, ``.pareto_k``, ``.method``, …

    Raises
    ------
    HierstanError
        For an unknown unit, a fit of the prior alone, or fewer than two units.

    References
    ----------
    Vehtari, Gelman and Gabry 2017, doi:10.1007/s11222-016-9696-4; integrating out: Vehtari,
    Mononen, Tolvanen, Sivula and Winther 2016, https://jmlr.org/papers/v17/14-540.html.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> bool(hs.loo(fit).pareto_k.max() < 0.7)
    True
    """
    _check(fit, unit, "loo")
    return once(fit, (loo, unit, refit), lambda: _loo(fit, unit, refit, progress))


def waic(fit: Fit, *, unit: str = "observation") -> Elpd:
    """Widely applicable information criterion, on the likelihood without group means.

    Secondary to `loo`: it has no diagnostic of its own but the size of its variance terms.

    Parameters
    ----------
    fit : Fit
    unit : {"observation", "arm", "group"}

    Returns
    -------
    Elpd
        On the scale of `loo` (not times -2).

    Warns
    -----
    HierstanWarning
        If a unit's variance term exceeds 0.4 (Vehtari, Gelman and Gabry 2017).

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.CompletePooling().fit(data, seed=1, engine="stanli")
    >>> round(hs.waic(fit).elpd)
    -31
    """
    _check(fit, unit, "waic")
    units = len(distinct_units(fit, unit)[0])
    log_lik = log_lik_of_units(fit, hyper_draws(fit, draws_to_use(fit, units)), unit)
    variance = log_lik.var(axis=0, ddof=1) if len(log_lik) > 1 else np.zeros(log_lik.shape[1])
    large = int((variance > WAIC_LIMIT).sum())
    if large:
        warnings.warn(
            f"{large} of {len(variance)} variance terms of WAIC exceed {WAIC_LIMIT}, so WAIC is "
            "unreliable here. Use loo(fit), which says unit by unit what it can be trusted with.",
            HierstanWarning,
            stacklevel=2,
        )
    unknown, inside = np.full(len(variance), np.nan), log_mean(log_lik)
    return summarised(
        LeftOut(inside - variance, inside, unknown, unknown, np.isnan(variance), unknown[:1]),
        unit=unit,
        method=np.full(len(variance), "waic"),
        labels=unit_labels(fit, unit),
        model=fit.model.name,
    )


# internals ------------------------------------------------------------------------------------


def _loo(fit: Fit, unit: str, refit: bool, progress: bool) -> Elpd:
    if unit not in units_of(fit.data):
        return loo_of_levels(fit, unit, size=LEVEL_DRAWS, progress=progress)
    many = len(fit.data.groups) > MAX_GROUPS and not fit.family.correlated
    if many and hyper_draws(fit, 1):
        return subsampled(fit, unit, progress=progress)
    first, place = distinct_units(fit, unit)
    cost = max(len(first), len(fit.data.cells))
    hyper = hyper_draws(fit, draws_to_use(fit, cost))
    priors = fold_priors(fit, unit)
    left_out = left_out_by_weights(fit, unit, hyper, priors, progress=progress)
    drawn = len(left_out.influence) > 1
    method = np.full(len(place), "psis" if drawn else "exact", dtype=object)
    if drawn:
        left_out.hard[:] |= priors.wider(hyper, len(method))
    hard = np.flatnonzero(left_out.hard[first])
    if refit and hard.size:
        for kind, way in zip(hard, _anew(fit, unit, first[hard], progress), strict=True):
            same = place == kind
            left_out.elpd_i[same], left_out.mcse_i[same], method[same] = way
    return summarised(
        left_out,
        unit=unit,
        method=method.astype(str),
        labels=unit_labels(fit, unit),
        model=fit.model.name,
        kinds=place,
    )


def _check(fit: Fit, unit: str, verb: str) -> None:
    check_fit(fit, verb)
    factors = list(fit.data.levels)
    units = units_of(fit.data)
    if unit not in [*units, *factors]:
        known = ", ".join(map(str, [*units, *factors]))
        raise HierstanError(f"unit must be one of {known}; got {unit!r}.")
    if fit.prior_only:
        raise HierstanError(
            "This fit has prior_only=True: it has seen no outcomes, so there is nothing to leave "
            "out. Fit without prior_only."
        )
    if unit == "observation" and fit.data.rows is None:
        others = " or ".join(f"unit={other!r}" for other in units[1:])
        raise HierstanError(
            f"The {fit.data.n_rows:,} observations came as summaries, or are too many to leave out "
            f"one at a time. Use {others}."
        )
    many = len(group_of_units(fit.data, unit if unit in units else "group"))
    if many < 2:
        raise HierstanError(f"Leaving one {unit} out needs at least two; these data have {many}.")


def _anew(fit: Fit, unit: str, hard: np.ndarray, progress: bool) -> list[tuple[float, float, str]]:
    """Leave units out without importance weights; return elpd, its error and how it was done."""
    folds = Folds(fit, unit)
    found = []
    for index in with_bar(hard.tolist(), f"leaving out each hard {unit}", shown=progress):
        if not varies(without_unit(fit.data, unit, index)):
            found.append((np.nan, np.nan, NOTHING))
            continue
        value, error = folds.without(index)
        way = "integral"
        if not error <= LARGE_ERROR_I and can_refit(fit, unit, index):
            again, its_error = refit_without(fit, unit, index)
            if not error <= its_error:
                value, error, way = again, its_error, "refit"
        found.append((value, error, way))
    return found
