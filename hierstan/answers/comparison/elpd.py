"""Expected log predictive density by Pareto-smoothed importance sampling, and WAIC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.text.tables import Page, Printed
from hierstan.text.wording import pooling_words

GOOD_K = 0.7
ANEW = ("integral", "refit")  # ways to leave a unit out without importance weights
HARD_K = 0.5  # below the limit of 0.7, since k itself is estimated
HARD = f"with a Pareto k above {HARD_K} or a large Monte Carlo error"
HARD_ERROR = 0.05  # Monte Carlo error of a unit from which it is worth another way
LARGE_ERROR_I, LARGE_ERROR, FINE = 0.25, 0.5, 0.05  # see `Elpd.reliable`


@dataclass(frozen=True, eq=False, repr=False)
class Elpd(Printed):
    """An estimate of out-of-sample predictive accuracy.

    Attributes
    ----------
    elpd, se : float
        Sum over units of the log predictive density, and its standard error
        ``sqrt(U var(elpd_i))``.
    mcse : float
        Monte Carlo standard error of `elpd`: how much it would change with another seed.
    p_loo : float
        Effective number of parameters: log density within the sample minus `elpd`. Group means are
        integrated out, so they do not count.
    elpd_i, pareto_k, mcse_i : numpy.ndarray
        Of each unit, shape (U,). `pareto_k` is NaN where no importance weights were needed, and for
        WAIC.
    unit : str
        ``"observation"`` or ``"group"``.
    method : numpy.ndarray of str
        How each unit's number came about: ``"exact"`` (no draws involved, or the prior predictive),
        ``"psis"``, ``"integral"`` (the few parameters other than group means integrated out, with
        the unit and without it), ``"refit"`` (fitted again without it), ``"subsample"`` (estimated
        from a sample of the units) or ``"waic"``.
    labels : pandas.Index
        The units: group labels, or positions of observations.
    model : str
        Name of the pooling.
    """

    elpd: float
    se: float
    mcse: float
    p_loo: float
    elpd_i: np.ndarray
    pareto_k: np.ndarray
    mcse_i: np.ndarray
    unit: str
    method: np.ndarray
    labels: pd.Index
    model: str

    @property
    def reliable(self) -> bool:
        """Whether another seed would tell the same: every unit's number, and so their sum.

        Not so if any number is not finite, if the Monte Carlo error of one unit is above 0.25 or
        that of the sum above 0.5 and a twentieth of `se`, or if importance weights failed (Pareto
        k > 0.7). WAIC has no such error: there the numbers only have to be finite.
        """
        if self.bad.any() or not np.isfinite(self.elpd):
            return False
        return (self.method == "waic").all() or self.mcse <= max(LARGE_ERROR, FINE * self.se)

    @property
    def bad(self) -> np.ndarray:
        """Units whose numbers cannot be trusted, shape (U,)."""
        failed = (self.method == "psis") & ~(self.pareto_k <= GOOD_K)
        estimated = ~np.isin(self.method, ["waic", "subsample"])
        return ~np.isfinite(self.elpd_i) | failed | (estimated & ~(self.mcse_i <= LARGE_ERROR_I))

    def to_frame(self) -> pd.DataFrame:
        """Return one line per unit: ``elpd``, ``pareto_k``, ``mcse`` and ``method``."""
        return pd.DataFrame(
            {
                "elpd": self.elpd_i,
                "pareto_k": self.pareto_k,
                "mcse": self.mcse_i,
                "method": self.method,
            },
            index=self.labels,
        )

    def page(self) -> Page:
        """Return what is printed."""
        counts = pd.Series(self.method).value_counts()
        how = ", ".join(f"{number} {name}" for name, number in counts.items())
        kind = (
            "WAIC (LOO is the better choice)" if "waic" in counts else f"Leave one {self.unit} out"
        )
        error = f", Monte Carlo se {self.mcse:.2f}" if np.isfinite(self.mcse) else ""
        name = "p_waic" if "waic" in counts else "p_loo"
        facts = [
            ("elpd", f"{self.elpd:.2f}, se {self.se:.2f}{error}; higher predicts better"),
            (name, f"{self.p_loo:.2f} parameters in effect"),
            ("units", f"{len(self.elpd_i):,} {self.unit}s: {how}"),
        ]
        finite = self.pareto_k[np.isfinite(self.pareto_k)]
        if finite.size:
            facts.append(("Pareto k", f"{finite.max():.2f} at most (weights fail above {GOOD_K})"))
        facts += [(way, HARD) for way in ANEW if way in counts]
        words = () if self.reliable else (f"This number cannot be relied on: {self.trouble}.",)
        return Page(f"{kind}, {pooling_words(self.model)}", tuple(facts), (), words)

    @property
    def trouble(self) -> str:
        """Say why the number is not `reliable`; empty where it is."""
        if self.reliable:
            return ""
        undefined = int((~np.isfinite(self.elpd_i)).sum())
        if undefined:
            return f"the log predictive density of {_units(undefined)} is not a finite number"
        failed = int(((self.method == "psis") & ~(self.pareto_k <= GOOD_K)).sum())
        if failed:
            return f"Pareto k > {GOOD_K} for {_units(failed)}, where importance sampling fails"
        if self.bad.any():
            return f"the Monte Carlo error of {_units(int(self.bad.sum()))} is large"
        return f"its Monte Carlo error is {self.mcse:.2g}"


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Each unit left out: what `psis` estimates, all of shape (U,), and the draws' influence (S,).

    `hard` units are those whose weights are not to be trusted or whose error is large. `influence`
    is how far each draw moves the sum of `elpd_i` of the others, of which `mcse` is made.
    """

    elpd_i: np.ndarray
    pareto_k: np.ndarray
    mcse_i: np.ndarray
    hard: np.ndarray
    influence: np.ndarray


