"""Run a command as a process of its own, and measure it from outside."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

GIB = 2**30


@dataclass(frozen=True)
class Run:
    """What one process did.

    Attributes
    ----------
    seconds : float
        From just before the process was started to its end.
    cpu : float
        Processor seconds, user and system, of it and of the children it waited for.
    peak : float
        Peak resident memory in GiB of the largest single process: it, or a child it waited for.
    status : int
        Exit status; negative where a signal ended it.
    timed_out : bool
    answer : dict
        The last line of standard output, where that is a JSON object.
    output, errors : str
    """

    seconds: float
    cpu: float
    peak: float
    status: int
    timed_out: bool
    answer: dict[str, Any] = field(default_factory=dict)
    output: str = ""
    errors: str = ""

    @property
    def failure(self) -> str:
        """What went wrong in a few words; empty if nothing did."""
        if self.timed_out:
            return "timeout"
        last = self.errors.strip().splitlines()[-1:] or [""]
        return f"failed: {last[0][:60]}" if self.status else ""


def run(
    command: Sequence[str],
    *,
    timeout: float = 600,
    environment: dict[str, str] | None = None,
    folder: str | None = None,
) -> Run:
    """Run a command to its end, or to the timeout, and return what it took."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [os.fspath(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        cwd=folder,
        start_new_session=True,  # so that the timeout ends its children too
    )
    late = threading.Event()

    def stop() -> None:
        late.set()
        os.killpg(process.pid, 9)

    timer = threading.Timer(timeout, stop)
    timer.start()
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
    reader.start()
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    timer.cancel()
    reader.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    scale = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return Run(
        seconds,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * scale / GIB,
        process.returncode,
        late.is_set(),
        _answer(output),
        output,
        "".join(errors),
    )


def again(script: str, *arguments: object, python: str = sys.executable, **options: Any) -> Run:
    """Run this script once more, as a child that measures one thing and prints JSON."""
    return run([python, script, "--child", *map(str, arguments)], **options)


def growing(
    script: str, sizes: Iterable[int], *arguments: object, timeout: float
) -> Iterator[tuple[int, Run, str]]:
    """Run a child for each size; with it, the growth of its ``fit`` seconds per unit of size."""
    before = 0.0
    for size in sizes:
        child = again(script, *arguments, size, timeout=timeout)
        each = 0.0 if child.failure else child.answer["fit"] / size
        yield size, child, f"{each / before:.3f}x" if before and each else ""
        before = each


def report(**answer: object) -> None:
    """Print a child's answer, which `Run.answer` is then."""
    print(json.dumps(answer), flush=True)


def machine(*packages: str) -> str:
    """Describe the machine, the load on it and the versions, in two lines."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [line for line in information.read_text().splitlines() if "model name" in line]
        model = names[0].split(":")[1].strip() if names else model
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    return (
        f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores, {model}, "
        f"load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}\n{versions}"
    )


def middle(values: Iterable[float]) -> float:
    """Return the median."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


# internals ------------------------------------------------------------------------------------


def _answer(output: str) -> dict[str, Any]:
    last = output.strip().splitlines()[-1:]
    try:
        found = json.loads(last[0]) if last else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not installed)"
