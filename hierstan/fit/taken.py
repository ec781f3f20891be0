"""What an answer or a picture takes; whatever else it is given is refused, saying what to give."""

from __future__ import annotations

from collections.abc import Mapping

from hierstan.data.grouped_data import GroupedData
from hierstan.data.two_part import TwoPartData
from hierstan.errors import HierstanError
from hierstan.fit.fit import Fit
from hierstan.fit.two_part import TwoPartFit
from hierstan.text.wording import show


def check_fit(given: object, verb: str, *, two_part: bool = False) -> None:
    """Refuse what is no fit.

    Parameters
    ----------
    given : object
    verb : str
        The public function that was given it.
    two_part : bool
        Whether that takes a fit of both parts as well.

    Raises
    ------
    HierstanError
        Which says what to give instead.

    Examples
    --------
    >>> import hierstan as hs
    >>> from hierstan.fit.taken import check_fit
    >>> try:
    ...     check_fit(hs.PartialPooling(), "shrinkage")
    ... except hs.HierstanError as error:
    ...     print(error)
    shrinkage takes a fit, got a PartialPooling. Fit it first: model.fit(data).
    """
    if not isinstance(given, (Fit, TwoPartFit) if two_part else Fit):
        raise HierstanError(f"{verb} takes a fit, got {_what(given)}. {_cure(given, verb)}")


def refuse_two_part(given: object, verb: str) -> None:
    """Refuse a fit of both parts where one of them is asked for, naming them."""
    if isinstance(given, TwoPartFit):
        raise HierstanError(f"{verb} takes a fit of one part. {_cure(given, verb)}")


# internals --------------------------------------------------------------------------------------


def _what(given: object) -> str:
    if given is None:
        return "None"
    if isinstance(given, type):
        return f"the class {given.__name__}"
    if isinstance(given, (str, int, float)):
        return show(given)
    return f"a {type(given).__name__}"


def _cure(given: object, verb: str) -> str:
    """Say how to get from what was given to what is meant."""
    if isinstance(given, TwoPartFit):
        return (
            f"A two-part fit has two: {verb}(fit.rate) for who buys, {verb}(fit.amount) for how "
            "much they spend."
        )
    if isinstance(given, Mapping) and (names := _fits_in(given)):
        return f"Give one of the fits: {verb}(fits[{names[-1]!r}])."
    if isinstance(given, (GroupedData, TwoPartData)):
        return "Fit a model to the data first: hs.PartialPooling().fit(data)."
    if isinstance(given, type):
        return f"Make a model and fit it first: hs.{given.__name__}().fit(data)."
    if callable(getattr(given, "fit", None)):
        return "Fit it first: model.fit(data)."
    return "Give what model.fit(data) returns, such as hs.PartialPooling().fit(data)."


def _fits_in(given: Mapping[object, object]) -> list[object]:
    return [name for name, one in given.items() if isinstance(one, (Fit, TwoPartFit))]
