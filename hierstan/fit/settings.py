"""What answers are asked with: the probability of intervals, set once, and other numbers."""

from __future__ import annotations

from types import TracebackType

import numpy as np

from hierstan.errors import HierstanError
from hierstan.text.tables import percent
from hierstan.text.wording import show

PROB = 0.9


class options:
    """Set the probability of intervals for every table, picture, report and printed fit.

    Parameters
    ----------
    prob : float
        What every function takes whose ``prob=`` is not given; 0.9 until something else is set.

    Raises
    ------
    HierstanError
        If `prob` does not lie between 0 and 1.

    Examples
    --------
    For good, as for a trial that is to be reported with 95% intervals, or for a block:

    >>> import hierstan as hs
    >>> from hierstan.fit.settings import check_prob
    >>> with hs.options(prob=0.95):
    ...     print(check_prob(None))
    0.95
    >>> check_prob(None)
    0.9
    """

    _prob = PROB

    def __init__(self, *, prob: float) -> None:
        self._before = options._prob
        options._prob = check_prob(prob)

    def __enter__(self) -> options:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        options._prob = self._before

    def __repr__(self) -> str:
        return f"options(prob={options._prob:g})"


def check_prob(prob: float | None) -> float:
    """Return the probability of an interval if it is one, and without one that of `options`."""
    if prob is None:
        return options._prob
    if isinstance(prob, bool) or not isinstance(prob, (int, float, np.number)) or not 0 < prob < 1:
        raise HierstanError(
            f"prob= is the probability that an interval holds and must be between 0 and 1, such as "
            f"0.9, but got {prob!r}."
        )
    return float(prob)


def check_number(
    name: str, value: object, *, least: float = -np.inf, above: float = -np.inf
) -> float:
    """Return a finite number if it is one, at least `least` and above `above`."""
    number = None if isinstance(value, bool) else value
    if isinstance(number, (int, float, np.number)) and least <= number < np.inf and number > above:
        return float(number)
    limits = {", at least": least, " above": above}
    limit = "".join(f"{word} {end:g}" for word, end in limits.items() if np.isfinite(end))
    raise HierstanError(f"{name}= must be a finite number{limit}; got {show(value)}.")


def interval_words() -> str:
    """Say what the columns ``lower`` and ``upper`` of a printed fit are."""
    return f"lower and upper: equal-tailed {percent(check_prob(None))} intervals."
