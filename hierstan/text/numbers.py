"""Numbers in sentences."""

from __future__ import annotations

from hierstan.text.tables import EXACT, numbers, places


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


def figure(value: float, digits: int = 3) -> str:
    """Return so many significant digits, or all before the decimal point; no needless zeros.

    Examples
    --------
    >>> figure(0.04), figure(1234.5), figure(999.96), figure(1.25e9), figure(1.25e15)
    ('0.04', '1,234', '1,000', '1,250,000,000', '1.25e+15')
    """
    text = f"{value:.{digits}g}"
    return f"{value:,.0f}" if "e+" in text and abs(value) < EXACT else text


def points(difference: float, digits: int = 3) -> str:
    """Return a difference between shares in words.

    Examples
    --------
    >>> points(0.0123), points(0.01), points(-0.00004)
    ('1.23 percentage points', '1 percentage point', '-0.004 percentage points')
    """
    text = figure(100 * difference, digits)
    return f"{text} percentage point{'s' * (text != '1')}"


def share(probability: float) -> str:
    """Return a probability as a whole percentage; draws that all agree make nothing certain.

    Examples
    --------
    >>> share(0.0), share(0.29), share(0.996), share(1.0)
    ('<1%', '29%', '>99%', '>99%')
    """
    if probability < 0.005:
        return "<1%"
    return f"{100 * probability:.0f}%" if probability < 0.995 else ">99%"


def decimals_of(size: float) -> int:
    """Return the decimals that show two significant digits of a number."""
    return max(places(abs(size)) - 1, 0)


def times(factor: float) -> str:
    """Return how many times, without false precision: ``"4 times"``, ``"over 1,000 times"``."""
    if factor > 1000:
        return "over 1,000 times"
    return f"{factor:.2g} times" if factor < 10 else f"{factor:,.0f} times"
