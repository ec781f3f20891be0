"""What a cold Python process costs: the import, the first comparison, the demo.

Each is run several times, in a process of its own. The ratio is to `python -c pass`.

Run: python tests/benchmarks/cold_start.py [--repeat 5] [--imports]

--imports lists what takes longest to import on the way to the comparison (`python -X importtime`).
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile

from measuring import machine, middle, run

COMPARISON = """
import hierstan as hs
schools = hs.load_dataset("eight_schools")
data = hs.GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
print(hs.compare(hs.fit_poolings(data, seed=1, engine="stanli")))
"""
PARTIAL = COMPARISON.replace(
    "hs.compare(hs.fit_poolings(data", "hs.summary(hs.PartialPooling().fit(data"
)
DEMO = "from hierstan.shell.cli import main; main(['demo', '--engine', 'stanli'])"
COMMANDS = {
    "python -c pass": (["-c", "pass"], None),
    "import hierstan": (["-c", "import hierstan"], 0.35),
    "import numpy, pandas": (["-c", "import numpy, pandas"], None),
    "eight schools, partial, summary": (["-c", PARTIAL], None),
    "eight schools, three compared": (["-c", COMPARISON], 3.0),
    "hierstan demo": (["-c", DEMO], None),
}


def imports(most: int = 25) -> None:
    """Print the packages whose import takes longest, each with what it alone pulls in."""
    errors = run([sys.executable, "-X", "importtime", "-c", COMPARISON]).errors
    lines = re.findall(r"import time:\s+(\d+) \|\s+(\d+) \|(\s+)(\S+)", errors)
    alone: dict[str, int] = {}
    for own, _, _, name in lines:
        package = name.split(".")[0]
        alone[package] = alone.get(package, 0) + int(own)
    total = sum(alone.values())
    print(f"\nimports on the way to the comparison: {len(lines):,} modules, {total / 1e6:.2f} s")
    print("by package, its own modules [ms]:")
    for name, microseconds in sorted(alone.items(), key=lambda item: -item[1])[:most]:
        print(f"  {microseconds / 1000:>7.0f}  {name}")
    print("by module, with all it imports first [ms]:")
    for _, total_, indent, name in sorted(lines, key=lambda line: -int(line[1]))[:most]:
        print(f"  {int(total_) / 1000:>7.0f} {indent[1:]}{name}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Cold starts.")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--imports", action="store_true")
    options = parser.parse_args()
    print(machine("hierstan", "stanli", "pandas", "xarray", "arviz-base", "arviz-stats"))
    print(
        f"\n{'process':<32} {'min [s]':>8} {'median':>7} {'max':>7} {'CPU':>5} {'GiB':>5} "
        f"{'ratio':>6}  target"
    )
    base = 0.0
    for name, (arguments, target) in COMMANDS.items():
        with tempfile.TemporaryDirectory() as folder:  # the demo writes a picture where it is
            command = [sys.executable, *arguments]
            runs = [run(command, folder=folder) for _ in range(options.repeat + 1)]
        failed = next((found for found in runs if found.failure), None)
        if failed:
            print(f"{name:<32} {failed.failure}")
            continue
        seconds = [found.seconds for found in runs[1:]]  # the first fills the disk's cache
        typical = middle(seconds)
        base = base or typical
        verdict = f"{target:g} s, {'met' if typical < target else 'MISSED'}" if target else ""
        print(
            f"{name:<32} {min(seconds):>8.3f} {typical:>7.3f} {max(seconds):>7.3f} "
            f"{middle(found.cpu for found in runs[1:]):>5.2f} "
            f"{max(found.peak for found in runs):>5.2f} {typical / base:>5.1f}x  {verdict}",
            flush=True,
        )
    if options.imports:
        imports()


if __name__ == "__main__":
    main()
