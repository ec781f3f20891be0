"""The shell's face: ``hierstan compare``, ``hierstan demo`` and ``hierstan templates``."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hierstan.errors import HierstanError, HierstanWarning
from hierstan.shell.arguments import CONSTRUCTORS, flag, parse

if TYPE_CHECKING:
    from argparse import Namespace

    from hierstan.data.grouped_data import GroupedData
    from hierstan.fit.fit import Fit

WIDTH = 79
MOST_GROUPS = 60
LEAST_LABEL = 12  # columns that a group's label has, however wide the numbers
KIND_WORDS = {
    "estimate": "estimates with standard errors",
    "successes": "successes in trials",
    "events": "events",
    "events_treatment": "events in two arms",
    "outcome": "outcomes",
}
IN_WORDS_OF_THE_SHELL = (
    (r"^The frame", "The file"),
    (r", with frame\.dropna\([^)]*\),", ""),
    (r"[Uu]se GroupedData\.from_rows", "use --outcome"),
    (r"go to from_rows with family='bernoulli'", "go to --outcome with --family bernoulli"),
    (r"Use CompletePooling, or data with more groups\.", "Give data with more groups."),
    (r"[Uu]se unit='group'", "Use --unit group"),
    (r"smallest_difference= sets another limit", "Another limit can be set in Python"),
)
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
        return _complain(_in_words_of_the_shell(str(error)), 1)
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
    _print_filled(f"{options.file}: {_described(data)}.")
    _answer(data, options)


def _demo(options: Namespace) -> None:
    from hierstan.data.grouped_data import GroupedData
    from hierstan.datasets import load_dataset

    schools = load_dataset("eight_schools")
    data = GroupedData.from_estimates(schools, group="school", estimate="effect", se="se")
    print("Eight schools: what coaching added to SAT-V scores, in points (Rubin 1981).")
    _answer(data, options)


def _templates(options: Namespace) -> None:
    from hierstan.programs.files import copy_templates

    folder = copy_templates(options.directory)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*.stan"))
    print(f"{len(files)} templates are in {folder}. Edit them, and use them with")
    print(f"  hs.PartialPooling(template_dir={str(folder)!r})")
    print(f"or, for everything that a shell starts, with\n  export HIERSTAN_TEMPLATES={folder}")


def _read(options: Namespace) -> GroupedData:
    from hierstan.data.grouped_data import GroupedData
    from hierstan.shell.csv_file import read_columns

    columns: dict[str, Any] = options.columns
    wanted = {flag(role): name for role, name in columns.items()}
    predictors = {f"--predictors {number}": n for number, n in enumerate(options.predictors, 1)}
    frame = read_columns(options.file, wanted | predictors)
    more = {"predictors": options.predictors}
    if options.family is not None:
        more["family"] = options.family
    make = getattr(GroupedData, f"from_{CONSTRUCTORS[options.kind]}")
    data: GroupedData = make(frame, **columns, **more)
    return data


def _answer(data: GroupedData, options: Namespace) -> None:
    """Fit the three poolings and print what they say, the comparison first."""
    from hierstan.answers.comparison.compare import compare
    from hierstan.models.poolings import fit_poolings

    bars = sys.stderr.isatty()
    fits = fit_poolings(data, seed=options.seed, engine=options.engine, progress=bars)
    partial = fits["partial"]
    print(f"Fitted by {partial.engine} with seed {options.seed}.\n")
    comparison = compare(fits, unit=options.unit, progress=bars)
    print(
        repr(comparison).rsplit("\n\n", 1)[0] + "\n"
    )  # the table: the verdict is wider than WIDTH
    _print_filled(comparison.verdict)
    _print_diagnoses(fits)
    _print_groups(fits, options.prob)
    if "beta" in partial.posterior:
        _print_slopes(partial, options.prob)
    _print_differences(partial, options.prob)
    if options.plot:
        _plot(partial, options.plot)
    if options.report:
        _report(fits, options)


# internals: what is printed ---------------------------------------------------------------------


def _described(data: GroupedData) -> str:
    from hierstan.families import FAMILIES

    rows = "" if data.n_rows == len(data.groups) else f" in {data.n_rows:,} rows"
    kind = next(words for role, words in KIND_WORDS.items() if role in data.columns)
    family = FAMILIES[data.family].distribution or data.family
    groups = f"{len(data.groups):,} group{'s' * (len(data.groups) != 1)}"
    return f"{kind} of {groups}{rows}, {family} family"


def _print_filled(text: str) -> None:
    """Print text, with its long lines filled to the width of a terminal."""
    for line in text.split("\n"):
        print(line if len(line) <= WIDTH else textwrap.fill(line, WIDTH, break_on_hyphens=False))
    sys.stdout.flush()


def _print_diagnoses(fits: Mapping[str, Fit]) -> None:
    from hierstan.answers.diagnose import diagnose
    from hierstan.text.wording import pooling_words

    found = {name: diagnose(fit) for name, fit in fits.items()}
    for name, diagnosis in found.items():
        if not diagnosis.ok:
            _print_filled(f"\n{pooling_words(name).capitalize()}: {' '.join(diagnosis.messages)}")


def _print_groups(fits: Mapping[str, Fit], prob: float) -> None:
    """Print each group's raw estimate, its means, and what partial pooling did to it."""
    from hierstan.text.tables import Table, percent, plain_labels, printable

    data = fits["partial"].data
    columns = _columns(fits, prob)
    room = WIDTH - sum(2 + max(map(len, [name, *cells])) for name, cells in columns.items())
    texts = [data.grouped_by, *plain_labels(data.groups)]
    head, *labels = (printable(text, max(room, LEAST_LABEL)) for text in texts)
    rows = tuple(zip(labels, *columns.values(), strict=True))
    more = f"… and {len(rows) - MOST_GROUPS:,} more" if len(rows) > MOST_GROUPS else ""
    print("\nGroup means: raw and under each pooling. Of partial pooling also the standard")
    print(
        f"deviation, the {percent(prob)} interval, and the pooling factor (0: its own data count,"
    )
    print("1: those of the others).\n")
    print(Table((head, *columns), rows[:MOST_GROUPS], more).text())


