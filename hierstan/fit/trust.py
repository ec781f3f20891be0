"""What every answer says first when it rests on draws that cannot be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hierstan.errors import warn
from hierstan.fit.judgement import headline

if TYPE_CHECKING:
    from hierstan.fit.fit import Fit


def doubts(fits: Mapping[str, Fit]) -> str:
    """Warn of fits whose draws `hierstan.diagnose` does not trust.

    Parameters
    ----------
    fits : mapping of str to Fit
        By what to call them; a name may be empty where there is one fit.

    Returns
    -------
    str
        The words of the warning, for the top of what is shown; empty if all fits are trusted.

    Warns
    -----
    HierstanWarning
        With the same words.
    """
    told = [
        f"{f'{name}: ' if name else ''}{headline(fit.convergence())}"
        for name, fit in fits.items()
        if fit.judgement().problems
    ]
    if not told:
        return ""
    words = f"Do not rely on this yet: the draws cannot be trusted ({'; '.join(told)}; see "
    words += "hs.diagnose)."
    warn(words)
    return words


def parts(fit: Any) -> dict[str, Fit]:
    """Return the fits that a fit consists of: the two of a two-part fit, else itself."""
    if hasattr(fit, "rate"):
        return {"rate": fit.rate, "amount": fit.amount}
    return {"": fit}


def first(words: str, then: str) -> str:
    """Put words, if any, before others."""
    return f"{words} {then}" if words else then
