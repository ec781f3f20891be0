"""How much a group's own data say about its mean: Fisher information, draw by draw.

Everything here is on the link scale. The information is evaluated at each draw of ``theta`` and of
the family's own parameters, some groups at a time, so that memory stays bounded for any number of
groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from hierstan.data.grouped_data import GroupedData
from hierstan.families import FAMILIES
from hierstan.fit.fit import Fit
from hierstan.fit.observed_information import numeric, observed_information
from hierstan.sampling.theta import TILE

FEW = 200  # draws at which the levels of factors are weighed
IQR = 1.349  # of a standard normal
BLOCK = 2**21  # draws x groups at a time: 16 MB each for theta and for the information


def sampling_variance(fit: Fit, groups: slice = slice(None)) -> np.ndarray:
    """Return the sampling variance of each group's own estimate: one over its Fisher information.

    ============================ ==================================================
    family                       V of a group, on the link scale
    ============================ ==================================================
    known standard errors        ``se^2``
    normal, lognormal            ``sigma^2 / n``
    normal_unequal               ``sigma^2 / n``, with the group's own ``sigma``
    normal_weighted              ``sigma^2 / weight``
    student_t                    ``sigma^2 (nu + 3) / ((nu + 1) n)``
    binomial, bernoulli          ``1 / (n p (1 - p))``, with ``p = inv_logit(theta)``
    beta_binomial                one over the sum of ``n p (1 - p) (phi + 1) / (phi + n)`` over rows
                                 of n trials: what their variances say
    poisson                      ``1 / (exposure * exp(theta))``
    neg_binomial                 one over the sum of ``1 / (1 / (exposure * exp(theta)) + 1 / phi)``
                                 over rows
    zero_inflated_poisson, ...   one over the sum of what each row says, which may be an extra zero
    ordinal                      one over n times the sum of ``p (P(y > c) - P(y < c))^2`` over the
                                 categories c, with ``p = P(y = c)``
    gamma                        ``1 / (n * shape)``
    two arms                     the sum of both arms'
    edited likelihoods           from `hierstan.observed_information`, at up to 1,000 draws
    ============================ ==================================================

    Parameters
    ----------
    fit : Fit
    groups : slice
        Which groups; all of them need 8 S J bytes.

    Returns
    -------
    numpy.ndarray
        Of shape (S, J), with the family's parameters and ``theta`` at their draws, or (J,) for
        known standard errors. Infinite for a group that says nothing.

    References
    ----------
    Student's t: Lange, Little and Taylor 1989, doi:10.2307/2290063.

    Examples
    --------
    >>> import hierstan as hs
    >>> from hierstan.fit.information import sampling_variance
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> sampling_variance(fit)[:3].round().tolist()
    [225.0, 100.0, 256.0]
    """
    information = (
        observed_information(fit)[1][:, groups]
        if numeric(fit)
        else _expected(fit.data)(fit, groups)
    )
    with np.errstate(divide="ignore"):
        variance = 1 / information
    return variance[0] if variance.shape[0] == 1 else variance


@dataclass(frozen=True)
class ByGroup:
    """What pooling does to each group: averages over the draws, each of shape (J,).

    Attributes
    ----------
    pooling_factor : numpy.ndarray
        Posterior mean of ``B = V / (V + tau^2)``: 0 no pooling, 1 complete. For a fit of no pooling
        the sd of the prior of ``theta`` stands in for tau: the weight of that prior.
    variance_left : numpy.ndarray
        Posterior mean of ``var(theta | y, tau) / V``: what of its sampling variance the other
        groups leave. 1 in no pooling, and below that otherwise.
    """

    pooling_factor: np.ndarray
    variance_left: np.ndarray


def by_group(fit: Fit) -> ByGroup:
    """Average pooling factors and the variance that pooling leaves over the draws.

    Given tau, and with normal approximations to the groups' likelihoods, ``var(theta | y, tau) =
    V (1 - B) + B^2 var(mu | y, tau)``, where ``1 / var(mu | y, tau)`` is the sum of ``1 / (V +
    tau^2)`` over the groups (Gelman et al. 2013, Bayesian Data Analysis, section 5.4). With
    predictors, ``mu + x[j] * beta`` takes the place of ``mu``, with its variance in the weighted
    regression on them; with factors also what the levels of the group add, given their sds, at 200
    of the draws.
    """
    J = len(fit.data.groups)
    if fit.model.stands_alone:
        return ByGroup(_weight_of_prior(fit), np.ones(J))
    design, of_levels = _with_levels(fit)
    thin = slice(None) if of_levels is None else slice(None, None, max(1, len(of_levels) // FEW))
    precision: np.ndarray = sum(  # type: ignore[assignment]
        _products(block.weight[thin], design[block.groups]) for block in _blocks(fit)
    )
    if of_levels is not None:
        diagonal = np.arange(design.shape[1] - of_levels.shape[1], design.shape[1])
        precision[:, diagonal, diagonal] += of_levels[thin]
    covariance = np.linalg.pinv(precision, hermitian=True)
    factor, left = np.empty(J), np.empty(J)
    for block in _blocks(fit):
        B, rows = block.pooling_factor, design[block.groups]
        of_mean = np.einsum("sjq,jq->sj", rows @ covariance, rows)
        information = block.information[thin if len(block.information) > 1 else slice(None)]
        from_mu = B[thin] ** 2 * information * of_mean
        factor[block.groups] = B.mean(axis=0)
        left[block.groups] = (1 - B[thin] + from_mu).mean(axis=0)
    return ByGroup(factor, left)


@dataclass(frozen=True)
class ByDraw:
    """Sums over the groups at draws of a partial pooling fit, each of shape (S,).

    Attributes
    ----------
    tau : numpy.ndarray
    typical_variance : numpy.ndarray
        Higgins and Thompson's typical within-group variance.
    groups_borrowed : numpy.ndarray
        Sum of the pooling factors of all groups.
    """

    tau: np.ndarray
    typical_variance: np.ndarray
    groups_borrowed: np.ndarray


def by_draw(fit: Fit) -> ByDraw:
    """Sum pooling factors and information over the groups of a partial pooling fit.

    The typical variance is ``(J - 1) sum(w) / (sum(w)^2 - sum(w^2))`` with ``w = 1 / V``: the
    ``s^2`` of equation 9 in Higgins and Thompson 2002, doi:10.1002/sim.1186. Its denominator is
    twice the sum of all products of two different weights, and is computed as that: the difference
    would be lost in rounding where one group is known far better than the others. It is infinite
    where fewer than two groups say anything.
    """
    tau = total = products = borrowed = np.zeros(1)
    for block in _blocks(fit):
        tau = block.tau[:, 0]
        before = np.cumsum(block.information, axis=1)
        products = products + total * before[:, -1]
        products = products + (before[:, :-1] * block.information[:, 1:]).sum(axis=1)
        total = total + before[:, -1]
        borrowed = borrowed + block.pooling_factor.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        typical = (len(fit.data.groups) - 1) * total / (2 * products)
    typical = np.where(products > 0, typical, np.inf)
    return ByDraw(tau, np.broadcast_to(typical, tau.shape), borrowed)


# internals ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Block:
    """Some of the groups, at all of the draws; `information` has one line where it is the same."""

    groups: slice
    information: np.ndarray
    tau: np.ndarray

    @property
    def pooling_factor(self) -> np.ndarray:
        """V / (V + tau^2), written so that no information at all gives 1."""
        return 1 / (1 + self.information * self.tau**2)

    @property
    def weight(self) -> np.ndarray:
        """1 / (V + tau^2): the weight of each group in the population's mean."""
        return self.information * self.pooling_factor


