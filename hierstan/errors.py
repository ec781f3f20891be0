"""The errors and the warning that hierstan raises."""

from __future__ import annotations


class HierstanError(Exception):
    """Base class of every error that hierstan raises on purpose."""


class DataError(HierstanError, ValueError):
    """The data cannot be used as they are; the message names rows, rule and cure."""


class PriorError(HierstanError, ValueError):
    """A prior is impossible, or does not fit the parameter it is meant for."""


class TemplateError(HierstanError):
    """A Stan program could not be assembled from its templates."""


class EngineError(HierstanError, RuntimeError):
    """The sampling engine is missing, or failed to compile or to run a program."""


class HierstanWarning(UserWarning):
    """The result stands, but the user should know something about it."""
