"""What simulation-based calibration found, in figures and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hierstan.text.tables import Page, Printed, Table
from hierstan.trust.uniformity import p_value

if TYPE_CHECKING:
    import xarray as xr

LEVEL = 0.01  # false alarms of `ok` on a correct model
MAX_TROUBLE = 0.05  # share of fits that may fail or not mix
TOLD = 2.5  # standard errors from uniform that are put in words


@dataclass(frozen=True, eq=False, repr=False)
class SBCResult(Printed):
    """Ranks of true values among posterior draws, and whether they are uniform.

    Attributes
    ----------
    ranks : pandas.DataFrame
        One line per fitted data set, one column per quantity; from 0 to `draws`.
    draws : int
        Number of draws that each true value was ranked among.
    replicates : int
        Data sets simulated, those included whose fit failed.
    errors : list of str
        What the engine said where a fit failed; such data sets have no ranks.
    unmixed, diverged : int
        Fits whose draws did not mix, and fits with divergent transitions; they have ranks.
    edited : bool
        Whether a template was edited.
    population : str
        The population that partial pooling was held against; else empty.
    """

    ranks: pd.DataFrame
    draws: int
    replicates: int
    errors: Sequence[str] = ()
    unmixed: int = 0
    diverged: int = 0
    edited: bool = False
    population: str = ""

    @cached_property
    def table(self) -> pd.DataFrame:
        """One line per quantity.

        ``p``: probability of an ECDF that leaves the diagonal as much as this one, were the ranks
        uniform (Säilynoja, Bürkner and Vehtari 2022, doi:10.1007/s11222-022-10090-6).
        ``p_adjusted`` allows for the number of quantities (Holm 1979). ``mean``: of ranks / draws,
        0.5 if uniform. ``spread``: their standard deviation against that of uniform ranks, 1 if
        uniform. ``ok``.
        """
        names = list(self.ranks)
        p = pd.Series([p_value(self.ranks[name].to_numpy(), self.draws) for name in names], names)
        uniform = np.sqrt(((self.draws + 1) ** 2 - 1) / 12)
        table = pd.DataFrame(
            {
                "p": p,
                "p_adjusted": _holm(p),
                "mean": self.ranks.mean() / self.draws,
                "spread": self.ranks.std() / uniform,
            }
        ).rename_axis(index="quantity")
        table["ok"] = table["p_adjusted"] >= LEVEL
        return table

    @property
    def ok(self) -> bool:
        """Whether all ranks look uniform, and at most one fit in twenty failed or did not mix."""
        return bool(self.table["ok"].all()) and not self._troubled

    @property
    def _troubled(self) -> bool:
        return len(self.errors) + self.unmixed > MAX_TROUBLE * self.replicates

    def idata(self) -> xr.DataTree:
        """Return the ranks as ArviZ wants them: fractions, in a group ``prior_sbc``.

        A fraction is spread evenly over its rank's share of the unit interval, so that fractions
        are uniform where ranks are.
        """
        import arviz_base as azb

        rng = np.random.default_rng(1)
        fractions = {
            str(name): (values.to_numpy() + rng.uniform(size=len(values)))[None] / (self.draws + 1)
            for name, values in self.ranks.items()
        }
        tree: xr.DataTree = azb.from_dict({"prior_sbc": fractions})
        return tree

    def page(self) -> Page:
        """Return what is printed."""
        verdict, *shapes = self._verdict()
        figures = [
            (str(name), *(f"{value:.3f}" for value in line))
            for name, *line in self.table.drop(columns="ok").itertuples()
        ]
        table = Table(("quantity", *self.table.columns[:-1]), tuple(figures))
        return Page(verdict, (), (table,), (*shapes, *self._notes()))

    def _verdict(self) -> list[str]:
        bad = self.table[~self.table["ok"]]
        over = f"over {len(self.ranks)} simulated data sets"
        if not bad.empty:
            shapes = [_shape(str(name), row, len(self.ranks)) for name, row in bad.iterrows()]
            hint = [self._hint()] if self.edited else []
            return [f"Not calibrated: {over}, some ranks are not uniform.", *shapes, *hint]
        if self._troubled:
            return [f"Not shown to be calibrated: {over}, too many fits failed or did not mix."]
        return [f"Calibrated: {over}, the ranks of all quantities look uniform."]

    def _hint(self) -> str:
        said = "The templates were edited: compare the model block with the priors and with y_rep."
        if self.population == "normal":
            said += " For a population other than normal(mu, tau), pass population='template'."
        return said

    def _notes(self) -> list[str]:
        notes = []
        if self.errors:
            notes.append(f"Fits that failed: {len(self.errors)}, the first with: {self.errors[0]}")
        if self.unmixed:
            notes.append(f"Fits that did not mix: {self.unmixed}; their ranks count nevertheless.")
        if self.diverged:
            notes.append(f"Fits with divergent transitions: {self.diverged}.")
        return notes


# internals ------------------------------------------------------------------------------------


def _holm(p: pd.Series) -> pd.Series:
    ordered = p.sort_values()
    factor = np.arange(len(p), 0, -1)
    return (ordered * factor).cummax().clip(upper=1.0).reindex(p.index)


def _shape(name: str, row: pd.Series, N: int) -> str:
    """Say how the ranks of one quantity differ from uniform ones."""
    told = []
    if abs(row["mean"] - 0.5) > TOLD * np.sqrt(1 / 12 / N):
        told.append(f"too {'low' if row['mean'] > 0.5 else 'high'}")
    if abs(row["spread"] - 1) > TOLD * np.sqrt(0.2 / N):  # a uniform distribution's kurtosis is 1.8
        told.append(f"too {'narrow' if row['spread'] > 1 else 'wide'}")
    return f"{name}: its posteriors are {' and '.join(told) or 'of the wrong shape'}."
