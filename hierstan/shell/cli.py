"""The shell's face: ``hierstan compare``, ``hierstan demo`` and ``hierstan templates``."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hierstan.errors import HierstanError, HierstanWarning
from hierstan.shell import printed, written
from hierstan.shell.arguments import parse
from hierstan.shell.texts import MORE

if TYPE_CHECKING:
    from argparse import Namespace

    import pandas as pd

    from hierstan.answers.comparison.comparison import Comparison
    from hierstan.data.grouped_data import GroupedData
    from hierstan.data.two_part import TwoPartData
    from hierstan.fit.fit import Fit
    from hierstan.fit.two_part import TwoPartFit
    from hierstan.shell.taken import Taken

    Whole = Fit | TwoPartFit

KNOWN = ("raw", "mean", "lower", "upper")  # of the table to decide by; the groups' has them
INTERRUPTED, PIPE_CLOSED = 130, 141  # 128 and the number of the signal, as shells have it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Instead of the process's own.

    Returns
    -------
    int
        The exit code: 0 done; 1 a `HierstanError`, or a file that cannot be read or written; 2 the
        command line was not understood; 130 interrupted; 141 nobody reads the output any more.

    Examples
    --------
    >>> from hierstan.shell.cli import main
    >>> main(["--version"])
    hierstan 0.1.0
    0
    """
    try:
        with _plain_output():
            options = parse(arguments)
            COMMANDS[options.command](options)
            sys.stdout.flush()
    except SystemExit as stop:  # argparse has said what there is to say
        return int(stop.code or 0)
    except HierstanError as error:
        return _complain(printed.in_words_of_the_shell(str(error)), 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing left to flush
        return PIPE_CLOSED
    except OSError as error:
        return _complain(f"{error.filename or 'a file'}: {error.strerror or error}", 1)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    return 0


# internals: the commands ----------------------------------------------------------------------


def _compare(options: Namespace) -> None:
    from hierstan.shell.taken import take

    taken = take(options)
    name = "standard input" if options.file == "-" else options.file
    _print(options, f"{options.title or name}: {printed.described(taken.data)}.")
    _answer(taken, options)


def _demo(options: Namespace) -> None:
    from hierstan.data.grouped_data import GroupedData
    from hierstan.datasets import load_dataset
    from hierstan.shell.taken import of_data

    schools = load_dataset("eight_schools")
    data = GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    title = "Eight schools: what coaching added to SAT-V scores, in points (Rubin 1981)"
    _print(options, f"{options.title or title}.")
    options.plot = options.plot or str(_writable(Path("hierstan-demo.png")))
    _answer(of_data(data), options)
    _print(options, f"\n{MORE}")


def _templates(options: Namespace) -> None:
    from hierstan.programs.files import copy_templates

    folder = copy_templates(options.directory)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*.stan"))
    print(f"{len(files)} templates are in {folder}. Edit them, and use them with")
    print(f"  hs.PartialPooling(template_dir={str(folder)!r})")
    print(f"or, for everything that a shell starts, with\n  export HIERSTAN_TEMPLATES={folder}")


def _answer(taken: Taken, options: Namespace) -> None:
    """Fit the three poolings, print what they say, the comparison first, and write it."""
    from hierstan.answers.comparison.compare import compare

    choice = _choice(taken.data, options)
    bars = sys.stderr.isatty() and not options.quiet
    printed.stage("fitting complete, no and partial pooling …", shown=bars)
    fits = taken.fit(
        priors=dict(options.prior),
        seed=options.seed,
        engine=options.engine,
        progress=bars,
    )
    printed.stage(f"leaving out one {options.unit} at a time …", shown=bars)
    comparisons = [
        (head, compare(own, unit=options.unit, progress=bars)) for head, own in _parts(fits).items()
    ]
    printed.stage("", shown=bars)
    table = written.groups_table(fits, options.prob)
    board = _board(fits["partial"], choice, options)
    if not options.quiet:
        _tell(fits, comparisons, table, board, options)
    for fit in _partial(fits):
        if fit.family.treatment:
            table = table.join(written.both_arms(fit, options.prob))
    _write(fits, table if board is None else _joined(table, board), choice, options)


def _tell(
    fits: Mapping[str, Whole],
    comparisons: Sequence[tuple[str, Comparison]],
    table: pd.DataFrame,
    board: pd.DataFrame | None,
    options: Namespace,
) -> None:
    prob, own = options.prob, _partial(fits)
    print(f"Fitted by {own[0].engine} with seed {options.seed}.\n")
    for head, comparison in comparisons:
        printed.print_comparison(comparison, head)
    printed.print_diagnoses(fits)
    printed.print_groups(table, fits["partial"].data, prob)
    for (head, comparison), fit in zip(comparisons, own, strict=True):
        if "beta" in fit.arrays:
            printed.print_slopes(fit, prob)
        if fit.data.covariates is not None:
            printed.print_covariates(fit, prob)
        if by := getattr(options, "by", None):
            printed.print_levels(fit, by, prob)
        if fit.data.factors is not None:
            printed.print_components(fit, prob)
        caring = None if head else getattr(options, "caring", None) or None
        printed.print_differences(fit, prob, caring, comparison.verdict, head)
        if fit.family.treatment:
            printed.print_arms(fit, prob)
    if board is not None:
        printed.print_choice(board, fits["partial"].data)


def _parts(fits: Mapping[str, Whole]) -> dict[str, dict[str, Fit]]:
    """Return the fits of each of the models that they consist of, by what these are about."""
    from hierstan.fit.trust import parts
    from hierstan.fit.two_part import PART_WORDS

    found: dict[str, dict[str, Fit]] = {}
    for name, fit in fits.items():
        for key, part in parts(fit).items():
            found.setdefault(PART_WORDS.get(key, "").capitalize(), {})[name] = part
    return found


def _partial(fits: Mapping[str, Whole]) -> list[Fit]:
    return [own["partial"] for own in _parts(fits).values()]


def _write(
    fits: Mapping[str, Whole],
    table: pd.DataFrame,
    choice: Mapping[str, object] | None,
    options: Namespace,
) -> None:
    by = getattr(options, "by", None)
    draw = partial(written.write_picture, fits["partial"], by=by, title=options.title)
    for what, path, write in (
        ("table of the groups", options.output, lambda path: written.write_table(table, path)),
        ("picture of the shrinkage", options.plot, draw),
        ("report", options.report, lambda path: _report(fits, path, choice, options)),
    ):
        if path:
            write(path)
            if not options.quiet:
                print(f"\nThe {what} is in {path}.")


def _report(
    fits: Mapping[str, Whole], path: str, choice: Mapping[str, object] | None, options: Namespace
) -> None:
    more = {"unit": options.unit, "prob": options.prob, **(choice or {})}
    written.write_page(fits, path, options.title, more)


def _choice(data: GroupedData | TwoPartData, options: Namespace) -> dict[str, Any] | None:
    """Return what a group is to be chosen by, where one is; the control as its label."""
    control, caring, smaller = (
        getattr(options, name, None) for name in ("control", "caring", "smaller_is_better")
    )
    if getattr(options, "arm", None) is not None or (
        control is None and caring is None and not smaller
    ):
        return None
    choice = {"caring": caring, "larger_is_better": not smaller}
    return choice if control is None else choice | {"control": written.label(data, control)}


def _board(fit: Whole, choice: Mapping[str, Any] | None, options: Namespace) -> pd.DataFrame | None:
    if choice is None:
        return None
    from hierstan.answers.decisions.decision_table import decision_table

    return decision_table(fit, prob=options.prob, **choice)


def _joined(table: pd.DataFrame, board: pd.DataFrame) -> pd.DataFrame:
    """Put the columns to decide by beside the groups' means, the best group first."""
    return table.reindex(board.index).join(board[[name for name in board if name not in KNOWN]])


def _writable(path: Path) -> Path:
    """Return a file in this folder, or where that cannot be written, among temporary ones."""
    if os.access(Path.cwd(), os.W_OK):
        return path.absolute()
    return Path(tempfile.gettempdir()) / path


def _print(options: Namespace, text: str) -> None:
    if not options.quiet:
        printed.print_filled(text)


COMMANDS = {"compare": _compare, "demo": _demo, "templates": _templates}


# internals: standard output and standard error ------------------------------------------------


@contextlib.contextmanager
def _plain_output() -> Iterator[None]:
    """Print warnings as a program does, and characters the terminal lacks as question marks."""
    with contextlib.suppress(AttributeError, OSError):  # a stand-in for standard output
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    with warnings.catch_warnings():
        show = warnings.showwarning

        def tell(message: Warning | str, category: type[Warning], *where: Any) -> None:
            if issubclass(category, HierstanWarning):
                _complain(f"warning: {printed.in_words_of_the_shell(str(message))}", 0)
            else:
                show(message, category, *where)

        warnings.simplefilter("always", HierstanWarning)
        warnings.showwarning = tell  # type: ignore[assignment]
        yield


def _complain(message: str, code: int) -> int:
    print(f"hierstan: {message}", file=sys.stderr)
    return code
