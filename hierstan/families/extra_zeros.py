"""What families share whose counts may be 0 for a reason of their own."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
import pandas as pd

from hierstan import priors
from hierstan.families import raw
from hierstan.families.family import NOTHING, Draws
from hierstan.families.neg_binomial import NegBinomial
from hierstan.priors import Prior

STEPS = 30  # of expectation and maximization; the guesses need not be exact
LENT = 0.5  # rows of its own size that all groups together lend to each one
LEAST = 0.1  # share of the information there were if it were known which zeros are extra


class ExtraZeros(NegBinomial):
    """A row is an extra zero with odds ``zero_odds``; the mean of all rows is ``exp(theta)``.

    All groups have the same odds: those of a single group would be told from its mean by many rows
    alone. The raw estimates are those of `NegBinomial`, of which extra zeros have the variance.
    """

    zeros_apart = True
    parameters: ClassVar[tuple[str, ...]] = ("zero_odds",)

    def own_priors(self, scale: float, cells: pd.DataFrame) -> dict[str, Prior]:
        """Return the prior of the odds of an extra zero: 90 % of shares in 3 % to 81 %."""
        return {"zero_odds": priors.LogNormal(-1, 1.5)}

    def raw_estimates(self, cells: pd.DataFrame, J: int) -> pd.DataFrame:
        """Rates of all rows, extra zeros among them; and what `expansion` wants to know."""
        return super().raw_estimates(cells, J).assign(**self._apart(cells, J))

    def expansion(self, raw: Draws, mode: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the normal that fits each likelihood at a mean, given guesses of all else."""
        odds, excess = raw["odds"], raw["excess"]
        rate = np.exp(np.minimum(mode, 300)) * (1 + odds)
        over = 1 + excess * rate * raw["above exposure"] / np.maximum(raw["above"], 1)
        above = rate * raw["above exposure"] / over
        mean = rate * raw["zero exposure"] / np.maximum(raw["zeros"], 1)
        slope, other = mean / (1 + excess * mean), _of_zero(odds, excess, mean)
        fall = raw["zeros"] * other * slope
        score = raw["total"] / over - above - fall
        bend = fall * (1 / (1 + excess * mean) - (1 - other) * slope)
        precision = np.maximum(above + bend, LEAST * (above + fall)) + 1e-9
        return mode + score / precision, precision

    def falls(self, raw: Draws, theta: np.ndarray) -> np.ndarray:
        """Return how far each group's estimate falls for one unit more of ``log1p(zero_odds)``.

        Where means are large it is certain which zeros are extra, and the mean of the others is
        known: 1. Where they are small, the mean of all is: 0.

        Parameters
        ----------
        raw : mapping
            The columns of `raw_estimates`, (J,) each.
        theta : numpy.ndarray
            Means on the link scale, (J,).
        """
        odds, excess = raw["odds"], raw["excess"]
        mean = np.exp(np.clip(theta, -300, 300)) * (1 + odds) * raw["exposure"] / raw["n"]
        slope, none = mean / (1 + excess * mean), _none(excess, mean)
        information = with_extra_zeros(odds, slope, none)
        unsure = slope * _of_zero(odds, excess, mean) / np.maximum(information, 1e-300)
        return np.clip(1 - unsure, 0.0, 1.0)

    def information(self, theta: np.ndarray, weights: np.ndarray, own: Draws) -> np.ndarray:
        """Sum over rows; see `with_extra_zeros`."""
        odds, excess = own["zero_odds"], 1 / own["phi"] if "phi" in own else np.zeros(1)
        rate = np.exp(np.minimum(theta, 300)) * (1 + odds)

        def of_row(exposure: np.ndarray) -> np.ndarray:
            mean = exposure * rate
            return with_extra_zeros(odds, mean / (1 + excess * mean), _none(excess, mean))

        return raw.over_sizes(weights, of_row)

    def information_seen(self, raw: Draws, theta: np.ndarray, own: Draws) -> np.ndarray:
        """Return that of the rows there are, (J,): an extra zero says nothing of its group's mean.

        Parameters
        ----------
        raw : mapping
            The columns of `raw_estimates`, (J,) each.
        theta : numpy.ndarray
            Means on the link scale, (J,).
        own : mapping
            The family's own parameters, (1, 1) each.
        """
        known = {"odds": own["zero_odds"][0, 0], "excess": 1 / own["phi"][0, 0]}
        return self.expansion({**raw, **known}, theta)[1]

    def log_lik(self, cells: Draws, theta: np.ndarray, own: Draws = NOTHING) -> np.ndarray:
        """Return the log probabilities of the rows behind each cell."""
        odds, zero = own["zero_odds"], np.flatnonzero(cells["y"] == 0)
        either = self._log_of_others(cells, theta + np.log1p(odds), own)
        either[..., zero] = np.logaddexp(np.log(odds), either[..., zero])
        either -= np.log1p(odds)
        either *= cells["weight"]
        return either

    @abstractmethod
    def _log_of_others(self, cells: Draws, theta: np.ndarray, own: Draws) -> np.ndarray:
        """Return the log probability of a row that is no extra zero."""

    def _apart(self, cells: pd.DataFrame, J: int) -> dict[str, np.ndarray | float]:
        """Return zeros and other rows of each group, and guesses of the shared parameters.

        By expectation and maximization (Dempster, Laird and Rubin 1977), with moments for the
        dispersion.
        """
        group, y = cells["group"].to_numpy(), cells["y"].to_numpy(float)
        weight, exposure = cells["weight"].to_numpy(), cells["exposure"].to_numpy()
        zero, size = y == 0, weight * exposure
        total, rows = np.bincount(group, weight * y, J), weight.sum()
        lent = LENT * np.bincount(group, size, J) / np.bincount(group, weight, J)
        odds, excess, other = 1.0, 0.0, weight * np.where(zero, 0.5, 1.0)
        for _ in range(STEPS):
            overall = (total.sum() + 0.5) / (other @ exposure + np.median(lent))
            seen = np.bincount(group, other * exposure, J)
            mean = exposure * ((total + lent * overall) / (seen + lent))[group]
            odds = (rows - other.sum() + 0.3) / (other.sum() + 1)
            if "phi" in self.parameters:
                beyond = other @ ((y - mean) ** 2 - mean)
                excess = max(0.0, float(beyond / (other @ mean**2)))
            other = weight * np.where(zero, _of_zero(odds, excess, mean), 1.0)
        return {
            "odds": odds,
            "excess": excess,
            "total": total,
            "zeros": np.bincount(group, weight * zero, J),
            "above": np.bincount(group, weight * ~zero, J),
            "zero exposure": np.bincount(group, size * zero, J),
            "above exposure": np.bincount(group, size * ~zero, J),
        }


