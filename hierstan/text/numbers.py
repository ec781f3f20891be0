"""Numbers in sentences."""

from __future__ import annotations

from hierstan.text.tables import numbers, places


def chance(probability: float) -> str:
    """Return a probability in words, without a false 0 or 1."""
    if probability < 0.01:
        return "less than 1%"
    if probability > 0.99:
        return "more than 99%"
    return f"{100 * probability:.0f}%"


def between(lower: float, upper: float) -> str:
    """Return ``"0.23 and 0.31"``: two ends, to two significant digits of their distance.

    A positive lower end that is small against the distance keeps two digits of its own.
    """
    decimals = decimals_of(upper - lower)
    finer = max(decimals, decimals_of(lower)) if lower > 0 else decimals
    last = decimals if upper > 10 * lower else finer
    return f"{numbers([lower], finer)[0]} and {numbers([upper], last)[0]}"


def short(value: float) -> str:
    """Return two significant digits, or all before the decimal point."""
    return numbers([value], decimals_of(value))[0] if value else "0"


def decimals_of(size: float) -> int:
    """Return the decimals that show two significant digits of a number."""
    return max(places(abs(size)) - 1, 0)


def times(factor: float) -> str:
    """Return how many times, without false precision: ``"4 times"``, ``"over 1,000 times"``."""
    if factor > 1000:
        return "over 1,000 times"
    return f"{factor:.2g} times" if factor < 10 else f"{factor:,.0f} times"
