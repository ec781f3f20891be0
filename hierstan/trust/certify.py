"""An exact certificate: the draws held against a posterior that was computed without sampling.

Where the group means can be integrated out, what is left has two or three dimensions, and its
moments can be computed by quadrature (`hierstan.quadrature`) as exactly as one likes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from hierstan.errors import HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.taken import check_fit
from hierstan.priors import Prior
from hierstan.text.answer import tables_of
from hierstan.text.tables import Page, Printed, plain_labels
from hierstan.trust.quadrature import Groups, Moments, population, separate

FAMILIES = ("bernoulli", "binomial", "normal", "normal_known", "poisson")
MAX_GROUPS = {True: 1000, False: 200}  # where the likelihood is normal, and elsewhere
SETTLED = 0.01  # posterior standard deviations by which half the nodes may be off
FALSE_ALARM = 0.001  # of `ok` on correct draws
LEAST_LIMIT = 4.0  # MCSEs; the MCSE is itself an estimate


@dataclass(frozen=True, eq=False, repr=False)
class Certificate(Printed):
    """Draws held against the exact posterior.

    Attributes
    ----------
    table : pandas.DataFrame
        One line per parameter: ``mean, sd`` of the draws, ``exact_mean, exact_sd``, and how far the
        first two are from the exact ones, in Monte Carlo standard errors: ``mean_z, sd_z``.
    limit : float
        The largest distance, in MCSEs, that is put down to chance: at least 4, and more for many
        parameters, so that correct draws pass in 999 of 1,000 cases.
    quadrature_error : float
        By how much the exact values change with half the nodes, in posterior standard deviations.
    """

    table: pd.DataFrame
    limit: float
    quadrature_error: float

    @property
    def ok(self) -> bool:
        """Whether no mean and no standard deviation is further off than `limit`."""
        return bool((self.table[["mean_z", "sd_z"]].abs() <= self.limit).all(axis=None))

    def page(self) -> Page:
        """Return what is printed."""
        z = self.table[["mean_z", "sd_z"]].abs().max(axis=1)
        off = z[~(z <= self.limit)]
        checked = f"means and standard deviations of {len(z)} parameters"
        if off.empty:
            said = f"The draws agree with the exact posterior: {checked} were compared."
        else:
            names = ", ".join(map(str, off.index[:5])) + (", …" if len(off) > 5 else "")
            said = f"The draws do NOT agree with the exact posterior: {names} are off ({checked})."
        distance = (
            f"{z.max():.1f} Monte Carlo standard errors at most, of {z.idxmax()}; "
            f"{self.limit:.1f} can be chance"
        )
        exact = (
            "by quadrature that no sampler had a part in; half its nodes change it by "
            f"{self.quadrature_error:.0e} posterior standard deviations"
        )
        facts = (("Distance", distance), ("Exact", exact))
        return Page(said, facts, tables_of(self.table, each_row=True))


def certify(fit: Fit) -> Certificate:
    """Compare a fit's draws with the exact posterior.

    Parameters
    ----------
    fit : Fit
        Of known-se normal data, normal rows, binomial, Bernoulli or Poisson data, with any pooling
        and any priors, from templates as shipped.

    Returns
    -------
    Certificate
        ``.ok``, ``.table``; says it in words when printed.

    Raises
    ------
    HierstanError
        If the posterior cannot be computed so: other families, edited templates, draws from the
        prior, too many groups (1,000; 200 of counts).

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> fit = hs.PartialPooling().fit(data, seed=1, engine="stanli")
    >>> certificate = hs.certify(fit)
    >>> certificate.ok, list(certificate.table.index[:3])
    (True, ['mu', 'tau', 'theta[A]'])
    """
    _check(fit)
    exact = _exact(fit)
    if not exact.error <= SETTLED:
        raise HierstanError(
            f"The quadrature did not settle: half its nodes change it by {exact.error:.1g} "
            "posterior standard deviations. Priors far from the data, or bounded ones, can do that."
        )
    table = _compared(fit, exact)
    return Certificate(table, _limit(2 * len(table)), exact.error)


# internals ------------------------------------------------------------------------------------


def _check(fit: Fit) -> None:
    check_fit(fit, "certify")
    why, most = "", MAX_GROUPS[fit.family.marginal]
    if fit.data.family not in FAMILIES:
        why = f"the exact posterior of {fit.data.family} data is not at hand"
    elif fit.data.predictors is not None:
        why = "its group means depend on predictors"
    elif fit.data.factors is not None and not fit.model.stands_alone:
        why = "its group means depend on factors"
    elif fit.prior_only:
        why = "its draws are from the prior"
    elif fit.program.edited or fit.conditional.edited:
        why = "its templates were edited, and the exact posterior is that of those shipped"
    elif fit.model.has_population and len(fit.data.groups) > most:
        why = f"it has {len(fit.data.groups):,} groups, more than {most:,}"
    if why:
        raise HierstanError(
            f"This fit cannot be certified: {why}. Families that can: {', '.join(FAMILIES)}. "
            "hierstan.sbc checks any model, hierstan.cross_check any program."
        )


def _exact(fit: Fit) -> Moments:
    """Return the exact moments, in the fit's own names."""
    cells, family, priors = fit.data.cells, fit.data.family, fit.priors
    sigma = priors["sigma"].log_density if "sigma" in priors else None
    if fit.model.has_population:
        groups = _GROUPS[family](cells, len(fit.data.groups))
        mu, tau = priors["mu"], priors["tau"]
        return population(groups, mu.log_density, _center(mu), tau.log_density, sigma)
    if fit.model.stands_alone:
        groups, prior = _GROUPS[family](cells, len(fit.data.groups)), priors["theta"]
        return separate(groups, prior.log_density, _center(prior), sigma)
    # complete pooling is a single group
    groups, prior = _GROUPS[family](cells.assign(group=0), 1), priors["mu"]
    found = separate(groups, prior.log_density, _center(prior), sigma)
    named = [
        {("mu" if name == "theta" else name): value for name, value in part.items()}
        for part in (found.mean, found.sd)
    ]
    return Moments(named[0], named[1], found.error)


