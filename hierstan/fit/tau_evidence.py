"""How different the groups are: the evidence about tau, weighed by one rule.

The rule and its operating characteristics, simulated: ``tests/benchmarks/verdicts.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hierstan.families.between import between_groups
from hierstan.fit.fit import Fit
from hierstan.fit.information import ByDraw, by_draw
from hierstan.fit.once import once
from hierstan.fit.own_coordinates import coordinates
from hierstan.fit.tau_likelihood import MANY, TauLikelihood
from hierstan.fit.tau_shape import log_likelihood
from hierstan.priors import HalfNormal, Prior

TIMES = 3.0  # Bayes factor, either way, from which the data speak
DOUBT = 2.0  # how far a Bayes factor from draws may be off where verdicts look
UNLIKELY = 0.1  # probability of a negligible tau down to which the groups differ
LIKELY = 0.8  # and from which complete pooling is adequate
NEAR_ZERO = 0.9  # the same, where the user said what is negligible
OWN = 0.9  # weight of own data from which estimating each group alone is adequate
MOSTLY_PRIOR = 0.5  # contraction below which tau is mostly prior
NEAR = 0.75  # of the draws, the smallest, tell the density at 0
POINTS = 200  # there
SLOPE = 0.2  # sd of how far the log likelihood may be from that of normal approximations
PANEL = 6  # nodes between two quantiles of tau
GRID = np.concatenate([np.geomspace(1e-9, 5e-4, 200)[:-1], np.linspace(5e-4, 0.9995, 2000)])


@dataclass(frozen=True)
class Spread:
    """What the posterior of a partial pooling fit says about the differences between groups.

    Attributes
    ----------
    fit : Fit
    tau : numpy.ndarray
        Draws of tau, (S,).
    prior : Prior
        The prior of tau.
    noise : float
        Higgins and Thompson's typical standard error within a group.
    i2 : float
        Posterior mean of I2.
    own : float
        The weight of a group's own data in its mean: ``tau^2 / (tau^2 + V)``, averaged over the
        posterior and the groups.
    difference : float
        The smallest tau that matters.
    given : bool
        Whether the user named it; by default it is a third of `noise`.
    prob : float
        Probability of the intervals.
    name : str
        Which standard deviation: ``"tau"``, or that between the levels of a factor.
    """

    fit: Fit
    tau: np.ndarray
    prior: Prior
    noise: float
    i2: float
    own: float
    difference: float
    given: bool
    prob: float
    name: str = "tau"

    @cached_property
    def kind(self) -> str:
        """What the posterior supports.

        ``"partial"``: the groups differ. The data are over three times as likely as without any
        difference between groups, and tau is negligible with a probability below 0.1.
        ``"none"``: so they do, and own data hold over 90% of the weight in the groups' means.
        ``"complete"``: the data are over three times as likely without any difference, and tau is
        negligible with a probability of at least 0.8. ``"undecided"``: anything else. Where the
        factor is from draws it may be off by two, and over six times is asked for.
        """
        factor, times = self.bayes_factor, TIMES if self.exact else TIMES * DOUBT
        if self.negligible < UNLIKELY and factor > times:
            return "none" if self.own > OWN else "partial"
        if self.negligible >= LIKELY and factor < 1 / times:
            return "complete"
        small = self.given and self.negligible >= NEAR_ZERO and not self.mostly_prior
        return "complete" if small else "undecided"

    @property
    def negligible(self) -> float:
        """Posterior probability that tau is below the smallest difference that matters."""
        return float(np.mean(self.tau < self.difference))

    @property
    def negligible_before(self) -> float:
        """Prior probability of the same."""
        return float(self._before(self.difference))

    @property
    def exact(self) -> bool:
        """Whether the Bayes factor is by quadrature, and not from draws."""
        return self._weighed[1]

    @property
    def bayes_factor(self) -> float:
        """How much likelier the data are under partial than under complete pooling.

        By quadrature (`hierstan.fit.tau_likelihood`), but for factors, two arms, correlated
        estimates, edited templates and more than 20,000 groups. There from the draws:
        the prior over the posterior density of tau at 0 (Dickey 1971,
        doi:10.1214/aoms/1177693507). The posterior over the prior density is the likelihood of tau.
        It is nearly that of normal approximations of the groups' likelihoods, all else integrated
        out (`hierstan.fit.tau_shape`); what it differs from it by is smooth in ``tau^2``, and a
        parabola in it is fitted to the draws by local likelihood (Loader 1996,
        doi:10.1214/aos/1032298287), drawn to 0 where few are near. The more room a prior of tau
        gives, the more it speaks against partial pooling: one that is wider than the default of
        estimates with known standard errors is judged as if it were that, so that the same data
        speak alike in every form.
        """
        return self._weighed[0]

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

    def new_group(self, tau: float | None = None) -> tuple[float, float]:
        """Return the prediction interval of a new group's mean, on the response scale.

        With `tau` given it is the interval at about this value: from the tenth of the draws that
        are nearest to it, with what they leave open of ``mu``.
        """
        new = self.fit.draws("theta_new")
        if tau is not None:
            from scipy.special import ndtri

            drawn = self.fit.draws("tau")
            nearest = np.argsort(np.abs(drawn - tau))[: max(len(drawn) // 10, 50)]
            z = ndtri((np.arange(99) + 0.5) / 99)
            new = (self.fit.draws("mu")[nearest][:, None] + tau * z).ravel()
        ends = np.quantile(new, [(1 - self.prob) / 2, (1 + self.prob) / 2])
        lower, upper = self.fit.to_response(ends, draws=None)
        return float(lower), float(upper)

    @cached_property
    def _weighed(self) -> tuple[float, bool]:
        """The Bayes factor, and whether it is by quadrature."""

        def weigh() -> tuple[float, bool]:
            exactly = self._by_quadrature()
            return (self._by_draws(), False) if exactly is None else (exactly, True)

        return once(self.fit, (Spread, self.name, str(self.prior)), weigh)

    def _by_quadrature(self) -> float | None:
        """Return the Bayes factor without any noise of the draws, where that can be done."""
        fit = self.fit
        if self.name != "tau" or fit.conditional.edited or not TauLikelihood.takes(fit.data):
            return None
        tau, relative = once(fit, (TauLikelihood,), lambda: _relative(fit))
        judged = self._reference or self.prior
        terms = relative + judged.log_density(tau)
        if not np.isfinite(relative).all():
            return None
        best = float(terms.max())
        return float(np.exp(np.clip(best + np.log(np.exp(terms - best).sum()), -700, 700)))

    def _by_draws(self) -> float:
        """Return the Bayes factor by what the draws near 0 say."""
        near = float(np.quantile(self.tau, NEAR))
        below = self.tau[self.tau <= near]
        points = near * (np.arange(POINTS) + 0.5) / POINTS
        log_weight = self.prior.log_density(points)
        log_weight += log_likelihood(self.fit, self.name, points)
        log_weight += np.log(near / POINTS * len(self.tau))
        log_factor = -_log_density_at_zero((below / near) ** 2, (points / near) ** 2, log_weight)
        return float(np.exp(np.clip(log_factor, -700, 700))) * self._to_reference()

    @property
    def _reference(self) -> Prior | None:
        """The prior of tau by which a wider one is judged; None where this is not wider."""
        between, _, few = between_groups(self.fit.family, self.fit.data.cells)
        reference = HalfNormal(between * few)
        return reference if self.prior.quantile(0.5) > reference.quantile(0.5) else None

    def _to_reference(self) -> float:
        """Marginal likelihood under the reference prior of tau over that under this prior."""
        if (reference := self._reference) is None:
            return 1.0
        ratio = reference.log_density(self.tau) - self.prior.log_density(self.tau)
        return float(np.exp(ratio).mean())

    def _before(self, tau: np.ndarray | float) -> np.ndarray:
        """Return the prior probability that tau is below some values."""
        return np.interp(tau, self.prior.quantile(GRID), GRID, left=0.0)

    def _quartiles(self) -> tuple[np.ndarray, np.ndarray]:
        return np.quantile(self.tau, [0.25, 0.75]), self.prior.quantile([0.25, 0.75])


def spread_of(
    fit: Fit,
    *,
    prob: float = 0.9,
    smallest_difference: float | None = None,
    prior: Prior | None = None,
) -> Spread:
    """Weigh the evidence of a partial pooling fit.

    Parameters
    ----------
    fit : Fit
    prob : float
        Probability of the intervals.
    smallest_difference : float, optional
        The smallest tau that matters.
    prior : Prior, optional
        Of tau, instead of the one that was fitted: draws are resampled by the ratio of the two.
    """
    sums = sums_of(fit)
    own = 1 - sums.groups_borrowed / len(fit.data.groups)
    keep = np.arange(len(sums.tau))
    if prior is not None:
        ratio = prior.log_density(sums.tau) - fit.priors["tau"].log_density(sums.tau)
        weight = np.cumsum(np.exp(ratio - ratio.max()))
        keep = np.searchsorted(weight, (keep + 0.5) / len(keep) * weight[-1])
    noise = float(np.median(np.sqrt(sums.typical_variance)))
    i2 = sums.tau**2 / (sums.tau**2 + sums.typical_variance)
    return Spread(
        fit=fit,
        tau=sums.tau[keep],
        prior=prior or fit.priors["tau"],
        noise=noise,
        i2=float(i2[keep].mean()),
        own=float(own[keep].mean()),
        difference=noise / 3 if smallest_difference is None else float(smallest_difference),
        given=smallest_difference is not None,
        prob=float(prob),
    )


def sums_of(fit: Fit) -> ByDraw:
    """Return what `by_draw` sums up, computed once."""
    return once(fit, (by_draw,), lambda: by_draw(fit))


def whereabouts(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Return where the coordinates of the family's own parameters are, and how wide."""
    at = coordinates(fit.family, {name: fit.draws(name) for name in fit.family.parameters})
    return at.mean(axis=0), at.std(axis=0)


