"""What a page is about: fits by name, and the parts that each of them may consist of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hierstan.fit.fit import Fit
from hierstan.fit.trust import parts
from hierstan.fit.two_part import PART_WORDS, TwoPartFit
from hierstan.report.grid import text_of

POOLINGS = {"complete": "complete pooling", "none": "no pooling", "partial": "partial pooling"}
Whole = Fit | TwoPartFit


@dataclass(frozen=True)
class Part:
    """The fits of one of the models that the fits consist of; of most there is one.

    Attributes
    ----------
    key : str
        What sets its tables apart from those of the other parts; empty where there is one.
    head : str
        What it is about, such as "Who buys"; empty where there is one.
    fits : dict of str to Fit
    """

    key: str
    head: str
    fits: dict[str, Fit]

    @property
    def partial(self) -> Fit | None:
        """The first fit of partial pooling, if there is one."""
        return next((fit for fit in self.fits.values() if fit.model.has_population), None)


@dataclass(frozen=True)
class Subject:
    """What to report on.

    Attributes
    ----------
    fits : dict of str to Fit or TwoPartFit
        All of the same kind.
    title, question : str or None
    unit : str
        What is left out to compare the fits.
    prob : float
        Probability of the intervals.
    choice : dict or None
        Arguments of `decision_table`, if a group is to be chosen.
    """

    fits: dict[str, Whole]
    title: str | None
    question: str | None
    unit: str
    prob: float
    choice: dict[str, Any] | None

    @property
    def main(self) -> Whole:
        """The fit that is told about in detail: the first one of partial pooling."""
        partial = [fit for fit in self.fits.values() if fit.model.has_population]
        return [*partial, *self.fits.values()][0]

    @property
    def parts(self) -> list[Part]:
        """The models that the fits consist of."""
        found: dict[str, dict[str, Fit]] = {}
        for name, fit in self.fits.items():
            for key, part in parts(fit).items():
                found.setdefault(key, {})[name] = part
        heads = {key: PART_WORDS.get(key, "").capitalize() for key in found}
        return [Part(key, heads[key], fits) for key, fits in found.items()]

    @property
    def runs(self) -> list[tuple[str, Fit]]:
        """Every fit that there is draws of, with what to call it."""
        return [
            (name_of(name, fit) + (f", {part.head.lower()}" if part.head else ""), fit)
            for part in self.parts
            for name, fit in part.fits.items()
        ]


def name_of(name: str, fit: Whole) -> str:
    """Return what to call a fit: its pooling, unless the user calls it something else."""
    return POOLINGS[name] if name == fit.model.name else text_of(name)


def named(fits: Mapping[str, Whole]) -> list[str]:
    """Return what to call each of some fits."""
    return [name_of(name, fit) for name, fit in fits.items()]
