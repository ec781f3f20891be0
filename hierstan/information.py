"""How much a group's own data say about its mean: Fisher information, draw by draw.

Everything here is on the link scale. The information is evaluated at each draw of ``theta`` and of
the family's own parameters, some groups at a time, so that memory stays bounded for any number of
groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from hierstan.data import GroupedData
from hierstan.families import FAMILIES
from hierstan.fit import Fit
from hierstan.sampling import stan_data
from hierstan.templates import packaged_directory

BLOCK = 2**21  # draws x groups at a time: 16 MB each for theta and for the information
MAX_OBSERVED = 1000  # draws at which an edited likelihood is differentiated

# What a group's data are counted in: the column of its cells, and the word for it.
UNITS = {
    "normal_known": (None, "estimates"),
    "normal": ("count", "rows"),
    "lognormal": ("count", "rows"),
    "gamma": ("count", "rows"),
    "student_t": (None, "rows"),
    "neg_binomial": ("weight", "rows"),
    "binomial": ("trials", "trials"),
    "bernoulli": ("trials", "rows"),
    "poisson": ("exposure", "exposure"),
}


def sampling_variance(fit: Fit, groups: slice = slice(None)) -> np.ndarray:
    """Return the sampling variance of each group's own estimate: one over its Fisher information.

    ============================ ==================================================
    family                       V of a group, on the link scale
    ============================ ==================================================
    known standard errors        ``se^2``
    normal, lognormal            ``sigma^2 / n``
    student_t                    ``sigma^2 (nu + 3) / ((nu + 1) n)``
    binomial, bernoulli          ``1 / (n p (1 - p))``, with ``p = inv_logit(theta)``
    poisson                      ``1 / (exposure * exp(theta))``
    neg_binomial                 ``(1 / exp(theta) + 1 / phi) / n``
    gamma                        ``1 / (n * shape)``
    edited likelihood            minus one over the second difference of ``log_lik``
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
    >>> from hierstan.information import sampling_variance
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> sampling_variance(fit)[:3].round().tolist()
    [225.0, 100.0, 256.0]
    """
    if _edited(fit):
        information = _observed(fit)[1][:, groups]
    else:
        information = _expected(fit.data)(fit, groups)
    with np.errstate(divide="ignore"):
        variance = 1 / information
    return variance[0] if variance.shape[0] == 1 else variance


def group_sizes(data: GroupedData) -> np.ndarray:
    """Return how much data each group has, (J,), in the family's natural unit (see `UNITS`)."""
    column, _ = UNITS[data.family]
    weights = np.ones(len(data.cells)) if column is None else data.cells[column].to_numpy(float)
    return np.bincount(data.cells["group"], weights=weights, minlength=len(data.groups))


@dataclass(frozen=True)
class ByGroup:
    """Averages over the draws, each of shape (J,).

    Attributes
    ----------
    variance : numpy.ndarray
        Geometric posterior mean of the sampling variance: it has no heavy tail, and for a few
        counts or events comes close to the variance that their own likelihood would leave.
    pooling_factor : numpy.ndarray
        Posterior mean of ``V / (V + tau^2)``: 0 no pooling, 1 complete.
    """

    variance: np.ndarray
    pooling_factor: np.ndarray