# internals ------------------------------------------------------------------------------------


def _relative(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Return values of tau, and the logs of their likelihoods over that of 0 times their steps."""
    tau, step = _panels(fit.draws("tau"), len(fit.data.groups))
    found = TauLikelihood(fit.data, fit.priors, whereabouts(fit))(np.append(0.0, tau))
    return tau, np.log(step) + found[1:] - found[0]


def _panels(draws: np.ndarray, J: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes of Gauss-Legendre rules between quantiles of some draws, and their weights."""
    few = J >= MANY
    inner = np.quantile(draws, (0.0, 0.5, 1.0) if few else (0.0, 0.05, 0.3, 0.7, 0.95, 1.0))
    beyond = inner[-1] + (inner[-1] - inner[0]) / 4
    edges = np.unique([0.0, *inner, beyond])
    nodes, weights = np.polynomial.legendre.leggauss(PANEL)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + nodes)).ravel(), (half * weights).ravel()


def _log_density_at_zero(x: np.ndarray, grid: np.ndarray, log_weight: np.ndarray) -> float:
    """Return ``a`` of the density ``exp(a + b x + c x^2)`` that fits draws on (0, 1) best.

    It is relative to a measure on the points of `grid`: a Poisson regression, by Newton's method.
    ``b`` and ``c`` are drawn to 0.
    """
    largest = float(log_weight.max())
    weight = np.exp(log_weight - largest)
    design = np.stack([np.ones_like(grid), grid, grid**2])
    seen = np.array([len(x), x.sum(), (x**2).sum()])
    beta = np.array([np.log(len(x) / weight.sum()), 0.0, 0.0])
    drawn = np.array([0.0, 1.0, 1.0]) / SLOPE**2
    for _ in range(50):
        mean = weight * np.exp(np.clip(beta @ design, -50, 50))
        curvature = (design * mean) @ design.T + np.diag(drawn)
        step = np.linalg.solve(curvature, seen - design @ mean - drawn * beta)
        beta = beta + step * min(1.0, 2 / float(np.abs(step).max()))
        if float(np.abs(step).max()) < 1e-6:
            break
    return float(beta[0]) - largest