def with_extra_zeros(
    odds: np.ndarray, information: np.ndarray, no_events: np.ndarray
) -> np.ndarray:
    """Return what a count says of the log of its mean if it may be an extra zero.

    Parameters
    ----------
    odds : numpy.ndarray
        That it is.
    information, no_events : numpy.ndarray
        Fisher information of other counts, and their probability to be 0. At 0 the slope of their
        log probability is minus their information, both in Poisson and negative binomial ones.
    """
    other = 1 / (1 + odds)
    zero = odds * other + other * no_events
    above = other * information * (1 - no_events * information)
    return above + (other * no_events * information) ** 2 / zero


# internals ------------------------------------------------------------------------------------


def _none(excess: np.ndarray | float, mean: np.ndarray) -> np.ndarray:
    """Return the probability of 0 in a count that is no extra zero; `excess` is 1 / phi."""
    with np.errstate(divide="ignore", invalid="ignore"):
        over = np.log1p(excess * mean) / excess
    return np.asarray(np.exp(-np.where(np.asarray(excess) > 0, over, mean)))


def _of_zero(odds: np.ndarray | float, excess: np.ndarray | float, mean: np.ndarray) -> np.ndarray:
    """Return the probability that a 0 is no extra one."""
    none = _none(excess, mean)
    return np.asarray(none / (odds + none))
