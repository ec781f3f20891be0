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
from hierstan.shell import printed, values, written
from hierstan.shell.arguments import CONSTRUCTORS, parse
from hierstan.shell.options import flag
from hierstan.shell.texts import MORE

if TYPE_CHECKING:
    from argparse import Namespace

    import pandas as pd

    from hierstan.answers.comparison.comparison import Comparison
    from hierstan.data.grouped_data import GroupedData
    from hierstan.fit.fit import Fit

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
    data = _read(options)
    name = "standard input" if options.file == "-" else options.file
    _print(options, f"{options.title or name}: {printed.described(data)}.")
    _answer(data, options)


def _demo(options: Namespace) -> None:
    from hierstan.data.grouped_data import GroupedData
    from hierstan.datasets import load_dataset

    schools = load_dataset("eight_schools")
    data = GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    title = "Eight schools: what coaching added to SAT-V scores, in points (Rubin 1981)"
    _print(options, f"{options.title or title}.")
    options.plot = options.plot or str(_writable(Path("hierstan-demo.png")))
    _answer(data, options)
    _print(options, f"\n{MORE}")


def _templates(options: Namespace) -> None:
    from hierstan.programs.files import copy_templates

    folder = copy_templates(options.directory)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*.stan"))
    print(f"{len(files)} templates are in {folder}. Edit them, and use them with")
    print(f"  hs.PartialPooling(template_dir={str(folder)!r})")
    print(f"or, for everything that a shell starts, with\n  export HIERSTAN_TEMPLATES={folder}")


def _read(options: Namespace) -> GroupedData:
    from hierstan.data.grouped_data import GroupedData
    from hierstan.shell.table_file import Dialect, read_columns

    columns: dict[str, Any] = options.columns
    several = {"group": options.group, "factor": options.factors, "predictors": options.predictors}
    wanted = {flag(role): name for role, name in columns.items() if role != "group"}
    for role, names in several.items():
        wanted |= {f"{flag(role)} {number}": name for number, name in enumerate(names, 1)}
    dialect = Dialect(options.sep, options.decimal, options.encoding)
    labels = [*options.group, *options.factors, *filter(None, [options.arm])]
    frame = read_columns(options.file, wanted, labels=labels, dialect=dialect)
    more = {"predictors": options.predictors, "factors": options.factors}
    if options.family is not None:
        more["family"] = options.family
    if options.order is not None:
        more["order"] = values.like(options.order, frame[columns["rating"]])
    constructor = CONSTRUCTORS[options.kind]
    if options.arm is not None:
        constructor = "trial"
        more["control"] = written.arm(frame[options.arm], options.control)
    make = getattr(GroupedData, f"from_{constructor}")
    data: GroupedData = make(frame, **columns, **more)
    return data


def _answer(data: GroupedData, options: Namespace) -> None:
    """Fit the three poolings, print what they say, the comparison first, and write it."""
    from hierstan.answers.comparison.compare import compare
    from hierstan.models.poolings import fit_poolings

    choice = _choice(data, options)
    bars = sys.stderr.isatty() and not options.quiet
    printed.stage("fitting complete, no and partial pooling …", shown=bars)
    fits = fit_poolings(
        data,
        priors=dict(options.prior),
        seed=options.seed,
        engine=options.engine,
        progress=bars,
    )
    printed.stage(f"leaving out one {options.unit} at a time …", shown=bars)
    comparison = compare(fits, unit=options.unit, progress=bars)
    printed.stage("", shown=bars)
    table = written.groups_table(fits, options.prob)
    board = _board(fits["partial"], choice, options)
    if not options.quiet:
        _tell(fits, comparison, table, board, options)
    if fits["partial"].family.treatment:
        table = table.join(written.both_arms(fits["partial"], options.prob))
    _write(fits, table if board is None else _joined(table, board), choice, options)


def _tell(
    fits: Mapping[str, Fit],
    comparison: Comparison,
    table: pd.DataFrame,
    board: pd.DataFrame | None,
    options: Namespace,
) -> None:
    partial, prob = fits["partial"], options.prob
    print(f"Fitted by {partial.engine} with seed {options.seed}.\n")
    printed.print_comparison(comparison)
    printed.print_diagnoses(fits)
    printed.print_groups(table, partial.data, prob)
    if "beta" in partial.posterior:
        printed.print_slopes(partial, prob)
    if by := getattr(options, "by", None):
        printed.print_levels(partial, by, prob)
    if partial.data.factors is not None:
        printed.print_components(partial, prob)
    caring = getattr(options, "caring", None) or None
    printed.print_differences(partial, prob, caring, comparison.verdict)
    if partial.family.treatment:
        printed.print_arms(partial, prob)
    if board is not None:
        printed.print_choice(board, partial.data)


def _write(
    fits: Mapping[str, Fit],
    table: pd.DataFrame,
    choice: Mapping[str, Any] | None,
    options: Namespace,
) -> None:
    by = getattr(options, "by", None)
    draw = partial(written.write_picture, fits["partial"], by=by)
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
    fits: Mapping[str, Fit], path: str, choice: Mapping[str, Any] | None, options: Namespace
) -> None:
    more = {"unit": options.unit, "prob": options.prob, **(choice or {})}
    written.write_page(fits, path, options.title, more)


def _choice(data: GroupedData, options: Namespace) -> dict[str, Any] | None:
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


def _board(fit: Fit, choice: Mapping[str, Any] | None, options: Namespace) -> pd.DataFrame | None:
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
