"""What every answer says first when it rests on a fit that cannot be trusted."""

from __future__ import annotations

from collections.abc import Mapping

from hierstan.errors import HierstanError, warn
from hierstan.fit.fit import Fit
from hierstan.fit.judgement import headline
from hierstan.fit.two_part import TwoPartFit


def doubts(fits: Mapping[str, Fit]) -> str:
    """Warn of fits that cannot be trusted: for their draws, or for what the model misses.

    Parameters
    ----------
    fits : mapping of str to Fit
        By what to call them; a name may be empty where there is one fit.

    Returns
    -------
    str
        The words of the warnings, for the top of what is shown; empty if all fits are trusted.

    Warns
    -----
    HierstanWarning
        With the same words: of draws that `hierstan.diagnose` does not trust, and of data that vary
        in ways which make the intervals wrong (`hierstan.check`).
    """
    told = [words for words in (_of_draws(fits), _of_models(fits)) if words]
    for words in told:
        warn(words)
    return " ".join(told)


def parts(fit: Fit | TwoPartFit) -> dict[str, Fit]:
    """Return the fits that a fit consists of: the two of a two-part fit, else itself."""
    if isinstance(fit, TwoPartFit):
        return {"rate": fit.rate, "amount": fit.amount}
    return {"": fit}


def first(words: str, then: str) -> str:
    """Put words, if any, before others."""
    return f"{words} {then}" if words else then


# internals --------------------------------------------------------------------------------------


def _of_draws(fits: Mapping[str, Fit]) -> str:
    told = [
        f"{f'{name}: ' if name else ''}{headline(fit.convergence())}"
        for name, fit in fits.items()
        if fit.judgement().problems
    ]
    if not told:
        return ""
    return (
        f"Do not rely on this yet: the draws cannot be trusted ({'; '.join(told)}; see "
        "hs.diagnose)."
    )


def _of_models(fits: Mapping[str, Fit]) -> str:
    """Say what models miss, each family once: the poolings of one family miss the same."""
    by_family = {fit.data.family: (name, fit) for name, fit in fits.items()}
    told = [
        f"{f'{name}: ' if name and len(by_family) > 1 else ''}{message}"
        for name, fit in by_family.values()
        for message in _misleading(fit)
    ]
    return f"Do not rely on this: the model misses something. {' '.join(told)}" if told else ""


def _misleading(fit: Fit) -> tuple[str, ...]:
    from hierstan.fit.checks import misleading

    try:
        return () if fit.prior_only else misleading(fit)
    except HierstanError:  # an edited template that replicates no data
        return ()