def _center(prior: Prior) -> tuple[float, float]:
    low, middle, high = prior.quantile([0.16, 0.5, 0.84])
    return float(middle), float(high - low) / 2


def _compared(fit: Fit, exact: Moments) -> pd.DataFrame:
    lines = {}
    labels = plain_labels(fit.data.groups)
    for name in sorted(exact.mean):
        many = name == "theta"
        draws = fit.theta() if many else fit.draws(name)
        draws = draws.reshape(fit.options["chains"], fit.options["draws"], -1)
        for k in range(draws.shape[2]):
            label = f"{name}[{labels[k]}]" if many else name
            truth = [float(np.atleast_1d(part[name])[k]) for part in (exact.mean, exact.sd)]
            lines[label] = _line(draws[:, :, k], *truth)
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis(index="parameter")


def _line(draws: np.ndarray, exact_mean: float, exact_sd: float) -> dict[str, float]:
    """Compare one parameter's draws, (chains, draws).

    The standard deviation's error is that of the mean square by the delta method, with the squares'
    own effective sample size, which is another than that of the draws.
    """
    mean, sd = float(draws.mean()), float(draws.std())
    return {
        "mean": mean,
        "sd": sd,
        "exact_mean": exact_mean,
        "exact_sd": exact_sd,
        "mean_z": (mean - exact_mean) / _mcse(draws),
        "sd_z": (sd - exact_sd) / (_mcse((draws - mean) ** 2) / (2 * sd)),
    }


def _mcse(values: np.ndarray) -> float:
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]

    return float(array_stats.mcse(values, chain_axis=0, draw_axis=1))


def _limit(comparisons: int) -> float:
    from scipy import stats

    return max(LEAST_LIMIT, float(stats.norm.isf(FALSE_ALARM / 2 / comparisons)))


def _sums(cells: pd.DataFrame, J: int, values: ArrayLike) -> np.ndarray:
    return np.bincount(cells["group"], weights=np.asarray(values, dtype=float), minlength=J)


def _known_se(cells: pd.DataFrame, J: int) -> Groups:
    """Several estimates of one mean are as good as their weighted mean."""
    weight = 1 / cells["se"] ** 2
    total = _sums(cells, J, weight)
    y, v = _sums(cells, J, weight * cells["y"]) / total, 1 / total

    def log_lik(theta: np.ndarray, _: np.ndarray) -> np.ndarray:
        return -0.5 * (y - theta) ** 2 / v

    return _groups(log_lik, y, lambda s: np.broadcast_to(v, (len(s), J)), normal=True)


def _rows(cells: pd.DataFrame, J: int) -> Groups:
    count = _sums(cells, J, cells["count"])
    y = _sums(cells, J, cells["count"] * cells["y"]) / count
    off = cells["y"].to_numpy() - y[cells["group"]]
    squares = _sums(cells, J, cells["squares"] + cells["count"] * off**2)

    def log_lik(theta: np.ndarray, s: np.ndarray) -> np.ndarray:
        return -count * np.log(s) - 0.5 * (squares + count * (y - theta) ** 2) / s**2

    def variance(s: np.ndarray) -> np.ndarray:
        return s**2 / count

    typical = np.sqrt(squares.sum() / max(count.sum() - J, 1))
    typical = float(typical) if typical > 0 else max(float(np.ptp(y)), 1e-3)
    return _groups(log_lik, y, variance, normal=True, typical=typical)


def _trials(cells: pd.DataFrame, J: int) -> Groups:
    y, n = _sums(cells, J, cells["y"]), _sums(cells, J, cells["trials"])

    def log_lik(theta: np.ndarray, _: np.ndarray) -> np.ndarray:
        return y * theta - n * np.logaddexp(0.0, theta)

    a, b = y + 0.5, n - y + 0.5
    v = 1 / a + 1 / b
    return _groups(log_lik, np.log(a / b), lambda s: np.broadcast_to(v, (len(s), J)), normal=False)


def _events(cells: pd.DataFrame, J: int) -> Groups:
    y, exposure = _sums(cells, J, cells["y"]), _sums(cells, J, cells["exposure"])

    def log_lik(theta: np.ndarray, _: np.ndarray) -> np.ndarray:
        return y * theta - exposure * np.exp(np.minimum(theta, 600.0))

    link, v = np.log((y + 0.5) / exposure), 1 / (y + 0.5)
    return _groups(log_lik, link, lambda s: np.broadcast_to(v, (len(s), J)), normal=False)


def _groups(
    log_lik: Callable[[np.ndarray, np.ndarray], np.ndarray],
    link: np.ndarray,
    variance: Callable[[np.ndarray], np.ndarray],
    *,
    normal: bool,
    typical: float = 1.0,
) -> Groups:
    se = np.sqrt(variance(np.array([[typical]])))
    high = float(np.ptp(link) + se.max()) + (typical if normal else 0.0)
    return Groups(log_lik, link, variance, normal, float(se.min()), high)


_GROUPS: dict[str, Callable[[pd.DataFrame, int], Groups]] = {
    "bernoulli": _trials,
    "binomial": _trials,
    "normal": _rows,
    "normal_known": _known_se,
    "poisson": _events,
}