def psis(log_lik: np.ndarray, correction: np.ndarray | float = 0.0) -> LeftOut:
    """Leave each unit out by importance sampling.

    Parameters
    ----------
    log_lik : numpy.ndarray
        Log predictive density of each unit at each draw, shape (S, U).
    correction : numpy.ndarray or float
        Added to the log weights: log prior without the unit minus log prior with it.

    Returns
    -------
    LeftOut
        Vehtari, Gelman and Gabry 2017, doi:10.1007/s11222-016-9696-4; Vehtari et al. 2024,
        arXiv:1507.02646.
    """
    S, U = log_lik.shape
    if S == 1:
        never = np.zeros(U, dtype=bool)
        return LeftOut(log_lik[0], np.full(U, np.nan), np.zeros(U), never, np.zeros(1))
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]
    from scipy.special import logsumexp

    log_ratio = correction - log_lik
    known = np.isfinite(log_ratio).all(axis=0)
    elpd_i, k = np.full(U, np.nan), np.full(U, np.inf)
    relative = np.zeros((S, U))
    if known.any():
        inside = log_lik[:, known]
        with np.errstate(
            divide="ignore", invalid="ignore", over="ignore"
        ):  # of weights that one draw holds
            weights, k[known] = array_stats.psislw(-log_ratio[:, known], axis=0)
        joint = inside + weights.T
        elpd_i[known] = logsumexp(joint, axis=0)
        relative[:, known] = np.exp(joint - elpd_i[known]) - np.exp(weights.T)
    error = np.sqrt((relative**2).sum(axis=0))
    hard = ~(k <= HARD_K)
    inflated = np.sqrt(_autocorrelation(relative[:, ~hard].sum(axis=1)))
    hard |= ~(error * inflated <= HARD_ERROR)
    error[~known] = np.nan
    return LeftOut(elpd_i, k, error * inflated, hard, relative[:, ~hard].sum(axis=1))


def summarised(
    left_out: LeftOut,
    log_lik: np.ndarray,
    *,
    unit: str,
    method: np.ndarray,
    labels: pd.Index,
    model: str,
) -> Elpd:
    """Add up the units; the hard ones have errors of their own."""
    elpd_i = left_out.elpd_i
    U = len(elpd_i)
    together = (left_out.influence**2).sum() * _autocorrelation(left_out.influence)
    apart = (left_out.mcse_i[left_out.hard] ** 2).sum()
    return Elpd(
        elpd=float(elpd_i.sum()),
        se=float(np.sqrt(U * np.var(elpd_i, ddof=1))) if U > 1 else float("nan"),
        mcse=float(np.sqrt(together + apart)),
        p_loo=float((log_mean(log_lik) - elpd_i).sum()),
        elpd_i=elpd_i,
        pareto_k=left_out.pareto_k,
        mcse_i=left_out.mcse_i,
        unit=unit,
        method=method.astype(str),
        labels=labels,
        model=model,
    )


def _autocorrelation(terms: np.ndarray) -> float:
    """Return by how much autocorrelation inflates the variance of the sum of terms."""
    if len(terms) < 8 or not np.isfinite(terms).all() or not np.ptp(terms):
        return 1.0
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]

    return max(1.0, len(terms) / float(array_stats.ess(terms[None, :], method="mean")))


def log_mean(values: np.ndarray) -> np.ndarray:
    """Return the log of the mean of exp(values) over the first axis."""
    from scipy.special import logsumexp

    return np.asarray(logsumexp(values, axis=0)) - np.log(len(values))


def _units(count: int) -> str:
    return f"{count:,} unit{'s' * (count != 1)}"
