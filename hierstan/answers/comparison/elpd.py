"""Expected log predictive density by Pareto-smoothed importance sampling, and WAIC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.text.wording import pooling_words

GOOD_K = 0.7


@dataclass(frozen=True, eq=False, repr=False)
class Elpd:
    """An estimate of out-of-sample predictive accuracy.

    Attributes
    ----------
    elpd, se : float
        Sum over units of the log predictive density, and its standard error
        ``sqrt(U var(elpd_i))``.
    mcse : float
        Monte Carlo standard error of `elpd`: how much it would change with another seed.
    p : float
        Effective number of parameters: log density within the sample minus `elpd`. Group means are
        integrated out, so they do not count.
    elpd_i, pareto_k, mcse_i : numpy.ndarray
        Of each unit, shape (U,). `pareto_k` is NaN where no importance weights were needed, and for
        WAIC.
    unit : str
        ``"observation"`` or ``"group"``.
    method : numpy.ndarray of str
        How each unit's number came about: ``"exact"`` (no draws involved, or the prior predictive),
        ``"psis"``, ``"refit"`` (fitted again without the unit), ``"subsample"`` (estimated from a
        sample of the units) or ``"waic"``.
    labels : pandas.Index
        The units: group labels, or positions of observations.
    model : str
        Name of the pooling.
    """

    elpd: float
    se: float
    mcse: float
    p: float
    elpd_i: np.ndarray
    pareto_k: np.ndarray
    mcse_i: np.ndarray
    unit: str
    method: np.ndarray
    labels: pd.Index
    model: str

    @property
    def reliable(self) -> bool:
        """Whether no unit rests on importance weights that cannot be trusted (Pareto k > 0.7)."""
        return not bool(np.any(self.bad))

    @property
    def bad(self) -> np.ndarray:
        """Units whose importance weights cannot be trusted, shape (U,)."""
        return (self.method == "psis") & ~(self.pareto_k <= GOOD_K)

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

    def __repr__(self) -> str:
        counts = pd.Series(self.method).value_counts()
        how = ", ".join(f"{number} {name}" for name, number in counts.items())
        kind = (
            "WAIC (LOO is the better choice)" if "waic" in counts else f"leave one {self.unit} out"
        )
        lines = [
            f"{kind}, {pooling_words(self.model)}",
            f"  elpd {self.elpd:9.2f}   se {self.se:.2f}   Monte Carlo se {self.mcse:.2f}",
            f"  p    {self.p:9.2f}",
            f"  {len(self.elpd_i)} units: {how}",
        ]
        finite = self.pareto_k[np.isfinite(self.pareto_k)]
        if finite.size:
            lines.append(f"  largest Pareto k {finite.max():.2f} (reliable up to {GOOD_K})")
        if not self.reliable:
            lines.append(
                f"  {int(self.bad.sum())} units have Pareto k > {GOOD_K}: this number cannot be "
                "relied on. Use loo(fit, refit=True)."
            )
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Each unit left out: what `psis` estimates, all of shape (U,), and the draws' influence (S,).

    `influence` is how far each draw moves the sum of `elpd_i`, of which `mcse` is made.
    """

    elpd_i: np.ndarray
    pareto_k: np.ndarray
    mcse_i: np.ndarray
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
    U = log_lik.shape[1]
    if log_lik.shape[0] == 1:
        return LeftOut(log_lik[0], np.full(U, np.nan), np.zeros(U), np.zeros(1))
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]

    weights, k = array_stats.psislw(log_lik - correction, axis=0)
    weights = weights.T
    elpd_i = log_mean(log_lik + weights, total=True)
    relative = np.exp(weights) * (np.exp(log_lik - elpd_i) - 1)
    error = np.sqrt((relative**2).sum(axis=0))
    return LeftOut(elpd_i, np.asarray(k), error, relative.sum(axis=1))


def summarised(
    left_out: LeftOut,
    log_lik: np.ndarray,
    *,
    unit: str,
    method: np.ndarray,
    labels: pd.Index,
    model: str,
) -> Elpd:
    """Add up the units; those that were refitted have errors of their own."""
    elpd_i = left_out.elpd_i
    U = len(elpd_i)
    apart = (left_out.mcse_i[method == "refit"] ** 2).sum()
    return Elpd(
        elpd=float(elpd_i.sum()),
        se=float(np.sqrt(U * np.var(elpd_i, ddof=1))) if U > 1 else float("nan"),
        mcse=float(np.sqrt(_variance_of_sum(left_out.influence) + apart)),
        p=float((log_mean(log_lik) - elpd_i).sum()),
        elpd_i=elpd_i,
        pareto_k=left_out.pareto_k,
        mcse_i=left_out.mcse_i,
        unit=unit,
        method=method.astype(str),
        labels=labels,
        model=model,
    )


def _variance_of_sum(influence: np.ndarray) -> float:
    """Variance of the sum of autocorrelated terms."""
    if len(influence) < 8 or not influence.any():
        return float((influence**2).sum())
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]

    ess = float(array_stats.ess(influence[None, :], method="mean"))
    return float((influence**2).sum() * max(1.0, len(influence) / ess))


def smoothed_weights(log_ratio: np.ndarray) -> tuple[np.ndarray, float]:
    """Return Pareto-smoothed weights that sum to 1, from log ratios (S,), and their Pareto k."""
    if np.ptp(log_ratio) < 1e-9:
        return np.full(len(log_ratio), 1 / len(log_ratio)), float("nan")
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]

    weights, k = array_stats.psislw(-log_ratio, axis=0)
    return np.exp(np.asarray(weights)), float(k)


def log_mean(values: np.ndarray, *, total: bool = False) -> np.ndarray:
    """Return the log of the mean (or sum) of exp(values) over the first axis."""
    top = values.max(axis=0)
    summed = np.log(np.exp(values - top).sum(axis=0)) + top
    return summed if total else summed - np.log(len(values))
