"""What the values of options may be: each function takes text and returns what it stands for."""

from __future__ import annotations

import argparse
import ast
import codecs
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierstan.errors import DataError
from hierstan.text.wording import show

if TYPE_CHECKING:
    import pandas as pd

    from hierstan.priors import Prior

PICTURES = (".pdf", ".png", ".svg")
PAGES = (".htm", ".html")
TABLES = (".csv", ".json", ".parquet")
SEPARATORS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "space": " "}


def probability(text: str) -> float:
    """Return a number between 0 and 1."""
    value = _number(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} does not lie between 0 and 1")
    return value


def difference(text: str) -> float:
    """Return a finite number that is not below 0."""
    value = _number(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 on")
    return value


def separator(text: str) -> str:
    """Return one character, such as ``;``, or the one that a word such as ``tab`` stands for."""
    return _character(SEPARATORS.get(text.lower(), text))


def decimal(text: str) -> str:
    """Return the character before the decimals, ``.`` or ``,``."""
    if text not in (".", ","):
        raise argparse.ArgumentTypeError(f"{text!r} must be . or ,")
    return text


def encoding(text: str) -> str:
    """Return the name of an encoding that Python knows."""
    try:
        codecs.lookup(text)
    except LookupError:
        words = f"{text!r} is no known encoding, such as utf-8, latin-1, cp1252 or utf-16"
        raise argparse.ArgumentTypeError(words) from None
    return text


def labels(text: str) -> list[str]:
    """Return labels that are separated by commas."""
    return [label.strip() for label in text.split(",")]


def like(texts: Sequence[str], column: pd.Series) -> list[str] | list[int | float]:
    """Return labels as the values of a column: as numbers, where it holds numbers."""
    if column.dtype.kind not in "iuf":
        return list(texts)
    try:
        return [int(text) if text.lstrip("+-").isdigit() else float(text) for text in texts]
    except ValueError:
        raise DataError(
            f"The ratings are numbers, but --order holds {show(', '.join(texts))}. Give the "
            "numbers from the lowest to the highest, such as --order 1,2,3,4,5."
        ) from None


def picture(text: str) -> str:
    """Return the path of a picture that can be written."""
    return _file(text, PICTURES)


def page(text: str) -> str:
    """Return the path of a page that can be written."""
    return _file(text, PAGES)


def table(text: str) -> str:
    """Return the path of a table that can be written."""
    return _file(text, TABLES)


def prior(text: str) -> tuple[str, Prior]:
    """Return a parameter and its prior.

    Examples
    --------
    >>> prior("tau=HalfNormal(0.5)")
    ('tau', HalfNormal(scale=0.5))
    """
    from hierstan import priors  # takes longer than everything else here
    from hierstan.errors import PriorError

    name, equals, call = (part.strip() for part in text.partition("="))
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} must look like tau='HalfNormal(0.5)'")
    kinds = {kind.__name__: kind for kind in _kinds(priors.Prior)}
    try:
        kind, numbers, named = _call(call)
        return name, kinds[kind](*numbers, **named)
    except KeyError:
        choices = ", ".join(sorted(kinds))
        raise argparse.ArgumentTypeError(f"{call!r} is none of {choices}") from None
    except (SyntaxError, ValueError, TypeError) as error:
        if isinstance(error, PriorError):
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None
        raise argparse.ArgumentTypeError(
            f"{call!r} must be a prior with its numbers, such as HalfNormal(0.5)"
        ) from None


# internals ------------------------------------------------------------------------------------


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _character(text: str) -> str:
    if len(text) != 1 or text in '\r\n"':
        raise argparse.ArgumentTypeError(f"{text!r} must be one character, or the word tab")
    return text


def _file(text: str, endings: Sequence[str]) -> str:
    path = Path(text)
    if path.suffix.lower() not in endings:
        raise argparse.ArgumentTypeError(f"{text!r} must end in {', '.join(endings)}")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r}")
    return text


def _kinds(of: type[Prior]) -> list[type[Prior]]:
    return [found for kind in of.__subclasses__() for found in (kind, *_kinds(kind))]


def _call(text: str) -> tuple[str, list[Any], dict[str, Any]]:
    """Take a call with plain numbers apart, without running anything."""
    node = ast.parse(text, mode="eval").body
    if not isinstance(node, ast.Call):
        raise ValueError(text)
    kind = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    numbers = [ast.literal_eval(argument) for argument in node.args]
    return kind, numbers, {str(word.arg): ast.literal_eval(word.value) for word in node.keywords}