def _columns(fits: Mapping[str, Fit], prob: float) -> dict[str, list[str]]:
    from hierstan.answers.differences.shrinkage import group_means, shrinkage
    from hierstan.text.tables import numbers, percent, places

    ledger = shrinkage(fits["partial"], prob=prob)
    decimals = max(places(ledger["sd"]) - 1, 0)
    found = {
        "raw": ledger["raw"],
        "se": ledger["raw_se"],
        **{name: group_means(fit)["mean"] for name, fit in fits.items()},
        "sd": ledger["sd"],
        percent((1 - prob) / 2): ledger["lower"],
        percent((1 + prob) / 2): ledger["upper"],
    }
    columns = {name: numbers(values.to_numpy(), decimals) for name, values in found.items()}
    return {**columns, "pooled": numbers(ledger["pooling_factor"].to_numpy(), 2)}


def _print_slopes(fit: Fit, prob: float) -> None:
    from hierstan.answers.differences.coefficients import coefficients
    from hierstan.text.tables import Table, numbers, percent, places, printable

    found = coefficients(fit, prob=prob)
    header = ("for one unit of", "mean", "sd", percent((1 - prob) / 2), percent((1 + prob) / 2))
    rows = tuple(
        (printable(str(name), LEAST_LABEL), *numbers(line, places(line[1])))
        for name, *line in found[["mean", "sd", "lower", "upper"]].itertuples()
    )
    print("\nHow group means change with the predictors, by partial pooling.\n")
    print(Table(header, rows).text())


def _print_differences(fit: Fit, prob: float) -> None:
    from hierstan.answers.differences.heterogeneity import heterogeneity

    print()
    _print_filled(_in_words_of_the_shell(heterogeneity(fit, prob=prob).verdict))


def _plot(fit: Fit, path: str) -> None:
    os.environ.setdefault("MPLBACKEND", "Agg")  # a file needs no screen
    from hierstan.plots import plot_shrinkage

    plot_shrinkage(fit).savefig(path)
    print(f"\nThe picture of the shrinkage is in {path}.")


def _report(fits: Mapping[str, Fit], options: Namespace) -> None:
    os.environ.setdefault("MPLBACKEND", "Agg")
    from hierstan.report import report

    report(fits, options.report, unit=options.unit, prob=options.prob)
    print(f"\nThe report is in {options.report}.")


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
                _complain(f"warning: {_in_words_of_the_shell(str(message))}", 0)
            else:
                show(message, category, *where)

        warnings.simplefilter("always", HierstanWarning)
        warnings.showwarning = tell  # type: ignore[assignment]
        yield


def _complain(message: str, code: int) -> int:
    print(f"hierstan: {message}", file=sys.stderr)
    return code


def _in_words_of_the_shell(message: str) -> str:
    """Say the library's advice, which is about Python, in terms of this command's options."""
    for python, shell in IN_WORDS_OF_THE_SHELL:
        message = re.sub(python, shell, message)
    return message
