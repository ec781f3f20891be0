"""A progress bar for long runs, the same for both engines."""

from __future__ import annotations

import contextlib
import io
import re
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hierstan.engines import Settings

if TYPE_CHECKING:
    from tqdm.auto import tqdm

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
    iterations = settings.warmup + settings.draws
    updates = _Updates(settings.chains * iterations)
    with contextlib.redirect_stdout(updates):
        try:
            yield max(1, iterations // UPDATES)
        finally:
            updates.finish()


class _Updates(io.TextIOBase):
    """Read an engine's progress lines and move the bar, which there is once a run takes long."""

    def __init__(self, total: int) -> None:
        self._total, self._since = total, time.monotonic()
        self._bar: tqdm | None = None
        self._done: dict[int, int] = {}

    def write(self, text: str) -> int:
        """Take one piece of the engine's output."""
        for chain, iteration in re.findall(r"Chain \[(\d+)\] Iteration:\s*(\d+)", text):
            self._done[int(chain)] = int(iteration)
        if self._done and time.monotonic() - self._since > QUIET_SECONDS:
            self._move(sum(self._done.values()))
        return len(text)

    def finish(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()

    def _move(self, done: int) -> None:
        if self._bar is None:
            from tqdm.auto import tqdm  # which takes longer to import than a small fit

            self._bar = tqdm(
                total=self._total, initial=done, leave=False, desc="sampling", unit="it"
            )
        self._bar.update(done - self._bar.n)