def _with_levels(fit: Fit) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the design with a column for each level, and the levels' prior precision, (S, L)."""
    design = fit.data.design
    if fit.data.factors is None or numeric(fit):
        return design, None
    entries = fit.data.stan_data()
    columns = np.zeros((len(design), entries["L"]))
    for level in entries["level"]:
        columns[np.arange(len(design)), level - 1] = 1.0
    tau = fit.draws("tau_level")[:, entries["factor"] - 1]
    return np.hstack([design, columns]), 1 / tau**2


def _products(weight: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Return the weighted sums of the products of the columns of a design, draw by draw."""
    if design.shape[1] == 1:
        return np.asarray((weight @ design**2)[:, :, None])
    return np.stack([(design.T * line) @ design for line in weight])


def _weight_of_prior(fit: Fit) -> np.ndarray:
    """Return what the prior of ``theta`` weighs in each group's mean, (J,), taken as normal."""
    sd = float(np.diff(fit.priors["theta"].quantile([0.25, 0.75]))[0]) / IQR
    weights = [(1 / (1 + block.information * sd**2)).mean(axis=0) for block in _blocks(fit)]
    return np.concatenate(weights)


def _blocks(fit: Fit) -> Iterator[_Block]:
    S, J = len(fit.draws("mu" if not fit.model.stands_alone else "theta")), len(fit.data.groups)
    tau = fit.draws("tau")[:, None] if fit.model.has_population else np.zeros((S, 1))
    if numeric(fit):  # only as long as its draws and rows fit memory
        thin, information = observed_information(fit)
        yield _Block(slice(0, J), information, tau[thin])
        return
    expected = _expected(fit.data)
    drawn = not fit.keeps_theta and not fit.family.marginal
    width = TILE[1] if drawn else max(1, BLOCK // S)
    for start in range(0, J, width):
        groups = slice(start, min(start + width, J))
        yield _Block(groups, expected(fit, groups), tau)


def _expected(data: GroupedData) -> Callable[[Fit, slice], np.ndarray]:
    """Return the function that computes the expected information of some of the groups."""
    family = FAMILIES[data.family]
    weights = family.weights(data.cells, len(data.groups))

    def information(fit: Fit, groups: slice) -> np.ndarray:
        own = fit.own()
        if family.of_group:
            own[family.of_group] = fit.draws(family.of_group)[:, groups]
        if family.treatment:
            own["baseline"] = fit.draws("baseline")[:, groups]
        with np.errstate(over="ignore"):
            theta = np.zeros(1) if family.marginal else fit.theta(groups)
            return np.asarray(family.information(theta, weights[groups], own))

    return information