def by_group(fit: Fit) -> ByGroup:
    """Average sampling variances and pooling factors over the draws."""
    J = len(fit.data.groups)
    variance, factor = np.empty(J), np.full(J, float(fit.model.name == "complete"))
    for block in _blocks(fit):
        with np.errstate(divide="ignore"):
            variance[block.groups] = np.exp(-np.log(block.information).mean(axis=0))
        if fit.model.name == "partial":
            factor[block.groups] = block.pooling_factor.mean(axis=0)
    return ByGroup(variance, factor)


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
    ``s^2`` of equation 9 in Higgins and Thompson 2002, doi:10.1002/sim.1186.
    """
    tau, weights, squares, borrowed = None, 0.0, 0.0, 0.0
    for block in _blocks(fit):
        tau = block.tau
        weights = weights + block.information.sum(axis=1)
        squares = squares + (block.information**2).sum(axis=1)
        borrowed = borrowed + block.pooling_factor.sum(axis=1)
    assert tau is not None
    with np.errstate(divide="ignore", invalid="ignore"):
        typical = (len(fit.data.groups) - 1) * weights / (weights**2 - squares)
    typical = np.where(np.isfinite(typical), typical, np.inf)  # groups that say nothing
    return ByDraw(tau[:, 0], np.broadcast_to(typical, borrowed.shape), borrowed)


# internals ------------------------------------------------------------------------------------

# Each takes theta (S, K), the data's weight of each group (K,) and the family's parameters (S, 1).
_INFORMATION: dict[str, Callable[[np.ndarray, np.ndarray, Mapping[str, np.ndarray]], np.ndarray]] = {
    "normal_known": lambda theta, size, own: size[None, :],
    "normal": lambda theta, size, own: size / own["sigma"] ** 2,
    "lognormal": lambda theta, size, own: size / own["sigma"] ** 2,
    "student_t": lambda theta, size, own: (
        size / own["sigma"] ** 2 * (own["nu"] + 1) / (own["nu"] + 3)
    ),
    "binomial": lambda theta, size, own: size * _p_times_q(theta),
    "bernoulli": lambda theta, size, own: size * _p_times_q(theta),
    "poisson": lambda theta, size, own: size * np.exp(theta),
    "neg_binomial": lambda theta, size, own: size / (np.exp(-theta) + 1 / own["phi"]),
    "gamma": lambda theta, size, own: size * own["shape"],
}


def _p_times_q(theta: np.ndarray) -> np.ndarray:
    """Return p (1 - p) without cancelling where p is near 0 or 1."""
    small = np.exp(-np.abs(theta))
    return small / (1 + small) ** 2


@dataclass(frozen=True)
class _Block:
    """Some of the groups, at all of the draws; `information` has one line where it is the same."""

    groups: slice
    information: np.ndarray
    tau: np.ndarray | None

    @property
    def pooling_factor(self) -> np.ndarray:
        """V / (V + tau^2), written so that no information at all gives 1."""
        assert self.tau is not None
        return 1 / (1 + self.information * self.tau**2)


def _blocks(fit: Fit) -> Iterator[_Block]:
    tau = fit.draws("tau")[:, None] if fit.model.name == "partial" else None
    J = len(fit.data.groups)
    if _edited(fit):  # only as long as its draws and rows fit memory
        thin, information = _observed(fit)
        yield _Block(slice(0, J), information, None if tau is None else tau[thin])
        return
    expected = _expected(fit.data)
    draws = fit.options["chains"] * fit.options["draws"]
    width = max(1, BLOCK // draws)
    for start in range(0, J, width):
        groups = slice(start, min(start + width, J))
        yield _Block(groups, expected(fit, groups), tau)


def _expected(data: GroupedData) -> Callable[[Fit, slice], np.ndarray]:
    """Return the function that computes the expected information of some of the groups."""
    size = group_sizes(data)
    if data.family == "normal_known":
        precision = 1 / data.cells["se"].to_numpy() ** 2
        size = np.bincount(data.cells["group"], weights=precision, minlength=len(size))
    formula = _INFORMATION[data.family]

    def information(fit: Fit, groups: slice) -> np.ndarray:
        own = {name: fit.draws(name)[:, None] for name in FAMILIES[data.family].parameters}
        with np.errstate(over="ignore"):
            return np.asarray(formula(fit.draws("theta")[:, groups], size[groups], own))

    return information


def _edited(fit: Fit) -> bool:
    """Whether the family's file differs from the one whose information is known in closed form.

    A change of priors or of how groups relate does not matter here. Lines with slots are filled,
    so they are not compared.
    """
    if not fit.conditional.edited:
        return False
    file = f"families/{fit.data.family}.stan"
    shipped = (packaged_directory() / file).read_text(encoding="utf-8").splitlines()
    used = {
        number: line.strip()
        for line, (name, number) in zip(
            fit.conditional.code.splitlines(), fit.conditional.origins, strict=False
        )
        if name == file
    }
    return any(
        number > len(shipped) or ("{{ " not in shipped[number - 1] and shipped[number - 1].strip() != line)
        for number, line in used.items()
    )


def _observed(fit: Fit) -> tuple[slice, np.ndarray]:
    """Return which draws, and the observed information at them, (S, J), of an edited likelihood.

    Second differences of the program's own ``log_lik``, a tenth of each group's posterior sd apart.
    """
    from hierstan.engines.stanli import Evaluator

    evaluator = Evaluator(fit.conditional, stan_data(fit.data, fit.priors, pointwise=True))
    moved = "theta" if "theta" in evaluator.parameters else "mu"
    total = len(fit.draws(moved))
    thin = slice(None, None, -(-total // MAX_OBSERVED))
    draws = {name: fit.draws(name)[thin] for name in evaluator.parameters}
    step = 0.1 * fit.draws("theta").std(axis=0)
    shift = step if moved == "theta" else step[0]
    behind, here, ahead = (
        evaluator.written({**draws, moved: draws[moved] + k * shift}, ["log_lik"])["log_lik"]
        for k in (-1, 0, 1)
    )
    curvature = 2 * here - ahead - behind
    information = np.zeros((len(here), len(step)))
    np.add.at(information.T, fit.data.cells["group"].to_numpy(), curvature.T)
    information = information / step**2
    # at single draws it may be negative, where a likelihood with outliers is not log-concave
    return thin, np.maximum(information, 1e-3 * np.maximum(information.mean(axis=0), 0))
