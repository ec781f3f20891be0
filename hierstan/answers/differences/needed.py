"""Numbers needed to treat, and their intervals, which go through infinity around no effect.

The number is one over the risk difference, so that no effect is an infinite number, and an interval
that has it inside holds the numbers beyond its two ends (Altman 1998,
doi:10.1136/bmj.317.7168.1309).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

SMALL = 10  # what is below has a decimal


class Sides(NamedTuple):
    """Which sign of the risk difference counts as positive, and what either side is called.

    Attributes
    ----------
    sign : {1, -1}
        1 where fewer events are positive.
    before, after : (str, str)
        What stands before and behind a number, of the positive and of the negative side.
    """

    sign: int
    before: tuple[str, str]
    after: tuple[str, str]


JUDGED = {"before": ("NNTB ", "NNTH "), "after": ("", "")}
SIDES = {  # by whether an event is good
    None: Sides(1, ("", ""), (" for one event fewer", " for one event more")),
    False: Sides(1, **JUDGED),
    True: Sides(-1, **JUDGED),
}


def inverted(table: pd.DataFrame, sides: Sides) -> pd.DataFrame:
    """Return numbers needed to treat in place of risk differences, treated less control.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``mean`` (or ``median``), ``lower`` and ``upper`` of these.
    sides : Sides

    Returns
    -------
    pandas.DataFrame
        With ``nnt``, ``lower``, ``upper`` and ``interval`` in their place.

    Examples
    --------
    >>> import pandas as pd
    >>> from hierstan.answers.differences.needed import SIDES, inverted
    >>> table = pd.DataFrame({"mean": [-0.05, -0.01], "lower": [-0.1, -0.04]})
    >>> table["upper"] = [-0.02, 0.025]
    >>> inverted(table, SIDES[False])["interval"].tolist()
    ['NNTB 10 to 50', 'NNTB 25 to ∞ to NNTH 40']
    """
    center = "mean" if "mean" in table else "median"
    ends = -sides.sign * table[["lower", "upper"]].to_numpy()
    lower, upper = _one_over(ends.max(axis=1)), _one_over(ends.min(axis=1))
    found = table.drop(columns=["sd", "upper"], errors="ignore").rename(columns={center: "nnt"})
    found["nnt"] = _one_over(-sides.sign * table[center].to_numpy())
    found["lower"] = lower
    place = list(found).index("lower") + 1
    words = [_words(*pair, sides) for pair in zip(lower, upper, strict=True)]
    found.insert(place, "upper", upper)
    found.insert(place + 1, "interval", words)
    return found


def number(value: float) -> str:
    """Return a number of people as text, without its sign."""
    size = abs(value)
    if not np.isfinite(size):
        return "∞"
    return f"{size:.1f}" if round(size, 1) < SMALL else f"{size:,.0f}"


def side(value: float, sides: Sides) -> tuple[str, str]:
    """Return what stands before and behind a number."""
    place = int(value < 0)
    return sides.before[place], sides.after[place]


# internals ------------------------------------------------------------------------------------


def _one_over(values: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.asarray(1 / values)


def _words(lower: float, upper: float, sides: Sides) -> str:
    if (lower < 0) == (upper < 0):
        before, after = side(lower, sides)
        ends = sorted([lower, upper], key=abs)
        return f"{before}{number(ends[0])} to {number(ends[1])}{after}"
    texts = ["".join((a, number(end), b)) for end in (lower, upper) for a, b in [side(end, sides)]]
    return " to ∞ to ".join(texts)
