"""How different the groups are: the evidence about tau, weighed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hierstan.fit.fit import Fit
from hierstan.priors import Prior

NEAR_ZERO = 0.9  # probability of a negligible tau from which complete pooling is adequate
UNLIKELY = 0.05  # and down to which the groups differ, if the data say so and not the prior alone:
AGAINST = 0.1  # a negligible tau makes them at most a tenth as likely as a middling one
TOWARDS = 3.0  # Bayes factor from which the data speak for a negligible tau
MOSTLY_PRIOR = 0.5  # contraction below which tau is mostly prior
GRID = np.concatenate([np.geomspace(1e-9, 5e-4, 200)[:-1], np.linspace(5e-4, 0.9995, 2000)])


@dataclass(frozen=True)
class Spread:
    """What the posterior of a partial pooling fit says about the differences between groups.

    Attributes
    ----------
    fit : Fit
    prob : float
        Probability of the intervals.
    i2 : float
        Posterior mean of I2.
    difference : float
        The smallest tau that matters.
    given : bool
        Whether the user named it.
    """

    fit: Fit
    prob: float
    i2: float
    difference: float
    given: bool

    @property
    def tau(self) -> np.ndarray:
        """Draws of tau, (S,)."""
        return self.fit.draws("tau")

    @property
    def prior(self) -> Prior:
        """The prior of tau."""
        return self.fit.priors["tau"]

    @property
    def negligible(self) -> float:
        """Posterior probability that tau is below the smallest difference that matters."""
        return float(np.mean(self.tau < self.difference))

    @property
    def negligible_before(self) -> float:
        """Prior probability of the same."""
        return float(self._before(self.difference))

    @property
    def support(self) -> float:
        """How far the data moved the odds of a negligible tau; above 1: towards it.

        A Bayes factor. Where no draw decides, half a draw does.
        """
        after, before = self._smoothed(), np.clip(self.negligible_before, 1e-9, 1 - 1e-9)
        return float(after / (1 - after) * (1 - before) / before)

    @property
    def fit_of_none(self) -> float:
        """How likely a negligible tau makes the data, against one from the middle of the posterior.

        A ratio of likelihoods, each averaged over its range of tau: posterior over prior
        probability of the range, so that a prior wider than need be does not count.
        """
        lower, upper = self._before(self._quartiles()[0])
        return float(self._smoothed() / self.negligible_before * (upper - lower) / 0.5)

    @property
    def contraction(self) -> float:
        """One minus posterior over prior variance of tau, from interquartile ranges."""
        after, before = (np.diff(quartiles)[0] for quartiles in self._quartiles())
        return float(1 - (after / before) ** 2)

    @property
    def mostly_prior(self) -> bool:
        """Whether the data neither narrowed nor moved the prior of tau much."""
        before = self._quartiles()[1]
        moved = abs(np.median(self.tau) - float(self.prior.quantile(0.5))) / np.diff(before)[0]
        return self.contraction < MOSTLY_PRIOR and moved < 0.5

    @property
    def kind(self) -> str:
        """What the posterior supports.

        ``"near zero"``, ``"no sign"`` (of a difference), ``"differ"``, ``"small"`` (around what is
        negligible) or ``"undecided"``.
        """
        if self.negligible >= NEAR_ZERO and (self.given or self.support > 1):
            return "near zero"
        if self.negligible >= 0.5 and self.support >= TOWARDS:
            return "no sign"
        excluded = self.negligible_before < 1 / len(self.tau)  # by the prior alone
        clear = not self.mostly_prior if excluded else self.fit_of_none <= AGAINST
        if self.negligible <= UNLIKELY and clear:
            return "differ"
        small = np.mean(self.tau < 2 * self.difference) >= 1 - UNLIKELY
        return "small" if small and not self.mostly_prior else "undecided"

    def range(self, tau: np.ndarray | float | None = None) -> tuple[float, float]:
        """Return where most groups lie, on the response scale: posterior medians of mu -+ z tau."""
        from scipy.stats import norm

        z = float(norm.ppf((1 + self.prob) / 2))
        mu, tau = self.fit.draws("mu"), self.tau if tau is None else tau
        ends = np.array([np.median(mu - z * tau), np.median(mu + z * tau)])
        lower, upper = self.fit.family.to_response(ends)
        return float(lower), float(upper)

    def _before(self, tau: np.ndarray | float) -> np.ndarray:
        """Return the prior probability that tau is below some values."""
        return np.interp(tau, self.prior.quantile(GRID), GRID)

    def _smoothed(self) -> float:
        size = len(self.tau)
        return (self.negligible * size + 0.5) / (size + 1)

    def _quartiles(self) -> tuple[np.ndarray, np.ndarray]:
        return np.quantile(self.tau, [0.25, 0.75]), self.prior.quantile([0.25, 0.75])
