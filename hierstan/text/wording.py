"""Words for error messages: values, lists and near misses, short enough to read."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def show(value: object) -> str:
    """Return a short, readable form of a value for a message."""
    import numpy as np  # the shell's help does without

    text = repr(value.item() if isinstance(value, np.generic) else value)
    text = " ".join(text.splitlines())
    return text if len(text) <= 60 else text[:57] + "..."


def pooling_words(name: str) -> str:
    """Return what a pooling is called in a sentence.

    >>> pooling_words("none"), pooling_words("partial")
    ('no pooling', 'partial pooling')
    """
    return f"{'no' if name == 'none' else name} pooling"


def listed(values: Sequence[object] | np.ndarray, limit: int = 3) -> str:
    """List the first values and say how many more there are."""
    more = f" and {len(values) - limit} more" if len(values) > limit else ""
    return ", ".join(show(value) for value in values[:limit]) + more


def broken_by(
    count: int, n_rows: int, rows: Sequence[str], limit: int = 3, *, noun: str = "rows"
) -> str:
    """Say how many rows (or others, by `noun`) break a rule, and describe the first of them."""
    verb = "breaks" if count == 1 else "break"
    more = ", ..." if count > min(len(rows), limit) else ""
    return f"{count:,} of {n_rows:,} {noun} {verb} this: {', '.join(rows[:limit])}{more}"


def marked(
    labels: Sequence[object] | np.ndarray | pd.Index,
    which: np.ndarray,
    texts: Sequence[str],
    limit: int = 5,
) -> str:
    """Name the first of the labels that are marked, each with what there is to say about it."""
    import numpy as np

    told = [f"{show(labels[i])} ({texts[i]})" for i in np.flatnonzero(which).tolist()]
    more = f" and {len(told) - limit} more" if len(told) > limit else ""
    return ", ".join(told[:limit]) + more


def did_you_mean(name: object, choices: Sequence[object]) -> str:
    """Return a sentence with the near misses of a name, or nothing."""
    known = {str(choice).lower(): choice for choice in choices[:10_000]}
    close = get_close_matches(str(name).lower(), list(known), n=3)
    return f" Did you mean {' or '.join(show(known[key]) for key in close)}?" if close else ""
