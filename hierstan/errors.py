"""The errors and the warning that hierstan raises."""

from __future__ import annotations

import sys
import warnings


class HierstanError(Exception):
    """Base class of every error that hierstan raises on purpose.

    Examples
    --------
    >>> import hierstan as hs
    >>> try:
    ...     hs.load_dataset("eight schools")
    ... except hs.HierstanError as error:
    ...     print(type(error).__name__)
    DataError
    """


class DataError(HierstanError, ValueError):
    """The data cannot be used as they are; the message names rows, rule and cure.

    Examples
    --------
    >>> import hierstan as hs
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"page": ["old", "new"], "sold": [4, 90], "seen": [50, 60]})
    >>> try:
    ...     hs.GroupedData.from_counts(frame, group="page", successes="sold", trials="seen")
    ... except hs.DataError as error:
    ...     print(error)  # doctest: +ELLIPSIS
    Column 'sold' (successes) must not exceed the trials; 1 of 2 rows breaks this: row 1: sold 90...
    """


class PriorError(HierstanError, ValueError):
    """A prior is impossible, or does not fit the parameter it is meant for.

    Examples
    --------
    >>> import hierstan as hs
    >>> try:
    ...     hs.HalfNormal(-1)
    ... except hs.PriorError as error:
    ...     print(error)
    HalfNormal: scale must be above 0, got -1.
    """


class TemplateError(HierstanError):
    """A Stan program could not be assembled from its templates.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> try:
    ...     hs.NoPooling(template_dir="no/such/folder").stan_code(data)
    ... except hs.TemplateError as error:
    ...     print("no/such/folder" in str(error))
    True
    """


class EngineError(HierstanError, RuntimeError):
    """The sampling engine is missing, or failed to compile or to run a program.

    Examples
    --------
    >>> import hierstan as hs
    >>> schools = hs.load_dataset("eight_schools")
    >>> data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    >>> try:
    ...     hs.CompletePooling().fit(data, engine="stanly")
    ... except hs.EngineError as error:
    ...     print(error)
    engine must be one of auto, cmdstan, stanli; got 'stanly'.
    """


class HierstanWarning(UserWarning):
    """The result stands, but the user should know something about it.

    Examples
    --------
    >>> import warnings
    >>> import hierstan as hs
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always", hs.HierstanWarning)
    ...     model = hs.PartialPooling(priors={"tau": hs.Uniform(0, 100)})
    >>> [warning.category.__name__ for warning in caught]
    ['HierstanWarning']
    """


def warn(message: str) -> None:
    """Give a `HierstanWarning` that points to the line of the user's which led to it."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("hierstan."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, HierstanWarning, stacklevel=level)
