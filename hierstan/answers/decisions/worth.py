"""What each group is worth, draw by draw, some draws or some groups at a time.

Ten thousand groups times four thousand draws are 320 MB, and a comparison of all pairs of groups is
out of the question: everything that decides between groups goes through here, a block at a time.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from hierstan.data.labels import position
from hierstan.data.own_estimates import group_sizes, shown_estimates
from hierstan.errors import HierstanError, warn
from hierstan.fit.fit import Fit
from hierstan.fit.infinite_means import infinite_because
from hierstan.fit.trust import doubts, parts
from hierstan.fit.two_part import CURE, TwoPartFit
from hierstan.sampling.theta import TILE
from hierstan.text.answer import AnswerColumn
from hierstan.text.numbers import figure, points

BLOCK = 2**20  # draws x groups at a time: 8 MB, a few times over
SCALES = ("response", "link", "mean")
SURE = 0.95
HEAVY = 0.7  # Pareto k


@dataclass(frozen=True, eq=False)
class Values:
    """Draws of what each group is worth.

    Attributes
    ----------
    fit : Fit
    scale : {"response", "link", "mean"}
        ``"mean"``: the expected outcome, which differs from the response scale in the lognormal
        family alone, where that is the median.
    larger_is_better : bool
    doubt : str
        Why the draws cannot be relied on, if `hierstan.diagnose` does not trust them.
    """

    fit: Any  # a Fit; a TwoPartFit of `TwoPartValues`
    scale: str
    larger_is_better: bool
    doubt: str = ""

    @property
    def groups(self) -> pd.Index:
        """The group labels."""
        return self.fit.data.groups

    @property
    def group_column(self) -> Hashable:
        """The user's column of the groups."""
        return self.fit.data.columns.get("group", "group")

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of draws and of groups, (S, J)."""
        sizes = self.fit.arrays.sizes
        return int(sizes["chain"] * sizes["draw"]), len(self.groups)

    def by_draws(self) -> Iterator[np.ndarray]:
        """Yield the values at some draws of all groups, (s, J), chains one after the other."""
        S, J = self.sizes
        step = max(1, BLOCK // J) if self.fit.keeps_theta else TILE[0]
        for start in range(0, S, step):
            draws = slice(start, min(start + step, S))
            yield self._on_scale(self.fit.theta(draws=draws), draws)

    def goodness(self) -> Iterator[np.ndarray]:
        """Yield the same in the order of preference: more is better, whatever the scale.

        On the link scale, where large values cannot run together at 1 as they do among rates.
        """
        sign = 1.0 if self.larger_is_better else -1.0
        for block in replace(self, scale="link").by_draws():
            yield sign * block

    def by_groups(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield some groups, and all draws of their values, (S, K)."""
        S, J = self.sizes
        step = max(1, BLOCK // S) if self.fit.keeps_theta else TILE[1]
        for start in range(0, J, step):
            part = slice(start, min(start + step, J))
            yield part, self._on_scale(self.fit.theta(groups=part), slice(None))

    def of(self, label: Hashable) -> np.ndarray:
        """Return the draws of one group, (S,)."""
        position = np.array([self.position(label)])
        return self._on_scale(self.fit.theta(groups=position), slice(None))[:, 0]

    @property
    def exponential(self) -> bool:
        """Whether the values are exponentials, whose mean a few extreme draws may decide."""
        return bool(self.fit.family.link == "log" and self.scale != "link")

    def difference(self, value: float, digits: int = 3) -> str:
        """Return a difference between two groups in words; between shares, in points."""
        shares = isinstance(self.fit, Fit) and self.fit.family.shares and self.scale != "link"
        return points(value, digits) if shares else figure(value, digits)

    def raw(self) -> pd.DataFrame:
        """Return what the data alone say: ``n`` and ``raw``, one line per group."""
        estimates = shown_estimates(self.fit.data, self.scale)["raw"]
        table = pd.DataFrame({"n": group_sizes(self.fit.data), "raw": estimates})
        medians = self.scale == "mean" and self.fit.family.medians
        return table.drop(columns="raw") if medians else table

    def require_means(self) -> None:
        """Refuse to average values whose expectation is infinite."""
        if self.scale == "mean" and self.fit.family.medians:
            rows = int(self.fit.data.cells["count"].min())
            if guilty := infinite_because(self.fit, rows=rows, of="mean"):
                raise HierstanError(
                    "scale='mean' is exp(theta + sigma^2 / 2), whose expectation is infinite under "
                    f"the prior {guilty}. Use scale='response' (medians), or a prior on sigma that "
                    "falls faster: a HalfNormal with a scale below 1, or a Uniform."
                )

    def infinite_sd(self) -> np.ndarray:
        """Say of which groups the standard deviation is infinite, (J,)."""
        return np.zeros(len(self.groups), dtype=bool)

    def position(self, label: Hashable) -> int:
        """Return the position of a group, given by its label."""
        return position(self.groups, label)

    def series(self, numbers: np.ndarray, name: str) -> pd.Series:
        """Return one number for each group, by label."""
        column = AnswerColumn(numbers, index=self.groups, name=name)
        if self.groups.name == "group":
            column.index = column.index.rename(self.group_column)
        return column

    def _on_scale(self, theta: np.ndarray, draws: slice) -> np.ndarray:
        if self.scale == "link":
            return np.asarray(theta, dtype=float)
        if self.scale == "mean":
            names = self.fit.family.parameters
            own = {name: self.fit.draws(name)[draws, None] for name in names}
            theta = theta + self.fit.family.mean_offset(own)
        return self.fit.to_response(theta, draws)


@dataclass(frozen=True, eq=False)
class TwoPartValues(Values):
    """Draws of each group's revenue per customer, or on the link scale of its logarithm.

    Attributes
    ----------
    fit : TwoPartFit
    """

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of draws and of groups, (S, J)."""
        sizes = self.fit.rate.arrays.sizes
        return int(sizes["chain"] * sizes["draw"]), len(self.groups)

    def by_draws(self) -> Iterator[np.ndarray]:
        """Yield the values at some draws of all groups, (s, J), chains one after the other."""
        S, J = self.sizes
        step = max(1, BLOCK // J)
        for start in range(0, S, step):
            yield self._block(draws=slice(start, start + step))

    def by_groups(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield some groups, and all draws of their values, (S, K)."""
        for part in self.fit.parts():
            yield part, self._block(groups=part)

    def of(self, label: Hashable) -> np.ndarray:
        """Return the draws of one group, (S,)."""
        at = self.position(label)
        return self._block(groups=slice(at, at + 1))[:, 0]

    @property
    def exponential(self) -> bool:
        """Whether the values are exponentials, whose mean a few extreme draws may decide."""
        return self.scale != "link" and self.fit.logarithmic

    def raw(self) -> pd.DataFrame:
        """Return what the data alone say: ``n`` customers and ``raw``, one line per group."""
        raw = self.fit.data.table["raw"]
        with np.errstate(divide="ignore"):  # no revenue at all
            raw = np.log(raw) if self.scale == "link" and self.fit.logarithmic else raw
        return pd.DataFrame({"n": self.fit.data.table["customers"], "raw": raw})

    def require_means(self) -> None:
        """Refuse to average values whose expectation is infinite."""
        if self.scale != "link" and (reason := self.fit.why_infinite()):
            raise HierstanError(
                f"{reason}, so no difference of means is finite either. {CURE} Or take "
                "scale='link', the logarithm; probabilities and ranks hold in any case."
            )

    def infinite_sd(self) -> np.ndarray:
        """Say of which groups the standard deviation is infinite, (J,)."""
        return np.array([self.scale != "link" and bool(why) for why in self.fit.infinite(2)])

    def _block(self, **part: slice) -> np.ndarray:
        return np.asarray(self.fit.block("mean", log=self.scale == "link", **part))


def values_of(fit: object, scale: str, larger_is_better: bool) -> Values:
    """Check what every decision is given, and return the groups' values."""
    if not isinstance(fit, (Fit, TwoPartFit)):
        raise HierstanError(
            f"Decisions take a fit, got {type(fit).__name__}. Of several fits, take one: "
            'fits["partial"].'
        )
    if scale not in SCALES:
        raise HierstanError(f"scale= must be one of {', '.join(SCALES)}; got {scale!r}.")
    if not isinstance(larger_is_better, (bool, np.bool_)):
        raise HierstanError(f"larger_is_better= must be True or False, got {larger_is_better!r}.")
    kind = TwoPartValues if isinstance(fit, TwoPartFit) else Values
    return kind(fit, scale, bool(larger_is_better), doubts(parts(fit)))


def warn_if_heavy(draws: np.ndarray, what: str, cure: str) -> None:
    """Warn of an expectation that a few draws decide, as on a log link with vague data.

    By the shape of the generalized Pareto distribution that fits the largest draws: above 0.7 their
    mean does not settle, above 1 it is infinite (Vehtari et al. 2024, arXiv:1507.02646).
    """
    if len(draws) < 100 or np.ptp(draws) == 0:
        return
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]

    k = float(array_stats.pareto_khat(draws[None, :], tail="right"))
    if k > HEAVY:
        where = "does not exist or is infinite" if k >= 1 else "rests on a few extreme draws"
        warn(
            f"{what} {where} (Pareto k {k:.2f}), so that another run would give another number. "
            f"{cure}, or use a prior that rules out absurd groups.",
        )
