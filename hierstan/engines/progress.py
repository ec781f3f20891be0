"""A progress bar for long runs, the same for both engines."""

from __future__ import annotations

import contextlib
import io
import re
import threading
from collections.abc import Iterator
from typing import Any

from hierstan.engines import Settings

QUIET_SECONDS = 2.0  # a run that is done by then shows nothing
UPDATES = 20  # of each chain


@contextlib.contextmanager
def progress_bar(settings: Settings) -> Iterator[int]:
    """Show a bar on standard error once a run takes long; yield the iterations between updates.

    The engines print Stan's own progress lines, which move the bar. Without progress, and in other
    threads than the main one, since standard output belongs to all, 0 is yielded and nothing shown.
    """
    if not settings.progress or threading.current_thread() is not threading.main_thread():
        yield 0
        return
    from tqdm.auto import tqdm

    iterations = settings.warmup + settings.draws
    total = settings.chains * iterations
    with (
        tqdm(total=total, delay=QUIET_SECONDS, leave=False, desc="sampling", unit="it") as bar,
        contextlib.redirect_stdout(_Updates(bar)),
    ):
        yield max(1, iterations // UPDATES)


class _Updates(io.TextIOBase):
    """Read an engine's progress lines and move the bar."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._done: dict[int, int] = {}

    def write(self, text: str) -> int:
        """Take one piece of the engine's output."""
        for chain, iteration in re.findall(r"Chain \[(\d+)\] Iteration:\s*(\d+)", text):
            self._done[int(chain)] = int(iteration)
            self._bar.update(sum(self._done.values()) - self._bar.n)
        return len(text)
