"""Small, real data sets that the examples, the tests and new users start from.

Imports from: errors, text.
"""

from __future__ import annotations

import difflib
from importlib import resources

import pandas as pd

from hierstan.errors import DataError
from hierstan.text.wording import show


def load_dataset(name: str) -> pd.DataFrame:
    """Load one of the data sets that come with hierstan.

    ====================== ==== ==============================================================
    name                   rows columns, and what they are
    ====================== ==== ==============================================================
    ``aspirin``               6 ``trial``, ``effect`` (deaths prevented per 100 patients by
                                aspirin after a heart attack), ``se`` [1]_
    ``baseball``             18 ``player``, ``at_bats``, ``hits`` (the first 45 at-bats of the
                                1970 season), ``later_at_bats``, ``later_hits`` (the rest of
                                it) [2]_
    ``bcg``                  13 ``trial``, ``author``, ``year``, ``ablat`` (degrees from the
                                equator); people with (``_positive``) and without
                                (``_negative``) tuberculosis and their ``_total``, in the arms
                                ``vaccinated_`` and ``control_`` [3]_
    ``dyes``                 30 ``batch``, ``yield`` (grams of standard colour; five samples of
                                each of six batches of dye) [4]_
    ``eight_schools``         8 ``school``, ``effect`` (coaching's effect on SAT-V points),
                                ``se`` [5]_
    ``pumps``                10 ``pump``, ``failures``, ``hours`` (thousands of hours of
                                operation) [6]_
    ``rat_tumours``          71 ``experiment`` (71 is the current one), ``rats``, ``tumours``
                                [7]_
    ``school_calendars``     56 ``study``, ``district`` (of the schools; 11 of them), ``year``,
                                ``effect`` (of a modified school calendar on achievement, a
                                standardized mean difference), ``variance``, ``se`` [9]_
    ``store_satisfaction``   50 ``branch``, ``score`` (mean satisfaction, 0 to 100), ``se``,
                                ``n`` (customers asked), ``true_mean``; simulated, see Notes
    ``surgical``             12 ``hospital``, ``operations``, ``deaths`` (heart surgery on
                                babies) [8]_
    ====================== ==== ==============================================================

    Parameters
    ----------
    name : str
        Name of the data set, as in the table.

    Returns
    -------
    pandas.DataFrame
        A fresh copy, one row per line of the file.

    Raises
    ------
    DataError
        There is no data set of that name; the message lists those there are.

    Notes
    -----
    ``store_satisfaction`` is drawn from the partial pooling model itself, so that its ``true_mean``
    is known: 50 branches with means ``normal(72, 4)``, between 5 and 120 customers each (evenly
    spread on the log scale), and a standard deviation of 15 points between customers.

    >>> import numpy as np
    >>> rng = np.random.RandomState(2026)  # NumPy keeps this generator's stream for good
    >>> n = np.exp(rng.uniform(np.log(5), np.log(120), 50)).round().astype(int)
    >>> true_mean = rng.normal(72, 4, 50)
    >>> se = 15 / np.sqrt(n)
    >>> score = rng.normal(true_mean, se)
    >>> stores = load_dataset("store_satisfaction")
    >>> np.array_equal(stores[["n", "true_mean"]], np.c_[n, true_mean.round(2)])
    True
    >>> np.array_equal(stores[["score", "se"]], np.c_[score.round(2), se.round(3)])
    True

    References
    ----------
    .. [1] Canner (1987), Statistics in Medicine 6(3), 255-263, as used in Jackman (2009), Bayesian
       Analysis for the Social Sciences.
    .. [2] Efron and Morris (1975), Journal of the American Statistical Association 70, 311-319.
    .. [3] Colditz et al. (1994), Journal of the American Medical Association 271, 698-702.
    .. [4] Box and Tiao (1973), Bayesian Inference in Statistical Analysis, section 5.1.2, by way of
       the BUGS examples, volume 1.
    .. [5] Rubin (1981), Journal of Educational Statistics 6(4), 377-401, rounded as in Gelman et
       al. (2013), Bayesian Data Analysis, 3rd edition, table 5.2.
    .. [6] Gaver and O'Muircheartaigh (1987), Technometrics 29(1), 1-15.
    .. [7] Tarone (1982), Biometrics 38, 215-220, in the order of Gelman et al. (2013), table 5.1.
    .. [8] Spiegelhalter et al. (1996), BUGS examples, volume 1: Surgical.
    .. [9] Konstantopoulos (2011), Research Synthesis Methods 2, 61-76, doi:10.1002/jrsm.35.

    Examples
    --------
    >>> load_dataset("eight_schools").head(3)
      school  effect  se
    0      A      28  15
    1      B       8  10
    2      C      -3  16
    """
    folder = resources.files(__name__)
    names = sorted(file.name[:-4] for file in folder.iterdir() if file.name.endswith(".csv"))
    if not isinstance(name, str) or name not in names:
        near = difflib.get_close_matches(str(name), names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise DataError(
            f"There is no data set {show(name)}.{hint} Valid names: {', '.join(names)}."
        )
    with (folder / f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)
