"""Effect measures: what the estimates of a comparison mean, and which value says "no effect"."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """What a kind of effect is called, and on which scale it is estimated.

    Attributes
    ----------
    key : str
        As meta-analysts abbreviate it, such as "OR".
    words : str
        As people call it, such as "odds ratio".
    ratio : bool
        Whether estimates are logs of a ratio, so that readers want them exponentiated.
    """

    key: str
    words: str
    ratio: bool = False

    @property
    def link_words(self) -> str:
        """What the estimates themselves are: ratios are estimated as logs."""
        return f"log {self.words}" if self.ratio else self.words

    @property
    def no_effect(self) -> float:
        """The value that says "no effect", as readers see it."""
        return 1.0 if self.ratio else 0.0


MEASURES = {
    measure.key: measure
    for measure in (
        Measure("OR", "odds ratio", ratio=True),
        Measure("RR", "risk ratio", ratio=True),
        Measure("HR", "hazard ratio", ratio=True),
        Measure("IRR", "rate ratio", ratio=True),
        Measure("ROM", "ratio of means", ratio=True),
        Measure("RATIO", "ratio", ratio=True),
        Measure("RD", "risk difference"),
        Measure("IRD", "rate difference"),
        Measure("MD", "mean difference"),
        Measure("SMD", "standardised mean difference"),
    )
}
