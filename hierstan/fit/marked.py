"""Means and standard deviations that do not exist are inf in tables, and said to be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from hierstan.fit.fit import Fit
from hierstan.fit.infinite_means import infinite_because


class Guilty(NamedTuple):
    """The priors that make a mean and a mean square infinite; nothing where they are finite."""

    mean: str
    square: str

    def __bool__(self) -> bool:
        return any(self)

    def __str__(self) -> str:
        if not self:
            return ""
        what = "mean and standard deviation do" if self.mean else "the standard deviation does"
        return (
            f"{what} not exist (inf): the prior {self.mean or self.square} leaves tails too heavy "
            "for that"
        )


def mark_infinite(
    fit: Fit,
    table: pd.DataFrame,
    lines: object,
    *,
    of: str,
    new_group: bool = True,
    baseline_known: bool = False,
    levels_known: bool = False,
) -> Guilty:
    """Replace ``mean`` and ``sd`` of some lines where they only grow with the number of draws.

    Parameters
    ----------
    fit : Fit
    table : pandas.DataFrame
    lines : label, labels or booleans
        As ``table.loc`` takes them.
    of, new_group, baseline_known, levels_known
        As of `infinite_because`.

    Returns
    -------
    Guilty
        Says in words what is infinite and why.
    """
    guilty = Guilty(
        *(
            infinite_because(
                fit,
                order=order,
                new_group=new_group,
                of=of,
                baseline_known=baseline_known,
                levels_known=levels_known,
            )
            for order in (1, 2)
        )
    )
    if guilty.mean:
        table.loc[lines, "mean"] = np.inf
    if guilty:
        table.loc[lines, "sd"] = np.inf
    return guilty
