"""Which of several fits of the same data predicts best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from hierstan.answers.comparison.comparison import Comparison, compared
from hierstan.answers.comparison.loo import loo
from hierstan.errors import DataError, HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.trust import doubts, first
from hierstan.fit.two_part import TwoPartFit
from hierstan.text.wording import listed


def compare(
    fits: Mapping[str, Fit], *, unit: str = "observation", refit: bool = True, progress: bool = True
) -> Comparison:
    """Compare fits of the same data by leave-one-out, and say what the differences support.

    Parameters
    ----------
    fits : mapping of str to Fit
        Such as `fit_poolings` returns.
    unit : {"observation", "arm", "group"} or a factor, such as "region"
        What is left out, see `loo`.
    refit, progress : bool
        See `loo`.

    Returns
    -------
    Comparison
        ``.table``, best model first: ``rank``, ``elpd``, ``se``, ``p_loo``, ``elpd_diff`` (to the
        best; negative is worse), ``dse`` (standard error of the difference, from the units'
        differences), ``weight`` (stacking, Yao et al. 2018, doi:10.1214/17-BA1091), ``pareto_k``
        (the largest), ``method``, and the Monte Carlo errors of elpd and difference, ``mcse`` and
        ``diff_mcse``, which are printed where they are not far below ``se`` and ``dse``.
        ``.verdict`` says it in words; ``.preferred`` is a name, or None when the data can't tell.

    Raises
    ------
    DataError
        If the fits are of different data, or of families without a common scale. Fits of different
        families to the same rows are compared where both are of counts or both of amounts.

    Warns
    -----
    HierstanWarning
        If `diagnose` does not trust the draws of a fit; the verdict says so first.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> comparison = hs.compare(hs.fit_poolings(data, seed=1, engine="stanli"))
    >>> comparison.table.index[-1]
    'none'
    """
    _check_same(fits, unit)
    doubt = doubts(fits)
    results = {
        name: loo(fit, unit=unit, refit=refit, progress=progress) for name, fit in fits.items()
    }
    found = compared(results, fits)
    return replace(found, verdict=first(doubt, found.verdict))


# internals ------------------------------------------------------------------------------------


def _check_same(fits: object, unit: str) -> None:
    if not isinstance(fits, Mapping) or len(fits) < 2:
        raise HierstanError(
            "compare takes a mapping of at least two fits, such as "
            '{"complete": fit, "partial": fit} or what fit_poolings(data) returns.'
        )
    for name, fit in fits.items():
        if isinstance(fit, TwoPartFit):
            raise HierstanError(
                "compare takes fits of one part, and these have two: hs.compare({name: fit.rate "
                "for name, fit in fits.items()}) for who buys, and so with fit.amount for how much "
                "they spend."
            )
        if not isinstance(fit, Fit):
            raise HierstanError(f"compare: {name!r} is no fit but a {type(fit).__name__}.")
    lacking = [name for name, fit in fits.items() if unit not in fit.data.levels]
    if 0 < len(lacking) < len(fits):
        raise HierstanError(
            f"Levels of {unit} can only be left out of fits that have this factor, and "
            f"{listed(lacking)} was fitted without it. Compare with unit='group', or fits that all "
            "have it."
        )
    (first, reference), *others = fits.items()
    for name, fit in others:
        if fit.data.family != reference.data.family:
            _check_scales({first: reference, name: fit}, unit)
        elif not (
            fit.data is reference.data
            or (
                list(fit.data.groups) == list(reference.data.groups)
                and fit.data.cells.equals(reference.data.cells)
            )
        ):
            raise DataError(
                f"The fits {first!r} and {name!r} are of different data, so their predictive "
                "accuracies cannot be compared. Fit both to one GroupedData."
            )


def _check_scales(fits: Mapping[str, Fit], unit: str) -> None:
    """Check that fits of different families predict the same rows, on one scale.

    Every family's density of a single row is complete, constants included; that of a whole group's
    summary leaves out what no parameter depends on.
    """
    (first, one), (second, other) = fits.items()
    kinds = [fit.family.columns["y"] for fit in (one, other)]
    if kinds[0] != kinds[1]:
        raise DataError(
            f"{first!r} gives probabilities of counts and {second!r} densities of amounts, or the "
            "other way round: they have no common scale. Compare families of one kind."
        )
    if unit != "observation":
        raise DataError(
            f"{first!r} and {second!r} are of different families, which are compared row by row. "
            "Use unit='observation'."
        )
    if not (list(one.data.groups) == list(other.data.groups) and _same_rows(one, other)):
        raise DataError(
            f"The fits {first!r} and {second!r} are of different rows, or of more than are kept, "
            "so their predictive accuracies cannot be compared."
        )


def _same_rows(one: Fit, other: Fit) -> bool:
    rows, others = one.data.rows, other.data.rows
    if rows is None or others is None or len(rows) != len(others):
        return False
    sizes = {"group": 0.0, "y": 0.0, "trials": 1.0, "exposure": 1.0}
    return all(
        np.array_equal(_values(rows, name, fill), _values(others, name, fill))
        for name, fill in sizes.items()
    )


def _values(table: pd.DataFrame, name: str, fill: float) -> np.ndarray:
    return table[name].to_numpy(float) if name in table else np.full(len(table), fill)
