"""Expected log predictive density by Pareto-smoothed importance sampling, and WAIC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hierstan.answers.comparison.importance import HARD_K, LeftOut, autocorrelation
from hierstan.text.tables import Page, Printed
from hierstan.text.wording import pooling_words, show

GOOD_K = 0.7
ANEW = ("integral", "refit")  # ways to leave a unit out without importance weights
NOTHING = "impossible"  # what is left has no variation, and so no posterior
HARD = f"with a Pareto k above {HARD_K} or a large Monte Carlo error"
EACH = "without each of them, and all of their data predicted together"
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
        from a sample of the units), ``"impossible"`` (nothing varies within groups without it,
        which leaves no posterior) or ``"waic"``.
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
        why = HARD if finite.size or self.unit in ("observation", "group") else EACH
        facts += [(way, why) for way in ANEW if way in counts]
        words = () if self.reliable else (f"This number cannot be relied on: {self.trouble}.",)
        return Page(f"{kind}, {pooling_words(self.model)}", tuple(facts), (), words)

    @property
    def trouble(self) -> str:
        """Say why the number is not `reliable`; empty where it is."""
        if self.reliable:
            return ""
        impossible = self.method == NOTHING
        if impossible.any():
            names = " or ".join(show(label) for label in self.labels[impossible].tolist()[:3])
            return (
                f"without {self.unit} {names} the rest does not vary within groups, and no "
                "posterior is left to predict from"
            )
        undefined = int((~np.isfinite(self.elpd_i)).sum())
        if undefined:
            return f"the log predictive density of {_units(undefined)} is not a finite number"
        failed = int(((self.method == "psis") & ~(self.pareto_k <= GOOD_K)).sum())
        if failed:
            return f"Pareto k > {GOOD_K} for {_units(failed)}, where importance sampling fails"
        if self.bad.any():
            return f"the Monte Carlo error of {_units(int(self.bad.sum()))} is large"
        return f"its Monte Carlo error is {self.mcse:.2g}"


def summarised(
    left_out: LeftOut,
    *,
    unit: str,
    method: np.ndarray,
    labels: pd.Index,
    model: str,
    kinds: np.ndarray | None = None,
) -> Elpd:
    """Add up the units; the hard ones have errors of their own.

    Equal units, of one of the `kinds` (U,), share one number and so its error.
    """
    elpd_i = left_out.elpd_i
    U = len(elpd_i)
    together = (left_out.influence**2).sum() * autocorrelation(left_out.influence)
    kinds, hard = np.arange(U) if kinds is None else kinds, left_out.hard
    apart = (np.bincount(kinds[hard], left_out.mcse_i[hard]) ** 2).sum()
    return Elpd(
        elpd=float(elpd_i.sum()),
        se=float(np.sqrt(U * np.var(elpd_i, ddof=1))) if U > 1 else float("nan"),
        mcse=float(np.sqrt(together + apart)),
        p_loo=float((left_out.lpd_i - elpd_i).sum()),
        elpd_i=elpd_i,
        pareto_k=left_out.pareto_k,
        mcse_i=left_out.mcse_i,
        unit=unit,
        method=method.astype(str),
        labels=labels,
        model=model,
    )


# internals ------------------------------------------------------------------------------------


def _units(count: int) -> str:
    return f"{count:,} unit{'s' * (count != 1)}"
