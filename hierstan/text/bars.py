"""A bar on standard error for work of many steps, once it takes long."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
QUIET_SECONDS = 2.0  # work that is done by then shows nothing


def with_bar(items: Sequence[Item], words: str, *, shown: bool) -> Iterator[Item]:
    """Yield the items one after the other, and show how many are done.

    Parameters
    ----------
    items : sequence
    words : str
        What is done with them.
    shown : bool
        Whether to show it at all.

    Examples
    --------
    >>> [item**2 for item in with_bar([1, 2, 3], "squaring", shown=True)]
    [1, 4, 9]
    """
    began, bar = time.monotonic(), None
    try:
        for done, item in enumerate(items):
            if shown and bar is None and time.monotonic() - began > QUIET_SECONDS:
                bar = _bar(len(items), done, words)
            yield item
            if bar is not None:
                bar.update()
    finally:
        if bar is not None:
            bar.close()


def _bar(total: int, done: int, words: str) -> Any:
    from tqdm.auto import tqdm  # which takes longer to import than a small comparison

    return tqdm(total=total, initial=done, desc=words, leave=False)
